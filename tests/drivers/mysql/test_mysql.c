/* SPDX-License-Identifier: MIT */
/*
 * Connections, sessions, statements, values: the MySQL client on a server in good health.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "tests/drivers/mysql/mysql_test.h"

static struct hr_pool_stats stats_of(hr_mysql_pool *pool)
{
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    return stats;
}

/* Connecting. */

TEST_REAL(s23_1_mysql_logs_in_over_tcp_and_over_a_unix_socket)
{
    char tcp[128];
    snprintf(tcp, sizeof(tcp), "mysql://app@127.0.0.1:%u/test", mariadb_server_shared()->port);
    const char *urls[] = {NULL, tcp};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        hr_mysql_pool *pool =
            mysql_test_pool(&(struct hr_mysql_options){.url = urls[i], .password = "s3cret/@:"});
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        ASSERT_STR(mysql_test_value(conn, "SELECT DATABASE()", HR_NO_ARGS), "test");
        ASSERT_TRUE(hr_mysql_is_mariadb(conn));
        ASSERT_TRUE(hr_mysql_has_bulk(conn));
        ASSERT_TRUE(hr_mysql_version(conn) >= 100300);
        ASSERT_EQ(hr_mysql_max_packet(conn), mysql_test_number("SELECT @@max_allowed_packet"));
        hr_mysql_release(conn);
        mysql_test_done(pool);
    }
}

static void refused(const char *url, const char *password, int native, const char *state)
{
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url, .password = password});
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, native);
    ASSERT_STR(hr_last_error()->state, state);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(conn == NULL);
    mysql_test_done(pool);
}

TEST_REAL(s23_1_mysql_says_who_was_refused_and_why)
{
    char url[160];
    const char *path = mariadb_server_shared()->socket;
    snprintf(url, sizeof(url), "mysql://app@/test?socket=%s", path);
    refused(url, "wrong", 1045, "28000");
    snprintf(url, sizeof(url), "mysql://app@/nosuch?socket=%s", path);
    refused(url, "s3cret/@:", 1049, "42000");
}

TEST_REAL(mysql_that_is_not_there_is_not_connected)
{
    const char *urls[] = {"mysql://app@/test?socket=/nonexistent/socket",
                          "mysql://app@127.0.0.1:1/test", "mysql://app@no.such.invalid/test"};
    const int natives[] = {2002, 2003, 2003};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = urls[i]});
        hr_mysql_conn *conn = NULL;
        ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
        ASSERT_EQ(hr_last_error()->native, natives[i]);
        ASSERT_FALSE(hr_last_error()->sent);
        mysql_test_done(pool);
    }
}

TEST_PLAIN(a_pool_without_options_is_refused)
{
    ASSERT_PTR(hr_mysql_pool_new(NULL), NULL);
    ASSERT_STR(hr_last_error()->message, "mysql: the options are missing, and so is the url");
}

TEST_PLAIN(a_mysql_url_is_checked_before_anything_else)
{
    const char *bad[] = {NULL, "redis://localhost", "mysql://user@host:port/x", "", "mysql:"};
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        ASSERT_TRUE(hr_mysql_pool_new(&(struct hr_mysql_options){.url = bad[i]}) == NULL);
        ASSERT_EQ(hr_last_error()->code, -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, "url") != NULL);
    }
}

/* The session is what the header promises, whatever the server's defaults. */

TEST_REAL(mysql_sessions_are_set_up_as_promised)
{
    mariadb_server_sql(mariadb_server_shared(),
                       "SET GLOBAL sql_mode = '', GLOBAL tx_isolation = 'SERIALIZABLE', "
                       "GLOBAL time_zone = '+05:00', GLOBAL autocommit = 0, "
                       "GLOBAL init_connect = 'SET NAMES latin1'");
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.wait_timeout = hr_seconds(77),
                                                   .write_timeout = hr_ms(4500),
                                                   .lock_wait = hr_seconds(3),
                                                   .statement_time = hr_ms(7250)});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_STR(
        mysql_test_value(conn,
                         "SELECT CONCAT_WS('|', @@tx_isolation, @@time_zone, "
                         "@@autocommit + 0, @@wait_timeout, "
                         "@@idle_write_transaction_timeout, "
                         "@@innodb_lock_wait_timeout, @@lock_wait_timeout, @@max_statement_time, "
                         "@@character_set_client, "
                         "@@character_set_results, @@character_set_connection)",
                         HR_NO_ARGS),
        "READ-COMMITTED|+00:00|1|77|5|3|3|7.250000|utf8mb4|utf8mb4|utf8mb4");
    const char *mode = mysql_test_value(conn, "SELECT @@sql_mode", HR_NO_ARGS);
    ASSERT_TRUE(strstr(mode, "STRICT_ALL_TABLES") != NULL);
    ASSERT_TRUE(strstr(mode, "NO_ENGINE_SUBSTITUTION") != NULL);
    ASSERT_TRUE(strstr(mode, "NO_BACKSLASH_ESCAPES") == NULL);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(),
                       "SET GLOBAL sql_mode = DEFAULT, GLOBAL tx_isolation = DEFAULT, "
                       "GLOBAL time_zone = DEFAULT, GLOBAL autocommit = 1, "
                       "GLOBAL init_connect = ''");
}

