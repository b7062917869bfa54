/* SPDX-License-Identifier: MIT */
/*
 * Pools of the shared servers, and cancels at any wait for them.
 */
#include "tests/drivers/mysql/mysql_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/drivers/waits.h"
#include "tests/support/certificates.h"

int mysql_test_cancel_at(int n)
{
    return test_cancel_at(n, TEST_WAITS_IO, NULL);
}

hr_mysql_pool *mysql_test_pool(const struct hr_mysql_options *options)
{
    struct hr_mysql_options o = options ? *options : (struct hr_mysql_options){0};
    char url[256];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@/test?socket=%s",
             mariadb_server_shared()->socket);
    if (!o.url)
        o.url = url;
    hr_mysql_pool *pool = hr_mysql_pool_new(&o);
    if (!pool)
        test_fail(__FILE__, __LINE__, "no pool: %s", hr_last_error()->message);
    return pool;
}

void mysql_test_done(hr_mysql_pool *pool)
{
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    hr_mysql_pool_free(pool);
}

void mysql_test_table(const char *columns)
{
    char sql[512];
    snprintf(sql, sizeof(sql), "DROP TABLE IF EXISTS t; CREATE TABLE t (%s) ENGINE=InnoDB",
             columns);
    mariadb_server_sql(mariadb_server_shared(), sql);
}

hr_mysql_conn *mysql_test_acquire(hr_mysql_pool *pool)
{
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), 0);
    return conn;
}

hr_mysql_tx *mysql_test_begin(hr_mysql_pool *pool)
{
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_begin(pool, &tx), 0);
    return tx;
}

void mysql_test_insert(hr_mysql_conn *conn, int id)
{
    ASSERT_EQ(hr_mysql_exec(conn, "INSERT INTO t VALUES (?)", HR_ARGS(hr_i(id))), 1);
}

hr_mysql_cursor *mysql_test_cursor(hr_mysql_conn *conn)
{
    hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    ASSERT_TRUE(cursor != NULL);
    return cursor;
}

const char *const mysql_test_seven[] = {
    "SELECT seq AS n, CONCAT('row ', seq) FROM seq_1_to_7",
    "SELECT seq AS n, CONCAT('row ', seq) FROM seq_1_to_7 WHERE seq > ?",
};

struct hr_mysql_args mysql_test_args(int way)
{
    static const struct hr_mysql_arg zero = {.type = HR_MYSQL_INT};
    return way ? (struct hr_mysql_args){&zero, 1} : HR_NO_ARGS;
}

long long mysql_test_number(const char *sql)
{
    return mariadb_server_number(mariadb_server_shared(), sql);
}

void mysql_test_until(const char *sql, long long wanted)
{
    for (int i = 0; i < 1000; i++) {
        if (mysql_test_number(sql) == wanted)
            return;
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    }
    test_fail(__FILE__, __LINE__, "%s: never became %lld", sql, wanted);
}

const char *mysql_test_value(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args)
{
    static char value[512];
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    ASSERT_ERR(hr_mysql_query(conn, &result, sql, args) < 0 ? hr_last_error()->code : 0, 0);
    ASSERT_TRUE(hr_mysql_rows(result) > 0);
    const char *text = hr_mysql_text(result, 0, 0, NULL);
    snprintf(value, sizeof(value), "%s", text ? text : "NULL");
    return value;
}

void mysql_test_certificate(const char *name)
{
    TICKER_EXCUSED();
    char command[256];
    snprintf(command, sizeof(command), "cp %s %s", test_certificate(name),
             test_certificate("present.pem"));
    ASSERT_EQ(system(command), 0);
}

struct mariadb_server *mysql_test_tls_server(void)
{
    static struct mariadb_server server;
    TICKER_EXCUSED(); /* the certificates take a while, too */
    if (!server.dir[0]) {
        char cert[128], key[128], ca[128];
        mysql_test_certificate("server.pem");
        snprintf(cert, sizeof(cert), "--ssl-cert=%s", test_certificate("present.pem"));
        snprintf(key, sizeof(key), "--ssl-key=%s", test_certificate("present.pem"));
        snprintf(ca, sizeof(ca), "--ssl-ca=%s", test_certificate("ca.pem"));
        const char *options[] = {cert, key, ca, "--max-allowed-packet=64M", NULL};
        mariadb_server_start(&server, 1, options);
    }
    return &server;
}
