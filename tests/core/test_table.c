/* SPDX-License-Identifier: MIT */
/*
 * A table of what is found by a text.
 */
#include "core/table.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/hrtest.h"

struct thing {
    struct hr__table_entry entry;
    char name[16];
};

static struct thing *find(const struct hr__table *table, const char *name)
{
    uint64_t hash = hr__table_hash(name);
    hr_list_foreach (link, hr__table_at(table, hash)) {
        struct thing *it = hr_list_entry(link, struct thing, entry.link);
        if (it->entry.hash == hash && strcmp(it->name, name) == 0)
            return it;
    }
    return NULL;
}

TEST(what_is_in_a_table_is_found_however_much_there_is)
{
    static struct thing things[5000];
    struct hr__table table;
    hr__table_init(&table);
    for (size_t i = 0; i < HR_ARRAY_LEN(things); i++) {
        snprintf(things[i].name, sizeof(things[i].name), "%zu", i);
        ASSERT_PTR(find(&table, things[i].name), NULL);
        hr__table_add(&table, &things[i].entry, hr__table_hash(things[i].name));
    }
    ASSERT_EQ(table.count, HR_ARRAY_LEN(things));
    ASSERT_TRUE(table.width >= HR_ARRAY_LEN(things) / 2);
    for (size_t i = 0; i < HR_ARRAY_LEN(things); i += 2)
        hr__table_remove(&table, &things[i].entry);
    for (size_t i = 0; i < HR_ARRAY_LEN(things); i++)
        ASSERT_PTR(find(&table, things[i].name), i % 2 ? &things[i] : NULL);
    ASSERT_EQ(table.count, HR_ARRAY_LEN(things) / 2);
    hr__table_done(&table);
    ASSERT_EQ(table.count, 0);
    ASSERT_PTR(find(&table, "1"), NULL);
}
