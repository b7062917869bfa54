/* SPDX-License-Identifier: MIT */
/*
 * How a transaction becomes one text: the rows are written out as for a server without arrays, and
 * stand with the other statement in a block that the server runs as a whole.
 */
#include "drivers/mysql/once.h"

#include <stdio.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/call.h"
#include "drivers/mysql/columns.h"
#include "drivers/mysql/values.h"

#define COMPOUND_SINCE 100101

/* A comment may stand at the end of either statement: hence the line breaks. */
#define ONCE "BEGIN NOT ATOMIC START TRANSACTION; %s\n; %.*s\n; COMMIT; END"

static bool takes(const hr_mysql_conn *conn, const struct hr_mysql_column *columns, size_t n)
{
    bool takes = conn->is_mariadb && conn->version >= COMPOUND_SINCE;
    for (size_t i = 0; i < n; i++)
        takes = takes && columns[i].type != HR_MYSQL_BYTES;
    return takes;
}

/* The request, malloc'ed. */
static int write_request(hr_mysql_conn *conn, const char *first, const char *sql,
                         const struct hr_mysql_column *columns, size_t n_columns, size_t rows,
                         char **ret)
{
    struct hr__mysql_values values;
    int r = hr__mysql_values_parse(sql, n_columns, &values);
    if (r < 0)
        return r;
    hr_auto(hr_freep) char *insert = NULL;
    size_t len;
    r = hr__mysql_values_write(conn, &values, columns, 0, rows, SIZE_MAX, &insert, &len);
    if (r < 0)
        return r;
    char *request; /* of no known value after a failure */
    if (len > INT_MAX || asprintf(&request, ONCE, first, (int)len, insert) < 0)
        return hr_fail(-ENOMEM, "no memory for a statement of %zu rows", rows);
    *ret = request;
    return 0;
}

/* What was refused has left the transaction open: the next BEGIN would commit what went in before,
 * so a connection that does not roll back is never used again. */
static hr_async int take_back(hr_mysql_conn *conn)
{
    hr_auto(hr_error_done) struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    int r = hr__mysql_run(conn, "ROLLBACK");
    if (r < 0) {
        conn->broken = true;
        return r;
    }
    return hr_error_raise(&error);
}

static hr_async int run(hr_mysql_conn *conn, const char *request)
{
    int r = hr__mysql_settle(conn, false);
    if (r >= 0)
        r = hr__mysql_run(conn, request);
    return r == HR_EREPLY && !conn->broken ? take_back(conn) : r;
}

/* A transaction, also one that a statement has begun that was run on the loan. */
static bool is_open(const hr_mysql_tx *tx)
{
    return (tx->scope && !tx->ended) || (tx->mysql->server_status & SERVER_STATUS_IN_TRANS);
}

int(hr_mysql_once)(hr_mysql_tx *tx, const char *first, const char *sql,
                   const struct hr_mysql_column *columns, size_t n_columns, size_t rows)
{
    if (!tx)
        return hr__missing_object("mysql: a transaction");
    if (!first || !sql)
        return hr__mysql_missing(tx, first ? "the statement" : "the first statement");
    if (!tx->broken && is_open(tx)) /* which would be committed */
        return hr_fail(-EINVAL, "mysql %s: a transaction is open: end it before one in one request",
                       tx->host->name);
    if (n_columns == 0 || rows == 0 || rows > INT_MAX)
        return hr_fail(-EINVAL, "a bulk of %zu columns and %zu rows", n_columns, rows);
    if (!takes(tx, columns, n_columns))
        return hr_fail(-ENOTSUP, "mysql %s: a transaction takes several requests here",
                       tx->host->name);
    const struct hr__mysql_columns all = {columns, n_columns};
    int r = hr__mysql_columns_missing(&all);
    if (r == 0)
        r = hr__mysql_columns_check(&all, 0, rows);
    if (r < 0)
        return r;
    hr_auto(hr_freep) char *request = NULL;
    r = write_request(tx, first, sql, columns, n_columns, rows, &request);
    if (r < 0)
        return r;
    struct hr__mysql_call call;
    r = hr__mysql_enter(&call, tx, sql, 0);
    return r < 0 ? r : hr__mysql_leave(&call, run(tx, request));
}
