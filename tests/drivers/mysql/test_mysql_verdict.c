/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a connection, its transaction and its pool by the number of a refusal. Many are
 * hard to bring about, so the server is told to say them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/drivers/mysql/mysql_test.h"

/* The code that a refusal of this number and text has. */
static int refuse(hr_mysql_conn *conn, int number, const char *text)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %d, MESSAGE_TEXT = '%s'",
             number, text);
    int r = hr_mysql_exec(conn, sql, HR_NO_ARGS);
    ASSERT_EQ(hr_last_error()->native, number);
    return r;
}

TEST_REAL(some_refusals_take_the_transaction_with_them)
{
    static const struct {
        int number;
        bool open;
    } refusals[] = {
        {1213, false}, /* a deadlock */
        {1206, false}, /* more locks than there is room for */
        {1020, false}, /* a row has changed since the snapshot */
        {1205, true },
        {1062, true },
        {1317, true },
    };
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (size_t i = 0; i < HR_ARRAY_LEN(refusals); i++) {
        hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, (int)i);
        ASSERT_ERR(refuse(tx, refusals[i].number, "no"), HR_EREPLY);
        ASSERT_EQ(hr_mysql_in_transaction(tx), refusals[i].open);
        ASSERT_ERR(hr_mysql_commit(tx), refusals[i].open ? 0 : -EINVAL);
        hr_mysql_tx_end(&tx);
    }
    mysql_test_until("SELECT COUNT(*) FROM t", 3);
    mysql_test_done(pool);
}

/* Whether the pool has let go of what idles, to look for a server that takes writes. */
static bool moves(const char *parameters, bool reads_only, int number, const char *text)
{
    char url[160];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@/test?socket=%s%s",
             mariadb_server_shared()->socket, parameters);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url});
    hr_mysql_conn *idle = mysql_test_acquire(pool);
    hr_mysql_tx *tx = NULL;
    const struct hr_mysql_tx_options options = {.read_only = reads_only};
    ASSERT_ERR(hr_mysql_begin_with(pool, &options, &tx), 0);
    ASSERT_ERR(hr_mysql_exec(tx, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(idle);
    ASSERT_ERR(refuse(tx, number, text), HR_EREPLY);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
    return stats.idle == 0;
}

TEST_REAL(a_server_that_takes_no_writes_any_more_is_left_and_no_other)
{
    static const char option[] = "The server is running with the --read-only option",
                      variable[] = "it has super_read_only = ON",
                      other[] = "The server is running with the --secure-file-priv option";
    ASSERT_TRUE(moves("", false, 1290, option));
    ASSERT_TRUE(moves("", false, 1290, variable));
    ASSERT_FALSE(moves("", false, 1290, other));
    ASSERT_TRUE(moves("", false, 1836, "no"));
    ASSERT_TRUE(moves("", false, 3100, "no"));
    ASSERT_FALSE(moves("", false, 1792, "no"));
    ASSERT_FALSE(moves("", true, 1792, "no"));
    ASSERT_TRUE(moves("", true, 1836, "no"));
    ASSERT_FALSE(moves("", false, 1062, option));
    ASSERT_FALSE(moves("&role=any", false, 1836, "no"));
}

/* By a text, in the ways there are; the server takes writes all the while. */
TEST_REAL(a_caller_s_own_read_only_transaction_moves_nobody_and_ends_with_the_loan)
{
    static const char *const ways[] = {
        "START TRANSACTION READ ONLY",
        "SET TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION READ ONLY",
    };
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 2});
    hr_mysql_release(mysql_test_acquire(pool));
    for (int i = 0; i < 2 * (int)HR_ARRAY_LEN(ways); i++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_mysql_release(mysql_test_acquire(pool)); /* one that idles */
        ASSERT_ERR(hr_mysql_exec(conn, ways[i / 2], HR_NO_ARGS), 0);
        if (i % 2)
            ASSERT_ERR(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_i(i))),
                       HR_EREPLY);
        else
            ASSERT_ERR(hr_mysql_exec(conn, "INSERT INTO t VALUES (0)", HR_NO_ARGS), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1792);
        hr_mysql_release(conn);

        hr_mysql_conn *both[] = {mysql_test_acquire(pool), mysql_test_acquire(pool)};
        mysql_test_insert(both[0], 10 + 2 * i);
        mysql_test_insert(both[1], 11 + 2 * i);
        hr_mysql_release(both[0]);
        hr_mysql_release(both[1]);
    }
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 2);
    mysql_test_done(pool);
}

