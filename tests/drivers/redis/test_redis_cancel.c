/* SPDX-License-Identifier: MIT */
/*
 * Everything the Redis client does, cancelled at every wait there is, plain and over TLS: it ends
 * with -ECANCELED or as if nothing had happened, no element is lost, no later reply shifts, and
 * nothing is left behind.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/redis.h"
#include "drivers/redis/pipeline.h"
#include "drivers/redis/typed.h"
#include "tests/drivers/redis/cancel_sweep.h"
#include "tests/drivers/redis/redis_calls.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

static int do_command(void *client)
{
    hr_redis *redis = client;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    return hr_redis_command(redis, &reply, "ECHO inside");
}

static int do_pairs(void *client)
{
    hr_redis *redis = client;
    hr_auto(hr_redis_pairs_done) struct hr_redis_pairs pairs = {0};
    int r = hr_redis_hset(redis, "h", HR_REDIS_FIELDS({"a", hr_redis_int(1)}));
    return r < 0 ? r : hr_redis_command_pairs(redis, &pairs, "HGETALL h");
}

static int do_script(void *client)
{
    hr_redis *redis = client;
    static const struct hr_redis_script one = {
        .name = "one",
        .source = "return 1",
        .len = sizeof("return 1") - 1,
        .sha1 = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
    };
    int r = hr_redis_command(redis, NULL, "SCRIPT FLUSH");
    return r < 0 ? r : hr_redis_eval(redis, NULL, &one, 0, NULL, 0, NULL);
}

static int do_pipelines(void *client)
{
    hr_redis *redis = client;
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 5; i++)
        hr_redis_pipeline_add(p, "ECHO inside-%d", i);
    int r = hr_redis_pipeline_run(redis, p);
    return r < 0 ? r : hr_redis_pipeline_exec(redis, p);
}

static int do_watch(void *client)
{
    hr_redis *redis = client;
    static const char *const keys[] = {"watched"};
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_redis_pipeline_add(p, "SET watched 1");
    int r = hr_redis_watch(redis, 1, keys, &conn);
    return r < 0 ? r : hr_redis_conn_pipeline_exec(conn, p);
}

static int do_block(void *client)
{
    hr_redis *redis = client;
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    int r = hr_redis_acquire(redis, &conn);
    return r < 0 ? r : hr_redis_conn_command(conn, NULL, hr_ms(20), "BLPOP none 0.02");
}

static int popped;

/* What is taken is counted; the cancel may come after it. */
static int do_pop(void *client)
{
    hr_redis *redis = client;
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_acquire(redis, &conn);
    if (r >= 0)
        r = hr_redis_conn_command(conn, &reply, hr_seconds(1), "BLPOP full 1");
    popped += r >= 0 && !hr_reply_is_nil(reply);
    return r;
}

static int do_pubsub(void *client)
{
    return redis_calls_pubsub(client);
}

static int do_stream(void *client)
{
    return redis_calls_stream(client);
}

static int do_scan(void *client)
{
    return redis_calls_scan(client);
}

static const struct cancel_operation operations[] = {
    {"command",   do_command  },
    {"pairs",     do_pairs    },
    {"script",    do_script   },
    {"pipelines", do_pipelines},
    {"watch",     do_watch    },
    {"block",     do_block    },
    {"pop",       do_pop      },
    {"pubsub",    do_pubsub   },
    {"stream",    do_stream   },
    {"scan",      do_scan     },
};

static void cancel_everywhere(const struct test_redis *server,
                              const struct hr_redis_options *options)
{
    const struct cancel_sweep sweep = cancel_sweep_of(options);
    for (size_t i = 0; i < HR_ARRAY_LEN(operations); i++) {
        test_redis_ask(server, "DEL full");
        popped = 0;
        ASSERT_TRUE(strstr(test_redis_ask(server, "RPUSH full 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 "
                                                  "16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 "
                                                  "31 32 33 34 35 36 37 38 39 40"),
                           ":40"));
        cancel_sweep_run(&sweep, &operations[i]);
        ASSERT_EQ(atoi(test_redis_ask(server, "LLEN full") + 1), 40 - popped);
    }
}

TEST_TICKING(r1_every_call_of_redis_can_be_cancelled_at_every_wait)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    cancel_everywhere(&server, &(struct hr_redis_options){.url = server.unix_url});
    cancel_everywhere(&server, &(struct hr_redis_options){.url = server.unix_url, .protocol = 2});
}

TEST_TICKING(r1_every_call_of_redis_can_be_cancelled_at_every_wait_over_tls)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    cancel_everywhere(&server, &(struct hr_redis_options){.url = server.tcp_url,
                                                          .tls.ca = test_certificate("ca.pem")});
}
