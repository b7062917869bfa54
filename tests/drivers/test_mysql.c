/* SPDX-License-Identifier: MIT */
/*
 * Connections, sessions, statements, values: the MySQL client on a server in good health.
 */
#include <math.h>
#include <string.h>

#include "drivers/mysql_conn.h"
#include "tests/drivers/mysql_test.h"

/* Connecting. */

TEST_REAL(mysql_logs_in_over_tcp_and_over_a_unix_socket_23_1)
{
    char tcp[128];
    snprintf(tcp, sizeof(tcp), "mysql://app@127.0.0.1:%u/test", mariadb_server_shared()->port);
    const char *urls[] = {NULL, tcp};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        hr_mysql_pool *pool =
            mysql_test_pool(&(struct hr_mysql_options){.url = urls[i], .password = "s3cret/@:"});
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        ASSERT_STR(mysql_test_value(conn, "SELECT DATABASE()", HR_NO_ARGS), "test");
        ASSERT_TRUE(hr_mysql_is_mariadb(conn));
        ASSERT_TRUE(hr_mysql_has_bulk(conn));
        ASSERT_TRUE(hr_mysql_version(conn) >= 100300);
        ASSERT_EQ(hr_mysql_max_packet(conn), mysql_test_number("SELECT @@max_allowed_packet"));
        hr_mysql_release(conn);
        mysql_test_done(pool);
    }
}

static void refused(const char *url, const char *password, int native, const char *state)
{
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url, .password = password});
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, native);
    ASSERT_STR(hr_last_error()->state, state);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(conn == NULL);
    mysql_test_done(pool);
}

TEST_REAL(mysql_says_who_was_refused_and_why_23_1)
{
    char url[160];
    const char *path = mariadb_server_shared()->socket;
    snprintf(url, sizeof(url), "mysql://app@/test?socket=%s", path);
    refused(url, "wrong", 1045, "28000");
    snprintf(url, sizeof(url), "mysql://app@/nosuch?socket=%s", path);
    refused(url, "s3cret/@:", 1049, "42000");
}

TEST_REAL(mysql_that_is_not_there_is_not_connected)
{
    const char *urls[] = {"mysql://app@/test?socket=/nonexistent/socket",
                          "mysql://app@127.0.0.1:1/test", "mysql://app@no.such.invalid/test"};
    const int natives[] = {2002, 2003, 2003};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = urls[i]});
        hr_mysql_conn *conn = NULL;
        ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
        ASSERT_EQ(hr_last_error()->native, natives[i]);
        ASSERT_FALSE(hr_last_error()->sent);
        mysql_test_done(pool);
    }
}

TEST_PLAIN(a_mysql_url_is_checked_before_anything_else)
{
    const char *bad[] = {"redis://localhost", "mysql://user@host:port/x", "", "mysql:"};
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        ASSERT_TRUE(hr_mysql_pool_new(&(struct hr_mysql_options){.url = bad[i]}) == NULL);
        ASSERT_EQ(hr_last_error()->code, -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, "url") != NULL);
    }
}

/* The session is what the header promises, whatever the server's defaults. */

TEST_REAL(mysql_sessions_are_set_up_as_promised)
{
    mariadb_server_sql(mariadb_server_shared(),
                       "SET GLOBAL sql_mode = '', GLOBAL tx_isolation = 'SERIALIZABLE', "
                       "GLOBAL time_zone = '+05:00', GLOBAL autocommit = 0, "
                       "GLOBAL init_connect = 'SET NAMES latin1'");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){
        .wait_timeout = hr_seconds(77), .write_timeout = hr_ms(4500), .lock_wait = hr_seconds(3)});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_STR(mysql_test_value(conn,
                                "SELECT CONCAT_WS('|', @@tx_isolation, @@time_zone, "
                                "@@autocommit + 0, @@wait_timeout, "
                                "@@idle_write_transaction_timeout, "
                                "@@innodb_lock_wait_timeout, @@character_set_client, "
                                "@@character_set_results, @@character_set_connection)",
                                HR_NO_ARGS),
               "READ-COMMITTED|+00:00|1|77|5|3|utf8mb4|utf8mb4|utf8mb4");
    const char *mode = mysql_test_value(conn, "SELECT @@sql_mode", HR_NO_ARGS);
    ASSERT_TRUE(strstr(mode, "STRICT_ALL_TABLES") != NULL);
    ASSERT_TRUE(strstr(mode, "NO_ENGINE_SUBSTITUTION") != NULL);
    ASSERT_TRUE(strstr(mode, "NO_BACKSLASH_ESCAPES") == NULL);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(),
                       "SET GLOBAL sql_mode = DEFAULT, GLOBAL tx_isolation = DEFAULT, "
                       "GLOBAL time_zone = DEFAULT, GLOBAL autocommit = 1, "
                       "GLOBAL init_connect = ''");
}

