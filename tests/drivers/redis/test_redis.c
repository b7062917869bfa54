/* SPDX-License-Identifier: MIT */
/*
 * The Redis client against a real server.
 */
#include "drivers/redis.h"

#include <dirent.h>
#include <string.h>

#include "core/gather.h"
#include "drivers/redis/script.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

static hr_redis *client(const char *url, const struct hr_redis_options *options)
{
    struct hr_redis_options with_url = options ? *options : (struct hr_redis_options){0};
    with_url.url = url;
    hr_redis *redis = hr_redis_new(&with_url);
    if (!redis)
        test_fail(__FILE__, __LINE__, "no client: %s", hr_last_error()->message);
    return redis;
}

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

/* The reply in words: elements in brackets, nil as "nil". */
static const char *say(hr_redis *redis, const char *fmt)
{
    static char text[512];
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_command(redis, &reply, fmt);
    if (r < 0)
        return strcpy(text, hr_last_error()->kind);
    size_t used = 0, n = hr_reply_len(reply);
    bool is_array =
        n > 0 || hr_reply_type(reply) == HR_REPLY_ARRAY || hr_reply_type(reply) == HR_REPLY_MAP;
    text[0] = '\0';
    for (size_t i = 0; i < (is_array ? n : 1); i++) {
        const hr_reply *at = is_array ? hr_reply_at(reply, i) : reply;
        const char *str = hr_reply_str(at, NULL);
        if (str || hr_reply_is_nil(at))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
                                     str ? str : "nil");
        else
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%lld", i ? " " : "",
                                     (long long)hr_reply_int(at));
    }
    return text;
}

static void check_commands(const char *url)
{
    hr_redis *redis = client(url, NULL);
    ASSERT_STR(say(redis, "HSET h a 1 b 2"), "2");
    ASSERT_STR(say(redis, "HGETALL h"), "a 1 b 2");
    ASSERT_STR(say(redis, "HGETALL none"), "");
    ASSERT_STR(say(redis, "LPUSH l x"), "1");
    ASSERT_STR(say(redis, "LPUSH l y"), "2");
    ASSERT_STR(say(redis, "RPOP l"), "x");
    ASSERT_STR(say(redis, "RPOP l"), "y");
    ASSERT_STR(say(redis, "RPOP l"), "nil");
    ASSERT_STR(say(redis, "INCR h"), "WRONGTYPE");
    ASSERT_STR(say(redis, "NOSUCH"), "ERR");
    ASSERT_STR(say(redis, "FLUSHALL"), "OK");
    client_end(redis);
}

TEST_REAL(s22_2_s22_3_commands_over_a_unix_socket_and_tcp)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    check_commands(server.unix_url);
    check_commands(server.tcp_url);
}

TEST_REAL(s22_4_values_are_bytes)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(server.unix_url, NULL);
    char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET k %b", bytes, sizeof(bytes)), 0);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, &reply, "GET k"), 0);
    size_t len = 0;
    const char *got = hr_reply_str(reply, &len);
    ASSERT_EQ(len, sizeof(bytes));
    ASSERT_TRUE(memcmp(got, bytes, len) == 0);
    client_end(redis);
}

