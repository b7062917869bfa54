/* SPDX-License-Identifier: MIT */
/*
 * Cancels, deadlines, and servers that die, freeze or lie.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "drivers/mysql/conn.h"
#include "drivers/resolve.h"
#include "tests/drivers/mysql/mysql_test.h"
#include "tests/drivers/mysql/relay.h"

static const char our_sessions[] =
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = 'app'";

static long long session_of(hr_mysql_conn *conn)
{
    return (long long)mysql_thread_id(conn->mysql);
}

static void kill_session(const char *what, long long id)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "KILL %s %lld", what, id);
    mariadb_server_sql(mariadb_server_shared(), sql);
}

/* Cancelling. */

static const char bulk_sql[] = "INSERT INTO t VALUES (?, ?)";

static int talk(hr_mysql_conn *conn)
{
    const int64_t ids[] = {10, 11, 12};
    const char *const texts[] = {"x", "y", "z"};
    const unsigned long lengths[] = {1, 1, 1};
    const struct hr_mysql_column columns[] = {
        {HR_MYSQL_INT,      {.ints = ids}},
        { HR_MYSQL_TEXT, {.texts = texts},       lengths}
    };
    hr_auto(hr_mysql_result_freep) hr_mysql_result *text = NULL;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *binary = NULL;
    hr_auto(hr_freep) struct hr_mysql_field *fields = NULL;
    int r = hr_mysql_exec(conn, "INSERT INTO t VALUES (1, 'a')", HR_NO_ARGS);
    if (r >= 0)
        r = hr_mysql_exec(conn, "INSERT INTO t VALUES (?, ?)", HR_ARGS(hr_i(2), hr_s("b")));
    if (r >= 0)
        r = hr_mysql_query(conn, &text, "SELECT seq, REPEAT('x', 9000) FROM seq_1_to_50",
                           HR_NO_ARGS);
    if (r >= 0)
        r = hr_mysql_query(conn, &binary, "SELECT REPEAT('x', 9000) FROM seq_1_to_50 WHERE seq > ?",
                           HR_ARGS(hr_i(0)));
    if (r >= 0)
        r = hr_mysql_bulk(conn, bulk_sql, columns, 2, 0, 3);
    if (r >= 0)
        r = hr_mysql_describe(conn, "SELECT * FROM t", &fields);
    if (r >= 0)
        r = hr_mysql_exec(conn, "TRUNCATE t", HR_NO_ARGS);
    return r;
}

static int connect_and_talk(void *arg)
{
    void *lent = NULL;
    int r = hr__mysql_conn_ops.open(arg, &lent);
    if (r < 0) {
        ASSERT_TRUE(lent == NULL);
        return r;
    }
    hr_mysql_conn *conn = lent;
    r = talk(conn);
    ASSERT_EQ(conn->broken, r < 0);
    if (r < 0) {
        ASSERT_EQ(hr_last_error()->code, r);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
    }
    if (r >= 0)
        r = hr__mysql_conn_ops.ping(conn);
    if (r >= 0)
        r = hr__mysql_conn_ops.reset(conn);
    hr__mysql_conn_ops.close(conn, r >= 0);
    return r;
}

static struct hr__mysql_server *server_new(const char *url)
{
    struct hr__mysql_server *server = hr__mysql_server_new(&(struct hr_mysql_options){
        .url = url,
        .password = "s3cret/@:",
        .connect_timeout = hr_seconds(20),
        .query_timeout = hr_seconds(20),
        .wait_timeout = hr_seconds(20),
        .max_result = 10 << 20,
    });
    ASSERT_TRUE(server);
    return server;
}

