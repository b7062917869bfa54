/* SPDX-License-Identifier: MIT */
/*
 * A transaction in one request: all of it or nothing, and what is said when nobody can tell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/once.h"
#include "tests/drivers/mysql/mysql_test.h"

static const char insert_sql[] = "INSERT INTO t VALUES (?, ?) -- a comment";

/* "INSERT INTO f VALUES (…)", the first statement. */
static const char *first(int id)
{
    static char sql[64];
    snprintf(sql, sizeof(sql), "INSERT INTO f VALUES (%d)", id);
    return sql;
}

/* Two rows, from id on. */
static int once(hr_mysql_tx *tx, int f, int64_t id)
{
    const int64_t ids[] = {id, id + 1};
    const char *const texts[] = {"a'b\\c\"\0d\n? ü", ""};
    const unsigned long lengths[] = {13, 0};
    const bool nulls[] = {false, true};
    const struct hr_mysql_column columns[] = {
        {HR_MYSQL_INT,  {.ints = ids},    NULL,    NULL },
        {HR_MYSQL_TEXT, {.texts = texts}, lengths, nulls},
    };
    return hr_mysql_once(tx, first(f), insert_sql, columns, 2, 2);
}

static hr_mysql_pool *one_connection(void)
{
    mariadb_server_sql(mariadb_server_shared(), "DROP TABLE IF EXISTS f; CREATE TABLE f "
                                                "(id INT PRIMARY KEY) ENGINE=InnoDB");
    mysql_test_table("id INT PRIMARY KEY, text VARCHAR(20)");
    return mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
}

static hr_mysql_tx *acquire(hr_mysql_pool *pool)
{
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_tx_acquire(pool, &tx), 0);
    return tx;
}

static void connected_once(hr_mysql_pool *pool)
{
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
}

TEST_REAL(a_transaction_in_one_request_is_there_for_all_when_it_returns)
{
    hr_mysql_pool *pool = one_connection();
    for (int i = 0; i < 6; i += 2) { /* loans of other kinds between them */
        hr_mysql_tx *tx = acquire(pool);
        (void)mysql_test_cancel_at(0);
        ASSERT_ERR(once(tx, i, i), 0);
        ASSERT_TRUE(mysql_test_cancel_at(0) <= 1); /* one round trip */
        ASSERT_FALSE(hr_mysql_in_transaction(tx));
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), i + 2);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM f"), i / 2 + 1);
        hr_mysql_tx_end(&tx);
        if (i == 0) {
            hr_mysql_conn *conn = mysql_test_acquire(pool);
            ASSERT_STR(mysql_test_value(conn, "SELECT HEX(text) FROM t WHERE id = 0", HR_NO_ARGS),
                       "6127625C632200640A3F20C3BC");
            ASSERT_STR(mysql_test_value(conn, "SELECT text FROM t WHERE id = 1", HR_NO_ARGS),
                       "NULL");
            hr_mysql_release(conn);
        } else {
            tx = mysql_test_begin(pool);
            ASSERT_EQ(hr_mysql_exec(tx, "DELETE FROM t", HR_NO_ARGS), i + 2);
            hr_mysql_tx_end(&tx);
        }
    }
    connected_once(pool);
    mysql_test_done(pool);
}

TEST_REAL(what_is_refused_in_one_request_leaves_nothing_and_the_loan_goes_on)
{
    hr_mysql_pool *pool = one_connection();
    hr_mysql_tx *tx = acquire(pool);
    ASSERT_ERR(once(tx, 1, 1), 0);
    for (int way = 0; way < 2; way++) { /* the first statement, then a row */
        ASSERT_ERR(way == 0 ? once(tx, 1, 5) : once(tx, 2, 2), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        ASSERT_TRUE(strstr(hr_last_error()->message, way == 0 ? "'1'" : "'2'") != NULL);
        ASSERT_FALSE(hr_mysql_in_transaction(tx));
        ASSERT_ERR(hr_mysql_restart(tx), 0);
        ASSERT_EQ(hr_mysql_exec(tx, "DELETE FROM f WHERE id = 99", HR_NO_ARGS), 0);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 2);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM f"), 1);
    }
    ASSERT_ERR(once(tx, 2, 5), 0);
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 4);
    connected_once(pool);
    mysql_test_done(pool);
}

