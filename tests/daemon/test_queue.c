/* SPDX-License-Identifier: MIT */
/*
 * Names and ids of a list: what lies beside it stays in its slot, ids are nobody's count (R1).
 */
#include "daemon/queue.h"

#include <string.h>

#include "tests/support/hrtest.h"

static void assert_named(const char *key, const char *own, const char *batch)
{
    struct job_conf conf = {.name = "job", .source.key = key, .dead.key = "dead"};
    struct queue *queue = queue_new(&conf, "one", "host", NULL, NULL);
    char buffer[QUEUE_BATCH_KEY_MAX];
    ASSERT_TRUE(queue);
    ASSERT_STR(queue->list, key);
    ASSERT_STR(queue->own, own);
    queue_batch_key(queue, "7", buffer);
    ASSERT_STR(buffer, batch);
    queue_free(queue);
}

TEST_PLAIN(keys_beside_a_list_share_its_slot_and_no_two_lists_share_keys)
{
    assert_named("orders", "{orders}:hr:own", "{orders}:hr:batch:7");
    assert_named("{shop}:orders", "{shop}:orders:hr:own", "{shop}:orders:hr:batch:7");
    assert_named("{shop}:others", "{shop}:others:hr:own", "{shop}:others:hr:batch:7");
}

TEST_PLAIN(ids_are_128_random_bits)
{
    static char ids[1000][33];
    unsigned digits[128] = {0};
    for (size_t i = 0; i < HR_ARRAY_LEN(ids); i++) {
        queue_random_id(ids[i]);
        ASSERT_EQ(strlen(ids[i]), 32);
        ASSERT_EQ(strspn(ids[i], "0123456789abcdef"), 32);
        for (size_t j = 0; j < i; j++)
            ASSERT_TRUE(strcmp(ids[i], ids[j]) != 0);
        for (size_t c = 0; c < 32; c++)
            digits[(unsigned char)ids[i][c]]++;
    }
    /* 2,000 of each are to be expected, give or take 43. */
    for (const char *c = "0123456789abcdef"; *c; c++)
        ASSERT_TRUE(digits[(unsigned char)*c] > 1600 && digits[(unsigned char)*c] < 2400);
}