TEST_TICKING(t5_s23_6_a_connection_can_be_cancelled_at_every_wait_there_is)
{
    mysql_test_table("id INT, s VARCHAR(20)");
    char urls[3][160];
    mariadb_server_sql(mysql_test_tls_server(),
                       "CREATE OR REPLACE TABLE t (id INT, s VARCHAR(20))");
    snprintf(urls[2], sizeof(urls[2]), "mysql://app@127.0.0.1:%u/test?tls=none",
             mysql_test_tls_server()->port);
    snprintf(urls[0], sizeof(urls[0]), "mysql://app@/test?socket=%s",
             mariadb_server_shared()->socket);
    snprintf(urls[1], sizeof(urls[1]), "mysql://app@127.0.0.1:%u/test",
             mariadb_server_shared()->port);
    for (int u = 0; u < 3; u++) {
        struct hr__mysql_server *server = server_new(urls[u]);
        int n = 1, r = -ECANCELED, misses = 0;
        for (; n < 200; n++) {
            mysql_test_cancel_at(n);
            r = hr_join(hr_create_task("talk", connect_and_talk, server));
            if (mysql_test_cancel_at(0) < n) { /* it was through before */
                ASSERT_TRUE(r >= 0);
                if (++misses == 3)
                    break;
                continue;
            }
            ASSERT_ERR(r, -ECANCELED);
        }
        ASSERT_TRUE(n > 3); /* how often it waits is the machine's affair, that it does is not */
        ASSERT_EQ(misses, 3);
        hr__mysql_server_unref(server);
    }
    mysql_test_until(our_sessions, 0);
}

static hr_mysql_pool *plain_pool(void)
{
    return mysql_test_pool(
        &(struct hr_mysql_options){.connect_timeout = hr_seconds(20), .kill_query = true});
}

TEST_TICKING(t5_everything_can_be_cancelled_at_every_wait)
{
    mysql_test_everything_made(mariadb_server_shared());
    mysql_test_cancel_everywhere(plain_pool);
    mysql_test_until(our_sessions, 0);
}

/* The statement runs for a while, so that something can happen to it. */
static int run_victim(void *arg)
{
    int r = hr_mysql_exec(arg, "INSERT INTO t SELECT SLEEP(0.3)", HR_NO_ARGS);
    if (r == -ECANCELED)
        ASSERT_TRUE(hr_last_error()->sent);
    return r;
}

static uint64_t opened_by(hr_mysql_pool *pool)
{
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    return stats.opened;
}

static void until_it_sleeps(hr_mysql_conn *conn)
{
    char sql[128];
    snprintf(sql, sizeof(sql),
             "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id = %lld AND "
             "state = 'User sleep'",
             session_of(conn));
    mysql_test_until(sql, 1);
}

TEST_REAL(s23_6_a_cancelled_statement_was_sent_and_its_connection_is_dropped)
{
    mysql_test_table("id INT");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *task = hr_create_task("victim", run_victim, conn);
    until_it_sleeps(conn);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    hr_mysql_release(conn);
    conn = mysql_test_acquire(pool);
    ASSERT_STR(mysql_test_value(conn, "SELECT 'fresh'", HR_NO_ARGS), "fresh");
    hr_mysql_release(conn);
    ASSERT_EQ(opened_by(pool), 2);
    mysql_test_done(pool);
    mysql_test_until("SELECT COUNT(*) FROM t", 1); /* sent means sent */
}

static void rescue(void *arg)
{
    hr_mysql_conn *conn = arg;
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), HR_ENOTASK);
    /* The library itself, when something calls it from a callback, fails instead of blocking. */
    ASSERT_TRUE(mysql_query(conn->mysql, "DO SLEEP(5)") != 0);
}

TEST_TICKING(t15_outside_of_a_task_mysql_fails_at_once)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_usec start = hr_now();
    hr_call_soon(rescue, conn);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(hr_now() - start < hr_seconds(3));
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS) < 0 ? 0 : -EINVAL, 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* Deadlines. */

TEST_REAL(a_frozen_server_costs_no_more_than_the_query_timeout)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.query_timeout = hr_ms(200)});
    for (int prepared = 0; prepared < 2; prepared++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        const char *sql = prepared ? "DO ?" : "DO 1";
        struct hr_mysql_args args = prepared ? HR_ARGS(hr_i(1)) : HR_NO_ARGS;
        ASSERT_ERR(hr_mysql_exec(conn, sql, args), 0);
        mariadb_server_freeze(mariadb_server_shared());
        hr_usec start = hr_now();
        ASSERT_ERR(hr_mysql_exec(conn, sql, args), -ETIMEDOUT);
        hr_usec took = hr_now() - start;
        mariadb_server_thaw(mariadb_server_shared());
        ASSERT_TRUE(took >= hr_ms(200) && took < hr_ms(900));
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
        hr_mysql_release(conn);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_frozen_server_costs_no_more_than_the_connect_timeout)
{
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.connect_timeout = hr_ms(200)});
    mariadb_server_freeze(mariadb_server_shared());
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the clock stood still while the server was started */
    hr_mysql_conn *conn = NULL;
    hr_usec start = hr_now();
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    hr_usec took = hr_now() - start;
    mariadb_server_thaw(mariadb_server_shared());
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_EQ(hr_last_error()->native, 2002);
    ASSERT_TRUE(took >= hr_ms(200) && took < hr_ms(900));
    mysql_test_done(pool);
}

