/* SPDX-License-Identifier: MIT */
/*
 * Statements sent ahead of others, BEGIN among them: one round trip, and what a refusal does.
 */
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "drivers/mysql/bulk.h"
#include "drivers/mysql/conn.h"
#include "tests/drivers/mysql/mysql_test.h"

/* Inserts two rows by a bulk. */
static int insert_two(hr_mysql_tx *tx, int64_t first)
{
    const int64_t ids[] = {first, first + 1};
    const struct hr_mysql_column column = {HR_MYSQL_INT, {.ints = ids}};
    return hr_mysql_bulk(tx, "INSERT INTO t VALUES (?)", &column, 1, 0, 2);
}

TEST_REAL(a_statement_sent_ahead_goes_in_with_what_follows_it)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int i = 0; i < 30; i += 10) { /* prepared first, then with three replies due at once */
        hr_mysql_tx *tx = mysql_test_begin(pool);
        char sql[64];
        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", i);
        ASSERT_ERR(hr_mysql_exec_ahead(tx, sql), 0);
        ASSERT_EQ(insert_two(tx, i + 1), 2);
        ASSERT_FALSE(hr_mysql_ahead_refused(tx));
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        hr_mysql_tx_end(&tx);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), i / 10 * 3 + 3);
    }
    mysql_test_done(pool);
}

TEST_REAL(several_statements_sent_ahead_go_in_one_after_the_other)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, "INSERT INTO t VALUES (1), (2), (3)"), 0);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, "DELETE FROM t WHERE id = 2"), 0);
    ASSERT_EQ(insert_two(tx, 4), 2);
    ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "4");
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

TEST_REAL(a_statement_sent_ahead_that_is_refused_fails_the_next_call_and_dooms_the_transaction)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_EQ(insert_two(tx, 1), 2); /* prepares the statement */
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    hr_mysql_tx_end(&tx);

    /* The bulk behind it is good, is bad itself, goes as text, or is the COMMIT. */
    for (int way = 0; way < 4; way++) {
        tx = mysql_test_begin(pool);
        ASSERT_ERR(hr_mysql_exec_ahead(tx, "INSERT INTO t VALUES (1)"), 0);
        int r = way < 2    ? insert_two(tx, way == 0 ? 5 : 2)
                : way == 2 ? hr_mysql_exec(tx, "INSERT INTO t VALUES (5)", HR_NO_ARGS)
                           : hr_mysql_commit(tx);
        ASSERT_ERR(r, HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        ASSERT_TRUE(strstr(hr_last_error()->message, "'1'") != NULL);
        ASSERT_TRUE(hr_mysql_ahead_refused(tx));
        hr_mysql_tx_end(&tx);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 2);
    }

    /* One that gives rows, run before and run for the first time; nothing of them stays behind. */
    for (int way = 0; way < 4; way++) {
        static const char select[] = "SELECT seq FROM seq_1_to_100 WHERE seq > ?";
        hr_mysql_result *rows = NULL;
        tx = mysql_test_begin(pool);
        if (way % 2 == 0)
            ASSERT_EQ(atoi(mysql_test_value(tx, select, HR_ARGS(hr_i(1)))), 2);
        ASSERT_ERR(hr_mysql_exec_ahead(tx, "INSERT INTO t VALUES (1)"), 0);
        int r = way < 2 ? hr_mysql_query(tx, &rows, select, HR_ARGS(hr_i(1)))
                        : hr_mysql_exec(tx, select, HR_ARGS(hr_i(1)));
        ASSERT_ERR(r, HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        ASSERT_ERR(hr_mysql_rollback(tx), 0);
        ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "2");
        hr_mysql_tx_end(&tx);
    }

    tx = mysql_test_begin(pool);
    ASSERT_FALSE(hr_mysql_ahead_refused(tx));
    ASSERT_EQ(insert_two(tx, 5), 2);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 4);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    mysql_test_done(pool);
}

