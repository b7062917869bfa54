/* SPDX-License-Identifier: MIT */
/*
 * Small results of prepared statements, which are read past libmariadb: they are what it would
 * read.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/cursor.h"
#include "drivers/mysql/real.h"
#include "drivers/mysql/result.h"
#include "tests/drivers/mysql/mysql_test.h"

static void check_alike(const hr_mysql_result *rows, const hr_mysql_result *wanted)
{
    size_t columns = hr_mysql_columns(wanted);
    ASSERT_EQ(hr_mysql_columns(rows), columns);
    ASSERT_EQ(hr_mysql_rows(rows), hr_mysql_rows(wanted));
    for (size_t i = 0; i < hr_mysql_rows(wanted) * columns; i++) {
        size_t row = i / columns, column = i % columns, wanted_len = 0, len = 0;
        const char *wanted_text = hr_mysql_text(wanted, row, column, &wanted_len);
        const char *text = hr_mysql_text(rows, row, column, &len);
        ASSERT_STR(hr_mysql_column_name(rows, column), hr_mysql_column_name(wanted, column));
        if (!wanted_text || !text) {
            ASSERT_TRUE(wanted_text == text);
            continue;
        }
        ASSERT_STR(text, wanted_text);
        ASSERT_TRUE(len == wanted_len && memcmp(text, wanted_text, len + 1) == 0);
    }
}

/* Runs the SELECT as text; with an argument, read by libmariadb alone; and so that we may read it:
 * whole, or not. All are alike. Returns the number of rows. */
static int same_rows(hr_mysql_conn *conn, const char *select, bool whole)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *text = NULL, *theirs = NULL, *first = NULL,
                                                   *ours = NULL;
    char sql[2000], prepared[2048];
    snprintf(sql, sizeof(sql), "%s", select);
    snprintf(prepared, sizeof(prepared), "%s LIMIT ?", select);
    int n = hr_mysql_query(conn, &text, sql, HR_NO_ARGS);
    ASSERT_TRUE(n >= 0);
    bool repeats_no_columns = conn->repeats_no_columns;
    conn->repeats_no_columns = false;
    ASSERT_EQ(hr_mysql_query(conn, &theirs, prepared, HR_ARGS(hr_i(100))), n);
    conn->repeats_no_columns = repeats_no_columns;
    ASSERT_EQ(hr_mysql_query(conn, &first, prepared, HR_ARGS(hr_i(100))), n);
    ASSERT_EQ(hr_mysql_query(conn, &ours, prepared, HR_ARGS(hr_i(100))), n);
    ASSERT_TRUE(!theirs->solid);
    ASSERT_EQ(ours->solid, whole);
    check_alike(theirs, text);
    check_alike(first, text);
    check_alike(ours, text);
    return n;
}

struct selected {
    const char *sql;
    int rows;
    bool whole;
};

static void check_selects(const struct selected *selects, size_t n)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (size_t i = 0; i < n; i++)
        ASSERT_EQ(same_rows(conn, selects[i].sql, selects[i].whole), selects[i].rows);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(small_results_with_arguments_are_as_without_23_3)
{
    mysql_test_table("a TINYINT, b TINYINT UNSIGNED, c SMALLINT, d SMALLINT UNSIGNED, e MEDIUMINT, "
                     "f MEDIUMINT UNSIGNED, g INT, h INT UNSIGNED, i BIGINT, j BIGINT UNSIGNED, "
                     "k DECIMAL(20,4), l CHAR(5), m VARCHAR(300), n BLOB, o TEXT, p ENUM('x','y'), "
                     "q JSON");
    mariadb_server_sql(
        mariadb_server_shared(),
        "INSERT INTO t VALUES (-128, 255, -32768, 65535, -8388608, 16777215, -2147483648, "
        "4294967295, -9223372036854775808, 18446744073709551615, -0.5, 'ab', REPEAT('x', 250), "
        "x'00ff00', REPEAT('y', 251), 'y', '[1]'),"
        "(127, 0, 32767, 1, 8388607, 1, 2147483647, 1, 9223372036854775807, 1, 1, '', '', '', "
        "REPEAT('z', 2000), 'x', '{}'),"
        "(-1, 9, -1, 9, -1, 9, -1, 9, -1, 9, 0, NULL, NULL, NULL, NULL, NULL, NULL),"
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        "NULL, NULL)");
    static const struct selected selects[] = {
        {"SELECT * FROM t",                     4, true },
        {"SELECT * FROM t WHERE a = 5",         0, true },
        {"SELECT a, q, m FROM t WHERE a < 0",   2, true },
 /* What is left to libmariadb: other kinds of values, and replies of several pieces. */
        {"SELECT NULL, a FROM t",               4, false},
        {"SELECT a, REPEAT('w', 20000) FROM t", 4, false},
    };
    check_selects(selects, HR_ARRAY_LEN(selects));
}