/* A refusal does not say that it has; what the next borrower writes would be part of it. */
TEST_REAL(a_transaction_that_a_refused_procedure_leaves_open_ends_with_the_loan)
{
    static const char body[] = "START TRANSACTION; INSERT INTO t VALUES (1); "
                               "INSERT INTO t VALUES (1); COMMIT; END";
    char sql[2][160];
    mysql_test_table("id INT PRIMARY KEY");
    snprintf(sql[0], sizeof(sql[0]), "CREATE OR REPLACE PROCEDURE test.leaves() BEGIN %s", body);
    mariadb_server_sql(mariadb_server_shared(), sql[0]);
    snprintf(sql[0], sizeof(sql[0]), "/* twice */ CALL leaves()");
    snprintf(sql[1], sizeof(sql[1]), "BEGIN NOT ATOMIC %s", body);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 3; way++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
        int r = way == 2 ? hr_mysql_execute(cursor, sql[0], HR_NO_ARGS)
                         : hr_mysql_exec(conn, sql[way], HR_NO_ARGS);
        ASSERT_ERR(r, HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        hr_mysql_release(conn);

        conn = mysql_test_acquire(pool);
        mysql_test_insert(conn, 10 + way);
        hr_mysql_release(conn);
        hr_mysql_release(mysql_test_acquire(pool));
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), way + 1);
    }
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    ASSERT_EQ(stats.reset, 3);
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(), "DROP PROCEDURE test.leaves");
}

/* What is written behind it would be committed without what stood in front. */
TEST_REAL(a_scope_whose_transaction_a_refused_statement_has_ended_commits_nothing_more)
{
    static const char *const enders[] = {"CALL undoes()", "CREATE TABLE t (a INT)"};
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int way = 0; way < 4; way++) {
        mysql_test_table("id INT PRIMARY KEY");
        mariadb_server_sql(mariadb_server_shared(),
                           "CREATE OR REPLACE PROCEDURE test.undoes() BEGIN DECLARE EXIT HANDLER "
                           "FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END; "
                           "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); END; "
                           "CREATE OR REPLACE PROCEDURE test.refuses() SIGNAL SQLSTATE '45000'");
        hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, 10);
        ASSERT_ERR(hr_mysql_exec(tx, way < 2 ? enders[way] : "CALL refuses()", HR_NO_ARGS),
                   HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, way == 0 ? 1062 : way == 1 ? 1050 : 1644);
        ASSERT_EQ(hr_mysql_in_transaction(tx), way >= 2);
        if (way == 3)
            mysql_test_insert(tx, 11);
        ASSERT_ERR(hr_mysql_commit(tx), way < 2 ? -EINVAL : 0);
        hr_mysql_tx_end(&tx);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), way == 0   ? 0
                                                                    : way == 3 ? 2
                                                                               : 1);
    }
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(),
                       "DROP PROCEDURE test.undoes; DROP PROCEDURE test.refuses");
}

/* The server would close the connection for it. */
TEST_REAL(a_value_that_no_packet_can_carry_is_refused_before_it_is_sent)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    size_t size = hr_mysql_max_packet(conn);
    char *value = calloc(1, size);
    ASSERT_TRUE(value);
    ASSERT_ERR(hr_mysql_exec(conn, "DO LENGTH(?)", HR_ARGS(hr_b(value, size))), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1153);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_ERR(hr_mysql_exec(conn, "DO LENGTH(?)", HR_ARGS(hr_b(value, size - 100))), 0);
    free(value);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_server_that_says_the_session_is_over_is_lost)
{
    static const struct {
        int number, code;
    } refusals[] = {
        {1053, HR_ELOST }, /* it shuts down */
        {1077, HR_ELOST },
        {1080, HR_ELOST },
        {1152, HR_ELOST }, /* it has given up this connection, or could not read from it */
        {1158, HR_ELOST },
        {1159, HR_ELOST },
        {1160, HR_ELOST },
        {1161, HR_ELOST },
        {1184, HR_ELOST },
        {1927, HR_ELOST }, /* killed, by MariaDB and by MySQL, or silent for too long */
        {3169, HR_ELOST },
        {4031, HR_ELOST },
        {1153, HR_EREPLY}, /* an answer, behind which it closes */
    };
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (size_t i = 0; i < HR_ARRAY_LEN(refusals); i++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        ASSERT_ERR(refuse(conn, refusals[i].number, "no"), refusals[i].code);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        hr_mysql_release(conn);
    }
    mysql_test_done(pool);
}
