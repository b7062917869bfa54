/* SPDX-License-Identifier: MIT */
/*
 * The rows of a prepared statement's reply, decoded from where their bytes lie; values in
 * drivers/mysql/binary.h. (Protocol: MariaDB's documentation, "Resultset row", and
 * MARIADB_CLIENT_CACHE_METADATA.)
 */
#pragma once

#include "drivers/mysql/result.h"

/* What a reply comes to; its bytes are borrowed. */
struct hr__mysql_reply {
    const unsigned char *rows, *end;
    unsigned char number; /* of the first row's packet */
    size_t n_rows, bytes;
    unsigned warnings, status;
};

enum hr__mysql_rows {
    HR__MYSQL_ROWS_PLAIN,    /* whole, and of a kind that can be decoded here */
    HR__MYSQL_ROWS_ODD,      /* not whole, or of another kind */
    HR__MYSQL_ROWS_RESHAPED, /* its columns are told anew, or it is no result at all */
};

/* Whether columns have types that are decoded here; a server may know others. */
bool hr__mysql_rows_are_plain(const hr_mysql_result *shape);

/* Looks at a reply whose first packet has that number, and whose columns are those of shape. */
enum hr__mysql_rows hr__mysql_rows_measure(const hr_mysql_result *shape, const void *bytes,
                                           size_t len, unsigned char number,
                                           struct hr__mysql_reply *ret);

/* Copies the rows of a plain reply into a solid result of that size (result.h). */
void hr__mysql_rows_add(hr_mysql_result *result, const struct hr__mysql_reply *reply);
