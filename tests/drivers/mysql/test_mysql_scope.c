/* SPDX-License-Identifier: MIT */
/*
 * Transactions inside transactions, their options, and functions run again for locks.
 */
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/savepoint.h"
#include "drivers/mysql/transaction.h"
#include "tests/drivers/mysql/mysql_test.h"

static const char insert[] = "INSERT INTO t (id, v) VALUES (?, 0)";

static void put(hr_mysql_tx *tx, int id)
{
    ASSERT_ERR(hr_mysql_exec(tx, insert, HR_ARGS(hr_i(id))), 1);
}

/* The ids that are there, as bits. */
static long long ids(void)
{
    return mysql_test_number("SELECT COALESCE(SUM(1 << id), 0) FROM test.t");
}

TEST_REAL(a_savepoint_left_is_rolled_back_and_one_released_is_kept)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    put(tx, 0);
    {
        hr_auto(hr_mysql_savepoint_end) struct hr_mysql_savepoint kept = {0};
        ASSERT_ERR(hr_mysql_savepoint(tx, &kept), 0);
        put(tx, 1);
        {
            hr_auto(hr_mysql_savepoint_end) struct hr_mysql_savepoint inner = {0};
            ASSERT_ERR(hr_mysql_savepoint(tx, &inner), 0);
            ASSERT_EQ(inner.depth, 2);
            put(tx, 2);
        }
        put(tx, 3);
        ASSERT_ERR(hr_mysql_savepoint_release(&kept), 0);
        ASSERT_ERR(hr_mysql_savepoint_release(&kept), -EINVAL);
    }
    {
        hr_auto(hr_mysql_savepoint_end) struct hr_mysql_savepoint again = {0};
        ASSERT_ERR(hr_mysql_savepoint(tx, &again), 0);
        ASSERT_EQ(again.depth, 1);
        put(tx, 4);
        ASSERT_ERR(hr_mysql_savepoint_rollback(&again), 0);
        put(tx, 5);
    }
    ASSERT_ERR(hr_mysql_commit(tx), 0); /* goes back first */
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(ids(), 1 << 0 | 1 << 1 | 1 << 3);
    mysql_test_done(pool);
}

TEST_REAL(an_outer_savepoint_left_takes_the_inner_ones_with_it)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    struct hr_mysql_savepoint outer = {0}, inner = {0};
    put(tx, 0);
    ASSERT_ERR(hr_mysql_savepoint(tx, &outer), 0);
    put(tx, 1);
    ASSERT_ERR(hr_mysql_savepoint(tx, &inner), 0);
    put(tx, 2);
    hr_mysql_savepoint_end(&inner);
    hr_mysql_savepoint_end(&outer);
    put(tx, 3);
    /* Whatever the order: what is inside one that is over is over. */
    ASSERT_ERR(hr_mysql_savepoint(tx, &outer), 0);
    ASSERT_ERR(hr_mysql_savepoint(tx, &inner), 0);
    hr_mysql_savepoint_end(&outer);
    ASSERT_ERR(hr_mysql_savepoint_release(&inner), -EINVAL);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(ids(), 1 << 0 | 1 << 3);
    mysql_test_done(pool);
}

TEST_REAL(a_savepoint_ends_with_its_transaction)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    struct hr_mysql_savepoint old = {0}, new = {0};
    ASSERT_ERR(hr_mysql_savepoint(tx, &old), 0);
    put(tx, 1);
    ASSERT_ERR(hr_mysql_rollback(tx), 0);
    ASSERT_ERR(hr_mysql_savepoint(tx, &new), -EINVAL);
    ASSERT_ERR(hr_mysql_restart(tx), 0);
    ASSERT_ERR(hr_mysql_savepoint(tx, &new), 0);
    put(tx, 2);
    ASSERT_ERR(hr_mysql_savepoint_release(&old), -EINVAL);
    hr_mysql_savepoint_end(&old); /* of no effect on the other of the same name */
    ASSERT_ERR(hr_mysql_savepoint_release(&new), 0);
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    hr_mysql_tx_end(&tx);
    ASSERT_EQ(ids(), 1 << 2);

    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_savepoint(conn, &new), -EINVAL);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_rolled_back_does_not_go_back_to_its_savepoints_first)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = mysql_test_begin(pool);
    struct hr_mysql_savepoint savepoint = {0};
    put(tx, 1);
    ASSERT_ERR(hr_mysql_savepoint(tx, &savepoint), 0);
    hr_mysql_savepoint_end(&savepoint);
    ASSERT_ERR(hr_mysql_rollback(tx), 0);
    ASSERT_STR(mysql_test_value(tx,
                                "SELECT variable_value FROM information_schema.session_status "
                                "WHERE variable_name = 'Com_rollback_to_savepoint'",
                                HR_NO_ARGS),
               "0");
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

