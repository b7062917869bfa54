/* SPDX-License-Identifier: MIT */
/*
 * Logins that take too long, and what the connection carries after a good one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/loop_impl.h"
#include "drivers/resolve.h"
#include "tests/drivers/mysql/relay.h"
#include "tests/drivers/mysql/script.h"
#include "tests/drivers/names.h"

/* With a name server and a server that are real but for what stands in between: the first loan ends
 * at this limit with these words. */
static void expect_silence(const char *url, hr_usec limit, const char *words)
{
    hr_mysql_conn *conn = NULL;
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url, .connect_timeout = limit});
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long a start takes */
    hr_usec start = hr_now();
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    hr_usec took = hr_now() - start;
    script_expect_said(words);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(took >= limit && took < limit + test_patience(hr_seconds(2)));
    mysql_test_done(pool);
}

TEST_TICKING(t4_a_dead_name_server_costs_the_time_limit_only)
{
    size_t futures = hr_running_loop()->futures;
    atomic_store(&test_names_stuck, true);
    expect_silence("mysql://app:s3cret@dead.test/test", hr_ms(200),
                   "cannot connect: no answer within 200 ms");
    atomic_store(&test_names_stuck, false);
    while (hr_running_loop()->futures > futures) /* its thread comes back some time */
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_resolve_forget("dead.test");
}

TEST_TICKING(t2_a_server_that_stalls_in_the_middle_of_a_handshake_costs_its_time_limit_only)
{
    struct relay relay = {.halts_tls = true};
    relay_start(&relay, mysql_test_tls_server()->port);
    char url[96];
    snprintf(url, sizeof(url), "mysql://app:s3cret@127.0.0.1:%u/test?tls=none", relay.port);
    for (hr_usec limit = hr_ms(200); !relay.halted; limit *= 2) { /* until it began to answer */
        ASSERT_TRUE(limit < test_patience(hr_seconds(5)));
        expect_silence(url, limit, "cannot connect: no answer within ");
    }
    relay_end(&relay);
}

TEST_TICKING(t2_a_server_that_stalls_after_its_greeting_costs_its_time_limit_only)
{
    struct script script = {.capabilities = SCRIPT_CAPABILITIES | SCRIPT_WITH_TLS,
                            .plugin = "mysql_native_password"};
    script_open(&script, "?tls=none"); /* it never answers to the client's hello */
    ASSERT_ERR(script_play(&script, hr_ms(300), NULL), -ENOTCONN);
    script_expect_said("cannot connect: no answer within ");

    script =
        (struct script){.capabilities = SCRIPT_CAPABILITIES, .plugin = "mysql_native_password"};
    script_open(&script, "");
    ASSERT_ERR(script_play(&script, hr_ms(300), NULL), -ENOTCONN);
    script_expect_said("cannot connect: no answer within ");
}

/* Text of that size that is worth compressing. */
static char *long_text(size_t size)
{
    char *text = malloc(size);
    ASSERT_TRUE(text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + (i * i >> 7) % 26);
    return text;
}

static void expect_compressed(const char *url)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    static const char status[] = "SELECT variable_value FROM information_schema.session_status"
                                 " WHERE variable_name = 'compression'";
    ASSERT_STR(mysql_test_value(conn, status, HR_NO_ARGS), "ON");

    const size_t size = (size_t)12 << 20;
    hr_auto(hr_freep) char *text = long_text(size);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_ERR(hr_mysql_query(conn, &rows, "SELECT ?", HR_ARGS(hr_b(text, size))), 1);
    size_t len = 0;
    const char *got = hr_mysql_text(rows, 0, 0, &len);
    ASSERT_EQ(len, size);
    ASSERT_EQ(memcmp(got, text, size), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_10_large_packets_go_both_ways_compressed)
{
    char url[96];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test?compress=zlib",
             mariadb_server_shared()->port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    expect_compressed(url);
}

TEST_REAL(s23_10_what_is_compressed_goes_through_tls_and_every_call_with_it)
{
    char url[128];
    struct mariadb_server *server = mysql_test_tls_server();
    snprintf(url, sizeof(url),
             "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test?compress=zlib&tls=none",
             server->port);
    expect_compressed(url);
    mysql_test_everything_made(server);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url});
    ASSERT_ERR(mysql_test_everything(pool), 0);
    mysql_test_done(pool);
}

TEST_REAL(a_server_that_is_lost_while_the_session_is_set_up_has_not_connected)
{
    static const char welcome[] = "\7\0\0\2\0\0\0\2\0\0\0";
    struct script script = {.capabilities = SCRIPT_CAPABILITIES,
                            .plugin = "mysql_native_password",
                            .answer = welcome,
                            .answer_size = sizeof(welcome) - 1,
                            .hangs_up = true};
    script_open(&script, "");
    ASSERT_ERR(script_play(&script, hr_seconds(5), NULL), -ENOTCONN);
    script_expect_said("it was lost while it was set up");
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(memmem(script.heard, script.n_heard, "SET NAMES", 9));
}
