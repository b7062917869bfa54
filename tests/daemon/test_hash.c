/* SPDX-License-Identifier: MIT */
/*
 * Hashes that lie in Redis and MySQL: they must never change, on no machine and in no version.
 */
#include "daemon/hash.h"

#include <string.h>

#include "tests/support/hrtest.h"

static void assert_digest(size_t n, const char *const texts[], const char *want)
{
    struct hash hash = {0};
    char is[17];
    for (size_t i = 0; i < n; i++)
        hash_add(&hash, texts[i], strlen(texts[i]));
    snprintf(is, sizeof(is), "%016llx", (unsigned long long)hash.value);
    ASSERT_STR(is, want);
}

TEST_PLAIN(digests_never_change)
{
    assert_digest(0, NULL, "0000000000000000");
    assert_digest(1, (const char *[]){""}, "ef46db3751d8e999"); /* XXH64 of nothing, seed 0 */
    assert_digest(1, (const char *[]){"a"}, "9a7c6d2ea45568c9");
    assert_digest(2, (const char *[]){"ab", "c"}, "c46a5679752b9f07");
    assert_digest(2, (const char *[]){"a", "bc"}, "9ffb433f7a3d7327");
    assert_digest(3, (const char *[]){"{\"order_uid\": \"größe\"}", "", "null"},
                  "e4b60d34e0c8f038");
}

TEST_PLAIN(names_never_change)
{
    char name[17];
    hash_name("", name);
    ASSERT_STR(name, "ef46db3751d8e999");
    hash_name("unix:///run/redis.sock?db=0 orders", name);
    ASSERT_STR(name, "892f4052f0445e05");
}

TEST_PLAIN(ids_of_children_never_change)
{
    static const char parent[] = "00112233445566778899aabbccddeeff";
    static const char *const want[] = {"e33b41a13f1589310e9dacb5a1a40441",
                                       "9a392deadb0835dff48aaac7ab1ab8da"};
    char id[33];
    hash_child_id(parent, 0, id);
    ASSERT_STR(id, want[0]);
    hash_child_id(parent, 9, id);
    ASSERT_STR(id, want[1]);
}

TEST_PLAIN(children_of_children_are_all_different)
{
    char ids[110][33];
    size_t n = 0;
    for (unsigned k = 0; k < 10; k++)
        hash_child_id("00112233445566778899aabbccddeeff", k, ids[n++]);
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned k = 0; k < 10; k++)
            hash_child_id(ids[i], k, ids[n++]);
    }
    for (size_t i = 0; i < n; i++) {
        ASSERT_EQ(strlen(ids[i]), 32);
        for (size_t j = 0; j < i; j++)
            ASSERT_TRUE(strcmp(ids[i], ids[j]) != 0);
    }
}