/* Rows that are left hold the connection: what is to be taken back is, as soon as they are gone. */
TEST_REAL(a_savepoint_left_while_rows_are_left_is_rolled_back_behind_them)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int way = 0; way < 4; way++) {
        mysql_test_table("id INT PRIMARY KEY, v INT");
        hr_mysql_tx *tx = mysql_test_begin(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(tx);
        struct hr_mysql_savepoint inner = {0};
        const hr_mysql_result *row;
        put(tx, 0);
        ASSERT_ERR(hr_mysql_savepoint(tx, &inner), 0);
        put(tx, 1);
        ASSERT_ERR(hr_mysql_execute(cursor, mysql_test_seven[0], HR_NO_ARGS), 0);
        hr_mysql_savepoint_end(&inner);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_STR(hr_mysql_text(row, 0, 1, NULL), "row 1");
        if (way == 0) { /* which does not make it forget */
            ASSERT_ERR(hr_mysql_rollback(tx), -EBUSY);
            ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
        } else if (way == 1) {
            ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
        } else if (way == 2) {
            while (hr_mysql_fetch_one(cursor, &row) > 0)
                ;
        } else {
            ASSERT_ERR(hr_mysql_execute(cursor, insert, HR_ARGS(hr_i(2))), 1);
        }
        put(tx, 3);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        hr_mysql_tx_end(&tx);
        ASSERT_EQ(ids(), 1 << 0 | (way == 3) << 2 | 1 << 3);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_left_with_a_savepoint_open_leaves_nothing)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int i = 0; i < 2; i++) {
        hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = mysql_test_begin(pool);
        hr_auto(hr_mysql_savepoint_end) struct hr_mysql_savepoint savepoint = {0};
        put(tx, 1);
        ASSERT_ERR(hr_mysql_savepoint(tx, &savepoint), 0);
        put(tx, 2);
    }
    ASSERT_EQ(ids(), 0);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_has_the_isolation_it_asks_for_and_the_next_one_its_own)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    static const char *const names[] = {
        [HR_MYSQL_READ_COMMITTED] = "READ-COMMITTED",
        [HR_MYSQL_READ_UNCOMMITTED] = "READ-UNCOMMITTED",
        [HR_MYSQL_REPEATABLE_READ] = "REPEATABLE-READ",
        [HR_MYSQL_SERIALIZABLE] = "SERIALIZABLE",
    };
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (size_t i = 0; i < 2 * HR_ARRAY_LEN(names); i++) {
        struct hr_mysql_tx_options options = {.isolation = (enum hr_mysql_isolation)(i / 2)};
        hr_mysql_tx *tx = NULL;
        ASSERT_ERR(hr_mysql_begin_with(pool, i % 2 ? NULL : &options, &tx), 0);
        put(tx, (int)i);
        for (int again = 0; again < 2; again++) {
            if (again)
                ASSERT_ERR(hr_mysql_restart(tx), 0);
            ASSERT_STR(mysql_test_value(tx, "SELECT @@session.tx_isolation", HR_NO_ARGS),
                       names[i % 2 ? 0 : i / 2]);
            ASSERT_ERR(hr_mysql_commit(tx), 0);
        }
        hr_mysql_tx_end(&tx);
    }
    /* It is set back once. */
    struct hr_pool_stats before, after;
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_pool_get_stats(pool, &before);
    hr_mysql_release(conn);
    hr_mysql_release(mysql_test_acquire(pool));
    hr_mysql_pool_get_stats(pool, &after);
    ASSERT_EQ(after.reset, before.reset);
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_begin_with(pool, &(struct hr_mysql_tx_options){.isolation = 9}, &tx),
               -EINVAL);
    mysql_test_done(pool);
}

TEST_REAL(a_repeatable_read_sees_the_same_to_its_end)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int repeatable = 0; repeatable < 2; repeatable++) {
        mariadb_server_sql(mariadb_server_shared(), "DELETE FROM t");
        struct hr_mysql_tx_options options = {.isolation = repeatable ? HR_MYSQL_REPEATABLE_READ
                                                                      : HR_MYSQL_READ_COMMITTED};
        hr_mysql_tx *tx = NULL;
        ASSERT_ERR(hr_mysql_begin_with(pool, &options, &tx), 0);
        ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
        mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (1, 1)");
        ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS),
                   repeatable ? "0" : "1");
        hr_mysql_tx_end(&tx);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_that_only_reads_is_refused_to_write)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    struct hr_mysql_tx_options options = {.read_only = true};
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_begin_with(pool, &options, &tx), 0);
    ASSERT_ERR(hr_mysql_exec(tx, insert, HR_ARGS(hr_i(1))), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1792);
    ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
    ASSERT_ERR(hr_mysql_commit(tx), 0);
    hr_mysql_tx_end(&tx);
    tx = mysql_test_begin(pool);
    put(tx, 1);
    hr_mysql_tx_end(&tx);
    /* That is said by a primary as well, which nobody has to leave. */
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    mysql_test_done(pool);
}

