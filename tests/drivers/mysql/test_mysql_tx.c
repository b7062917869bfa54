/* SPDX-License-Identifier: MIT */
/*
 * Transactions: scopes, what ends them, and others' locks.
 */
#include <stdio.h>
#include <string.h>

#include "tests/drivers/mysql/mysql_test.h"

TEST_REAL(s23_7_a_committed_transaction_is_there_for_all)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    ASSERT_TRUE(hr_mysql_in_transaction(tx));
    mysql_test_insert(tx, 1);
    mysql_test_insert(tx, 2);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 0);
    ASSERT_TRUE(hr_mysql_in_transaction(tx));
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    ASSERT_FALSE(hr_mysql_in_transaction(tx));
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 2);
    hr_mysql_tx_end(&tx);
    ASSERT_TRUE(tx == NULL);
    mysql_test_done(pool);
}

TEST_REAL(s23_7_a_transaction_left_without_commit_is_rolled_back_before_the_next_loan)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int i = 0; i < 3; i++) {
        hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, 1);
    }
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_STR(mysql_test_value(conn, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
    hr_mysql_release(conn);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_begun_and_left_at_once_leaves_the_connection_in_order)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int i = 0; i < 3; i++) {
        hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = mysql_test_begin(pool);
        hr_mysql_tx_end(&tx);
        hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = mysql_test_acquire(pool);
        ASSERT_STR(mysql_test_value(conn, "SELECT 42", HR_NO_ARGS), "42");
        ASSERT_FALSE(hr_mysql_in_transaction(conn));
    }
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    mysql_test_done(pool);
}

/* Outside of a transaction, as a loan of that kind has autocommit off. */
TEST_REAL(s23_7_what_was_refused_behind_a_transaction_leaves_no_locks)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_pool *others = mysql_test_pool(&(struct hr_mysql_options){.lock_wait = hr_seconds(5)});
    for (int way = 0; way < 2; way++) {
        hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, 1);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        ASSERT_ERR(hr_mysql_exec(tx, way ? "INSERT INTO t VALUES (?)" : "INSERT INTO t VALUES (1)",
                                 way ? HR_ARGS(hr_i(1)) : HR_NO_ARGS),
                   HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        hr_mysql_tx_end(&tx);
        hr_mysql_conn *conn = mysql_test_acquire(others);
        ASSERT_EQ(hr_mysql_exec(conn, "DELETE FROM t", HR_NO_ARGS), 1);
        hr_mysql_release(conn);
    }
    mysql_test_done(others);
    mysql_test_done(pool);
}

TEST_REAL(s23_7_loans_of_both_kinds_find_the_session_in_their_own_mode)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int i = 0; i < 6; i += 2) {
        hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, i);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        hr_mysql_tx_end(&tx);
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        mysql_test_insert(conn, i + 1);
        ASSERT_FALSE(hr_mysql_in_transaction(conn));
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), i + 2);
        hr_mysql_release(conn);
        conn = mysql_test_acquire(pool); /* and with nothing done in between */
        hr_mysql_release(conn);
    }
    mysql_test_done(pool);
}

TEST_REAL(s23_7_a_transaction_rolled_back_can_be_begun_again)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    mysql_test_insert(tx, 1);
    ASSERT_ERR(hr_mysql_restart(tx), -EINVAL);
    ASSERT_ERR(hr_mysql_rollback(tx), 0);
    ASSERT_FALSE(hr_mysql_in_transaction(tx));
    ASSERT_ERR(hr_mysql_restart(tx), 0);
    ASSERT_TRUE(hr_mysql_in_transaction(tx));
    mysql_test_insert(tx, 2);
    ASSERT_ERR(hr_mysql_restart(tx), -EINVAL);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    ASSERT_ERR(hr_mysql_restart(tx), 0);
    mysql_test_insert(tx, 3);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    /* Of a lost connection nobody is told that there is nothing to commit. */
    ASSERT_ERR(hr_mysql_commit(tx), -EINVAL);
    ASSERT_TRUE(hr_mysql_exec(tx, "KILL CONNECTION_ID()", HR_NO_ARGS) < 0);
    ASSERT_ERR(hr_mysql_commit(tx), -ENOTCONN);
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(mysql_test_number("SELECT GROUP_CONCAT(id ORDER BY id SEPARATOR '') FROM t"), 23);
    mysql_test_done(pool);
}

/* Where nobody would commit it, a statement's work is its own. */
TEST_REAL(s23_7_a_statement_before_and_after_a_transaction_stands_alone)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int round = 0; round < 2; round++) { /* on a session that is new, and one that served */
        hr_mysql_tx *tx = NULL;
        int id = 10 * round;
        ASSERT_ERR(hr_mysql_tx_acquire(pool, &tx), 0);
        mysql_test_insert(tx, id);
        ASSERT_ERR(hr_mysql_restart(tx), 0);
        mysql_test_insert(tx, id + 1);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        mysql_test_insert(tx, id + 2);
        ASSERT_ERR(hr_mysql_commit(tx), -EINVAL); /* it is there already */
        ASSERT_ERR(hr_mysql_restart(tx), 0);
        mysql_test_insert(tx, id + 3);
        ASSERT_ERR(hr_mysql_rollback(tx), 0);
        ASSERT_EQ(hr_mysql_exec(tx, "INSERT INTO t VALUES (?)", HR_ARGS(hr_i(id + 4))), 1);
        mysql_test_insert(tx, id + 5);
        hr_mysql_tx_end(&tx);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 5 * (round + 1));
    }
    mysql_test_done(pool);
}