TEST_REAL(s22_1_a_client_introduces_itself_as_its_url_says)
{
    static const char *const args[] = {"--user", "app", "on", ">geheim", "~*", "&*", "+@all", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    char url[160];
    snprintf(url, sizeof(url), "unix://app:geheim@%s?db=3", server.socket);
    hr_redis *redis = client(url, &(struct hr_redis_options){.client_name = "headrace-test"});
    ASSERT_STR(say(redis, "ACL WHOAMI"), "app");
    ASSERT_STR(say(redis, "CLIENT GETNAME"), "headrace-test");
    const char *info = say(redis, "CLIENT INFO");
    ASSERT_TRUE(strstr(info, " db=3 "));
    client_end(redis);

    snprintf(url, sizeof(url), "redis://app@127.0.0.1:%u/3", server.port);
    redis = client(url, &(struct hr_redis_options){.password = "geheim"});
    ASSERT_STR(say(redis, "ACL WHOAMI"), "app");
    client_end(redis);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    ASSERT_TRUE(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

TEST_REAL(s22_1_a_wrong_password_is_an_error_and_closes_the_socket)
{
    static const char *const args[] = {"--requirepass", "geheim", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    static const struct {
        const char *user, *kind;
    } cases[] = {
        {":falsch@",       "WRONGPASS"},
        {"",               "NOAUTH"   },
        {"nobody:geheim@", "WRONGPASS"}
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        char url[160];
        snprintf(url, sizeof(url), "unix://%s%s", cases[i].user, server.socket);
        hr_redis *redis = client(url, NULL);
        int before = count_descriptors();
        ASSERT_ERR(hr_redis_command(redis, NULL, "GET x"), -ENOTCONN);
        ASSERT_STR(hr_last_error()->kind, cases[i].kind);
        ASSERT_EQ(count_descriptors(), before);
        ASSERT_TRUE(strstr(hr_last_error()->message, "geheim") == NULL);
        ASSERT_TRUE(i != 1 || strstr(hr_last_error()->message, "wants a password"));
        hr_redis_conn *conn = NULL;
        ASSERT_ERR(hr_redis_acquire(redis, &conn), -ENOTCONN);
        ASSERT_STR(hr_last_error()->kind, cases[i].kind);
        ASSERT_EQ(count_descriptors(), before);
        client_end(redis);
    }
}

TEST_REAL(who_is_named_without_a_password_is_who_asks_or_nobody)
{
    static const char *const args[] = {"--user", "free",   "on",  "nopass", "~*",
                                       "+@all",  "--user", "app", "on",     ">geheim",
                                       "~*",     "+@all",  NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    for (unsigned protocol = 2; protocol < 4; protocol++) {
        char url[160];
        snprintf(url, sizeof(url), "unix://free@%s", server.socket);
        hr_redis *redis = client(url, &(struct hr_redis_options){.protocol = protocol});
        ASSERT_STR(say(redis, "ACL WHOAMI"), "free");
        client_end(redis);
        redis = client(server.unix_url,
                       &(struct hr_redis_options){.protocol = protocol, .user = "app"});
        ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
        ASSERT_STR(hr_last_error()->kind, "WRONGPASS");
        client_end(redis);
        redis =
            client(server.unix_url, &(struct hr_redis_options){.protocol = protocol, .user = ""});
        ASSERT_STR(say(redis, "ACL WHOAMI"), "default");
        client_end(redis);
    }
}

TEST_REAL(a_user_who_may_do_little_can_connect)
{
    static const char *const args[] = {"--user", "poor", "on", "nopass", "~*", "+get", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    char url[160];
    snprintf(url, sizeof(url), "unix://poor:x@%s", server.socket);
    hr_redis *redis = client(url, &(struct hr_redis_options){.client_name = "unheard"});
    ASSERT_STR(say(redis, "GET x"), "nil");
    ASSERT_STR(say(redis, "SET x y"), "NOPERM");
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "GET x"), 0);
    hr_redis_release(conn);
    client_end(redis);
}

TEST_REAL(a_database_that_does_not_exist_is_an_error)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    char url[160];
    snprintf(url, sizeof(url), "%s?db=99", server.unix_url);
    hr_redis *redis = client(url, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "DB index is out of range"));
    client_end(redis);
}

TEST_TICKING(r7_one_client_too_many_learns_why)
{
    static const char *const args[] = {"--maxclients", "2", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    hr_redis *first = client(server.tcp_url, NULL), *second = client(server.tcp_url, NULL);
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_command(first, NULL, "PING"), 0);
    ASSERT_ERR(hr_redis_acquire(first, &conn), 0);
    ASSERT_ERR(hr_redis_command(second, NULL, "PING"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "max number of clients"));
    hr_redis_release(conn);
    client_end(second);
    client_end(first);
}

/* One of many tasks. */
struct job {
    hr_redis *redis;
    int number, code;
    bool sent;
};

static int increment(void *arg)
{
    struct job *job = arg;
    job->code = hr_redis_command(job->redis, NULL, "INCR n:%d", job->number);
    job->sent = job->code == 0 || hr_last_error()->sent;
    return 0;
}

TEST_TICKING(r3_a_server_killed_with_a_thousand_in_flight_gives_each_one_outcome)
{
    static const char *const args[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    hr_redis *redis = client(server.unix_url, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), 0);
    enum { N = 1000 };
    static struct job jobs[N];
    static hr_task *tasks[N];
    test_redis_freeze(&server); /* so that none is answered before the kill */
    for (int i = 0; i < N; i++) {
        jobs[i] = (struct job){.redis = redis, .number = i, .code = 1};
        tasks[i] = hr_create_task(NULL, increment, &jobs[i]);
    }
    test_passes(3);
    test_redis_kill(&server);
    for (int i = 0; i < N; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    test_redis_restart(&server);
    int lost = 0;
    for (int i = 0; i < N; i++) {
        ASSERT_TRUE(jobs[i].code == HR_ELOST || jobs[i].code == -ENOTCONN);
        ASSERT_EQ(jobs[i].sent, jobs[i].code == HR_ELOST);
        lost += jobs[i].sent;
    }
    ASSERT_TRUE(lost > 0);
    /* The client comes back by itself. */
    int r;
    while ((r = hr_redis_command(redis, NULL, "PING")) == -ENOTCONN)
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_ERR(r, 0);
    client_end(redis);
}

TEST_TICKING(r3_what_was_never_sent_was_never_done)
{
    static const char *const args[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    enum { N = 3000 };
    static struct job jobs[N];
    static hr_task *tasks[N];
    for (int round = 0; round < 3; round++) {
        hr_redis *redis = client(server.tcp_url, NULL);
        ASSERT_ERR(hr_redis_command(redis, NULL, "FLUSHALL"), 0);
        for (int i = 0; i < N; i++) {
            jobs[i] = (struct job){.redis = redis, .number = i, .code = 1};
            tasks[i] = hr_create_task(NULL, increment, &jobs[i]);
        }
        test_passes(2 + round * 2);
        test_redis_kill(&server);
        for (int i = 0; i < N; i++)
            ASSERT_ERR(hr_join(tasks[i]), 0);
        test_redis_restart(&server);
        hr_redis *again = client(server.tcp_url, NULL);
        for (int i = 0; i < N; i++) {
            hr_auto(hr_reply_freep) hr_reply *reply = NULL;
            ASSERT_ERR(hr_redis_command(again, &reply, "GET n:%d", i), 0);
            if (jobs[i].code == 0)
                ASSERT_EQ(hr_reply_int(reply), 1);
            if (!jobs[i].sent)
                ASSERT_TRUE(hr_reply_is_nil(reply));
        }
        client_end(again);
        client_end(redis);
    }
}

TEST_REAL(a_frozen_server_is_left_and_found_again)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis =
        client(server.unix_url, &(struct hr_redis_options){.command_timeout = hr_ms(30),
                                                           .connect_timeout = hr_ms(300)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), 0);
    test_redis_freeze(&server);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(hr_redis_up_since(redis), HR_FOREVER);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    test_redis_thaw(&server);
    int r;
    while ((r = hr_redis_command(redis, NULL, "PING")) == -ENOTCONN)
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_ERR(r, 0);
    client_end(redis);
}

static const struct hr_redis_script add_script = {
    .name = "add",
    .source = "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1] + ARGV[2], #ARGV}",
    .len =
        sizeof("redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1] + ARGV[2], #ARGV}") -
        1,
    .sha1 = "cf16ca9f761bd90f74aca767f244ce922025cf60",
};

static int run_add(hr_redis *redis, hr_reply **reply)
{
    const struct hr_redis_arg keys[] = {hr_redis_str("k:1")};
    const struct hr_redis_arg args[] = {hr_redis_int(-40), hr_redis_bytes("82", 2)};
    return hr_redis_eval(redis, reply, &add_script, 1, keys, 2, args);
}

TEST_TICKING(r5_a_script_that_the_server_does_not_know_is_sent_whole_once)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(server.unix_url, NULL);
    for (int i = 0; i < 2; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(run_add(redis, &reply), 0);
        ASSERT_TRUE(hr_reply_equals(hr_reply_at(reply, 0), "k:1"));
        ASSERT_EQ(hr_reply_int(hr_reply_at(reply, 1)), 42);
        ASSERT_EQ(hr_reply_int(hr_reply_at(reply, 2)), 2);
    }
    const char *stats = test_redis_ask(&server, "INFO commandstats");
    ASSERT_TRUE(strstr(stats, "cmdstat_eval:calls=1,"));
    ASSERT_TRUE(strstr(stats, "cmdstat_evalsha:calls=2,"));
    client_end(redis);
}

TEST_REAL(a_script_may_have_many_arguments_and_may_fail)
{
    static const struct hr_redis_script count = {
        .name = "count",
        .source = "if ARGV[1] == 'x' then return redis.error_reply('STALE token') end return #ARGV",
        .len = 80,
        .sha1 = "0000000000000000000000000000000000000000",
    };
    struct hr_redis_script script = count;
    script.len = strlen(script.source);
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(server.unix_url, NULL);
    struct hr_redis_arg args[100];
    for (int i = 0; i < 100; i++)
        args[i] = hr_redis_int(i);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_eval(redis, &reply, &script, 0, NULL, 100, args), 0);
    ASSERT_EQ(hr_reply_int(reply), 100);
    args[0] = hr_redis_str("x");
    ASSERT_ERR(hr_redis_eval(redis, NULL, &script, 0, NULL, 1, args), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "STALE");
    client_end(redis);
}

TEST_REAL(s22_11_two_clients_run_side_by_side)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *a = client(server.unix_url, NULL), *b = client(server.tcp_url, NULL);
    hr_auto(hr_futures_done) struct hr_futures asks = {0};
    hr_futures_add(&asks, hr_redis_command_future(a, "CLIENT INFO"));
    hr_futures_add(&asks, hr_redis_command_future(b, "CLIENT INFO"));
    ASSERT_ERR(hr_gather(&asks, 0), 0);
    const char *over_unix = hr_reply_str(hr_future_result(asks.items[0]), NULL);
    const char *over_tcp = hr_reply_str(hr_future_result(asks.items[1]), NULL);
    ASSERT_TRUE(strstr(over_unix, "laddr=/") != NULL || strstr(over_unix, ".sock") != NULL);
    ASSERT_TRUE(strstr(over_tcp, "127.0.0.1") != NULL);
    client_end(a);
    client_end(b);
}