/* Functions run again. */

struct pair {
    hr_mysql_pool *pool;
    struct pair *other;
    int first, second;
    int runs;
    bool locked; /* the first of the rows */
};

static int take_both(hr_mysql_tx *tx, void *arg)
{
    struct pair *pair = arg;
    static const char sql[] = "UPDATE t SET v = v + 1 WHERE id = ?";
    pair->runs++;
    int r = hr_mysql_exec(tx, sql, HR_ARGS(hr_i(pair->first)));
    pair->locked = r >= 0;
    /* In the first attempt both hold one before either asks for the other. */
    for (int i = 0; r >= 0 && pair->runs == 1 && !pair->other->locked && i < 500; i++)
        r = hr_sleep(hr_ms(10));
    return r < 0 ? r : hr_mysql_exec(tx, sql, HR_ARGS(hr_i(pair->second)));
}

static int take_both_in_a_transaction(void *arg)
{
    struct pair *pair = arg;
    return hr_mysql_transaction(pair->pool, NULL, take_both, pair);
}

TEST_TICKING(t8_of_a_deadlocked_pair_both_go_through_when_run_again)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (1, 0), (2, 0)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    struct pair a = {pool, NULL, 1, 2, 0, false}, b = {pool, &a, 2, 1, 0, false};
    a.other = &b;
    struct hr_futures tasks = {0};
    hr_futures_add(&tasks, hr_create_task("a", take_both_in_a_transaction, &a));
    hr_futures_add(&tasks, hr_create_task("b", take_both_in_a_transaction, &b));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    ASSERT_EQ(hr_future_status(tasks.items[0]), 1);
    hr_futures_done(&tasks);
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    ASSERT_EQ(a.runs + b.runs, 2 + counts.retried);
    ASSERT_TRUE(counts.retried >= 1);
    mysql_test_done(pool);
    ASSERT_EQ(mysql_test_number("SELECT SUM(v) FROM test.t"), 4);
}

struct runs {
    int left, done;  /* attempts that are to fail, and that were made */
    const char *sql; /* run behind the insert */
    int code;        /* of their own */
};

static int insert_and_fail(hr_mysql_tx *tx, void *arg)
{
    struct runs *runs = arg;
    put(tx, runs->done++);
    if (runs->left-- <= 0)
        return 7;
    if (runs->code)
        return hr_fail(runs->code, "of its own");
    return hr_mysql_exec(tx, runs->sql, HR_NO_ARGS);
}

static const char wait_for_lock[] = "UPDATE t SET v = 1 WHERE id = 20";

TEST_TICKING(t8_a_lock_that_does_not_come_is_tried_for_again_a_bounded_number_of_times)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (20, 0)");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.lock_wait = hr_seconds(1)});
    hr_mysql_tx *holder = mysql_test_begin(pool);
    ASSERT_ERR(hr_mysql_exec(holder, wait_for_lock, HR_NO_ARGS), 1);
    struct runs runs = {.left = 9, .sql = wait_for_lock};
    ASSERT_ERR(hr_mysql_transaction(pool, &(struct hr_mysql_tx_options){.attempts = 2},
                                    insert_and_fail, &runs),
               HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1205);
    ASSERT_EQ(runs.done, 2);

    /* What came before the lock is taken back in each attempt, though 1205 leaves it. */
    runs = (struct runs){.left = 1, .sql = wait_for_lock};
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, insert_and_fail, &runs), 7);
    ASSERT_EQ(runs.done, 2);
    hr_mysql_tx_end(&holder);
    mysql_test_done(pool);
    ASSERT_EQ(ids(), 1 << 20 | 1 << 1);
}

static int always_deadlocked(hr_mysql_tx *tx, void *attempts)
{
    ++*(int *)attempts;
    return hr_fail_native(HR_EREPLY, 1213, "40001", NULL, true, "deadlock");
}

TEST_REAL(unless_it_is_said_a_transaction_is_tried_five_times)
{
    int attempts = 0;
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, always_deadlocked, &attempts), HR_EREPLY);
    ASSERT_EQ(attempts, 5);
    mysql_test_done(pool);
}

TEST_REAL(what_is_no_matter_of_locks_is_not_tried_again)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    struct runs refused = {.left = 9, .sql = "INSERT INTO t VALUES (0, 0)"};
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, insert_and_fail, &refused), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1062);
    ASSERT_EQ(refused.done, 1);
    struct runs own = {.left = 9, .code = -ENOENT};
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, insert_and_fail, &own), -ENOENT);
    ASSERT_STR(hr_last_error()->message, "of its own");
    ASSERT_EQ(own.done, 1);
    struct runs pretends = {.left = 9, .code = HR_EREPLY};
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, insert_and_fail, &pretends), HR_EREPLY);
    ASSERT_EQ(pretends.done, 1);
    ASSERT_EQ(ids(), 0);
    mysql_test_done(pool);
}
