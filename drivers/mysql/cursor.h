/* SPDX-License-Identifier: MIT */
/*
 * Rows fetched as they are asked for: a statement, its rows one by one, its further results.
 *
 *     hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
 *     int r = hr_mysql_execute(cursor, "SELECT id, name FROM users WHERE age > ?",
 *                              HR_ARGS(hr_i(30)));
 *     const hr_mysql_result *row;
 *     while (r >= 0 && (r = hr_mysql_fetch_one(cursor, &row)) > 0)
 *         printf("%s\n", hr_mysql_text(row, 0, 1, NULL));
 *
 * Memory is bounded by what is asked for: rows stay with the server and in the socket meanwhile.
 * While rows are left to be fetched the connection is busy: other calls on it give -EBUSY. It is
 * free again behind the last row of the last result, or after hr_mysql_cursor_close(). Who leaves
 * without either (frees the cursor, gives the connection back) closes the connection, as rows that
 * nobody wants would have to be read first.
 *
 * What a cursor hands out is its own memory. Where its connection was given back, calls on it fail
 * with HR_ECLOSED, and the row fetched last is still there.
 */
#pragma once

#include "drivers/mysql/row.h"

typedef struct hr_mysql_cursor hr_mysql_cursor;

/* On a connection or in a transaction; several may share it, one at a time. NULL: no memory. */
HR_PUBLIC hr_owned hr_mysql_cursor *hr_mysql_cursor_new(hr_mysql_conn *conn);
HR_PUBLIC hr_mysql_cursor *hr_mysql_cursor_free(hr_mysql_cursor *cursor); /* never waits */
HR_PUBLIC void hr_mysql_cursor_freep(hr_mysql_cursor **cursor);

/* Runs a statement, as hr_mysql_exec() would; what the one before has left is closed first. Returns
 * the affected rows, 0 where rows follow. Besides the codes of drivers/mysql.h:
 *   HR_ECLOSED   the connection was given back */
HR_PUBLIC hr_async int hr_mysql_execute(hr_mysql_cursor *cursor, const char *sql,
                                        struct hr_mysql_args args);

/* Fetches a row: 1, and *ret_row is a result of one row, borrowed until the next call on the
 * cursor. 0: there are no more; nothing is written. Each fetch has query_timeout for itself. Codes
 * as execute, and
 *   -EINVAL      there is no statement, or one that gives no rows
 *   -EMSGSIZE    a row larger than max_result; the connection is closed */
HR_PUBLIC hr_async int hr_mysql_fetch_one(hr_mysql_cursor *cursor, const hr_mysql_result **ret_row);

/* Fetches up to n rows, or all that are left. Returns how many there are, 0 at the end; *ret is the
 * caller's and outlives the cursor. Codes as fetch_one; together they may take max_result. */
HR_PUBLIC hr_async int hr_mysql_fetch_many(hr_mysql_cursor *cursor, size_t n,
                                           hr_mysql_result **ret);
HR_PUBLIC hr_async int hr_mysql_fetch_all(hr_mysql_cursor *cursor, hr_mysql_result **ret);

/* Goes on to the next result, of a procedure or of several statements in one text; rows of the
 * present one that were not fetched are dropped. 1; 0: there was none, and the connection is free.
 */
HR_PUBLIC hr_async int hr_mysql_next_result(hr_mysql_cursor *cursor);

/* Reads what is left and drops it, up to 1 MiB and for one second at most; the cursor can execute
 * again. 0; -EMSGSIZE, -ETIMEDOUT: there was more, and the connection is closed. */
HR_PUBLIC hr_async int hr_mysql_cursor_close(hr_mysql_cursor *cursor);

/* Of the present result: its columns (0: it gives no rows), and what is said of each, by
 * hr_mysql_column_name() and hr_mysql_column_field(). Borrowed, as a row. A cursor that is NULL has
 * none, here and below: 0, NULL, false. */
HR_PUBLIC size_t hr_mysql_cursor_columns(const hr_mysql_cursor *cursor);
HR_PUBLIC const hr_mysql_result *hr_mysql_cursor_description(const hr_mysql_cursor *cursor);

/* Rows changed by the present result's statement, the id it made, and how many warnings there are;
 * of a result with rows, warnings are counted at its end. */
HR_PUBLIC uint64_t hr_mysql_cursor_affected(const hr_mysql_cursor *cursor);
HR_PUBLIC uint64_t hr_mysql_cursor_insert_id(const hr_mysql_cursor *cursor);
HR_PUBLIC unsigned hr_mysql_cursor_warnings(const hr_mysql_cursor *cursor);

/* Whether the present result is a row of a procedure's OUT and INOUT parameters, in their order;
 * only of a CALL with arguments. */
HR_PUBLIC bool hr_mysql_cursor_is_out(const hr_mysql_cursor *cursor);

/* Straight after a statement: what SHOW WARNINGS says, rows of level, number and text. Returns how
 * many; codes as hr_mysql_query(). */
HR_PUBLIC hr_async int hr_mysql_warnings(hr_mysql_conn *conn, hr_mysql_result **ret);

/* A failure names the caller's place in the program. */
#define hr_mysql_execute(...)      hr_from_here(hr_mysql_execute(__VA_ARGS__))
#define hr_mysql_fetch_one(...)    hr_from_here(hr_mysql_fetch_one(__VA_ARGS__))
#define hr_mysql_fetch_many(...)   hr_from_here(hr_mysql_fetch_many(__VA_ARGS__))
#define hr_mysql_fetch_all(...)    hr_from_here(hr_mysql_fetch_all(__VA_ARGS__))
#define hr_mysql_next_result(...)  hr_from_here(hr_mysql_next_result(__VA_ARGS__))
#define hr_mysql_cursor_close(...) hr_from_here(hr_mysql_cursor_close(__VA_ARGS__))
#define hr_mysql_warnings(...)     hr_from_here(hr_mysql_warnings(__VA_ARGS__))
