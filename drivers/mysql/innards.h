/* SPDX-License-Identifier: MIT */
/*
 * Fields of libmariadb's public structs that its documentation does not speak of: what we read and
 * write there, and why. All of it is so in 3.3 and 3.4; the tests that a small result is read
 * whole, and that whatever follows it is in step, fail where it no longer is.
 *
 * Elsewhere: drivers/mysql/wait.c stands in for the library's socket functions, and
 * drivers/mysql/stmt.c for the one that reads a prepared statement's reply.
 */
#pragma once

#include "core/base.h"
#include "drivers/mysql/library.h"

/* The number that the next packet bears: the library counts those that it has sent and read. It
 * starts anew with each request, so packets that it did not see leave no gap. */
static inline unsigned char hr__mysql_next_packet(const MYSQL *mysql)
{
    return (unsigned char)mysql->net.pkt_nr;
}

/* Whether packets are wrapped in others: what lies in the buffer is then not what was sent. */
static inline bool hr__mysql_is_compressed(const MYSQL *mysql)
{
    return mysql->net.compress;
}

/* The columns that a statement's reply was last said to have; those of its reply are not told again
 * unless they have changed. */
static inline const MYSQL_FIELD *hr__mysql_known_fields(const MYSQL_STMT *stmt, size_t *ret_n)
{
    *ret_n = stmt->field_count;
    return stmt->fields;
}

/* Has the library, which has read the head of a reply, take the columns that it was told there, as
 * after an ALTER TABLE. It does so for a statement that has none yet; of others it keeps the names,
 * and gives up where their number has changed. */
static inline void hr__mysql_take_columns(const MYSQL *mysql, MYSQL_STMT *stmt)
{
    if (mysql->fields)
        stmt->field_count = 0;
}

/* Leaves the connection as after a reply without rows: the library, which has called us to read
 * the head of a reply, looks at field_count for whether rows are left to be read. */
static inline void hr__mysql_was_read(MYSQL *mysql, unsigned warnings, unsigned status)
{
    mysql->field_count = 0;
    mysql->warning_count = warnings;
    mysql->server_status = status;
}

/* Whether the library has let go of a statement, as it does when the session is reset. */
static inline bool hr__mysql_is_orphaned(const MYSQL_STMT *stmt)
{
    return !stmt->mysql;
}

/* Whether the statement was bound to arrays last. */
static inline bool hr__mysql_takes_arrays(const MYSQL_STMT *stmt)
{
    return stmt->array_size != 0;
}
