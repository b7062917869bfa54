/* SPDX-License-Identifier: MIT */
/*
 * Values on their way to the server and back, results, and what is told about columns.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/value.h"
#include "tests/drivers/mysql/mysql_test.h"

/* Values. */

TEST_REAL(s23_3_mysql_values_come_back_as_they_were_given)
{
    mysql_test_table("id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED, d DOUBLE, "
                     "s VARCHAR(50), b VARBINARY(50)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const char *insert = "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)";
    static const char bytes[] = "a\0b\xff\x80'\\";
    const char *water = "\xf0\x9f\x92\xa7 H\xc3\xa4user";
    ASSERT_EQ(hr_mysql_exec(conn, insert,
                            HR_ARGS(hr_i(1), hr_i(INT64_MIN), hr_u(UINT64_MAX), hr_d(0.1),
                                    hr_s(water), hr_b(bytes, sizeof(bytes) - 1))),
              1);
    ASSERT_EQ(hr_mysql_exec(conn, insert,
                            HR_ARGS(hr_i(2), hr_i(INT64_MAX), hr_u(0),
                                    hr_d(-1.7976931348623157e308), hr_s(""), hr_b(NULL, 0))),
              1);
    ASSERT_EQ(
        hr_mysql_exec(conn, insert,
                      HR_ARGS(hr_i(3), hr_null(), hr_null(), hr_null(), hr_s(NULL), hr_null())),
        1);
    for (int prepared = 0; prepared < 2; prepared++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
        struct hr_mysql_args args = prepared ? HR_ARGS(hr_i(0)) : HR_NO_ARGS;
        const char *sql =
            prepared ? "SELECT * FROM t WHERE id > ? ORDER BY id" : "SELECT * FROM t ORDER BY id";
        size_t len;
        ASSERT_EQ(hr_mysql_query(conn, &rows, sql, args), 3);
        ASSERT_EQ(hr_mysql_rows(rows), 3);
        ASSERT_EQ(hr_mysql_columns(rows), 6);
        ASSERT_STR(hr_mysql_column_name(rows, 4), "s");
        ASSERT_STR(hr_mysql_text(rows, 0, 1, NULL), "-9223372036854775808");
        ASSERT_TRUE(hr_mysql_int(rows, 0, 1) == INT64_MIN);
        ASSERT_STR(hr_mysql_text(rows, 0, 2, NULL), "18446744073709551615");
        ASSERT_STR(hr_mysql_text(rows, 0, 3, NULL), "0.1");
        ASSERT_STR(hr_mysql_text(rows, 0, 4, NULL), water);
        ASSERT_TRUE(memcmp(hr_mysql_text(rows, 0, 5, &len), bytes, sizeof(bytes)) == 0);
        ASSERT_EQ(len, sizeof(bytes) - 1);
        ASSERT_TRUE(hr_mysql_int(rows, 1, 1) == INT64_MAX);
        ASSERT_EQ(hr_mysql_int(rows, 1, 2), 0);
        ASSERT_TRUE(strtod(hr_mysql_text(rows, 1, 3, NULL), NULL) == -1.7976931348623157e308);
        ASSERT_STR(hr_mysql_text(rows, 1, 4, &len), "");
        ASSERT_EQ(len, 0);
        ASSERT_STR(hr_mysql_text(rows, 1, 5, NULL), "");
        for (size_t column = 1; column < 6; column++)
            ASSERT_TRUE(hr_mysql_text(rows, 2, column, NULL) == NULL);
        ASSERT_EQ(hr_mysql_int(rows, 2, 1), 0);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_3_mysql_text_is_the_same_with_and_without_arguments)
{
    mysql_test_table("a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d INT(6) ZEROFILL, e YEAR, "
                     "f DATE, g DATETIME(3), h TIME, i TIMESTAMP(6) NULL, j DECIMAL(20,4), "
                     "k ENUM('x','y'), l SET('p','q'), m JSON, n TEXT, o BLOB, p BIT(8), "
                     "q DATETIME, r CHAR(5), s TIME(2)");
    mariadb_server_sql(mariadb_server_shared(),
                       "INSERT INTO t VALUES (-7, 65535, -8388608, 42, 2026, '2026-02-28', "
                       "'2026-02-28 23:59:58.125', '-101:02:03', '2026-01-01 00:00:00.000001', "
                       "'-1234567890.5000', 'y', 'p,q', '{\"a\": [1]}', 'long', x'00ff00', "
                       "b'01000001', '2026-02-28 00:00:00', 'ab', '01:02:03.4')");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *text = NULL, *binary = NULL;
    ASSERT_EQ(hr_mysql_query(conn, &text, "SELECT * FROM t", HR_NO_ARGS), 1);
    ASSERT_EQ(hr_mysql_query(conn, &binary, "SELECT * FROM t WHERE a = ?", HR_ARGS(hr_i(-7))), 1);
    ASSERT_EQ(hr_mysql_columns(text), 19);
    for (size_t i = 0; i < hr_mysql_columns(text); i++) {
        size_t text_len, binary_len;
        const char *as_text = hr_mysql_text(text, 0, i, &text_len);
        ASSERT_STR(hr_mysql_text(binary, 0, i, &binary_len), as_text);
        ASSERT_EQ(binary_len, text_len);
    }
    ASSERT_STR(hr_mysql_text(text, 0, 3, NULL), "000042");
    ASSERT_EQ(hr_mysql_int(text, 0, 3), 42);
    ASSERT_EQ(hr_mysql_int(text, 0, 9), -1234567890);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_10_mysql_rows_over_16_mib_are_put_together)
{
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_allowed_packet = 67108864");
    mysql_test_table("v LONGBLOB");
    const size_t size = (20 << 20) + 3;
    hr_auto(hr_freep) char *big = malloc(size);
    for (size_t i = 0; i < size; i++)
        big[i] = (char)(i * 7 + i / 251);
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_b(big, size))), 1);
    for (int prepared = 0; prepared < 2; prepared++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
        ASSERT_EQ(hr_mysql_query(conn, &rows,
                                 prepared ? "SELECT v FROM t LIMIT ?" : "SELECT * FROM t",
                                 prepared ? HR_ARGS(hr_i(1)) : HR_NO_ARGS),
                  1);
        size_t len;
        const char *back = hr_mysql_text(rows, 0, 0, &len);
        ASSERT_EQ(len, size);
        ASSERT_TRUE(memcmp(back, big, size) == 0);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_allowed_packet = DEFAULT");
}