TEST_REAL(a_statement_sent_ahead_and_left_alone_is_rolled_back)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, "INSERT INTO t VALUES (1)"), 0);
    hr_mysql_tx_end(&tx);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_STR(mysql_test_value(conn, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(nothing_is_sent_ahead_where_it_could_not_be_rolled_back)
{
    static const char insert[] = "INSERT INTO t VALUES (1)";
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_tx_acquire(pool, &tx), 0);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, insert), -EINVAL);
    ASSERT_ERR(hr_mysql_restart(tx), 0);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, insert), 0);
    ASSERT_ERR(hr_mysql_rollback(tx), 0);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, insert), -EINVAL);
    hr_mysql_tx_end(&tx);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec_ahead(conn, insert), -EINVAL);
    ASSERT_STR(mysql_test_value(conn, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* What the server says of it does not tell that it has ended the transaction. */
TEST_REAL(a_procedure_sent_ahead_that_rolls_back_and_is_refused_has_ended_the_transaction)
{
    mysql_test_table("id INT PRIMARY KEY");
    mariadb_server_sql(mariadb_server_shared(),
                       "CREATE OR REPLACE PROCEDURE test.gives_up() BEGIN ROLLBACK; "
                       "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_tx *tx = mysql_test_begin(pool);
    mysql_test_insert(tx, 1);
    ASSERT_ERR(hr_mysql_exec_ahead(tx, "CALL gives_up()"), 0);
    ASSERT_ERR(hr_mysql_exec(tx, "SELECT 1", HR_NO_ARGS), HR_EREPLY);
    ASSERT_FALSE(hr_mysql_in_transaction(tx));
    ASSERT_ERR(hr_mysql_commit(tx), -EINVAL);
    hr_mysql_tx_end(&tx);
    mariadb_server_sql(mariadb_server_shared(), "DROP PROCEDURE test.gives_up");
    mysql_test_done(pool);
}

/* BEGIN ahead of the first statement. */

static int first_statement(void *arg)
{
    return hr_mysql_exec(arg, "INSERT INTO t VALUES (1)", HR_NO_ARGS);
}

static int unread_by_the_server(const hr_mysql_conn *conn)
{
    int bytes = 0;
    ASSERT_EQ(ioctl(conn->wait.wire.fd, SIOCOUTQ, &bytes), 0);
    return bytes;
}

TEST_REAL(begin_leaves_at_once_and_the_first_statement_without_waiting_for_its_reply)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    mariadb_server_freeze(mariadb_server_shared());

    mysql_test_cancel_at(0);
    ASSERT_ERR(hr_mysql_restart(tx), 0);
    ASSERT_EQ(mysql_test_cancel_at(0), 0); /* it did not wait */
    int begin = unread_by_the_server(tx);
    ASSERT_TRUE(begin > 0); /* and it has been sent */
    hr_task *task = hr_create_task("first", first_statement, tx);
    test_passes(2);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_TRUE(unread_by_the_server(tx) > begin);

    mariadb_server_thaw(mariadb_server_shared());
    ASSERT_ERR(hr_join(task) == 1 ? 0 : -EINVAL, 0);
    ASSERT_TRUE(hr_mysql_in_transaction(tx));
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 0);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 1);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

/* A late KILL QUERY, or a Galera node that is not ready, refuses BEGIN and takes what comes next.
 */
TEST_REAL(a_refused_begin_commits_nothing_of_what_was_sent_behind_it)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    tx->ahead = NULL;
    /* Stands in for a BEGIN that fails: refused in just the same way. */
    const char *refused = "BEGINN";
    ASSERT_EQ(mysql_send_query(tx->mysql, refused, strlen(refused)), 0);
    tx->ahead = refused;
    tx->scope = true;
    tx->ended = tx->to_stand_alone = false;
    ASSERT_ERR(hr_mysql_exec(tx, "INSERT INTO t VALUES (1)", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1064);
    ASSERT_ERR(hr_mysql_commit(tx), -ENOTCONN);
    hr_mysql_tx_end(&tx);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_STR(mysql_test_value(conn, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(prepared_statements_work_as_the_first_of_a_transaction)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int i = 0; i < 3; i++) {
        hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, i);
        ASSERT_EQ(
            atoi(mysql_test_value(tx, "SELECT COUNT(*) FROM t WHERE id >= ?", HR_ARGS(hr_i(0)))),
            i + 1);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        hr_mysql_tx_end(&tx);
    }
    mysql_test_done(pool);
}