TEST_REAL(mysql_refuses_what_does_not_fit_instead_of_bending_it)
{
    mysql_test_table("i TINYINT, s VARCHAR(3), d DATE, n DECIMAL(10,2)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const struct {
        const char *sql;
        int native;
    } bad[] = {
        {"INSERT INTO t (i) VALUES (300)",          1264},
        {"INSERT INTO t (s) VALUES ('four')",       1406},
        {"INSERT INTO t (d) VALUES ('2026-02-30')", 1292},
        {"INSERT INTO t (d) VALUES ('0000-00-00')", 1292},
        {"INSERT INTO t (i) VALUES ('x')",          1366},
        {"INSERT INTO t (i) VALUES (1 / 0)",        1365},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        ASSERT_ERR(hr_mysql_exec(conn, bad[i].sql, HR_NO_ARGS), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, bad[i].native);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 0);
}

/* Statements and errors. */

TEST_REAL(mysql_errors_carry_number_state_and_text_and_spare_the_connection_23_5)
{
    mysql_test_table("id INT PRIMARY KEY");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (1)", HR_NO_ARGS), 1);
    for (int prepared = 0; prepared < 2; prepared++) {
        struct hr_mysql_args args = prepared ? HR_ARGS(hr_i(1)) : HR_NO_ARGS;
        const char *sql = prepared ? "INSERT INTO t VALUES (?)" : "INSERT INTO t VALUES (1)";
        ASSERT_ERR(hr_mysql_exec(conn, sql, args), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        ASSERT_STR(hr_last_error()->state, "23000");
        ASSERT_STR(hr_last_error()->message, "Duplicate entry '1' for key 'PRIMARY'");
        ASSERT_TRUE(hr_last_error()->sent);
    }
    ASSERT_ERR(hr_mysql_exec(conn, "SELEC 1", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1064);
    ASSERT_ERR(hr_mysql_exec(conn, "SELECT * FROM nosuch WHERE a = ?", HR_ARGS(hr_i(1))),
               HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1146);
    ASSERT_STR(mysql_test_value(conn, "SELECT 'alive'", HR_NO_ARGS), "alive");
    hr_mysql_release(conn);

    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    ASSERT_EQ(stats.idle, 1);
    mysql_test_done(pool);
}

TEST_REAL(mysql_exec_returns_affected_rows_and_the_id_it_made)
{
    mysql_test_table("id INT AUTO_INCREMENT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (v) VALUES (1), (2), (3)", HR_NO_ARGS), 3);
    ASSERT_EQ(hr_mysql_last_insert_id(conn), 1);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (v) VALUES (?)", HR_ARGS(hr_i(4))), 1);
    ASSERT_EQ(hr_mysql_last_insert_id(conn), 4);
    ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = 2", HR_NO_ARGS), 3);
    ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = ?", HR_ARGS(hr_i(2))), 0);
    ASSERT_EQ(hr_mysql_exec(conn, "DELETE FROM t WHERE id < ?", HR_ARGS(hr_i(3))), 2);
    ASSERT_EQ(hr_mysql_exec(conn, "SELECT * FROM t", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_exec(conn, "SELECT * FROM t WHERE id > ?", HR_ARGS(hr_i(0))), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_quote_in_an_argument_cannot_change_the_statement_23_4)
{
    mysql_test_table("s VARCHAR(100)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const char *evil = "'); DROP TABLE t; -- \\' \" ` % ?";
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_s(evil))), 1);
    ASSERT_STR(mysql_test_value(conn, "SELECT s FROM t", HR_NO_ARGS), evil);
    ASSERT_ERR(hr_mysql_exec(conn, "SELECT 1; DROP TABLE t", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1064);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(mysql_arguments_are_counted)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "SELECT ?, ?", HR_ARGS(hr_i(1))), -EINVAL);
    ASSERT_STR(hr_last_error()->message,
               "the statement has 2 question marks, and 1 values are given");
    ASSERT_STR(mysql_test_value(conn, "SELECT ? + ?", HR_ARGS(hr_i(1), hr_i(2))), "3");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* Values. */

TEST_REAL(mysql_values_come_back_as_they_were_given_23_3)
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

TEST_REAL(mysql_text_is_the_same_with_and_without_arguments_23_3)
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

TEST_REAL(mysql_rows_over_16_mib_are_put_together_23_10)
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

/* Prepared statements. */

TEST_REAL(prepared_statements_are_kept_and_the_least_used_go)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    char sql[64];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            snprintf(sql, sizeof(sql), "SELECT ? + %d", i);
            ASSERT_EQ(atoi(mysql_test_value(conn, sql, HR_ARGS(hr_i(round)))), round + i);
        }
    }
    ASSERT_EQ(conn->stmts.count, 10);
    ASSERT_STR(mysql_test_value(conn,
                                "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS "
                                "WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'",
                                HR_NO_ARGS),
               "10");
    for (int i = 0; i < 100; i++) {
        snprintf(sql, sizeof(sql), "SELECT ? * %d", i);
        ASSERT_EQ(atoi(mysql_test_value(conn, sql, HR_ARGS(hr_i(2)))), 2 * i);
        ASSERT_STR(mysql_test_value(conn, "SELECT ? + 0", HR_ARGS(hr_i(1))), "1");
    }
    ASSERT_EQ(conn->stmts.count, HR__MYSQL_STMTS_MAX);
    ASSERT_STR(mysql_test_value(conn,
                                "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS "
                                "WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'",
                                HR_NO_ARGS),
               "110");
    hr_mysql_release(conn);
    mysql_test_done(pool);
    mysql_test_until("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
                     "WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'",
                     0);
}