/* Written out, they read back as the same. */
TEST_REAL(doubles_in_one_request_keep_all_their_digits)
{
    const double doubles[] = {0.1 + 0.2, -1.0 / 3, 5e-324, 1.7976931348623157e308};
    const struct hr_mysql_column column = {HR_MYSQL_DOUBLE, {.doubles = doubles}, NULL, NULL};
    hr_mysql_pool *pool = one_connection();
    mysql_test_table("id INT AUTO_INCREMENT PRIMARY KEY, d DOUBLE");
    hr_mysql_tx *tx = acquire(pool);
    ASSERT_ERR(hr_mysql_once(tx, first(1), "INSERT INTO t (d) VALUES (?)", &column, 1,
                             HR_ARRAY_LEN(doubles)),
               0);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_EQ(hr_mysql_query(tx, &rows, "SELECT d FROM t ORDER BY id", HR_NO_ARGS),
              HR_ARRAY_LEN(doubles));
    for (size_t i = 0; i < HR_ARRAY_LEN(doubles); i++)
        ASSERT_TRUE(strtod(hr_mysql_text(rows, i, 0, NULL), NULL) == doubles[i]);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

TEST_REAL(what_one_request_cannot_hold_is_not_sent)
{
    hr_mysql_pool *pool = one_connection();
    hr_mysql_tx *tx = acquire(pool);
    const int64_t ids[] = {1};
    const char *const texts[] = {"x"};
    const unsigned long lengths[] = {1};
    const struct hr_mysql_column columns[] = {
        {HR_MYSQL_INT,   {.ints = ids},    NULL,    NULL},
        {HR_MYSQL_BYTES, {.texts = texts}, lengths, NULL},
    };
    (void)mysql_test_cancel_at(0);
    ASSERT_ERR(hr_mysql_once(tx, first(1), insert_sql, columns, 2, 1), -ENOTSUP);
    ASSERT_ERR(hr_mysql_once(tx, first(1), "SELECT ?", columns, 1, 1), -EINVAL);
    ASSERT_ERR(hr_mysql_once(tx, first(1), insert_sql, columns, 2, 0), -EINVAL);
    ASSERT_EQ(mysql_test_cancel_at(0), 0);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_that_is_open_is_not_committed_by_one_in_one_request)
{
    hr_mysql_pool *pool = one_connection();
    hr_mysql_tx *tx = acquire(pool);
    ASSERT_ERR(hr_mysql_restart(tx), 0);
    ASSERT_EQ(hr_mysql_exec(tx, first(7), HR_NO_ARGS), 1);
    ASSERT_ERR(once(tx, 1, 1), -EINVAL);
    ASSERT_TRUE(hr_mysql_in_transaction(tx));
    ASSERT_ERR(hr_mysql_rollback(tx), 0);
    ASSERT_ERR(once(tx, 1, 1), 0);
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(mysql_test_number("SELECT SUM(id) FROM f"), 1);
    connected_once(pool);
    mysql_test_done(pool);
}

/* Begun as text, or by the first statement where autocommit is off. */
TEST_REAL(a_transaction_that_a_statement_has_begun_is_not_committed_by_one_in_one_request)
{
    hr_mysql_pool *pool = one_connection();
    for (int way = 0; way < 2; way++) {
        hr_mysql_tx *tx = way == 0 ? mysql_test_acquire(pool) : acquire(pool);
        if (way == 0)
            ASSERT_ERR(hr_mysql_exec(tx, "START TRANSACTION", HR_NO_ARGS), 0);
        if (way == 1)
            ASSERT_ERR(hr_mysql_exec(tx, "SET autocommit = 0", HR_NO_ARGS), 0);
        ASSERT_EQ(hr_mysql_exec(tx, first(7), HR_NO_ARGS), 1);
        ASSERT_ERR(once(tx, 1, 1), -EINVAL);
        hr_mysql_tx_end(&tx);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM f"), 0);
    }
    mysql_test_done(pool);
}

TEST_REAL(columns_that_lack_something_are_refused_by_one_in_one_request_too)
{
    hr_mysql_pool *pool = one_connection();
    hr_mysql_tx *tx = acquire(pool);
    const char *const texts[] = {"x"};
    const unsigned long lengths[] = {1};
    const struct hr_mysql_column columns[] = {
        {HR_MYSQL_TEXT,   {.texts = texts}, NULL,    NULL},
        {HR_MYSQL_TEXT,   {.texts = NULL},  lengths, NULL},
        {HR_MYSQL_DOUBLE, {.texts = NULL},  NULL,    NULL},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(columns); i++) {
        ASSERT_ERR(hr_mysql_once(tx, first(1), "INSERT INTO f VALUES (?)", &columns[i], 1, 1),
                   -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, "column 1 of a bulk has no "));
    }
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

static int lose_it(void *arg)
{
    int r = once(arg, 1, 1);
    ASSERT_TRUE(hr_last_error()->sent);
    return r;
}

TEST_REAL(one_request_without_an_answer_is_of_unknown_outcome)
{
    hr_mysql_pool *pool = one_connection();
    hr_mysql_pool *other = mysql_test_pool(NULL);
    for (int way = 0; way < 2; way++) { /* the server hangs up, the task is cancelled */
        hr_mysql_tx *lock = mysql_test_begin(other);
        ASSERT_EQ(hr_mysql_exec(lock, "INSERT INTO f VALUES (1)", HR_NO_ARGS), 1);
        hr_mysql_tx *tx = acquire(pool);
        long long id = (long long)mysql_thread_id(tx->mysql);
        hr_task *task = hr_create_task("once", lose_it, tx);
        char sql[128];
        snprintf(sql, sizeof(sql),
                 "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id = %lld AND "
                 "state = 'Update'",
                 id);
        mysql_test_until(sql, 1);
        if (way == 0) {
            snprintf(sql, sizeof(sql), "KILL %lld", id);
            mariadb_server_sql(mariadb_server_shared(), sql);
            ASSERT_ERR(hr_join(task), HR_ELOST);
        } else {
            hr_task_cancel(task, NULL);
            ASSERT_ERR(hr_join(task), -ECANCELED);
        }
        hr_mysql_tx_end(&tx);
        hr_mysql_tx_end(&lock); /* rolls back */
    }
    mysql_test_done(other);
    mysql_test_done(pool);
}
