/* SPDX-License-Identifier: MIT */
/*
 * Scans and streams, in both generations of the protocol.
 */
#include <string.h>

#include "drivers/redis/scan.h"
#include "drivers/redis/stream.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

#define KEYS 1000

static hr_redis *client(const struct test_redis *server, unsigned protocol)
{
    hr_redis *redis =
        hr_redis_new(&(struct hr_redis_options){.url = server->unix_url, .protocol = protocol});
    ASSERT_TRUE(redis);
    return redis;
}

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

/* Goes through a scan of names that end in a number; each comes, and nothing else does. */
static void expect_all(struct hr_redis_scan *scan, int n, int step)
{
    static unsigned char seen[KEYS];
    memset(seen, 0, sizeof(seen));
    const char *name;
    size_t len;
    int r, different = 0;
    while ((r = hr_redis_scan_next(scan, &name, &len)) > 0) {
        ASSERT_EQ(len, strlen(name));
        long i = strtol(strrchr(name, ':') + 1, NULL, 10);
        ASSERT_TRUE(i >= 0 && i < KEYS && i % step == 0);
        different += !seen[i];
        seen[i] = 1;
    }
    ASSERT_ERR(r, 0);
    ASSERT_EQ(different, n);
    ASSERT_ERR(hr_redis_scan_next(scan, &name, &len), 0);
    hr_redis_scan_done(scan);
}

TEST_REAL(a_scan_finds_every_key_and_every_element)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    for (int i = 0; i < KEYS; i++) {
        ASSERT_ERR(hr_redis_command(redis, NULL, i % 2 ? "SET k:%d x" : "HSET k:%d f x", i), 0);
        ASSERT_ERR(hr_redis_command(redis, NULL, "SADD set e:%d", i), 0);
    }
    struct hr_redis_scan keys = {.redis = redis, .match = "k:*"};
    expect_all(&keys, KEYS, 1);
    struct hr_redis_scan hashes = {.redis = redis, .match = "k:*", .type = "hash", .count = 7};
    expect_all(&hashes, KEYS / 2, 2);
    struct hr_redis_scan set = {.redis = redis, .command = "SSCAN", .key = "set"};
    expect_all(&set, KEYS, 1);

    struct hr_redis_scan wrong = {.redis = redis, .command = "SSCAN"};
    const char *name;
    ASSERT_ERR(hr_redis_scan_next(&wrong, &name, NULL), -EINVAL);
    wrong = (struct hr_redis_scan){.redis = redis, .command = "HSCAN", .key = "set"};
    ASSERT_ERR(hr_redis_scan_next(&wrong, &name, NULL), HR_EREPLY);
    struct hr_redis_scan none = {.redis = redis, .match = "nobody:*"};
    ASSERT_ERR(hr_redis_scan_next(&none, &name, NULL), 0);
    hr_redis_scan_done(&none);
    client_end(redis);
}

static void add(hr_redis *redis, int n, uint64_t max_len)
{
    char id[HR_REDIS_ID_MAX] = "";
    for (int i = 0; i < n; i++) {
        ASSERT_ERR(hr_redis_add(redis, "s", max_len, 2,
                                (struct hr_redis_field[]){
                                    {"n",    hr_redis_int(i)    },
                                    {"name", hr_redis_str("a b")}
        },
                                id),
                   0);
        ASSERT_TRUE(strchr(id, '-'));
    }
}

