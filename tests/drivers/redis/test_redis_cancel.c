/* SPDX-License-Identifier: MIT */
/*
 * Everything the Redis client does, cancelled at every wait there is, plain and over TLS: it ends
 * with -ECANCELED or as if nothing had happened, no element is lost, no later reply shifts, and
 * nothing is left behind.
 */
#include <stdlib.h>

#include "drivers/redis.h"
#include "drivers/redis/pipeline.h"
#include "drivers/redis/typed.h"
#include "tests/drivers/waits.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

static int do_command(hr_redis *redis)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    return hr_redis_command(redis, &reply, "ECHO inside");
}

static int do_pairs(hr_redis *redis)
{
    hr_auto(hr_redis_pairs_done) struct hr_redis_pairs pairs = {0};
    int r = hr_redis_hset(redis, "h", HR_REDIS_FIELDS({"a", hr_redis_int(1)}));
    return r < 0 ? r : hr_redis_command_pairs(redis, &pairs, "HGETALL h");
}

static int do_script(hr_redis *redis)
{
    static const struct hr_redis_script one = {
        .name = "one",
        .source = "return 1",
        .len = sizeof("return 1") - 1,
        .sha1 = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
    };
    int r = hr_redis_command(redis, NULL, "SCRIPT FLUSH");
    return r < 0 ? r : hr_redis_eval(redis, NULL, &one, 0, NULL, 0, NULL);
}

static int do_pipelines(hr_redis *redis)
{
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 5; i++)
        hr_redis_pipeline_add(p, "ECHO inside-%d", i);
    int r = hr_redis_pipeline_run(redis, p);
    return r < 0 ? r : hr_redis_pipeline_exec(redis, p);
}

static int do_watch(hr_redis *redis)
{
    static const char *const keys[] = {"watched"};
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_redis_pipeline_add(p, "SET watched 1");
    int r = hr_redis_watch(redis, 1, keys, &conn);
    return r < 0 ? r : hr_redis_conn_pipeline_exec(conn, p);
}

static int do_block(hr_redis *redis)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    int r = hr_redis_acquire(redis, &conn);
    return r < 0 ? r : hr_redis_conn_command(conn, NULL, hr_ms(20), "BLPOP none 0.02");
}

static int popped;

/* What is taken is counted; the cancel may come after it. */
static int do_pop(hr_redis *redis)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_acquire(redis, &conn);
    if (r >= 0)
        r = hr_redis_conn_command(conn, &reply, hr_seconds(1), "BLPOP full 1");
    popped += r >= 0 && !hr_reply_is_nil(reply);
    return r;
}

static const struct {
    const char *name;
    int (*run)(hr_redis *redis);
} operations[] = {
    {"command",   do_command  },
    {"pairs",     do_pairs    },
    {"script",    do_script   },
    {"pipelines", do_pipelines},
    {"watch",     do_watch    },
    {"block",     do_block    },
    {"pop",       do_pop      },
};

struct attempt {
    hr_redis *redis;
    int (*run)(hr_redis *redis);
    int at, code, waits;
};

static int attempt(void *arg)
{
    struct attempt *a = arg;
    (void)test_cancel_at(a->at, TEST_WAITS_ALL, hr_current_task());
    a->code = a->run(a->redis);
    a->waits = test_cancel_at(0, TEST_WAITS_ALL, NULL);
    return 0;
}

static void check_client(hr_redis *redis, int n)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    char want[32];
    snprintf(want, sizeof(want), "outside-%d", n);
    ASSERT_ERR(hr_redis_command(redis, &reply, "ECHO %s", want), 0);
    ASSERT_TRUE(hr_reply_equals(reply, want));
}

/* With a client that has not connected yet (cold), or one that has. False: there was no n-th wait.
 */
static bool cancel_once(const struct hr_redis_options *options, size_t operation, int n, bool cold)
{
    hr_redis *redis = hr_redis_new(options);
    ASSERT_TRUE(redis);
    if (!cold)
        check_client(redis, -1);
    struct attempt a = {.redis = redis, .run = operations[operation].run, .at = n};
    hr_task *task = hr_create_task("attempt", attempt, &a);
    int r = hr_join(task);
    bool reached = a.waits >= n;
    if ((r != 0 && r != -ECANCELED) || (a.code < 0 && a.code != -ECANCELED))
        test_fail(__FILE__, __LINE__, "%s at %d: %d: %s", operations[operation].name, n, a.code,
                  hr_error_message(a.code));
    ASSERT_TRUE(reached || a.code >= 0);
    check_client(redis, n);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    return reached;
}

static void cancel_everywhere(const struct test_redis *server,
                              const struct hr_redis_options *options)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(operations); i++) {
        for (int cold = 0; cold < 2; cold++) {
            int n = 1;
            test_redis_ask(server, "DEL full");
            popped = 0;
            test_redis_ask(server, "RPUSH full 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
            while (cancel_once(options, i, n, cold))
                n++;
            ASSERT_TRUE(n > 1 && n < 100);
            ASSERT_EQ(atoi(test_redis_ask(server, "LLEN full") + 1), 16 - popped);
        }
    }
}

TEST_REAL(r1_every_call_of_redis_can_be_cancelled_at_every_wait)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    cancel_everywhere(&server, &(struct hr_redis_options){.url = server.unix_url});
    cancel_everywhere(&server, &(struct hr_redis_options){.url = server.unix_url, .protocol = 2});
}

TEST_REAL(r1_every_call_of_redis_can_be_cancelled_at_every_wait_over_tls)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    cancel_everywhere(&server, &(struct hr_redis_options){.url = server.tcp_url,
                                                          .tls.ca = test_certificate("ca.pem")});
}
