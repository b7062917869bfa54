/* SPDX-License-Identifier: MIT */
/*
 * Statements that are given up are killed at the server, and prepared ones outlive what befalls
 * their sessions.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/cursor.h"
#include "tests/drivers/mysql/mysql_test.h"

static const char running[] = "SELECT COUNT(*) FROM information_schema.PROCESSLIST "
                              "WHERE info LIKE '%SLEEP(60)%' AND info NOT LIKE '%PROCESSLIST%'";

static int sleep_long(void *arg)
{
    return hr_mysql_exec(arg, "DO SLEEP(60)", HR_NO_ARGS);
}

TEST_REAL(a_statement_past_its_deadline_is_killed_and_nobody_waits_for_that)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){
        .query_timeout = hr_ms(300), .connections = 1, .kill_query = true});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(sleep_long(conn), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    hr_mysql_release(conn);
    mysql_test_until(running, 0);
    mysql_test_done(pool); /* waits for the killer */
}

TEST_REAL(a_statement_that_is_cancelled_is_killed_too)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.kill_query = true});
    enum { VICTIMS = 3 };
    hr_mysql_conn *conns[VICTIMS];
    hr_task *tasks[VICTIMS];
    for (int i = 0; i < VICTIMS; i++) {
        conns[i] = mysql_test_acquire(pool);
        tasks[i] = hr_create_task("victim", sleep_long, conns[i]);
    }
    mysql_test_until(running, VICTIMS);
    ASSERT_TRUE(test_dump_says("victim                  waits for a MySQL server"));
    for (int i = 0; i < VICTIMS; i++) {
        hr_task_cancel(tasks[i], NULL);
        ASSERT_ERR(hr_join(tasks[i]), -ECANCELED);
        hr_mysql_release(conns[i]);
    }
    mysql_test_until(running, 0);
    mysql_test_done(pool);
    ASSERT_EQ(mysql_test_number(running), 0);
}

TEST_REAL(only_so_many_statements_are_killed_at_the_same_time)
{
    enum { VICTIMS = HR__MYSQL_KILLS_MAX + 2 };
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.connections = VICTIMS, .kill_query = true});
    hr_mysql_conn *conns[VICTIMS];
    hr_task *tasks[VICTIMS];
    for (int i = 0; i < VICTIMS; i++) {
        conns[i] = mysql_test_acquire(pool);
        tasks[i] = hr_create_task("victim", sleep_long, conns[i]);
    }
    mysql_test_until(running, VICTIMS);
    for (int i = 0; i < VICTIMS; i++)
        hr_task_cancel(tasks[i], NULL);
    for (int i = 0; i < VICTIMS; i++) {
        ASSERT_ERR(hr_join(tasks[i]), -ECANCELED);
        hr_mysql_release(conns[i]);
    }
    mysql_test_until(running, VICTIMS - HR__MYSQL_KILLS_MAX);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    ASSERT_EQ(counts.killed, HR__MYSQL_KILLS_MAX);
    hr_mysql_pool_free(pool);
    mariadb_server_sql(mariadb_server_shared(), "KILL USER app");
    mysql_test_until(running, 0);
}

TEST_REAL(without_the_option_a_statement_given_up_runs_on)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.query_timeout = hr_ms(200)});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(sleep_long(conn), -ETIMEDOUT);
    long long id = (long long)mysql_thread_id(conn->mysql);
    hr_mysql_release(conn);
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    ASSERT_EQ(counts.killed, 0);
    char sql[64];
    snprintf(sql, sizeof(sql), "KILL %lld", id);
    mariadb_server_sql(mariadb_server_shared(), sql);
    mysql_test_until(running, 0);
    mysql_test_done(pool);
}

TEST_REAL(a_killer_that_finds_no_server_gives_up)
{
    struct mariadb_server server;
    mariadb_server_start(&server, 0, NULL);
    char url[200];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@/test?socket=%s", server.socket);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url,
                                                                     .connect_timeout = hr_ms(200),
                                                                     .query_timeout = hr_ms(200),
                                                                     .kill_query = true});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    mariadb_server_freeze(&server);
    ASSERT_ERR(sleep_long(conn), -ETIMEDOUT);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    mariadb_server_thaw(&server);
    mariadb_server_stop(&server);
}

/* Connections that the server ever had, the one that asks included. */
static long long connections_of(struct mariadb_server *server)
{
    return mariadb_server_number(server, "SELECT variable_value "
                                         "FROM information_schema.GLOBAL_STATUS "
                                         "WHERE variable_name = 'Connections'");
}

/* A statement is given up; who kills it is cancelled at the n-th wait after that, and nobody kills
 * that in turn. Whether there was one: if not, the statement was there to be killed, however long
 * that took. */