TEST_REAL(a_statement_too_large_is_refused_before_it_is_sent)
{
    mysql_test_table("v LONGBLOB");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    size_t size = hr_mysql_max_packet(conn);
    hr_auto(hr_freep) char *big = calloc(1, size);
    ASSERT_ERR(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_b(big, size))),
               HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1153);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_STR(mysql_test_value(conn, "SELECT 1", HR_NO_ARGS), "1");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_mysql_result_is_bounded)
{
    mysql_test_table("v VARCHAR(1000)");
    mariadb_server_sql(mariadb_server_shared(),
                       "INSERT INTO t SELECT REPEAT('x', 1000) FROM seq_1_to_2000");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.max_result = 1000000});
    for (int prepared = 0; prepared < 2; prepared++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_mysql_result *rows = NULL;
        ASSERT_ERR(hr_mysql_query(conn, &rows,
                                  prepared ? "SELECT * FROM t LIMIT ?" : "SELECT * FROM t",
                                  prepared ? HR_ARGS(hr_i(5000)) : HR_NO_ARGS),
                   -EMSGSIZE);
        ASSERT_TRUE(rows == NULL);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        hr_mysql_release(conn);
    }
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_EQ(hr_mysql_query(conn, &rows, "SELECT * FROM t LIMIT 900", HR_NO_ARGS), 900);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_mysql_result_of_nothing_but_null_is_bounded_too)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.max_result = 100000});
    for (int prepared = 0; prepared < 2; prepared++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
        ASSERT_ERR(hr_mysql_query(conn, &rows,
                                  prepared ? "SELECT NULL FROM seq_1_to_10000 LIMIT ?"
                                           : "SELECT NULL FROM seq_1_to_10000",
                                  prepared ? HR_ARGS(hr_i(20000)) : HR_NO_ARGS),
                   -EMSGSIZE);
        hr_mysql_release(conn);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_mysql_result_outlives_its_connection)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_EQ(hr_mysql_query(conn, &rows, "SELECT 'kept' AS word", HR_NO_ARGS), 1);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    ASSERT_STR(hr_mysql_text(rows, 0, 0, NULL), "kept");
    ASSERT_STR(hr_mysql_column_name(rows, 0), "word");
}