TEST_TICKING(r4_a_reply_of_many_elements_is_read_piece_by_piece)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(server.unix_url, NULL);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    const char *const words[] = {
        "EVAL",
        "for i = 1, 20 do redis.call('RPUSH', 'l', unpack(redis.call('TIME'), 1, 2)) end "
        "for i = 1, 11 do redis.call('COPY', 'l', 'm', 'REPLACE') "
        "for _, v in ipairs(redis.call('LRANGE', 'm', 0, -1)) do "
        "redis.call('RPUSH', 'l', v) end end return redis.call('LLEN', 'l')",
        "0"};
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 3, words, NULL), 0);
    ASSERT_ERR(hr_redis_command(redis, &reply, "LRANGE l 0 -1"), 0);
    ASSERT_EQ(hr_reply_len(reply), 40 << 11);
    client_end(redis);
}

TEST_REAL(what_others_would_suffer_from_is_refused_on_the_shared_connection)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = server.unix_url});
    static const char *const refused[] = {
        "MULTI",    "watch k",          " Select 3", "SUBSCRIBE c", "BLPOP none 60",
        "WAIT 1 0", "client Reply off", "SYNC",      "PSYNC ? -1"};
    for (size_t i = 0; i < HR_ARRAY_LEN(refused); i++) {
        ASSERT_ERR(hr_redis_command(redis, NULL, refused[i]), -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, "use ") || strstr(refused[i], "Reply"));
        ASSERT_ERR(hr_join(hr_redis_command_future(redis, refused[i])), -EINVAL);
    }
    const char *const argv[] = {"multi"};
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 1, argv, NULL), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "%s", "MULTI"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, " %b %s", "subscribed", (size_t)9, "c"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "B%sPOP none 60", "L"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "client %s OFF", "reply"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "%s %s", "CLIENT", "LIST"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "XREAD COUNT 1 BLOCK %d STREAMS s $", 60000), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "xread %s 9 STREAMS s $", "block"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "%s BLOCK 9 STREAMS s $", "XREAD"), -EINVAL);
    ASSERT_ERR(
        hr_redis_command(redis, NULL, "XREADGROUP GROUP streams c NOACK BLOCK 0 STREAMS s >"),
        -EINVAL);
    const char *const stream[] = {"XREAD", "BLOCK", "0", "STREAMS", "s", "$"};
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 6, stream, NULL), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "XREAD COUNT 1 STREAMS block 0"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "XGROUP CREATE s block $ MKSTREAM"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "XREADGROUP GROUP block block STREAMS s >"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "%s", "PING"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "MULTIPLY 3"), HR_EREPLY);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET multi exec"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "CLIENT LIST"), 0);
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "SUBSCRIBE c"), -EINVAL);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "%s c", "PSUBSCRIBE"), -EINVAL);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "SELECT 3"), 0);
    hr_redis_release(conn);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

static int ping(void *redis)
{
    return hr_redis_command(redis, NULL, "PING");
}

TEST_REAL(a_dump_tells_who_waits_for_redis)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(server.unix_url, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "CLIENT PAUSE 20 ALL"), 0);
    hr_task *task = hr_create_task("pinger", ping, redis);
    test_passes(3);
    ASSERT_TRUE(test_dump_says("pinger                  waits for a reply of Redis"));
    ASSERT_ERR(hr_join(task), 0);
    client_end(redis);
}