static bool cancel_killer_at(int n, struct mariadb_server *server, const char *url)
{
    long long before = connections_of(server);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){
        .url = url, .connect_timeout = hr_seconds(20), .kill_query = true});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *victim = hr_create_task("victim", sleep_long, conn);
    test_passes(2);
    hr_task_cancel(victim, NULL);
    mysql_test_cancel_at(n);
    ASSERT_ERR(hr_join(victim), -ECANCELED);
    hr_mysql_release(conn);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0); /* waits for the killer */
    bool found = mysql_test_cancel_at(0) >= n;
    ASSERT_TRUE(connections_of(server) - before <= 3); /* the victim's, the killer's, this one */
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    ASSERT_TRUE(found || counts.killed == 1);
    hr_mysql_pool_free(pool);
    if (found)
        mariadb_server_sql(server, "KILL USER app"); /* in its stead */
    return found;
}

TEST_TICKING(t5_a_killer_can_be_cancelled_at_every_wait)
{
    char urls[2][160];
    struct mariadb_server *servers[] = {mariadb_server_shared(), mysql_test_tls_server()};
    snprintf(urls[0], sizeof(urls[0]), "mysql://app:s3cret%%2f%%40%%3a@/test?socket=%s",
             servers[0]->socket);
    snprintf(urls[1], sizeof(urls[1]), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/?tls=none",
             servers[1]->port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        int n = 1;
        while (cancel_killer_at(n, servers[i], urls[i]))
            ASSERT_TRUE(++n < 50);
        ASSERT_TRUE(n > 1);
    }
}

/* Prepared statements. */

static struct hr_mysql_counts counts_of(hr_mysql_pool *pool)
{
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    return counts;
}

TEST_REAL(prepared_statements_are_kept_up_to_a_limit_and_counted)
{
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.connections = 1, .statements = 2});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    static const char *const sql[] = {"SELECT ? + 1", "SELECT ? + 2", "SELECT ? + 3"};
    static const int order[] = {0, 0, 1, 0, 2, 0, 1}; /* 1 goes for 2, and 2 for 1 */
    for (size_t i = 0; i < HR_ARRAY_LEN(order); i++)
        (void)mysql_test_value(conn, sql[order[i]], HR_ARGS(hr_i(1)));
    ASSERT_EQ(conn->stmts.count, 2);
    ASSERT_EQ(counts_of(pool).prepared, 4);
    ASSERT_EQ(counts_of(pool).reused, 3);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static const char sum[] = "SELECT ? + 40";

static void use(hr_mysql_conn *conn)
{
    ASSERT_STR(mysql_test_value(conn, sum, HR_ARGS(hr_i(2))), "42");
}

TEST_TICKING(t14_a_prepared_statement_is_good_after_a_rollback_a_reset_and_a_new_connection)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *conn = mysql_test_begin(pool);
    use(conn);
    hr_mysql_release(conn); /* dirty: rolled back, and the handle stays */
    conn = mysql_test_acquire(pool);
    use(conn);
    ASSERT_EQ(counts_of(pool).prepared, 1);

    ASSERT_EQ(mysql_reset_connection(conn->mysql), 0); /* drops every handle */
    use(conn);
    ASSERT_EQ(conn->stmts.count, 1);
    ASSERT_EQ(counts_of(pool).prepared, 2);

    char kill[64];
    snprintf(kill, sizeof(kill), "KILL %lu", mysql_thread_id(conn->mysql));
    hr_mysql_release(conn);
    mariadb_server_sql(mariadb_server_shared(), kill);
    mysql_test_until("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = 'app'", 0);
    conn = mysql_test_acquire(pool);
    use(conn);
    ASSERT_EQ(counts_of(pool).prepared, 3);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_TICKING(t14_a_handle_that_the_server_has_forgotten_is_prepared_anew)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    for (int way = 0; way < 2; way++) {
        use(conn);
        struct hr__mysql_stmt *stmt =
            hr_list_entry(conn->stmts.used.next, struct hr__mysql_stmt, link);
        stmt->handle->stmt_id += 1000; /* 1243 is what the server says to that */
        if (way == 0) {
            use(conn);
        } else {
            const hr_mysql_result *row;
            ASSERT_ERR(hr_mysql_execute(cursor, sum, HR_ARGS(hr_i(3))), 0);
            ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
            ASSERT_STR(hr_mysql_text(row, 0, 0, NULL), "43");
            ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 0);
        }
        ASSERT_EQ(conn->stmts.count, 1);
    }
    ASSERT_EQ(counts_of(pool).prepared, 3);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