TEST_REAL(a_prepared_statement_survives_a_change_of_its_table)
{
    mysql_test_table("a INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (a) VALUES (?)", HR_ARGS(hr_i(1))), 1);
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a BIGINT, ADD b INT");
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t (a) VALUES (?)", HR_ARGS(hr_i(INT64_MAX))), 1);
    ASSERT_STR(mysql_test_value(conn, "SELECT MAX(a) FROM t", HR_NO_ARGS), "9223372036854775807");
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

/* The loop goes on meanwhile. */

static int sleep_a_second(void *arg)
{
    hr_mysql_conn *conn = mysql_test_acquire(arg);
    int r = hr_mysql_exec(conn, "DO SLEEP(0.5)", HR_NO_ARGS);
    hr_mysql_release(conn);
    return r;
}

struct ticker {
    hr_usec worst;
    int ticks;
};

static int tick(void *arg)
{
    struct ticker *ticker = arg;
    hr_usec last = hr_now();
    while (hr_sleep(hr_ms(10)) == 0) {
        hr_usec now = hr_now();
        if (now - last > ticker->worst)
            ticker->worst = now - last;
        last = now;
        ticker->ticks++;
    }
    return 0;
}

TEST_REAL(mysql_statements_run_side_by_side_while_the_loop_keeps_its_rate_23_9)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    struct ticker ticker = {0};
    hr_task *ticking = hr_create_task("ticker", tick, &ticker);
    hr_usec start = hr_now();
    struct hr_futures sleepers = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&sleepers, hr_create_task("sleeper", sleep_a_second, pool));
    ASSERT_ERR(hr_gather(&sleepers, 0), 0);
    hr_futures_done(&sleepers);
    hr_usec took = hr_now() - start;
    hr_task_cancel(ticking, NULL);
    ASSERT_ERR(hr_join(ticking), 0);
    ASSERT_TRUE(took >= hr_ms(500));
    ASSERT_TRUE(took < hr_ms(1400)); /* three in a row would take 1.5 s */
    ASSERT_TRUE(ticker.ticks >= 20);
    ASSERT_TRUE(ticker.worst < hr_ms(250));
    mysql_test_done(pool);
}

/* The pool. */

struct queued {
    hr_mysql_pool *pool;
    int *order, *next, number;
};

static int take_turn(void *arg)
{
    struct queued *q = arg;
    hr_mysql_conn *conn = mysql_test_acquire(q->pool);
    q->order[(*q->next)++] = q->number;
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    return 0;
}

TEST_REAL(borrowers_wait_their_turn_for_a_limited_number_of_connections_23_8)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *first = mysql_test_acquire(pool);
    int order[5], next = 0;
    struct queued queued[5];
    struct hr_futures tasks = {0};
    for (int i = 0; i < 5; i++) {
        queued[i] = (struct queued){pool, order, &next, i};
        hr_futures_add(&tasks, hr_create_task("borrower", take_turn, &queued[i]));
    }
    test_passes(3);
    ASSERT_EQ(next, 0);
    hr_mysql_release(first);
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    hr_futures_done(&tasks);
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(order[i], i);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, 1);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), HR_ECLOSED);
    hr_mysql_pool_free(pool);
}

static int slow_statement(void *arg)
{
    return hr_mysql_exec(arg, "DO SLEEP(0.2)", HR_NO_ARGS);
}

TEST_REAL(a_mysql_connection_serves_one_task_at_a_time)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_task *other = hr_create_task("other", slow_statement, conn);
    test_passes(2);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -EBUSY);
    ASSERT_ERR(hr_join(other), 0);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(the_stack_that_mysql_needs_is_small)
{
    mysql_test_table("id INT PRIMARY KEY, s VARCHAR(20)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    struct hr_task_options options = {.name = "small", .stack_size = 64 << 10};
    hr_task *task = hr_create_task_with(&options, sleep_a_second, pool);
    ASSERT_ERR(hr_join(task), 0);
    mysql_test_done(pool);
}