TEST_REAL(mysql_refuses_what_does_not_fit_instead_of_bending_it)
{
    mysql_test_table("i TINYINT, s VARCHAR(3), d DATE, n DECIMAL(10,2)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const struct {
        const char *sql;
        int native;
    } bad[] = {
        {"INSERT INTO t (i) VALUES (300)",          1264},
        {"INSERT INTO t (s) VALUES ('four')",       1406},
        {"INSERT INTO t (d) VALUES ('2026-02-30')", 1292},
        {"INSERT INTO t (d) VALUES ('0000-00-00')", 1292},
        {"INSERT INTO t (d) VALUES ('2026-00-10')", 1292},
        {"INSERT INTO t (i) VALUES ('x')",          1366},
        {"INSERT INTO t (i) VALUES (1 / 0)",        1365},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        ASSERT_ERR(hr_mysql_exec(conn, bad[i].sql, HR_NO_ARGS), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, bad[i].native);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 0);
}

/* Statements and errors. */

TEST_REAL(s23_5_mysql_errors_carry_number_state_and_text_and_spare_the_connection)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (1)", HR_NO_ARGS), 1);
    for (int prepared = 0; prepared < 2; prepared++) {
        struct hr_mysql_args args = prepared ? HR_ARGS(hr_i(1)) : HR_NO_ARGS;
        const char *sql = prepared ? "INSERT INTO t VALUES (?)" : "INSERT INTO t VALUES (1)";
        ASSERT_ERR(hr_mysql_exec(conn, sql, args), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        ASSERT_STR(hr_last_error()->state, "23000");
        ASSERT_STR(hr_last_error()->message, "Duplicate entry '1' for key 'PRIMARY'");
        ASSERT_TRUE(hr_last_error()->sent);
    }
    ASSERT_ERR(hr_mysql_exec(conn, "SELEC 1", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1064);
    ASSERT_ERR(hr_mysql_exec(conn, "SELECT * FROM nosuch WHERE a = ?", HR_ARGS(hr_i(1))),
               HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1146);
    ASSERT_STR(mysql_test_value(conn, "SELECT 'alive'", HR_NO_ARGS), "alive");
    hr_mysql_release(conn);

    ASSERT_EQ(stats_of(pool).opened, 1);
    ASSERT_EQ(stats_of(pool).idle, 1);
    mysql_test_done(pool);
}

TEST_REAL(mysql_exec_returns_affected_rows_and_the_id_it_made)
{
    mysql_test_table("id INT AUTO_INCREMENT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (v) VALUES (1), (2), (3)", HR_NO_ARGS), 3);
    ASSERT_EQ(hr_mysql_last_insert_id(conn), 1);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (v) VALUES (?)", HR_ARGS(hr_i(4))), 1);
    ASSERT_EQ(hr_mysql_last_insert_id(conn), 4);
    ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = 2", HR_NO_ARGS), 3);
    ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = ?", HR_ARGS(hr_i(2))), 0);
    ASSERT_EQ(hr_mysql_exec(conn, "DELETE FROM t WHERE id < ?", HR_ARGS(hr_i(3))), 2);
    ASSERT_EQ(hr_mysql_exec(conn, "SELECT * FROM t", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_exec(conn, "SELECT * FROM t WHERE id > ?", HR_ARGS(hr_i(0))), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_4_a_quote_in_an_argument_cannot_change_the_statement)
{
    mysql_test_table("s VARCHAR(100)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const char *evil = "'); DROP TABLE t; -- \\' \" ` % ?";
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_s(evil))), 1);
    ASSERT_STR(mysql_test_value(conn, "SELECT s FROM t", HR_NO_ARGS), evil);
    ASSERT_ERR(hr_mysql_exec(conn, "SELECT 1; DROP TABLE t", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1064);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(mysql_arguments_are_counted)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "SELECT ?, ?", HR_ARGS(hr_i(1))), -EINVAL);
    ASSERT_STR(hr_last_error()->message,
               "the statement has 2 question marks, and 1 values are given");
    ASSERT_STR(mysql_test_value(conn, "SELECT ? + ?", HR_ARGS(hr_i(1), hr_i(2))), "3");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* Prepared statements. */

static int prepared_so_far(hr_mysql_conn *conn)
{
    return atoi(mysql_test_value(conn,
                                 "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS "
                                 "WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'",
                                 HR_NO_ARGS));
}

TEST_REAL(prepared_statements_are_kept_and_the_least_used_go)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    char sql[64];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            snprintf(sql, sizeof(sql), "SELECT ? + %d", i);
            ASSERT_EQ(atoi(mysql_test_value(conn, sql, HR_ARGS(hr_i(round)))), round + i);
        }
    }
    ASSERT_EQ(conn->stmts.count, 10);
    ASSERT_EQ(prepared_so_far(conn), 10);
    for (int i = 0; i < 100; i++) {
        snprintf(sql, sizeof(sql), "SELECT ? * %d", i);
        ASSERT_EQ(atoi(mysql_test_value(conn, sql, HR_ARGS(hr_i(2)))), 2 * i);
        ASSERT_STR(mysql_test_value(conn, "SELECT ? + 0", HR_ARGS(hr_i(1))), "1");
    }
    ASSERT_EQ(conn->stmts.count, HR__MYSQL_STMTS);
    ASSERT_EQ(prepared_so_far(conn), 110);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    mysql_test_until("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
                     "WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'",
                     0);
}

