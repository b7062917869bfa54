/* SPDX-License-Identifier: MIT */
/*
 * Which row of a bulk a server has refused: by its diagnostics where it has them, else by what its
 * message ends with.
 */
#pragma once

#include "drivers/mysql/conn.h"

/* "… at row 3", the last words of many errors; 0 when they are not. What stands before may quote a
 * value, which may hold anything, and what a trigger says ends as it likes. */
size_t hr__mysql_refused_in_message(unsigned number, const char *message);

/* Asks the server, in one round trip, for the row of its latest statement: *ret is 0 where it
 * cannot tell. 0, or a failure after which the connection may be broken. */
hr_async int hr__mysql_refused_ask(hr_mysql_conn *conn, int *ret);
