/* SPDX-License-Identifier: MIT */
/*
 * LOAD DATA LOCAL from memory: what the server asks for comes from a function, never from a file.
 */
#pragma once

#include "drivers/mysql.h"

/* Puts up to size bytes of the data in buffer and returns how many; 0 at the end; or a negative
 * code, with a record. Runs in the calling task and may wait, but not use the connection. size is
 * at least 1 KiB. */
typedef int hr_mysql_load_fn(void *arg, char *buffer, size_t size);

/* Runs LOAD DATA LOCAL INFILE '…' INTO TABLE …; the file's name means nothing. Returns the rows
 * that went in. query_timeout is for all of it, waits of the function included. Codes as
 * hr_mysql_exec(), -EINVAL (it is no such statement), or what the function failed with: then the
 * connection is closed in the middle of the data, so that the server does not take it for whole,
 * and of a transactional table nothing stays. The server has to allow it (local_infile). One that
 * asks for a file at any other time gets nothing, and the connection is closed.
 *
 * With LOCAL a server does as with IGNORE, however strict the session: a value that does not fit is
 * bent, a duplicate left out, each with a warning (hr_mysql_warnings()). Where that must not be,
 * load into a table that takes any text and INSERT … SELECT from there, or use hr_mysql_bulk(). */
HR_PUBLIC hr_async int hr_mysql_load(hr_mysql_conn *conn, const char *sql, hr_mysql_load_fn *fn,
                                     void *arg);

/* A failure names the caller's place in the program. */
#define hr_mysql_load(...) hr_from_here(hr_mysql_load(__VA_ARGS__))
