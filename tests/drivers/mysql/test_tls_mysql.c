/* SPDX-License-Identifier: MIT */
/*
 * MySQL over TLS: who is accepted and who is not, and that nothing blocks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/mysql/mysql_test.h"
#include "tests/support/certificates.h"

#define ASSERT_SAYS(part) ASSERT_TRUE(strstr(hr_last_error()->message, part))

static hr_mysql_pool *pool_of(const char *host, const struct hr_tls_options *tls)
{
    char url[160];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@%s:%u/test", host,
             mysql_test_tls_server()->port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long a start takes */
    return mysql_test_pool(&(struct hr_mysql_options){
        .url = url, .tls = *tls, .connect_timeout = hr_seconds(20), .kill_query = true});
}

/* What becomes of a first loan. */
static int try(const char *host, const struct hr_tls_options *tls)
{
    hr_mysql_pool *pool = pool_of(host, tls);
    hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    if (r >= 0) {
        static const char cipher[] = "SELECT variable_value FROM information_schema.session_status"
                                     " WHERE variable_name = 'ssl_cipher'";
        ASSERT_TRUE(mysql_test_value(conn, cipher, HR_NO_ARGS)[0]);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
    return r;
}

TEST_REAL(a_mysql_server_is_verified)
{
    const char *ca = test_certificate("ca.pem"), *stranger = test_certificate("stranger.pem");
    ASSERT_ERR(try("localhost", &(struct hr_tls_options){.ca = ca}), 0);
    ASSERT_ERR(try("127.0.0.1", &(struct hr_tls_options){.ca = ca}), 0);
    ASSERT_ERR(try("localhost", &(struct hr_tls_options){.ca = stranger}), -ENOTCONN);
    ASSERT_ERR(try("localhost", &(struct hr_tls_options){HR_TLS_CA, .ca = stranger}), -ENOTCONN);
    ASSERT_ERR(try("localhost", &(struct hr_tls_options){.verify = HR_TLS_NONE}), 0);
}

TEST_TICKING(t12_a_mysql_server_is_verified_by_its_name)
{
    const char *ca = test_certificate("ca.pem");
    struct mariadb_server *server = mysql_test_tls_server();
    mysql_test_certificate("wrong.pem");
    mariadb_server_sql(server, "FLUSH SSL");
    int full = try("localhost", &(struct hr_tls_options){.ca = ca});
    int by_authority = try("localhost", &(struct hr_tls_options){HR_TLS_CA, .ca = ca});
    mysql_test_certificate("server.pem");
    mariadb_server_sql(server, "FLUSH SSL");
    ASSERT_ERR(full, -ENOTCONN);
    ASSERT_ERR(by_authority, 0);
}

TEST_REAL(a_server_without_tls_gets_no_plain_login)
{
    char url[160];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test?tls=none",
             mariadb_server_shared()->port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url});
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    ASSERT_SAYS("the server offers no TLS");
    mysql_test_done(pool);
}

TEST_TICKING(t1_a_slow_statement_through_tls_blocks_its_task_only)
{
    hr_mysql_pool *pool = pool_of("localhost", &(struct hr_tls_options){.verify = HR_TLS_NONE});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "DO SLEEP(0.5)", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* More than the socket takes at once: the library would wait for the wrong direction. */
TEST_TICKING(t3_s23_10_a_large_statement_goes_through_tls)
{
    hr_mysql_pool *pool = pool_of("localhost", &(struct hr_tls_options){.verify = HR_TLS_NONE});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const size_t size = (size_t)15 << 20;
    char *sql = malloc(size + 64);
    ASSERT_TRUE(sql);
    size_t n = (size_t)sprintf(sql, "DO LENGTH('");
    memset(sql + n, 'x', size);
    strcpy(sql + n + size, "')");
    ASSERT_ERR(hr_mysql_exec(conn, sql, HR_NO_ARGS), 0);
    free(sql);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_TICKING(t7_a_session_killed_while_it_idles_is_replaced_unseen_over_tls_too)
{
    hr_mysql_pool *pool = pool_of("localhost", &(struct hr_tls_options){.verify = HR_TLS_NONE});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    long long id = atoll(mysql_test_value(conn, "SELECT CONNECTION_ID()", HR_NO_ARGS));
    hr_mysql_release(conn);
    char sql[128];
    snprintf(sql, sizeof(sql), "KILL %lld", id);
    mariadb_server_sql(mysql_test_tls_server(), sql);
    snprintf(sql, sizeof(sql),
             "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id = %lld", id);
    while (mariadb_server_number(mysql_test_tls_server(), sql) > 0)
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    conn = mysql_test_acquire(pool);
    ASSERT_TRUE(atoll(mysql_test_value(conn, "SELECT CONNECTION_ID()", HR_NO_ARGS)) != id);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

static int use_pool(void *arg)
{
    hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(arg, &conn);
    if (r >= 0)
        r = hr_mysql_exec(conn, "DO LENGTH(?)", HR_ARGS(hr_s("text")));
    hr_mysql_release(conn);
    return r;
}

TEST_TICKING(t5_a_cancel_at_any_wait_of_a_login_over_tls_ends_it_and_leaks_nothing)
{
    int r = -ECANCELED;
    for (int n = 1; r == -ECANCELED; n++) {
        ASSERT_TRUE(n < 100);
        hr_mysql_pool *pool = pool_of("localhost", &(struct hr_tls_options){.verify = HR_TLS_NONE});
        mysql_test_cancel_at(n);
        r = hr_join(hr_create_task("user", use_pool, pool));
        mysql_test_cancel_at(0);
        mysql_test_done(pool);
    }
    ASSERT_ERR(r, 0);
}

/* Everything, over TLS. */

static hr_mysql_pool *tls_pool(void)
{
    return pool_of("localhost", &(struct hr_tls_options){.ca = test_certificate("ca.pem")});
}

TEST_TICKING(t5_everything_over_tls_can_be_cancelled_at_every_wait)
{
    mysql_test_everything_made(mysql_test_tls_server());
    mysql_test_cancel_everywhere(tls_pool);
}

TEST_TICKING(t16_everything_over_tls_runs_on_a_small_stack)
{
    mysql_test_everything_made(mysql_test_tls_server());
    hr_mysql_pool *pool = tls_pool();
    mysql_test_stack(pool);
    mysql_test_done(pool);
}
