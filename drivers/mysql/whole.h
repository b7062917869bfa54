/* SPDX-License-Identifier: MIT */
/*
 * Replies of a few rows, taken apart at once where they have come whole.
 */
#pragma once

#include "drivers/mysql/call.h"
#include "drivers/mysql/row.h"

/* Waits for the reply to the statement, which was just sent, and reads it if it is whole and plain:
 * then *ret is its result, and libmariadb has been told of a reply without rows. False: it is for
 * the library to read, and nothing was taken. */
hr_async bool hr__mysql_read_whole(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt,
                                   hr_mysql_result **ret);
