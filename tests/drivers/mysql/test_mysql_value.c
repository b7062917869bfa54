/* SPDX-License-Identifier: MIT */
/*
 * Values as C has them, the same of text and prepared statements; and rows as structs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/bind.h"
#include "tests/drivers/mysql/mysql_test.h"

/* One row of a query, asked both ways. */
static hr_mysql_result *ask(hr_mysql_conn *conn, const char *sql, int way)
{
    hr_mysql_result *rows = NULL;
    char with_args[600];
    snprintf(with_args, sizeof(with_args), "%s%s", sql, way ? " WHERE 1 = ?" : "");
    struct hr_mysql_arg one = hr_i(1);
    int r = hr_mysql_query(conn, &rows, with_args, (struct hr_mysql_args){&one, way ? 1 : 0});
    ASSERT_ERR(r, 1);
    return rows;
}

TEST_REAL(s23_3_integers_of_every_kind_are_read_whole_or_not_at_all)
{
    mysql_test_table(
        "a TINYINT, b BIGINT, c BIGINT UNSIGNED, d YEAR, e BIT(1), f BIT(64), "
        "g DECIMAL(30,0), h DECIMAL(10,2), i VARCHAR(9), j INT(6) ZEROFILL, k BIT(12)");
    mariadb_server_sql(
        mariadb_server_shared(),
        "INSERT INTO t VALUES (-128, -9223372036854775808, 18446744073709551615, "
        "2026, b'1', 0xffffffffffffffff, 9223372036854775808, 1.50, '12', 42, 0xabc)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int way = 0; way < 2; way++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *row = ask(conn, "SELECT * FROM t", way);
        int64_t i = 7;
        uint64_t u = 7;
        ASSERT_ERR(hr_mysql_get_int(row, 0, 0, &i), 0);
        ASSERT_EQ(i, -128);
        ASSERT_ERR(hr_mysql_get_uint(row, 0, 0, &u), -ERANGE);
        ASSERT_STR(hr_last_error()->message,
                   "column \"a\": -128 does not fit in an unsigned integer");
        ASSERT_ERR(hr_mysql_get_int(row, 0, 1, &i), 0);
        ASSERT_EQ(i, INT64_MIN);
        ASSERT_ERR(hr_mysql_get_int(row, 0, 2, &i), -ERANGE);
        ASSERT_ERR(hr_mysql_get_uint(row, 0, 2, &u), 0);
        ASSERT_TRUE(u == UINT64_MAX);
        ASSERT_ERR(hr_mysql_get_int(row, 0, 3, &i), 0);
        ASSERT_EQ(i, 2026);
        ASSERT_ERR(hr_mysql_get_int(row, 0, 4, &i), 0);
        ASSERT_EQ(i, 1);
        ASSERT_ERR(hr_mysql_get_uint(row, 0, 5, &u), 0);
        ASSERT_TRUE(u == UINT64_MAX);
        ASSERT_ERR(hr_mysql_get_int(row, 0, 5, &i), -ERANGE);
        ASSERT_ERR(hr_mysql_get_int(row, 0, 6, &i), -ERANGE);
        ASSERT_ERR(hr_mysql_get_uint(row, 0, 6, &u), 0);
        ASSERT_TRUE(u == (uint64_t)INT64_MAX + 1);
        ASSERT_ERR(hr_mysql_get_int(row, 0, 7, &i), -EINVAL);
        ASSERT_STR(hr_last_error()->message, "column \"h\" is no integer");
        ASSERT_ERR(hr_mysql_get_int(row, 0, 8, &i), -EINVAL);
        ASSERT_ERR(hr_mysql_get_uint(row, 0, 9, &u), 0);
        ASSERT_EQ(u, 42);
        ASSERT_ERR(hr_mysql_get_uint(row, 0, 10, &u), 0);
        ASSERT_EQ(u, 0xabc);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(numbers_texts_and_bytes_are_read_as_they_were_written)
{
    mysql_test_table("a DOUBLE, b FLOAT, c DECIMAL(20,5), d JSON, e ENUM('x', 'y'), "
                     "f SET('p', 'q', 'r'), g GEOMETRY, h INT, i TEXT, j BINARY(3)");
    mariadb_server_sql(
        mariadb_server_shared(),
        "INSERT INTO t VALUES (0.1, 1.5, -123456789012345.67891, '{\"k\": [1]}', 'y', "
        "'p,r', POINT(1, 2), NULL, '', 'a\\0b')");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int way = 0; way < 2; way++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *row = ask(conn, "SELECT * FROM t", way);
        double d = 0;
        const char *text;
        size_t len;
        ASSERT_ERR(hr_mysql_get_double(row, 0, 0, &d), 0);
        ASSERT_TRUE(fabs(d - 0.1) < 1e-15);
        ASSERT_ERR(hr_mysql_get_double(row, 0, 1, &d), 0);
        ASSERT_TRUE(d == 1.5);
        ASSERT_ERR(hr_mysql_get_double(row, 0, 2, &d), 0);
        ASSERT_TRUE(d == -123456789012345.67891);
        ASSERT_ERR(hr_mysql_get_text(row, 0, 2, &text, NULL), 0);
        ASSERT_STR(text, "-123456789012345.67891");
        ASSERT_ERR(hr_mysql_get_text(row, 0, 3, &text, &len), 0);
        ASSERT_STR(text, "{\"k\": [1]}");
        ASSERT_ERR(hr_mysql_get_double(row, 0, 3, &d), -EINVAL);
        ASSERT_STR(hr_mysql_text(row, 0, 4, NULL), "y");
        ASSERT_STR(hr_mysql_text(row, 0, 5, NULL), "p,r");
        ASSERT_ERR(hr_mysql_get_text(row, 0, 6, &text, &len), 0);
        ASSERT_EQ(len, 4 + 1 + 4 + 16); /* SRID, byte order, type, two doubles */
        ASSERT_TRUE(memcmp(text, "\0\0\0\0\1\1\0\0\0", 9) == 0);
        ASSERT_TRUE(hr_mysql_is_null(row, 0, 7));
        int64_t i = 7;
        ASSERT_ERR(hr_mysql_get_int(row, 0, 7, &i), -ENODATA);
        ASSERT_STR(hr_last_error()->message, "column \"h\" is NULL");
        ASSERT_EQ(i, 7);
        ASSERT_ERR(hr_mysql_get_text(row, 0, 8, &text, &len), 0);
        ASSERT_EQ(len, 0);
        ASSERT_ERR(hr_mysql_get_text(row, 0, 9, &text, &len), 0);
        ASSERT_TRUE(len == 3 && memcmp(text, "a\0b", 4) == 0);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static void check_time(const hr_mysql_result *row, size_t column, struct hr_mysql_time want)
{
    struct hr_mysql_time is = {.negative = true, .year = 1};
    ASSERT_ERR(hr_mysql_get_time(row, 0, column, &is), 0);
    ASSERT_EQ(is.negative, want.negative);
    ASSERT_EQ(is.year, want.year);
    ASSERT_EQ(is.month, want.month);
    ASSERT_EQ(is.day, want.day);
    ASSERT_EQ(is.hour, want.hour);
    ASSERT_EQ(is.minute, want.minute);
    ASSERT_EQ(is.second, want.second);
    ASSERT_EQ(is.microsecond, want.microsecond);
}

TEST_REAL(s23_3_dates_and_times_are_read_down_to_zeros_fractions_and_negative_spans)
{
    mysql_test_table("a DATE, b DATETIME(6), c TIMESTAMP(3) NULL, d TIME, e TIME(6), f DATE, "
                     "g DATETIME, h TIME, i DATE, j DATETIME(2), k VARCHAR(20)");
    mariadb_server_sql(
        mariadb_server_shared(),
        "SET sql_mode = '', time_zone = '+00:00'; INSERT INTO t VALUES ('2026-11-21', "
        "'9999-12-31 23:59:59.999999', '1970-01-02 00:00:01.250', '-838:59:59', '-00:00:00.000001', "
        "'0000-00-00', '0000-00-00 00:00:00', '00:00:00', '2026-00-00', '2026-01-02 03:04:05.6', "
        "'2026-01-02')");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int way = 0; way < 2; way++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *row = ask(conn, "SELECT * FROM t", way);
        struct hr_mysql_time time;
        int64_t us = 7;
        check_time(row, 0, (struct hr_mysql_time){.year = 2026, .month = 11, .day = 21});
        check_time(row, 1, (struct hr_mysql_time){false, 9999, 12, 31, 23, 59, 59, 999999});
        check_time(row, 2, (struct hr_mysql_time){false, 1970, 1, 2, 0, 0, 1, 250000});
        check_time(row, 3, (struct hr_mysql_time){true, 0, 0, 0, 838, 59, 59, 0});
        check_time(row, 4, (struct hr_mysql_time){.negative = true, .microsecond = 1});
        check_time(row, 5, (struct hr_mysql_time){0});
        check_time(row, 6, (struct hr_mysql_time){0});
        check_time(row, 7, (struct hr_mysql_time){0});
        check_time(row, 8, (struct hr_mysql_time){.year = 2026});
        check_time(row, 9, (struct hr_mysql_time){false, 2026, 1, 2, 3, 4, 5, 600000});
        ASSERT_ERR(hr_mysql_get_time(row, 0, 10, &time), -EINVAL);
        ASSERT_STR(hr_last_error()->message, "column \"k\" is no date or time");

        ASSERT_ERR(hr_mysql_get_time(row, 0, 2, &time), 0);
        ASSERT_ERR(hr_mysql_time_unix(&time, &us), 0);
        ASSERT_EQ(us, 86401250000);
        ASSERT_ERR(hr_mysql_get_time(row, 0, 4, &time), 0);
        ASSERT_EQ(hr_mysql_time_span(&time), -1);
        us = 7;
        for (size_t column = 5; column <= 8; column++) {
            ASSERT_ERR(hr_mysql_get_time(row, 0, column, &time), 0);
            ASSERT_ERR(hr_mysql_time_unix(&time, &us), -EINVAL);
        }
        ASSERT_EQ(us, 7);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_PLAIN(a_moment_is_counted_from_1970_as_the_calendar_has_it)
{
    const struct {
        struct hr_mysql_time time;
        int64_t seconds;
    } cases[] = {
        {{.year = 1970, .month = 1, .day = 1},               0           },
        {{.year = 1969, .month = 12, .day = 31, .hour = 23}, -3600       },
        {{.year = 2000, .month = 2, .day = 29},              951782400   },
        {{.year = 2100, .month = 3, .day = 1},               4107542400  },
        {{false, 2038, 1, 19, 3, 14, 7, 0},                  INT32_MAX   },
        {{.year = 1, .month = 1, .day = 1},                  -62135596800},
        {{false, 9999, 12, 31, 23, 59, 59, 0},               253402300799},
    };
    int64_t us;
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        ASSERT_ERR(hr_mysql_time_unix(&cases[i].time, &us), 0);
        ASSERT_EQ(us, cases[i].seconds * 1000000);
    }
    struct hr_mysql_time none = {.year = 2100, .month = 2, .day = 29};
    ASSERT_ERR(hr_mysql_time_unix(&none, &us), -EINVAL);
}

/* Rows as structs. */

struct thing {
    int64_t id;
    uint8_t small;
    bool on, no_score, no_at;
    float score;
    char name[6];
    struct hr_mysql_time at;
};
static const struct hr_mysql_member thing_members[] = {
    HR_MEMBER(struct thing, name, "name"),
    HR_MEMBER(struct thing, id, "id"),
    HR_MEMBER(struct thing, small, "small"),
    HR_MEMBER(struct thing, on, "is_on"),
    HR_MEMBER_OR_NULL(struct thing, score, "score", no_score),
    HR_MEMBER_OR_NULL(struct thing, at, "at", no_at),
};
static const struct hr_mysql_shape thing_shape = HR_MYSQL_SHAPE(struct thing, thing_members);

static void make_things(void)
{
    mysql_test_table(
        "id BIGINT, small INT, is_on BOOL, score DOUBLE, name VARCHAR(20), at DATETIME, "
        "other INT");
    mariadb_server_sql(mariadb_server_shared(),
                       "INSERT INTO t VALUES (1, 255, 1, 1.5, 'five5', '2026-01-02 03:04:05', 1), "
                       "(2, 0, 0, NULL, '', NULL, 1)");
}

static void check_things(const struct thing *things)
{
    ASSERT_EQ(things[0].id, 1);
    ASSERT_EQ(things[0].small, 255);
    ASSERT_TRUE(things[0].on && !things[0].no_score && !things[0].no_at);
    ASSERT_TRUE(things[0].score == 1.5f);
    ASSERT_STR(things[0].name, "five5");
    ASSERT_EQ(things[0].at.minute, 4);
    ASSERT_EQ(things[1].id, 2);
    ASSERT_TRUE(!things[1].on && things[1].no_score && things[1].no_at);
    ASSERT_TRUE(things[1].score == 0 && things[1].at.year == 0);
    ASSERT_STR(things[1].name, "");
}

TEST_REAL(rows_fill_structs_by_a_table)
{
    make_things();
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_freep) struct thing *things = NULL;
    ASSERT_ERR(
        hr_mysql_select(conn, &thing_shape, &things, "SELECT * FROM t ORDER BY id", HR_NO_ARGS), 2);
    check_things(things);

    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    struct thing some[4];
    memset(some, 0x55, sizeof(some));
    ASSERT_ERR(
        hr_mysql_execute(cursor, "SELECT * FROM t WHERE id < ? ORDER BY id", HR_ARGS(hr_i(9))), 0);
    ASSERT_ERR(hr_mysql_fetch_into(cursor, &thing_shape, some, 4), 2);
    check_things(some);
    ASSERT_ERR(hr_mysql_fetch_into(cursor, &thing_shape, some, 4), 0);

    hr_auto(hr_freep) struct thing *none = NULL;
    ASSERT_ERR(hr_mysql_select(conn, &thing_shape, &none, "SELECT * FROM t WHERE 0", HR_NO_ARGS),
               0);
    ASSERT_TRUE(none == NULL);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_row_that_does_not_fit_its_struct_is_told_by_row_and_column)
{
    make_things();
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const struct {
        const char *select, *says;
        int code;
    } bad[] = {
        {"id, 256 small, is_on, score, name, at",
         "row 1: column \"small\": the value does not fit in 1 bytes",                                           -ERANGE },
        {"id, small - 1 AS small, is_on, score, name, at",
         "row 2: column \"small\": -1 does not fit in an unsigned integer",                                      -ERANGE },
        {"id, small, is_on + 1 AS is_on, score, name, at",
         "row 1: column \"is_on\": the value does not fit in 1 bytes",                                           -ERANGE },
        {"id, small, is_on, 1e99 AS score, name, at",
         "row 1: column \"score\": the value does not fit in 4 bytes",                                           -ERANGE },
        {"id, small, is_on, score, 'toolong' AS name, at",
         "row 1: column \"name\": the value does not fit in 6 bytes",                                            -ERANGE },
        {"id, small, is_on, score, 'a\\0b' AS name, at",
         "row 1: column \"name\": the value does not fit in 6 bytes",                                            -ERANGE },
        {"IF(id = 2, NULL, id) AS id, small, is_on, score, name, at",
         "row 2: column \"id\" is NULL",                                                                         -ENODATA},
        {"id, small, is_on, score, name, name AS at",                 "row 1: column \"at\" is no date or time",
         -EINVAL                                                                                                         },
        {"id, small, is_on, score, name",                             "the result has no column \"at\"",         -EINVAL },
        {"id, small, is_on, score, name, at, id",                     "the result has several columns \"id\"",   -EINVAL },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT %s FROM t ORDER BY t.id", bad[i].select);
        struct thing *things = NULL;
        ASSERT_ERR(hr_mysql_select(conn, &thing_shape, &things, sql, HR_NO_ARGS), bad[i].code);
        ASSERT_STR(hr_last_error()->message, bad[i].says);
        ASSERT_TRUE(things == NULL);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

struct borrower {
    const char *name;
    short n;
};

TEST_REAL(a_struct_may_borrow_texts_from_a_result_but_not_from_a_passing_row)
{
    static const struct hr_mysql_member members[] = {HR_MEMBER(struct borrower, name, "name"),
                                                     HR_MEMBER(struct borrower, n, "n")};
    static const struct hr_mysql_shape shape = HR_MYSQL_SHAPE(struct borrower, members);
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    static const char sql[] = "SELECT -32768 AS n, 'Ann' AS name UNION SELECT 2, 'Bob'";
    ASSERT_ERR(hr_mysql_query(conn, &rows, sql, HR_NO_ARGS), 2);
    struct borrower b[2];
    ASSERT_ERR(hr_mysql_bind(rows, &shape, 0, 2, b), 2);
    ASSERT_PTR(b[1].name, hr_mysql_text(rows, 1, 1, NULL));
    ASSERT_EQ(b[0].n, -32768);
    ASSERT_ERR(hr_mysql_bind(rows, &shape, 1, 1, b), 1);
    ASSERT_STR(b[0].name, "Bob");
    ASSERT_ERR(hr_mysql_bind(rows, &shape, 1, 2, b), -EINVAL);
    struct borrower *all = NULL;
    ASSERT_ERR(hr_mysql_select(conn, &shape, &all, sql, HR_NO_ARGS), -EINVAL);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
