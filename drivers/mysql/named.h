/* SPDX-License-Identifier: MIT */
/*
 * Values by name: ":id" in a statement, rewritten to the question mark that the server knows.
 */
#pragma once

#include "drivers/mysql.h"

/* Whether the values bear names. */
bool hr__mysql_is_named(struct hr_mysql_args args);

/* Rewrites the statement and puts a value where each name stands; a name may stand more than once.
 * Both are malloc'ed; the values' bytes stay the caller's. Quoted text and names, comments, "::"
 * and
 * ":=" are no names. -EINVAL: a name without a value, a value without a name or without a place in
 * the statement, two values of one name, a question mark besides names; -ENOMEM. */
int hr__mysql_named(const char *sql, struct hr_mysql_args args, char **ret_sql,
                    struct hr_mysql_args *ret_args);