TEST_TICKING(t6_a_large_statement_to_a_frozen_server_can_be_left_and_closing_does_not_wait)
{
    mysql_test_table("v LONGBLOB");
    /* So that the limit is not for a busy disk's flush. */
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t ENGINE=MyISAM");
    const size_t size = 15 << 20;
    hr_auto(hr_freep) char *big = calloc(1, size);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.query_timeout = hr_ms(200)});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_b("", 0))), 1);
    mariadb_server_freeze(mariadb_server_shared());
    hr_usec start = hr_now();
    ASSERT_ERR(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_b(big, size))),
               -ETIMEDOUT);
    ASSERT_FALSE(hr_last_error()->sent); /* not whole, so it cannot have been done */
    hr_mysql_release(conn);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    hr_usec took = hr_now() - start;
    mariadb_server_thaw(mariadb_server_shared());
    hr_mysql_pool_free(pool);
    ASSERT_TRUE(took < test_patience(hr_ms(900)));
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 1);
}

/* Dying servers. */

TEST_REAL(a_server_that_dies_in_a_statement_leaves_its_outcome_unknown)
{
    mysql_test_table("id INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool), *other = mysql_test_acquire(pool);
    hr_task *task = hr_create_task("victim", run_victim, conn);
    until_it_sleeps(conn);
    mariadb_server_kill(mariadb_server_shared());
    ASSERT_ERR(hr_await(task), HR_ELOST);
    ASSERT_EQ(hr_last_error()->native, 2013);
    ASSERT_TRUE(hr_last_error()->sent);
    hr_future_unref(task);

    /* The other one had sent nothing yet. */
    ASSERT_ERR(hr_mysql_exec(other, "DO 1", HR_NO_ARGS), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, 2006);
    ASSERT_FALSE(hr_last_error()->sent);
    hr_mysql_release(conn);
    hr_mysql_release(other);

    conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    mariadb_server_shared(); /* starts it again */
    while (hr_mysql_acquire(pool, &conn) < 0)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_STR(mysql_test_value(conn, "SELECT COUNT(*) FROM t WHERE 0 = ?", HR_ARGS(hr_i(0))), "0");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_TICKING(t7_a_session_killed_while_it_idles_is_replaced_unseen)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    long long id = session_of(conn);
    ASSERT_STR(mysql_test_value(conn, "SELECT ? + 1", HR_ARGS(hr_i(1))), "2");
    hr_mysql_release(conn);
    kill_session("", id);
    mysql_test_until(our_sessions, 0);
    conn = mysql_test_acquire(pool);
    ASSERT_TRUE(session_of(conn) != id);
    /* Its prepared statements died with it. */
    ASSERT_STR(mysql_test_value(conn, "SELECT ? + 1", HR_ARGS(hr_i(1))), "2");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_session_killed_in_a_statement_leaves_its_outcome_unknown)
{
    mysql_test_table("id INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *task = hr_create_task("victim", run_victim, conn);
    until_it_sleeps(conn);
    kill_session("", session_of(conn));
    ASSERT_ERR(hr_await(task), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    hr_future_unref(task);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_killed_statement_is_an_answer_and_the_connection_goes_on)
{
    mysql_test_table("id INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *task = hr_create_task("victim", run_victim, conn);
    until_it_sleeps(conn);
    kill_session("QUERY", session_of(conn));
    ASSERT_ERR(hr_await(task), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1317);
    hr_future_unref(task);
    ASSERT_STR(mysql_test_value(conn, "SELECT 'on'", HR_NO_ARGS), "on");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_5_an_answer_that_makes_no_sense_closes_the_connection)
{
    struct relay relay = {.garbles = false};
    relay_start(&relay, mariadb_server_shared()->port);
    char url[96];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test", relay.port);
    hr_mysql_pool *pool = mysql_test_pool(
        &(struct hr_mysql_options){.url = url, .connections = 1, .query_timeout = hr_seconds(5)});
    for (int prepared = 0; prepared < 2; prepared++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        const char *sql = prepared ? "SELECT ? + 1" : "SELECT 1 + 1";
        struct hr_mysql_args args = prepared ? HR_ARGS(hr_i(1)) : HR_NO_ARGS;
        ASSERT_STR(mysql_test_value(conn, sql, args), "2");
        relay.garbles = true;
        ASSERT_ERR(hr_mysql_exec(conn, sql, args), -EPROTO);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        hr_mysql_release(conn);
    }
    ASSERT_EQ(opened_by(pool), 2);
    mysql_test_done(pool);
    relay_end(&relay);
}

TEST_REAL(a_session_that_the_server_closed_for_silence_never_sends)
{
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.wait_timeout = hr_seconds(1)});
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_ERR(hr_mysql_exec(tx, "DO 1", HR_NO_ARGS), 0);
    mysql_test_until(our_sessions, 0);
    ASSERT_ERR(hr_mysql_commit(tx), -ENOTCONN);
    ASSERT_FALSE(hr_last_error()->sent);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

/* Servers that are none. */

struct liar {
    int listener;
    const char *greeting;
    size_t len;
    const char *answers; /* to all that it hears after that, or NULL */
    size_t n_answers;
    char heard[512];
    size_t n_heard;
};

static int listen_at(const char *path, int backlog)
{
    struct hr_address address;
    ASSERT_ERR(hr_address_unix(path, &address), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address.addr, address.len), 0);
    ASSERT_EQ(listen(fd, backlog), 0);
    return fd;
}

static int lie(void *arg)
{
    struct liar *liar = arg;
    if (hr_wait_fd(liar->listener, HR_READ) < 0)
        return -ECANCELED;
    int fd = accept4(liar->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (write(fd, liar->greeting, liar->len) != (ssize_t)liar->len)
        return -EIO;
    ssize_t n = 0;
    if (hr_wait_fd(fd, HR_READ) >= 0)
        n = read(fd, liar->heard, sizeof(liar->heard));
    liar->n_heard = n > 0 ? (size_t)n : 0;
    if (liar->answers && write(fd, liar->answers, liar->n_answers) != (ssize_t)liar->n_answers)
        return -EIO;
    char more[512];
    while (liar->answers && hr_wait_fd(fd, HR_READ) >= 0 && read(fd, more, sizeof(more)) > 0)
        ;
    close(fd);
    return 0;
}

static int meet_liar(struct liar *liar, struct hr_error *error)
{
    char path[128], url[200];
    snprintf(path, sizeof(path), "%s/liar", mariadb_server_shared()->dir);
    snprintf(url, sizeof(url), "mysql://app@/test?socket=%s", path);
    liar->listener = listen_at(path, 4);
    hr_task *task = hr_create_task("liar", lie, liar);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){
        .url = url, .password = "s3cret/@:", .connect_timeout = hr_ms(300)});
    hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    hr_error_copy(error, hr_last_error());
    hr_task_cancel(task, NULL);
    (void)!hr_join(task);
    ASSERT_TRUE(conn == NULL);
    mysql_test_done(pool);
    close(liar->listener);
    unlink(path);
    return r;
}

static bool heard(const struct liar *liar, const char *word)
{
    return memmem(liar->heard, liar->n_heard, word, strlen(word)) != NULL;
}

/* A greeting of MariaDB up to the name of the way to log in; the length in front is put in. */
#define GREETING                                                                                   \
    "\0\0\0\0"                                                                                     \
    "\x0a"                                                                                         \
    "5.5.5-10.11.0-MariaDB\0"                                                                      \
    "\1\0\0\0"                                                                                     \
    "abcdefgh\0"                                                                                   \
    "\xfe\xf7"                                                                                     \
    "\x2d"                                                                                         \
    "\2\0"                                                                                         \
    "\xff\x81"                                                                                     \
    "\x15"                                                                                         \
    "\0\0\0\0\0\0"                                                                                 \
    "\x1d\0\0\0"                                                                                   \
    "ijklmnopqrst\0"

TEST_REAL(s23_1_mysql_never_sends_a_password_in_the_clear)
{
    char greeting[] = GREETING "mysql_clear_password";
    greeting[0] = (char)(sizeof(greeting) - 4);
    struct liar liar = {.greeting = greeting, .len = sizeof(greeting)};
    struct hr_error error = {0};
    ASSERT_TRUE(meet_liar(&liar, &error) < 0);
    ASSERT_FALSE(heard(&liar, "s3cret"));
    hr_error_done(&error);
}

TEST_REAL(a_peer_that_speaks_something_else_is_left)
{
    const char *const greetings[] = {"", "HTTP/1.1 400 Bad Request\r\n\r\n",
                                     "\xff\xff\xff\0aaaaaaaaaaaaaaaa", "\1\0\0\0\x09",
                                     "\x10\0\0\0\n5.5"};
    const size_t lengths[] = {0, 28, 20, 5, 8};
    for (size_t i = 0; i < HR_ARRAY_LEN(greetings); i++) {
        struct liar liar = {.greeting = greetings[i], .len = lengths[i]};
        struct hr_error error = {0};
        int r = meet_liar(&liar, &error);
        ASSERT_TRUE(r == -ENOTCONN || r == -EPROTO);
        ASSERT_FALSE(error.sent);
        ASSERT_FALSE(heard(&liar, "s3cret"));
        hr_error_done(&error);
    }
}

TEST_REAL(a_server_that_is_too_busy_says_so)
{
    static const char greeting[] = "\x17\0\0\0\xff\x10\x04Too many connections";
    struct liar liar = {.greeting = greeting, .len = sizeof(greeting) - 1};
    struct hr_error error = {0};
    ASSERT_ERR(meet_liar(&liar, &error), HR_EREPLY);
    ASSERT_EQ(error.native, 1040);
    ASSERT_TRUE(strstr(error.message, ": Too many connections: its max_connections are all in use; "
                                      "have pools open fewer (connections), or raise it"));
    ASSERT_FALSE(error.sent);
    hr_error_done(&error);
}

/* The head of a result with one column. */
#define ONE_COLUMN                                                                                 \
    "\1\0\0\1\1"                                                                                   \
    "\x18\0\0\2\3def\0\0\0\1v\0\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0"                               \
    "\5\0\0\3\xfe\0\0\2\0"

TEST_REAL(a_server_that_answers_another_question_is_left)
{
    char greeting[] = GREETING "mysql_native_password";
    greeting[0] = (char)(sizeof(greeting) - 4);
    /* OK to the login, OK to SET, and for the list of two variables one column with NULL in it. */
    static const char answers[] = "\7\0\0\2\0\0\0\2\0\0\0"
                                  "\7\0\0\1\0\0\0\2\0\0\0" ONE_COLUMN "\1\0\0\4\xfb"
                                  "\5\0\0\5\xfe\0\0\2\0";
    struct liar liar = {.greeting = greeting,
                        .len = sizeof(greeting),
                        .answers = answers,
                        .n_answers = sizeof(answers) - 1};
    struct hr_error error = {0};
    ASSERT_ERR(meet_liar(&liar, &error), -EPROTO);
    ASSERT_TRUE(strstr(error.message, "1 columns"));
    hr_error_done(&error);
}

TEST_TICKING(t13_a_full_backlog_is_waited_for_without_blocking_the_loop)
{
    char path[128], url[200];
    snprintf(path, sizeof(path), "%s/full", mariadb_server_shared()->dir);
    snprintf(url, sizeof(url), "mysql://app@/test?socket=%s", path);
    int listener = listen_at(path, 0), fillers[16], n = 0;
    struct hr_address address;
    ASSERT_ERR(hr_address_unix(path, &address), 0);
    for (; n < 16; n++) {
        fillers[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(fillers[n], (struct sockaddr *)&address.addr, address.len) < 0)
            break;
    }
    ASSERT_TRUE(n < 16 && errno == EAGAIN);

    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url, .connect_timeout = hr_ms(400)});
    hr_mysql_conn *conn = NULL;
    hr_usec start = hr_now();
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    ASSERT_TRUE(hr_now() - start >= hr_ms(400));
    mysql_test_done(pool);
    for (; n >= 0; n--)
        close(fillers[n]);
    close(listener);
    unlink(path);
}