TEST_REAL(s23_3_small_results_have_dates_and_times_as_the_server_writes_them)
{
    mysql_test_table("a DATE, b DATETIME, c DATETIME(1), d DATETIME(6), e TIMESTAMP(3) NULL, "
                     "f TIME, g TIME(2), h TIME(6), i YEAR");
    mariadb_server_sql(
        mariadb_server_shared(),
        "SET sql_mode = '', time_zone = '+00:00'; INSERT INTO t VALUES "
        "('2026-11-21', '2026-11-21 20:41:34', '9999-12-31 23:59:59.9', '0001-01-01 00:00:00.000001', "
        "'1970-01-02 03:04:05.678', '-838:59:59', '-00:00:00.01', '838:59:59.999999', 2026), "
        "('0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', 0, 0, 0, 0, 0), "
        "('2026-00-00', '2026-00-00', '2026-11-00', '2026-11-21', '2026-11-21 10:00:00', '00:00:01', "
        "'24:00:00', '-100:00:00.000001', 1901), "
        "('2026-02-03', '2026-02-03 04:05', '2026-02-03 04:05:06', '2026-02-03 00:00:00.5', "
        "'2026-02-03', '-00:00:01', '-24:00:00.5', '-00:00:00.000001', 2155), "
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    static const struct selected selects[] = {
        {"SELECT * FROM t",                                                   5, true},
        {"SELECT DATE '2026-02-28', TIME '-01:02:03.4', TIMESTAMP '2026-02-28 01:02:03.45', "
         "MAX(d), MIN(h), SUM(f), TIMEDIFF(f, h) FROM t GROUP BY i", 5, true},
    };
    check_selects(selects, HR_ARRAY_LEN(selects));
}

TEST_REAL(s23_3_small_results_have_floating_point_numbers_as_the_server_writes_them)
{
    mysql_test_table("a DOUBLE, b FLOAT, c DOUBLE(20,3), d FLOAT(8,2), e DOUBLE(30,20), "
                     "f DOUBLE(60,0)");
    mariadb_server_sql(
        mariadb_server_shared(),
        "SET sql_mode = ''; INSERT INTO t VALUES "
        "(0.1, 0.1, 0.1, 0.1, 0.1, 0.1), (0, 0, 0, 0, 0, 0), (-0e0, -0e0, -0.0001, -0.001, 0, -0.4), "
        "(1e15, 1e15, 1e15, 1e5, 1e5, 1e15), (1e14, 1e14, 123456789012345.678, 123456.78, 1.5, 1e40), "
        "(123456789012345678, 16777217, 99999.9995, 99.995, 0.30000000000000004, 0.5), "
        "(1.7976931348623157e308, 3.40282e38, 0.0005, 0.005, 1e-20, 1.5), "
        "(5e-324, 1.17549e-38, 0.0015, 0.015, 5e-21, 2.5), (2.2250738585072014e-308, 1e-45, 1, 1, 1, 1), "
        "(1e-15, 1e-15, -1, -1, -1, -1), (1e-14, 1e-14, 1, 1, 1, 1), "
        "(1.2345678901234567e-14, 1.2345678e-14, 1, 1, 1, 1), "
        "(0.30000000000000004, 0.3333333333, 1, 1, 1, 1), (1e23, 9.999995e22, 1, 1, 1, 1), "
        "(9007199254740993, 2097152.25, 1, 1, 1, 1), (-1.5e-300, -1.5e-30, 1, 1, 1, 1), "
        "(100, 1000000, 1, 1, 1, 1), (1e22, 999999.5, 1, 1, 1, 1), "
        "(NULL, NULL, NULL, NULL, NULL, NULL)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(same_rows(conn, "SELECT * FROM t", true), 19);
    /* Powers of two and their neighbours, denormals too; and whatever comes of a few operations. */
    for (int i = -1070; i <= 1020; i += 95) {
        char sql[300];
        snprintf(sql, sizeof(sql),
                 "SELECT POW(2, e), POW(2, e) * (1 + POW(2, -52)), POW(2, e) * (1 - POW(2, -53)), "
                 "RAND(e) * POW(10, e / 20) * PI() "
                 "FROM (SELECT CAST(seq AS SIGNED) + %d AS e FROM seq_0_to_94) AS t WHERE e < 1024",
                 i);
        ASSERT_TRUE(same_rows(conn, sql, true) > 0);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static void check_room(double value, unsigned places)
{
    float narrow = (float)value;
    char text[400];
    struct {
        const void *at;
        unsigned bytes;
    } forms[] = {
        {&value,  sizeof(value) },
        {&narrow, sizeof(narrow)}
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(forms); i++) {
        if (!hr__mysql_real_is_known(forms[i].at, forms[i].bytes))
            continue;
        size_t room = hr__mysql_real_room(forms[i].at, forms[i].bytes, places);
        size_t len = hr__mysql_real_text(forms[i].at, forms[i].bytes, places, text);
        ASSERT_EQ(strlen(text), len);
        ASSERT_TRUE(len < room);
        ASSERT_TRUE(places > 30 || room <= len + 11); /* of 309 digits' bits, a few are lost */
    }
}

TEST_PLAIN(a_floating_point_number_takes_the_room_of_its_digits)
{
    for (int exponent = -1074; exponent <= 1023; exponent += 7) {
        for (unsigned places = 0; places <= 31; places += places == 0 ? 1 : 15) {
            double value = ldexp(1, exponent);
            check_room(value, places);
            check_room(-(value * (1 - DBL_EPSILON)), places);
        }
    }
    double power = 1;
    for (int i = 0; i < 308; i++, power *= 10) {
        check_room(-power, 2);
        check_room(power * (1 - DBL_EPSILON), 2);
        check_room(power - 0.0001, 2);
    }
    check_room(-DBL_MAX, 30);
}

TEST_REAL(s23_3_small_results_have_the_rest_of_values_as_the_server_writes_them)
{
    mysql_test_table("a TINYINT(4) ZEROFILL, b INT(11) ZEROFILL, c BIGINT(30) ZEROFILL, d YEAR, "
                     "e BIT(1), f BIT(64), g DECIMAL(8,3) ZEROFILL, h DOUBLE(9,2) ZEROFILL, "
                     "i FLOAT ZEROFILL, j ENUM('x', 'y'), k SET('p', 'q'), l GEOMETRY, m JSON, "
                     "n BINARY(3), o BOOL, p INET6, q UUID, r MEDIUMINT(9) ZEROFILL");
    mariadb_server_sql(
        mariadb_server_shared(),
        "INSERT INTO t VALUES (5, 42, 18446744073709551615, 0, b'1', 0xffffffffffffffff, 1.5, 1.5, "
        "1.5, 'y', 'p,q', POINT(1, 2), '{}', 'a\\0b', TRUE, '::1', UUID(), 7), "
        "(255, 4294967295, 0, 1999, b'0', 1, 0, 123456.78, 0.000001, 'x', '', NULL, '[]', '', FALSE, "
        "'fe80::', '00000000-0000-0000-0000-000000000000', 16777215), "
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        "NULL, NULL, NULL)");
    check_selects(&(struct selected){"SELECT * FROM t", 3, true}, 1);
}

TEST_REAL(small_results_follow_a_change_of_their_columns)
{
    mysql_test_table("a INT");
    mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (7)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const char *select = "SELECT a FROM t WHERE a > ?";
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a VARCHAR(20)");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a DOUBLE");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a TINYINT UNSIGNED");
    for (int i = 0; i < 3; i++)
        ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a BIGINT");
    for (int i = 0; i < 2; i++)
        ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    /* A cursor hears of the change first. */
    static const char *const types[] = {"DOUBLE", "BIGINT UNSIGNED", "DOUBLE"};
    for (size_t i = 0; i < HR_ARRAY_LEN(types); i++) {
        char alter[80];
        snprintf(alter, sizeof(alter), "ALTER TABLE t MODIFY a %s", types[i]);
        mariadb_server_sql(mariadb_server_shared(), alter);
        hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
        ASSERT_ERR(hr_mysql_execute(cursor, select, HR_ARGS(hr_i(1))), 0);
        ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
        hr_mysql_cursor_free(cursor);
        ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    }
    /* Arguments of other types, which some columns take their own from. */
    for (int i = 0; i < 2; i++) {
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_i(-3))), "-3");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_s("three"))), "three");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_d(0.5))), "0.5");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_null())), "NULL");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_u(UINT64_MAX))),
                   "18446744073709551615");
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static void expect_columns(const hr_mysql_result *row, const char *wanted)
{
    char told[200] = "";
    for (size_t i = 0; i < hr_mysql_columns(row); i++)
        snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s=%s ",
                 hr_mysql_column_name(row, i), hr_mysql_text(row, 0, i, NULL));
    ASSERT_STR(told, wanted);
}