TEST_REAL(a_prepared_statement_survives_a_change_of_its_table)
{
    mysql_test_table("a INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (a) VALUES (?)", HR_ARGS(hr_i(1))), 1);
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a BIGINT, ADD b INT");
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (a) VALUES (?)", HR_ARGS(hr_i(INT64_MAX))), 1);
    ASSERT_STR(mysql_test_value(conn, "SELECT MAX(a) FROM t", HR_NO_ARGS), "9223372036854775807");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* The loop goes on meanwhile. */

#define NAP test_patience(hr_ms(500))

static int nap(void *arg)
{
    hr_mysql_conn *conn = mysql_test_acquire(arg);
    int r = hr_mysql_exec(conn, "DO SLEEP(?)", HR_ARGS(hr_d((double)NAP / hr_seconds(1))));
    hr_mysql_release(conn);
    return r;
}

TEST_TICKING(s23_9_mysql_statements_run_side_by_side_while_the_loop_keeps_its_rate)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long a start takes */
    hr_usec start = hr_now();
    struct hr_futures sleepers = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&sleepers, hr_create_task("sleeper", nap, pool));
    ASSERT_ERR(hr_gather(&sleepers, 0), 0);
    hr_futures_done(&sleepers);
    hr_usec took = hr_now() - start;
    ASSERT_TRUE(took >= NAP);
    ASSERT_TRUE(took < 3 * NAP); /* as long as three in a row would take */
    mysql_test_done(pool);
}

/* The pool. */

struct queued {
    hr_mysql_pool *pool;
    int *order, *next, number;
};

static int take_turn(void *arg)
{
    struct queued *q = arg;
    hr_mysql_conn *conn = mysql_test_acquire(q->pool);
    q->order[(*q->next)++] = q->number;
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    return 0;
}

TEST_REAL(s23_8_borrowers_wait_their_turn_for_a_limited_number_of_connections)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *first = mysql_test_acquire(pool);
    int order[5], next = 0;
    struct queued queued[5];
    struct hr_futures tasks = {0};
    for (int i = 0; i < 5; i++) {
        queued[i] = (struct queued){pool, order, &next, i};
        hr_futures_add(&tasks, hr_create_task("borrower", take_turn, &queued[i]));
    }
    test_passes(3);
    ASSERT_EQ(next, 0);
    hr_mysql_release(first);
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    hr_futures_done(&tasks);
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(order[i], i);
    ASSERT_EQ(stats_of(pool).opened, 1);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), HR_ECLOSED);
    hr_mysql_pool_free(pool);
}

TEST_REAL(s23_8_a_least_number_is_kept_open_and_old_connections_are_not_lent_again)
{
    const hr_usec age = hr_ms(150);
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.connections = 3, .keep = 2, .max_age = age});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    while (stats_of(pool).open < 2)
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    char first[32];
    strcpy(first, mysql_test_value(conn, "SELECT CONNECTION_ID()", HR_NO_ARGS));
    ASSERT_ERR(hr_sleep(age), 0);
    ASSERT_EQ(stats_of(pool).closed, 0);
    hr_mysql_release(conn);
    ASSERT_TRUE(stats_of(pool).closed > 0);
    conn = mysql_test_acquire(pool);
    const char *second = mysql_test_value(conn, "SELECT CONNECTION_ID()", HR_NO_ARGS);
    ASSERT_TRUE(strcmp(first, second) != 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static int sleep_long(void *arg)
{
    return hr_mysql_exec(arg, "DO SLEEP(60)", HR_NO_ARGS);
}

TEST_REAL(s23_8_terminating_a_pool_ends_the_calls_of_those_who_have_borrowed)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *sleeper = hr_create_task("sleeper", sleep_long, conn);
    mysql_test_until("SELECT COUNT(*) FROM information_schema.PROCESSLIST "
                     "WHERE user = 'app' AND state = 'User sleep'",
                     1);
    hr_mysql_pool_terminate(pool);
    ASSERT_ERR(hr_join(sleeper), HR_ELOST);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static int slow_statement(void *arg)
{
    return hr_mysql_exec(arg, "DO SLEEP(0.2)", HR_NO_ARGS);
}

TEST_REAL(a_mysql_connection_serves_one_task_at_a_time)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *other = hr_create_task("other", slow_statement, conn);
    test_passes(2);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -EBUSY);
    ASSERT_ERR(hr_join(other), 0);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_TICKING(t16_everything_runs_on_a_small_stack)
{
    mysql_test_everything_made(mariadb_server_shared());
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    mysql_test_stack(pool);
    mysql_test_done(pool);
}