TEST_REAL(a_statement_that_commits_by_itself_is_noticed)
{
    mysql_test_table("id INT PRIMARY KEY");
    mariadb_server_sql(mariadb_server_shared(),
                       "DROP TABLE IF EXISTS other; DROP PROCEDURE IF EXISTS commits; "
                       "CREATE PROCEDURE commits() BEGIN INSERT INTO t VALUES (100); COMMIT; END");
    const char *const enders[] = {"CREATE TABLE other (id INT)", "CALL commits()"};
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (size_t i = 0; i < HR_ARRAY_LEN(enders); i++) {
        hr_mysql_tx *tx = mysql_test_begin(pool);
        mysql_test_insert(tx, (int)i);
        ASSERT_TRUE(hr_mysql_in_transaction(tx));
        ASSERT_TRUE(hr_mysql_exec(tx, enders[i], HR_NO_ARGS) >= 0);
        ASSERT_FALSE(hr_mysql_in_transaction(tx));
        mysql_test_insert(
            tx, 10 + (int)i); /* opens another transaction, and is not taken for the first */
        ASSERT_FALSE(hr_mysql_in_transaction(tx));
        ASSERT_ERR(hr_mysql_commit(tx), -EINVAL);
        hr_mysql_tx_end(&tx);
    }
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 3);
    mysql_test_done(pool);
}

/* Locks. */

struct crossing {
    hr_mysql_pool *pool;
    hr_event *mine, *theirs;
    int first, second;
    int code, native;
    bool open;
};

static int cross(void *arg)
{
    struct crossing *c = arg;
    hr_mysql_tx *tx = mysql_test_begin(c->pool);
    const char *update = "UPDATE t SET v = v + 1 WHERE id = ?";
    ASSERT_EQ(hr_mysql_exec(tx, update, HR_ARGS(hr_i(c->first))), 1);
    hr_event_set(c->mine);
    ASSERT_ERR(hr_event_wait(c->theirs), 0);
    c->code = hr_mysql_exec(tx, update, HR_ARGS(hr_i(c->second)));
    c->native = c->code < 0 ? hr_last_error()->native : 0;
    c->open = hr_mysql_in_transaction(tx);
    if (c->code >= 0)
        ASSERT_ERR(hr_mysql_commit(tx), 0);
    else
        ASSERT_ERR(hr_mysql_rollback(tx), 0);
    hr_mysql_tx_end(&tx);
    return 0;
}

TEST_REAL(of_a_deadlocked_pair_one_is_told_1213_and_the_other_goes_on)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (1, 0), (2, 0)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_event a, b;
    hr_event_init(&a);
    hr_event_init(&b);
    struct crossing one = {pool, &a, &b, 1, 2}, two = {pool, &b, &a, 2, 1};
    struct hr_futures tasks = {0};
    hr_futures_add(&tasks, hr_create_task("one", cross, &one));
    hr_futures_add(&tasks, hr_create_task("two", cross, &two));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    hr_futures_done(&tasks);
    struct crossing *loser = one.code < 0 ? &one : &two, *winner = one.code < 0 ? &two : &one;
    ASSERT_ERR(loser->code, HR_EREPLY);
    ASSERT_EQ(loser->native, 1213);
    ASSERT_FALSE(loser->open);
    ASSERT_EQ(winner->code, 1);
    ASSERT_TRUE(winner->open);
    ASSERT_EQ(mysql_test_number("SELECT SUM(v) FROM t"), 2);
    hr_event_done(&a);
    hr_event_done(&b);
    mysql_test_done(pool);
}

TEST_REAL(a_lock_that_does_not_come_is_1205_and_leaves_the_transaction_open)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.lock_wait = hr_seconds(1)});
    hr_mysql_tx *first = mysql_test_begin(pool), *second = mysql_test_begin(pool);
    mysql_test_insert(first, 1);
    mysql_test_insert(second, 2);
    ASSERT_ERR(hr_mysql_exec(second, "INSERT INTO t VALUES (1)", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1205);
    ASSERT_TRUE(hr_mysql_in_transaction(second));
    ASSERT_ERR(hr_mysql_commit(second), 0);
    hr_mysql_tx_end(&second);
    hr_mysql_tx_end(&first);
    mysql_test_until("SELECT COUNT(*) FROM t", 1);
    mysql_test_done(pool);
}

/* Error packets do not tell what became of the transaction. With autocommit off the next statement
 * begins another one, whose commit would keep one half of the work. */
TEST_REAL(a_1205_that_takes_the_transaction_with_it_is_known_for_that)
{
    struct mariadb_server server;
    const char *const options[] = {"--innodb-rollback-on-timeout=1", NULL};
    mariadb_server_start(&server, 0, options);
    mariadb_server_sql(&server, "CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB");
    char url[160];
    snprintf(url, sizeof(url), "mysql://root@/test?socket=%s", server.socket);
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url, .lock_wait = hr_seconds(1)});
    hr_mysql_tx *first = mysql_test_begin(pool), *second = mysql_test_begin(pool);
    mysql_test_insert(first, 1);
    mysql_test_insert(second, 2);
    ASSERT_ERR(hr_mysql_exec(second, "INSERT INTO t VALUES (1)", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1205);
    ASSERT_FALSE(hr_mysql_in_transaction(second));
    mysql_test_insert(second, 3);
    ASSERT_FALSE(hr_mysql_in_transaction(second));
    ASSERT_ERR(hr_mysql_commit(second), -EINVAL);
    ASSERT_ERR(hr_mysql_rollback(second), 0);
    ASSERT_ERR(hr_mysql_rollback(first), 0);
    hr_mysql_tx_end(&second);
    hr_mysql_tx_end(&first);
    mysql_test_done(pool);
    ASSERT_EQ(mariadb_server_number(&server, "SELECT COUNT(*) FROM t"), 0);
    mariadb_server_stop(&server);
}
