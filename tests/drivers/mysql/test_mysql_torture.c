/* SPDX-License-Identifier: MIT */
/*
 * The first, then the second, then the n-th allocation of everything the MySQL client does fails.
 * Each time it says so, leaks nothing and waits for nothing; with memory back it works again.
 */
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/once.h"
#include "tests/drivers/mysql/mysql_test.h"
#include "tests/support/starve.h"

#define MANY 40 /* more than what has room on the stack */

enum { ROWS = 3 };
enum way { AS_ARRAYS, AS_TEXT, ALL_AT_ONCE };

/* That, and as many marks in brackets. */
static void write_marks(char *sql, size_t size, const char *begin)
{
    int n = snprintf(sql, size, "%s (?", begin);
    for (size_t i = 1; i < MANY; i++)
        n += snprintf(sql + n, size - (size_t)n, ",?");
    snprintf(sql + n, size - (size_t)n, ")");
}

static int insert_many(hr_mysql_conn *conn, enum way way)
{
    struct hr_mysql_column columns[MANY];
    static const int64_t ints[ROWS] = {1, 2, 3};
    char sql[64 + 2 * MANY];
    write_marks(sql, sizeof(sql), "INSERT INTO wide VALUES");
    for (size_t i = 0; i < MANY; i++)
        columns[i] = (struct hr_mysql_column){.type = HR_MYSQL_INT, .ints = ints};
    if (way == ALL_AT_ONCE)
        return hr_mysql_once(conn, "DELETE FROM wide", sql, columns, MANY, ROWS);
    conn->has_bulk = way == AS_ARRAYS;
    int r = hr_mysql_bulk(conn, sql, columns, MANY, 0, ROWS);
    conn->has_bulk = true;
    return r;
}

static int read_wide(hr_mysql_conn *conn)
{
    struct hr_mysql_arg args[MANY];
    char sql[64 + 2 * MANY];
    write_marks(sql, sizeof(sql), "SELECT * FROM wide WHERE 1 IN");
    for (size_t i = 0; i < MANY; i++)
        args[i] = hr_i(1);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    int r = hr_mysql_query(conn, &rows, sql, (struct hr_mysql_args){args, MANY});
    ASSERT_EQ(r >= 0, rows != NULL);
    return r;
}

static int use_connection(hr_mysql_pool *pool)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *none = NULL;
    hr_auto(hr_freep) struct hr_mysql_field *fields = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    if (r >= 0)
        r = hr_mysql_query(conn, &rows, "SELECT seq, REPEAT('x', 90) FROM seq_1_to_200",
                           HR_NO_ARGS);
    if (r >= 0)
        r = hr_mysql_query(conn, &none, "DO 1", HR_NO_ARGS);
    if (r >= 0)
        r = hr_mysql_describe(conn, "SELECT * FROM wide", &fields);
    return r < 0 ? r : read_wide(conn);
}

static int use_transaction(hr_mysql_pool *pool)
{
    hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = NULL;
    int r = hr_mysql_begin(pool, &tx);
    if (r >= 0)
        r = hr_mysql_exec(tx, "DELETE FROM wide WHERE c0 = ?", HR_ARGS(hr_i(1)));
    if (r >= 0)
        r = insert_many(tx, AS_ARRAYS);
    if (r >= 0)
        r = insert_many(tx, AS_TEXT);
    if (r >= 0)
        r = hr_mysql_rollback(tx);
    return r < 0 ? r : insert_many(tx, ALL_AT_ONCE);
}

static int use_pool(hr_mysql_pool *pool)
{
    int r = use_connection(pool);
    if (r >= 0)
        r = mysql_test_everything(pool);
    return r < 0 ? r : use_transaction(pool);
}

/* Everything, from the options to the last reply; running out anywhere in it. */
static int live(long n, bool once, bool *ret_starved)
{
    char url[256];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@/test?socket=%s",
             mariadb_server_shared()->socket);
    starve_after(n, once);
    hr_mysql_pool *pool = hr_mysql_pool_new(&(struct hr_mysql_options){.url = url});
    int r = pool ? use_pool(pool) : hr_last_error()->code;
    *ret_starved = starve_end();
    if (!pool)
        return r;

    int again;
    while ((again = use_pool(pool)) == -ENOMEM) /* the latest failure, while the backoff runs */
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(again, 0);
    mysql_test_done(pool);
    return r;
}

static void torture(bool once)
{
    char columns[MANY * 16] = "c0 INT";
    for (int i = 1; i < MANY; i++)
        snprintf(columns + strlen(columns), sizeof(columns) - strlen(columns), ", c%d INT", i);
    char sql[sizeof(columns) + 64];
    snprintf(sql, sizeof(sql), "DROP TABLE IF EXISTS wide; CREATE TABLE wide (%s)", columns);
    mariadb_server_sql(mariadb_server_shared(), sql);

    mysql_test_everything_made(mariadb_server_shared());
    bool starved = true;
    long n = 0;
    for (; starved; n++) {
        int r = live(n, once, &starved);
        if (!starved)
            ASSERT_ERR(r, 0);
        else if (r < 0)
            ASSERT_ERR(r, -ENOMEM);
    }
    ASSERT_TRUE(n > 20);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.wide"), ROWS);
}

TEST_REAL(one_failed_allocation_of_mysql_is_an_error_and_no_more)
{
    torture(true);
}

TEST_REAL(memory_that_stays_out_is_an_error_of_mysql_and_no_more)
{
    torture(false);
}
