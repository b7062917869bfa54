/* SPDX-License-Identifier: MIT */
/*
 * How the row is found out. hr_mysql_refused_row() (drivers/mysql/bulk.h) asks only when somebody
 * wants to know, as the next call on the connection.
 */
#include "drivers/mysql/refused.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/bulk.h"
#include "drivers/mysql/call.h"

size_t hr__mysql_refused_in_message(unsigned number, const char *message)
{
    static const char words[] = " at row ";
    size_t digits = strlen(message);
    while (digits > 0 && message[digits - 1] >= '0' && message[digits - 1] <= '9')
        digits--;
    size_t before = sizeof(words) - 1;
    if (number == ER_SIGNAL_EXCEPTION || !message[digits] || digits < before ||
        memcmp(message + digits - before, words, before) != 0)
        return 0;
    return strtoul(message + digits, NULL, 10);
}

/* Where there is no ROW_NUMBER the first is refused, and @headrace_row says what it said before,
 * which then is not looked at. */
int hr__mysql_refused_ask(hr_mysql_conn *conn, int *ret)
{
    static const char diagnose[] = "GET DIAGNOSTICS CONDITION 1 @headrace_row = ROW_NUMBER";
    static const char ask[] = "SELECT @headrace_row";
    MYSQL *m = conn->mysql;
    *ret = 0;
    if (!conn->is_mariadb || conn->version < 100700)
        return 0;
    int r = hr__mysql_send_ahead(conn, diagnose);
    if (r < 0)
        return r;
    if (mysql_send_query(m, ask, strlen(ask)))
        return hr__mysql_error(conn);
    conn->ahead = NULL;
    bool known = mysql_read_query_result(m) == 0;
    if (!known) {
        r = hr__mysql_error(conn);
        if (conn->broken)
            return r;
    }
    if (mysql_read_query_result(m))
        return hr__mysql_error(conn);
    MYSQL_RES *rows = mysql_store_result(m);
    MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;
    long number = known && row && row[0] ? strtol(row[0], NULL, 10) : 0;
    if (number > 0 && number <= INT_MAX - (long)conn->refused_base)
        *ret = (int)number;
    mysql_free_result(rows);
    return row ? hr__mysql_drain(conn) : hr__mysql_error(conn);
}

int(hr_mysql_refused_row)(hr_mysql_conn *conn)
{
    if (!conn)
        return hr__missing_object("mysql: a connection");
    int known = conn->refused;
    size_t base = conn->refused_base;
    if (known != REFUSED_ASK)
        return known;
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, "GET DIAGNOSTICS", 0);
    if (r < 0)
        return r;
    int row = 0;
    r = hr__mysql_leave(&call, hr__mysql_refused_ask(conn, &row));
    if (r < 0)
        return r;
    return row > 0 ? (int)base + row : 0;
}
