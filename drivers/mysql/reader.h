/* SPDX-License-Identifier: MIT */
/*
 * The rows of one reply, read one by one as they come, from text and prepared statements alike.
 */
#pragma once

#include "drivers/mysql/result.h"

struct hr__mysql_reader {
    hr_mysql_conn *conn;
    MYSQL_RES *rows;    /* of a statement sent as text */
    MYSQL_STMT *handle; /* or of a prepared one */
    struct hr__mysql_shape *shapes;
    size_t since; /* bytes read since other tasks had a turn */
    bool ended;   /* by its last row, or an error */
};

/* Begins to read what a statement has left to be read, inside a call; *ret is a result without rows
 * and knows the columns: of none, when the reply has no rows. Close after success. */
int hr__mysql_reader_of_text(struct hr__mysql_reader *reader, hr_mysql_conn *conn,
                             hr_mysql_result **ret);
int hr__mysql_reader_of_stmt(struct hr__mysql_reader *reader, hr_mysql_conn *conn,
                             const struct hr__mysql_stmt *stmt, hr_mysql_result **ret);

/* Reads a row into the result: 1; 0 at the end, and ever after. Lets other tasks run now and then,
 * also where the server is faster than we are. -EMSGSIZE: more than the result may hold. */
hr_async int hr__mysql_reader_next(struct hr__mysql_reader *reader, hr_mysql_result *result);

/* Frees what it holds and passes code on. Rows that are not wanted are not read: after an error
 * that is not the server's own, the connection goes instead. */
int hr__mysql_reader_close(struct hr__mysql_reader *reader, int code);