TEST_REAL(a_group_reads_acknowledges_and_claims)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    for (unsigned protocol = 2; protocol <= 3; protocol++) {
        hr_redis *redis = client(&server, protocol);
        struct hr_redis_group group = {"s", "g", "one"}, other = {"s", "g", "two"};
        hr_auto(hr_redis_entries_done) struct hr_redis_entries batch = {0};
        hr_redis_conn *conn = NULL;
        ASSERT_ERR(hr_redis_command(redis, NULL, "DEL s"), 0);
        ASSERT_EQ(hr_redis_group_create(redis, &group, "0"), 1);
        ASSERT_EQ(hr_redis_group_create(redis, &group, "0"), 0);
        ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
        ASSERT_EQ(hr_redis_read_group(conn, &group, 10, hr_ms(2), &batch), 0);
        ASSERT_EQ(hr_redis_read_group(conn, &group, 10, 0, &batch), 0); /* is not for ever */
        ASSERT_EQ(hr_redis_ack(redis, &group, &batch), 0);
        struct hr_redis_group wrong = {"text", "g", "one"};
        ASSERT_ERR(hr_redis_command(redis, NULL, "SET text t"), 0);
        ASSERT_ERR(hr_redis_group_create(redis, &wrong, "0"), HR_EREPLY);
        add(redis, 5, 0);
        ASSERT_EQ(hr_redis_read_group(conn, &group, 3, hr_seconds(5), &batch), 3);
        for (size_t i = 0; i < 3; i++) {
            size_t len;
            ASSERT_EQ(strtol(hr_redis_entry_field(&batch.items[i], "n", NULL), NULL, 10), i);
            ASSERT_STR(hr_redis_entry_field(&batch.items[i], "name", &len), "a b");
            ASSERT_EQ(len, 3);
            ASSERT_PTR(hr_redis_entry_field(&batch.items[i], "none", NULL), NULL);
        }
        ASSERT_EQ(hr_redis_ack(redis, &group, &batch), 3);
        ASSERT_EQ(hr_redis_ack(redis, &group, &batch), 0);

        /* Two are read and never acknowledged: somebody else takes them over. */
        ASSERT_EQ(hr_redis_read_group(conn, &group, 3, hr_seconds(5), &batch), 2);
        char cursor[HR_REDIS_ID_MAX] = "0-0";
        ASSERT_EQ(hr_redis_claim(redis, &other, hr_seconds(3600), 10, cursor, &batch), 0);
        ASSERT_EQ(hr_redis_claim(redis, &other, 0, 1, cursor, &batch), 1);
        ASSERT_FALSE(strcmp(cursor, "0-0") == 0);
        ASSERT_EQ(hr_redis_claim(redis, &other, 0, 1, cursor, &batch), 1);
        ASSERT_STR(cursor, "0-0");
        ASSERT_STR(hr_redis_entry_field(&batch.items[0], "n", NULL), "4");
        hr_redis_release(conn);
        client_end(redis);
    }
}

static int read_one(void *arg)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_redis_entries_done) struct hr_redis_entries batch = {0};
    int r = hr_redis_acquire(arg, &conn);
    if (r < 0)
        return r;
    struct hr_redis_group group = {"s", "g", "one"};
    return hr_redis_read_group(conn, &group, 1, hr_seconds(60), &batch);
}

TEST_REAL(a_reader_that_is_cancelled_loses_nothing_and_streams_are_trimmed)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    struct hr_redis_group group = {"s", "g", "one"};
    ASSERT_EQ(hr_redis_group_create(redis, &group, "$"), 1);
    for (int passes = 0; passes < 8; passes++) {
        hr_task *task = hr_create_task("reader", read_one, redis);
        test_passes(passes);
        hr_task_cancel(task, NULL);
        ASSERT_ERR(hr_join(task), -ECANCELED);
    }
    add(redis, 1000, 100);
    hr_auto(hr_reply_freep) hr_reply *length = NULL;
    ASSERT_ERR(hr_redis_command(redis, &length, "XLEN s"), 0);
    ASSERT_TRUE(hr_reply_int(length) >= 100 && hr_reply_int(length) < 300);

    hr_auto(hr_redis_entries_done) struct hr_redis_entries batch = {0};
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_EQ(hr_redis_read_group(conn, &group, 1000, hr_ms(1), &batch), hr_reply_int(length));
    hr_redis_release(hr_take(conn));
    client_end(redis);
}
