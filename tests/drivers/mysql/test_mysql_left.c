/* SPDX-License-Identifier: MIT */
/*
 * Results left half-way: what that costs, what it spares, and what the rest of a large one takes.
 */
#include <string.h>

#include "drivers/mysql/cursor.h"
#include "tests/drivers/mysql/mysql_test.h"

static void until_replaced(hr_mysql_pool *pool, uint64_t opened)
{
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, opened);
}

TEST_REAL(a_cursor_closed_early_reads_a_little_and_gives_up_a_lot)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    const hr_mysql_result *row;
    for (int way = 0; way < 2; way++) {
        ASSERT_ERR(hr_mysql_execute(cursor, mysql_test_seven[way], mysql_test_args(way)), 0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    }
    ASSERT_ERR(
        hr_mysql_execute(cursor, "SELECT REPEAT('x', 1000) FROM seq_1_to_100000", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), -EMSGSIZE);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
    hr_mysql_cursor_free(cursor);
    hr_mysql_release(conn);
    until_replaced(pool, 2);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_closed_early_gives_up_a_lot_of_nothing_too)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    char sql[5100] = "SELECT NULL";
    for (size_t i = 0, len = strlen(sql); i < 999; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, ",NULL");
    strcat(sql, " FROM seq_1_to_1100");
    ASSERT_ERR(hr_mysql_execute(cursor, sql, HR_NO_ARGS), 0);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), -EMSGSIZE);
    hr_mysql_cursor_free(cursor);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_closed_early_waits_a_second_at_most)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    const hr_mysql_result *row;
    ASSERT_ERR(hr_mysql_execute(cursor,
                                "SELECT REPEAT('x', 9000), SLEEP(IF(seq > 9, 20, 0)) FROM "
                                "seq_1_to_10",
                                HR_NO_ARGS),
               0);
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), 1);
    hr_usec start = hr_now();
    ASSERT_ERR(hr_mysql_cursor_close(cursor), -ETIMEDOUT);
    ASSERT_TRUE(hr_now() - start >= hr_seconds(1) && hr_now() - start < hr_seconds(4));
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_freed_early_costs_the_connection)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 2; way++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_mysql_cursor *cursor = mysql_test_cursor(conn);
        const hr_mysql_result *row;
        ASSERT_ERR(hr_mysql_execute(cursor, mysql_test_seven[way], mysql_test_args(way)), 0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        hr_mysql_cursor_free(cursor);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        hr_mysql_release(conn);
    }
    until_replaced(pool, 3);
    mysql_test_done(pool);
}

TEST_TICKING(t11_what_is_used_after_its_connection_was_given_back_is_an_error)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    uint64_t opened = 1;
    for (int way = 0; way < 2; way++) {
        for (int fetched = 0; fetched < 2; fetched++) {
            hr_mysql_conn *conn = mysql_test_acquire(pool);
            hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
            hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *idle = mysql_test_cursor(conn);
            hr_auto(hr_mysql_result_freep) hr_mysql_result *some = NULL;
            const hr_mysql_result *row = NULL, *no_row = NULL;
            ASSERT_ERR(hr_mysql_execute(cursor, mysql_test_seven[way], mysql_test_args(way)), 0);
            ASSERT_EQ(hr_mysql_fetch_many(cursor, fetched ? 100 : 2, &some), fetched ? 7 : 2);
            if (!fetched)
                ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
            hr_mysql_release(conn);
            opened += !fetched; /* rows were left */

            ASSERT_ERR(hr_mysql_fetch_one(cursor, &no_row), HR_ECLOSED);
            ASSERT_STR(hr_last_error()->message, "mysql: this cursor's connection was given back");
            ASSERT_ERR(hr_mysql_execute(idle, "DO 1", HR_NO_ARGS), HR_ECLOSED);
            ASSERT_ERR(hr_mysql_next_result(cursor), HR_ECLOSED);
            ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
            until_replaced(pool, opened);
            if (fetched) { /* and so idles */
                ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), HR_ECLOSED);
                ASSERT_ERR(hr_mysql_rollback(conn), HR_ECLOSED);
            }
            /* Somebody else's loan, and what was fetched is as it was. */
            ASSERT_STR(hr_mysql_text(some, 1, 1, NULL), "row 2");
            if (!fetched)
                ASSERT_STR(hr_mysql_text(row, 0, 1, NULL), "row 3");
        }
    }
    mysql_test_done(pool);
}

/* Large results. */

struct count {
    int ticks;
    bool stop;
};

static int count_turns(void *arg)
{
    struct count *count = arg;
    while (!count->stop) {
        count->ticks++;
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    return 0;
}

TEST_REAL(a_large_result_is_streamed_in_little_memory_and_others_run_meanwhile)
{
    enum { ROWS = 200000 };
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.max_result = 64 << 10});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    struct count count = {0};
    hr_task *counter = hr_create_task("counter", count_turns, &count);
    for (int way = 0; way < 2; way++) {
        int before = count.ticks;
        ASSERT_ERR(hr_mysql_execute(cursor,
                                    way ? "SELECT seq, REPEAT('x', 90) FROM seq_1_to_200000 WHERE "
                                          "seq > ?"
                                        : "SELECT seq, REPEAT('x', 90) FROM seq_1_to_200000",
                                    mysql_test_args(way)),
                   0);
        const hr_mysql_result *row;
        int64_t n = 0, sum = 0;
        int r;
        while ((r = hr_mysql_fetch_one(cursor, &row)) > 0) {
            sum += hr_mysql_int(row, 0, 0);
            n++;
        }
        ASSERT_ERR(r, 0);
        ASSERT_EQ(n, ROWS);
        ASSERT_EQ(sum, (int64_t)ROWS * (ROWS + 1) / 2);
        ASSERT_TRUE(count.ticks - before > 200); /* 20 MB in turns of 64 KiB */
    }
    count.stop = true;
    ASSERT_ERR(hr_join(counter), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
