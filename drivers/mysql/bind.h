/* SPDX-License-Identifier: MIT */
/*
 * Rows into structs: a table says which column goes to which member.
 *
 *     struct user { int64_t id; char name[65]; double score; bool no_score; };
 *     static const struct hr_mysql_member members[] = {
 *         HR_MEMBER(struct user, id, "id"),
 *         HR_MEMBER(struct user, name, "name"),
 *         HR_MEMBER_OR_NULL(struct user, score, "score", no_score),
 *     };
 *     static const struct hr_mysql_shape user = HR_MYSQL_SHAPE(struct user, members);
 *
 * Columns are found by name, in any order; others are left alone. Bound values keep what
 * drivers/mysql/value.h promises: nothing is cut, rounded to fit, or taken from a column of another
 * kind. Where a row does not fit, the record names row and column.
 */
#pragma once

#include "drivers/mysql/cursor.h"
#include "drivers/mysql/value.h"

enum hr_mysql_member_type {
    HR_MEMBER_NONE,
    HR_MEMBER_BOOL, /* an integer, 0 or 1 */
    HR_MEMBER_INT,  /* by size: 8 to 64 bits */
    HR_MEMBER_UINT,
    HR_MEMBER_FLOAT,
    HR_MEMBER_DOUBLE,
    HR_MEMBER_TIME,  /* struct hr_mysql_time */
    HR_MEMBER_ARRAY, /* char[n]: the text and a NUL; a text with NUL bytes inside does not fit */
    HR_MEMBER_TEXT,  /* const char *: the result's memory; only where rows stay there */
};

struct hr_mysql_member {
    const char *column;
    size_t offset, size;
    enum hr_mysql_member_type type;
    size_t null_offset; /* of a bool that says whether it was NULL; SIZE_MAX: NULL does not fit */
};

struct hr_mysql_shape {
    size_t size; /* of the struct */
    const struct hr_mysql_member *members;
    size_t count;
};

#define HR_MYSQL_SHAPE(type, members)                                                              \
    {                                                                                              \
        sizeof(type), (members), sizeof(members) / sizeof((members)[0])                            \
    }

/* A member whose column may not be NULL; and one with a bool beside it that becomes true, and all
 * its bytes 0, where it is. */
#define HR_MEMBER(type, member, column)                                                            \
    {                                                                                              \
        (column), offsetof(type, member), sizeof(((type *)0)->member),                             \
            HR__MEMBER_TYPE(((type *)0)->member), SIZE_MAX                                         \
    }
#define HR_MEMBER_OR_NULL(type, member, column, null_member)                                       \
    {                                                                                              \
        (column), offsetof(type, member), sizeof(((type *)0)->member),                             \
            HR__MEMBER_TYPE(((type *)0)->member),                                                  \
            offsetof(type, null_member) + 0 * sizeof((bool *){&((type *)0)->null_member})          \
    }

#define HR__MEMBER_TYPE(member)                                                                    \
    _Generic(&(member),                                                                            \
        bool *: HR_MEMBER_BOOL,                                                                    \
        signed char *: HR_MEMBER_INT,                                                              \
        short *: HR_MEMBER_INT,                                                                    \
        int *: HR_MEMBER_INT,                                                                      \
        long *: HR_MEMBER_INT,                                                                     \
        long long *: HR_MEMBER_INT,                                                                \
        unsigned char *: HR_MEMBER_UINT,                                                           \
        unsigned short *: HR_MEMBER_UINT,                                                          \
        unsigned int *: HR_MEMBER_UINT,                                                            \
        unsigned long *: HR_MEMBER_UINT,                                                           \
        unsigned long long *: HR_MEMBER_UINT,                                                      \
        float *: HR_MEMBER_FLOAT,                                                                  \
        double *: HR_MEMBER_DOUBLE,                                                                \
        struct hr_mysql_time *: HR_MEMBER_TIME,                                                    \
        char(*)[sizeof(member)]: HR_MEMBER_ARRAY,                                                  \
        const char **: HR_MEMBER_TEXT)

/* Fills an array of structs with the rows [from, from + n) of a result. Returns n; or
 *   -ENODATA · -EINVAL · -ERANGE   as drivers/mysql/value.h; -EINVAL also where a column is missing
 *                                  or there twice, or the result has fewer rows
 * and the array is of no known content. Members of type const char * point into the result. */
HR_PUBLIC int hr_mysql_bind(const hr_mysql_result *result, const struct hr_mysql_shape *shape,
                            size_t from, size_t n, void *array);

/* Fetches up to n rows of a cursor into the array; returns how many, 0 at the end. Codes as
 * hr_mysql_fetch_one() and hr_mysql_bind(); after those of the latter the row is gone and the next
 * one can be fetched. Members of type const char * are a mistake here: -EINVAL. */
HR_PUBLIC hr_async int hr_mysql_fetch_into(hr_mysql_cursor *cursor,
                                           const struct hr_mysql_shape *shape, void *array,
                                           size_t n);

/* Runs a query and gives its rows as an array, malloc'ed; NULL and 0 for none. Codes as
 * hr_mysql_query() and hr_mysql_fetch_into(). */
HR_PUBLIC hr_async int hr_mysql_select(hr_mysql_conn *conn, const struct hr_mysql_shape *shape,
                                       void *ret_array, const char *sql, struct hr_mysql_args args);

/* A failure names the caller's place in the program. */
#define hr_mysql_fetch_into(...) hr_from_here(hr_mysql_fetch_into(__VA_ARGS__))
#define hr_mysql_select(...)     hr_from_here(hr_mysql_select(__VA_ARGS__))