static const char star[] = "SELECT * FROM t WHERE 0 < ?";

static void fetch_columns(hr_mysql_conn *conn, const char *wanted)
{
    const hr_mysql_result *row;
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    ASSERT_ERR(hr_mysql_execute(cursor, star, HR_ARGS(hr_i(1))), 0);
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), 1);
    expect_columns(row, wanted);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
}

static void query_columns(hr_mysql_conn *conn, const char *wanted)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_ERR(hr_mysql_query(conn, &rows, star, HR_ARGS(hr_i(1))), 1);
    expect_columns(rows, wanted);
}

/* A pool keeps its statements for longer than a table its columns. */
TEST_REAL(columns_that_come_go_and_move_are_told_with_their_own_values)
{
    static const struct {
        const char *alter, *columns;
    } steps[] = {
        {"DROP IF EXISTS z",     "id=1 a=2 b=3 "    },
        {"ADD c INT DEFAULT 4",  "id=1 a=2 b=3 c=4 "},
        {"MODIFY a INT AFTER b", "id=1 b=3 a=2 c=4 "},
        {"RENAME COLUMN a TO z", "id=1 b=3 z=2 c=4 "},
        {"MODIFY b INT FIRST",   "b=3 id=1 z=2 c=4 "},
        {"DROP z, DROP c",       "b=3 id=1 "        },
    };
    mysql_test_table("id INT PRIMARY KEY, a INT, b INT");
    mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (1, 2, 3)");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (size_t i = 0; i < HR_ARRAY_LEN(steps); i++) {
        char alter[80];
        snprintf(alter, sizeof(alter), "ALTER TABLE t %s", steps[i].alter);
        mariadb_server_sql(mariadb_server_shared(), alter);
        if (i % 2 == 0)
            fetch_columns(conn, steps[i].columns);
        query_columns(conn, steps[i].columns);
        query_columns(conn, steps[i].columns);
        fetch_columns(conn, steps[i].columns);
    }
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    ASSERT_EQ(counts.prepared, 1);

    hr_auto(hr_freep) struct hr_mysql_field *fields = NULL;
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t RENAME COLUMN b TO y");
    ASSERT_ERR(hr_mysql_describe(conn, star, &fields), 2);
    ASSERT_STR(fields[0].name, "y");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(small_results_are_bounded_and_their_warnings_are_known)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.max_result = 65536});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    for (int i = 0; i < 2; i++) {
        rows = hr_mysql_result_free(rows);
        ASSERT_EQ(hr_mysql_query(conn, &rows, "SELECT 1/0 LIMIT ?", HR_ARGS(hr_i(1))), 1);
        ASSERT_EQ(mysql_warning_count(conn->mysql), 1);
    }
    ASSERT_TRUE(rows->solid);
    rows = hr_mysql_result_free(rows);
    /* 16 KiB, and cells that take more than the pool allows. */
    const char *nulls = "SELECT NULLIF(1, 1), NULLIF(1, 1), NULLIF(1, 1), NULLIF(1, 1) "
                        "FROM seq_1_to_2000 LIMIT ?";
    ASSERT_EQ(hr_mysql_query(conn, &rows, nulls, HR_ARGS(hr_i(900))), 900);
    rows = hr_mysql_result_free(rows);
    ASSERT_EQ(hr_mysql_query(conn, &rows, nulls, HR_ARGS(hr_i(1100))), -EMSGSIZE);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