TEST_REAL(mysql_procedures_leave_nothing_unread)
{
    mysql_test_table("id INT");
    mariadb_server_sql(mariadb_server_shared(),
                       "DROP PROCEDURE IF EXISTS several;"
                       "CREATE PROCEDURE several(n INT) BEGIN SELECT n; INSERT INTO t VALUES (n); "
                       "SELECT 'b', 'c'; END");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int i = 0; i < 3; i++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *text = NULL, *binary = NULL;
        ASSERT_EQ(hr_mysql_query(conn, &text, "CALL several(7)", HR_NO_ARGS), 1);
        ASSERT_EQ(hr_mysql_int(text, 0, 0), 7);
        ASSERT_EQ(hr_mysql_query(conn, &binary, "CALL several(?)", HR_ARGS(hr_i(8))), 1);
        ASSERT_EQ(hr_mysql_int(binary, 0, 0), 8);
        ASSERT_TRUE(hr_mysql_exec(conn, "CALL several(?)", HR_ARGS(hr_i(9))) >= 0);
        ASSERT_TRUE(hr_mysql_exec(conn, "CALL several(10)", HR_NO_ARGS) >= 0);
    }
    ASSERT_STR(mysql_test_value(conn, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "12");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* Describing. */

static const struct hr_mysql_field *field(const struct hr_mysql_field *fields, int n,
                                          const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    test_fail(__FILE__, __LINE__, "no column %s", name);
}

TEST_REAL(mysql_describes_columns_without_running_anything)
{
    mysql_test_table("id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, big BIGINT NOT NULL, "
                     "small TINYINT, price DECIMAL(10,2), ratio DOUBLE, day DATE, "
                     "at DATETIME(3) NOT NULL DEFAULT NOW(3), word VARCHAR(20), code CHAR(3), "
                     "raw VARBINARY(16), note TEXT, photo BLOB, doc JSON, kind ENUM('a','b'), "
                     "`sch\xc3\xb6n` INT DEFAULT 3");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_freep) struct hr_mysql_field *fields = NULL;
    int n = hr_mysql_describe(conn, "SELECT * FROM t", &fields);
    ASSERT_EQ(n, 15);
    const struct hr_mysql_field *f = field(fields, n, "id");
    ASSERT_EQ(f->type, MYSQL_TYPE_LONG);
    ASSERT_TRUE(f->is_unsigned && f->not_null && f->auto_increment);
    f = field(fields, n, "big");
    ASSERT_EQ(f->type, MYSQL_TYPE_LONGLONG);
    ASSERT_TRUE(!f->is_unsigned && f->not_null && f->no_default && !f->auto_increment);
    f = field(fields, n, "small");
    ASSERT_EQ(f->type, MYSQL_TYPE_TINY);
    ASSERT_FALSE(f->not_null);
    f = field(fields, n, "price");
    ASSERT_EQ(f->type, MYSQL_TYPE_NEWDECIMAL);
    ASSERT_EQ(f->decimals, 2);
    ASSERT_EQ(f->length, 12);
    ASSERT_EQ(field(fields, n, "ratio")->type, MYSQL_TYPE_DOUBLE);
    ASSERT_EQ(field(fields, n, "day")->type, MYSQL_TYPE_DATE);
    f = field(fields, n, "at");
    ASSERT_EQ(f->type, MYSQL_TYPE_DATETIME);
    ASSERT_EQ(f->decimals, 3);
    ASSERT_TRUE(f->not_null && !f->no_default);
    f = field(fields, n, "word");
    ASSERT_EQ(f->type, MYSQL_TYPE_VAR_STRING);
    ASSERT_EQ(f->characters, 20);
    ASSERT_FALSE(f->binary);
    f = field(fields, n, "code");
    ASSERT_EQ(f->type, MYSQL_TYPE_STRING);
    ASSERT_EQ(f->characters, 3);
    f = field(fields, n, "raw");
    ASSERT_TRUE(f->binary);
    ASSERT_EQ(f->length, 16);
    ASSERT_EQ(f->characters, 0);
    f = field(fields, n, "note");
    ASSERT_EQ(f->type, MYSQL_TYPE_BLOB);
    ASSERT_FALSE(f->binary);
    ASSERT_TRUE(field(fields, n, "photo")->binary);
    ASSERT_TRUE(field(fields, n, "doc")->is_json);
    ASSERT_FALSE(field(fields, n, "note")->is_json);
    ASSERT_EQ(field(fields, n, "sch\xc3\xb6n")->type, MYSQL_TYPE_LONG);
    ASSERT_EQ(conn->stmts.count, 0);

    hr_auto(hr_freep) struct hr_mysql_field *none = NULL;
    ASSERT_ERR(hr_mysql_describe(conn, "SELECT nosuch FROM t", &none), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1054);
    ASSERT_EQ(hr_mysql_describe(conn, "DELETE FROM t", &none), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static void read_cell_of_none(void)
{
    (void)hr_mysql_text(NULL, 0, 1, NULL);
}

static void get_cell_of_none(void)
{
    int64_t value;
    (void)hr_mysql_get_int(NULL, 0, 1, &value);
}

TEST_PLAIN(a_cell_that_is_not_there_ends_the_program_with_a_sentence)
{
    static const char expected[] =
        "headrace: a result of 0 rows and 0 columns was asked for row 0, column 1 ";
    void (*const ways[])(void) = {read_cell_of_none, get_cell_of_none};
    for (size_t i = 0; i < HR_ARRAY_LEN(ways); i++) {
        int ends[2], status = 0;
        char said[200] = "";
        ASSERT_EQ(pipe(ends), 0);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
            ways[i]();
            _exit(0);
        }
        close(ends[1]);
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(read(ends[0], said, sizeof(said) - 1) > 0);
        close(ends[0]);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        said[sizeof(expected) - 1] = '\0';
        ASSERT_STR(said, expected);
    }
}
