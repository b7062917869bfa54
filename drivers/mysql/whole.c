/* SPDX-License-Identifier: MIT */
/*
 * How a small result is read in one piece.
 *
 * libmariadb copies the descriptions of all columns for each reply, reads packet by packet, and
 * converts each value through a binding. Most replies are a few rows that one recv() brings. If all
 * of such a reply is there, if it says that the columns are those that were told before (MariaDB
 * does, since 10.6), and if their types are known (rows.h), then its rows are copied from where
 * they lie. Anything else is left alone, errors and nonsense as well: the library reads it, and
 * says what is to be said.
 */
#include "drivers/mysql/whole.h"

#include "drivers/mysql/innards.h"
#include "drivers/mysql/rows.h"

/* Learns the columns as libmariadb knows them at present, and whether they are all plain. */
static bool has_shape(const hr_mysql_conn *conn, struct hr__mysql_stmt *stmt)
{
    if (stmt->shape || stmt->odd)
        return !stmt->odd;
    size_t n;
    const MYSQL_FIELD *fields = hr__mysql_known_fields(stmt->handle, &n);
    if (n > 0 && hr__mysql_result_new(conn->server->max_result, fields, n, &stmt->shape) < 0)
        return false;
    stmt->odd = !stmt->shape || !hr__mysql_rows_are_plain(stmt->shape);
    return !stmt->odd;
}

static bool is_whole(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt, struct hr__mysql_reply *ret)
{
    const unsigned char *bytes = NULL;
    size_t len = hr__mysql_wait_peek(&conn->wait, &bytes);
    unsigned char number = hr__mysql_next_packet(conn->mysql);
    switch (hr__mysql_rows_measure(stmt->shape, bytes, len, number, ret)) {
    case HR__MYSQL_ROWS_PLAIN:
        return true;
    case HR__MYSQL_ROWS_RESHAPED:
        stmt->shape = hr_mysql_result_free(stmt->shape);
        return false;
    case HR__MYSQL_ROWS_ODD:
        return false;
    }
    return false;
}

bool hr__mysql_read_whole(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt, hr_mysql_result **ret)
{
    MYSQL *m = conn->mysql;
    struct hr__mysql_reply reply;
    if (!conn->repeats_no_columns || hr__mysql_is_compressed(m) || !has_shape(conn, stmt) ||
        !is_whole(conn, stmt, &reply) ||
        hr__mysql_result_solid(stmt->shape, reply.n_rows, reply.bytes, ret) < 0)
        return false;
    hr__mysql_rows_add(*ret, &reply);
    hr__mysql_wait_take(&conn->wait);
    hr__mysql_was_read(m, reply.warnings, reply.status);
    hr__mysql_note(conn);
    return true;
}
