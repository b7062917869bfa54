/* SPDX-License-Identifier: MIT */
/*
 * The one table of error classes. Drivers report native codes; the class decides what happens next.
 *
 * Numbers are MariaDB's and MySQL's (their "Error Message Reference"), words the first of a Redis
 * error reply. Names are the ones that dead letters, logs and metrics show.
 */
#pragma once

#include "core/error.h"

enum error_class {
    CLASS_CONNECTION,  /* reconnect with backoff; items wait; no attempt used */
    CLASS_FAILOVER,    /* resolve anew, then as connection */
    CLASS_TRANSIENT,   /* roll back, retry soon with jitter; no attempt used */
    CLASS_ROW,         /* one row is at fault: isolate it, dead letter */
    CLASS_SIZE,        /* too big: split; a single item is a dead letter */
    CLASS_CONFIG,      /* the statement or the grants are wrong: pause the job */
    CLASS_ENVIRONMENT, /* the server has no room: wait, probe, go on; no attempt used */
    CLASS_UNKNOWN,     /* retry with attempts; many at once pause the job */
    CLASS_DECODE,      /* what only items can do: dead letters all */
    CLASS_EXPECT,
    CLASS_EXPRESSION,
    CLASS_PRECISION,
    CLASS_MAX_PAYLOAD,
    CLASS_CRASH,
    CLASS_COUNT,
};

/* A code of our own for what we see to be wrong with a configuration before a server says so. */
enum { MISCONFIGURED = -2000 };

/* The numbers of MySQL's that somebody asks for besides their class. */
enum {
    ER_DUP_ENTRY = 1062,
    ER_NO_SUCH_TABLE = 1146,
    ER_STATEMENT_TIMEOUT = 1969, /* MariaDB's max_statement_time */
    ER_QUERY_TIMEOUT = 3024,     /* MySQL's max_execution_time */
};

/* "connection", "row", … for logs, metrics and dead letters. */
const char *error_class_name(enum error_class class);

/* The class of a name; CLASS_UNKNOWN when there is none. */
enum error_class error_class_named(const char *name);

/* The class of what a driver call returned, code < 0 and its record. Codes that no table lists are
 * unknown. */
enum error_class error_classify(int code, const struct hr_error *error);

/* As above, for a number that MySQL would give. */
enum error_class error_classify_mysql(int number);

/* What may stand in logs and status about an error: its number and, unless the server may have
 * quoted an item's data in it, its message. */
void error_describe(int code, const struct hr_error *error, char *ret, size_t size);

/* True for the classes that say nothing about an item: it waits and is tried again. */
static inline bool error_is_outage(enum error_class class)
{
    return class == CLASS_CONNECTION || class == CLASS_FAILOVER || class == CLASS_TRANSIENT ||
           class == CLASS_ENVIRONMENT;
}
