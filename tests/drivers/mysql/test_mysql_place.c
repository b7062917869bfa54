/* SPDX-License-Identifier: MIT */
/*
 * Where in the program a call failed: at its caller's, whoever in the library saw it first; and at
 * the statement's where a transaction ran a function.
 */
#include <string.h>

#include "drivers/mysql/bind.h"
#include "drivers/mysql/load.h"
#include "drivers/mysql/once.h"
#include "drivers/mysql/savepoint.h"
#include "drivers/mysql/transaction.h"
#include "tests/drivers/mysql/mysql_test.h"

/* The record is about the line that stands before this one. */
#define ASSERT_SEEN_ABOVE()                                                                        \
    do {                                                                                           \
        char above[48];                                                                            \
        snprintf(above, sizeof(above), "test_mysql_place.c:%d", __LINE__ - 1);                     \
        ASSERT_STR(hr_last_error()->place, above);                                                 \
    } while (0)

TEST_REAL(a_statement_that_is_refused_is_so_at_its_caller_s_place)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "SELEC 1", HR_NO_ARGS), HR_EREPLY);
    ASSERT_SEEN_ABOVE();
    ASSERT_ERR(hr_mysql_query(conn, &rows, "SELECT ?", HR_ARGS(hr_i(1), hr_i(2))), -EINVAL);
    ASSERT_SEEN_ABOVE();
    hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    const hr_mysql_result *row;
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), -EINVAL);
    ASSERT_SEEN_ABOVE();
    hr_mysql_cursor_free(cursor);
    struct hr_mysql_savepoint inner = {0};
    ASSERT_ERR(hr_mysql_savepoint(conn, &inner), -EINVAL);
    ASSERT_SEEN_ABOVE();
    ASSERT_ERR(hr_mysql_load(conn, "SELECT 1", NULL, NULL), -EINVAL);
    ASSERT_SEEN_ABOVE();
    ASSERT_ERR(hr_mysql_once(conn, NULL, NULL, NULL, 0, 0), -EINVAL);
    ASSERT_SEEN_ABOVE();
    hr_mysql_release(conn);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), HR_ECLOSED);
    ASSERT_SEEN_ABOVE();
    hr_mysql_pool_free(pool);
}

static int refused_at;

static int refuse(hr_mysql_tx *tx, void *arg)
{
    refused_at = __LINE__ + 1;
    return hr_mysql_exec(tx, "SELEC 1", HR_NO_ARGS);
}

TEST_REAL(what_fails_in_a_transaction_does_so_at_its_statement)
{
    char place[48];
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, refuse, NULL), HR_EREPLY);
    snprintf(place, sizeof(place), "test_mysql_place.c:%d", refused_at);
    ASSERT_STR(hr_last_error()->place, place);
    mysql_test_done(pool);
}
