/* SPDX-License-Identifier: MIT */
/*
 * How a connection begins and ends: socket, login, session.
 *
 * The socket is connected here and lent to libmariadb, which only logs in on it. Everything the
 * session needs is then set by one SET statement, and what we want to know is asked by a SHOW
 * sent along with it, so a session costs one round trip after the login. All of it outlives the
 * pool's reset, which is a ROLLBACK: mysql_reset_connection() would drop prepared statements too.
 */
#include "drivers/mysql/conn.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/dial.h"
#include "drivers/mysql/call.h"
#include "drivers/mysql/result.h"
#include "drivers/tls_impl.h"

/* Ways to log in that never show the password to the server or to who listens. */
#define AUTH_PLUGINS                                                                               \
    "mysql_native_password,caching_sha2_password,client_ed25519,parsec,auth_gssapi_client"

/* A packet of a result may be longer than its bytes by the lengths of its columns. */
#define PACKET_SLACK (1 << 20)

static int no_connection(const struct hr__mysql_host *host, const char *why)
{
    return hr_fail_native(-ENOTCONN, host->port ? CR_CONN_HOST_ERROR : CR_CONNECTION_ERROR, "HY000",
                          NULL, false, "mysql %s: %s", host->name, why);
}

/* The record, with the server's name. */
static int refused(const struct hr__mysql_host *host)
{
    struct hr_error said = *hr_last_error();
    return hr_fail_native(HR_EREPLY, said.native, said.state, NULL, said.sent, "mysql %s: %s",
                          host->name, said.message);
}

static int set_options(const struct hr__mysql_server *server, MYSQL *m)
{
    const my_bool no = 0;
    const unsigned int could_load = 1; /* and may not, from the login on: mysql/load.c */
    const unsigned int protocol = server->url.socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    const size_t packet = server->max_result + PACKET_SLACK;
    return mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4") ||
           mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &could_load) ||
           mysql_options(m, MYSQL_OPT_RECONNECT, &no) ||
           mysql_options(m, MYSQL_OPT_PROTOCOL, &protocol) ||
           mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &no) || /* mysql/wait.c does it */
           mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no) ||
           (server->url.compress && mysql_options(m, MYSQL_OPT_COMPRESS, NULL)) ||
           mysql_options(m, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet) ||
           mysql_options(m, MARIADB_OPT_RESTRICTED_AUTH, AUTH_PLUGINS) ||
           mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "headrace");
}

static hr_async int log_in(hr_mysql_conn *conn)
{
    const struct hr__mysql_server *server = conn->server;
    const struct hr_url *url = &server->url;
    conn->mysql = mysql_init(NULL);
    if (!conn->mysql || set_options(server, conn->mysql))
        return hr_fail(-ENOMEM, "mysql %s: no memory for a connection", conn->host->name);

    unsigned long flags =
        CLIENT_MULTI_RESULTS | (server->multi_statements ? CLIENT_MULTI_STATEMENTS : 0);
    conn->wait.tls = server->tls;
    conn->wait.host = conn->host->host;
    hr__mysql_wait_lend(&conn->wait);
    MYSQL *m = mysql_real_connect(conn->mysql, conn->host->host, url->user ? url->user : "",
                                  server->password ? server->password : "", url->database,
                                  conn->host->port, url->socket, flags);
    hr__mysql_wait_lend(NULL);
    conn->wait.logging_in = false;
    if (m) {
        const unsigned int no_files = 0;
        mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &no_files);
        return 0;
    }

    /* Whatever was sent, it was no statement. */
    conn->wait.heard = false;
    if (conn->wait.why[0])
        return no_connection(conn->host, conn->wait.why);
    int r = hr__mysql_error(conn);
    return r == HR_EREPLY ? refused(conn->host) : r;
}

static void learn_server(hr_mysql_conn *conn)
{
    unsigned long capabilities = 0;
    conn->is_mariadb = mariadb_connection(conn->mysql);
    conn->version = (unsigned)mysql_get_server_version(conn->mysql);
    mariadb_get_infov(conn->mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities);
    if (!conn->is_mariadb)
        capabilities = 0;
    conn->has_bulk = (capabilities & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
    conn->repeats_no_columns = (capabilities & (MARIADB_CLIENT_CACHE_METADATA >> 32)) != 0;
}

static unsigned whole_seconds(hr_usec span)
{
    hr_usec s = span / hr_seconds(1) + (span % hr_seconds(1) != 0);
    return s > 31536000 ? 31536000 : (unsigned)s;
}

static void session_sql(const hr_mysql_conn *conn, char *sql, size_t size)
{
    const struct hr__mysql_server *server = conn->server;
    bool old_name = conn->is_mariadb && conn->version < 110101;
    int n = snprintf(sql, size,
                     "SET NAMES utf8mb4, autocommit = 1, time_zone = '+00:00', "
                     "sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,"
                     "NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', "
                     "%s = 'READ-COMMITTED', wait_timeout = %u",
                     old_name ? "tx_isolation" : "transaction_isolation",
                     whole_seconds(server->wait_timeout));
    if (server->write_timeout > 0 && conn->is_mariadb && conn->version >= 100300)
        n += snprintf(sql + n, size - (size_t)n, ", idle_write_transaction_timeout = %u",
                      whole_seconds(server->write_timeout));
    if (server->lock_wait > 0)
        n += snprintf(sql + n, size - (size_t)n,
                      ", innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, %u), "
                      "lock_wait_timeout = LEAST(@@lock_wait_timeout, %u)",
                      whole_seconds(server->lock_wait), whole_seconds(server->lock_wait));
    if (server->statement_time > 0 && conn->is_mariadb && conn->version >= 100101)
        snprintf(sql + n, size - (size_t)n,
                 ", max_statement_time = LEAST(%lld.%06lld, "
                 "IF(@@max_statement_time > 0, @@max_statement_time, 31536000))",
                 (long long)(server->statement_time / 1000000),
                 (long long)(server->statement_time % 1000000));
}

/* By name, as a server need not have all of them. */
static void note_variable(hr_mysql_conn *conn, const char *name, const char *value)
{
    if (!name || !value)
        return;
    if (strcmp(name, "max_allowed_packet") == 0)
        conn->max_packet = strtoull(value, NULL, 10);
    else if (strcmp(name, "innodb_rollback_on_timeout") == 0)
        conn->timeout_ends = strcmp(value, "ON") == 0;
    else if (strstr(name, "read_only")) /* the server, its tables, transactions by default */
        conn->read_only |= strcmp(value, "OFF") != 0;
    if (strcmp(name, "tx_read_only") == 0 || strcmp(name, "transaction_read_only") == 0)
        conn->begins_read_only = strcmp(value, "OFF") != 0;
}

static hr_async int set_up_session(hr_mysql_conn *conn)
{
    static const char ask[] = "SHOW SESSION VARIABLES WHERE Variable_name IN "
                              "('max_allowed_packet', 'innodb_rollback_on_timeout', "
                              "'read_only', 'innodb_read_only', 'tx_read_only', "
                              "'transaction_read_only')";
    char sql[640];
    session_sql(conn, sql, sizeof(sql));
    conn->max_packet = PACKET_SLACK;

    int r = hr__mysql_send_ahead(conn, sql);
    if (r < 0)
        return r;
    r = hr__mysql_text(conn, ask, strlen(ask));
    if (r < 0)
        return r;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    int n = hr__mysql_result_of_text(conn, &rows);
    if (n > 0 && hr_mysql_columns(rows) != 2) {
        conn->broken = true;
        return hr_fail(-EPROTO, "mysql %s: SHOW VARIABLES with %zu columns", conn->host->name,
                       hr_mysql_columns(rows));
    }
    for (int i = 0; i < n; i++)
        note_variable(conn, hr_mysql_text(rows, (size_t)i, 0, NULL),
                      hr_mysql_text(rows, (size_t)i, 1, NULL));
    return n < 0 ? n : 0;
}

/* The library's memory goes in this order: after mysql_close() statements know that their server is
 * gone, and freeing them sends nothing. */
static hr_mysql_conn *conn_free(hr_mysql_conn *conn)
{
    if (!conn)
        return NULL;
    conn->wait.silent = true;
    mysql_close(conn->mysql);
    hr__mysql_stmts_done(&conn->stmts);
    hr__mysql_wait_close(&conn->wait);
    hr__mysql_server_unref(conn->server);
    free(conn);
    return NULL;
}

static void conn_freep(hr_mysql_conn **conn)
{
    *conn = conn_free(*conn);
}

static hr_async int dial(const hr_mysql_conn *conn, hr_usec limit, int *ret)
{
    struct hr_url url = conn->server->url;
    url.host = (char *)conn->host->host;
    url.port = conn->host->port;
    int r = hr__dial(&url, limit, ret);
    return r >= 0 || r == -ECANCELED ? r : no_connection(conn->host, hr_error_message(r));
}

static hr_async int open_within_limit(hr_mysql_conn *conn, hr_usec limit)
{
    int fd;
    int r = dial(conn, limit, &fd);
    if (r < 0)
        return r;
    r = hr__mysql_wait_open(&conn->wait, fd);
    if (r < 0)
        return hr_fail(r, "mysql %s: no memory to watch a socket", conn->host->name);
    r = log_in(conn);
    if (r < 0)
        return r;
    hr__mysql_stmts_attach(conn);
    learn_server(conn);
    return set_up_session(conn);
}

int hr__mysql_open_host(struct hr__mysql_server *server, struct hr__mysql_host *host, hr_usec span,
                        hr_mysql_conn **ret)
{
    hr_auto(conn_freep) hr_mysql_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return hr_fail(-ENOMEM, "mysql %s: no memory for a connection", host->name);
    conn->server = server;
    server->refs++;
    conn->host = host;
    conn->wait.wire.fd = -1;
    hr__mysql_stmts_init(&conn->stmts);
    hr_list_init(&conn->cursors);

    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, span);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, open_within_limit(conn, span));
    if (r == -ETIMEDOUT) {
        char why[64];
        (void)snprintf(why, sizeof(why), "cannot connect: no answer within %.10g ms",
                       (double)span / 1000);
        return no_connection(host, why);
    }
    if (r == HR_ELOST) /* a session was being set up: nothing of the caller's was sent */
        return no_connection(host, "cannot connect: it was lost while it was set up");
    if (r == -ECANCELED)
        return hr_fail(r, "mysql %s: cancelled while connecting", host->name);
    if (r < 0)
        return r;
    *ret = hr_take(conn);
    return 0;
}

static hr_async int open_fit(struct hr__mysql_server *server, struct hr__mysql_host *host,
                             hr_usec span, hr_mysql_conn **ret)
{
    hr_auto(conn_freep) hr_mysql_conn *conn = NULL;
    int r = hr__mysql_open_host(server, host, span, &conn);
    if (r < 0)
        return r;
    if (conn->read_only && server->primary)
        return hr_fail_native(-ENOTCONN, ER_OPTION_PREVENTS_STATEMENT, "HY000", NULL, false,
                              "mysql %s: it is read-only, and a primary is asked for", host->name);
    *ret = hr_take(conn);
    return 0;
}

/* Each host in turn may take an equal share of the time that is left, as addresses do (dial.c).
 * What the first one said is told, and of the others that they were tried. */
static hr_async int open_any(struct hr__mysql_server *server, hr_mysql_conn **ret)
{
    struct hr__mysql_host *order[HR_URL_HOSTS_MAX];
    hr_usec deadline = hr_later(hr_now(), server->connect_timeout);
    struct hr_error first = {0};
    size_t n = server->n_hosts;
    int r = 0;
    hr__mysql_server_order(server, order);
    for (size_t i = 0; i < n; i++) {
        hr_usec left = deadline - hr_now();
        r = open_fit(server, order[i], left / (hr_usec)(n - i), ret);
        if (r >= 0) {
            r = hr__mysql_server_choose(server, order[i]);
            break;
        }
        if (r == -ECANCELED || r == -ENOMEM)
            break;
        hr__mysql_host_avoid(order[i]);
        if (i == 0)
            hr_error_copy(&first, hr_last_error());
        if (i == n - 1 && n > 1)
            r = hr_fail_native(first.code, first.native, first.state, NULL, false,
                               "%s (nor any of the %zu hosts after it)", first.message, n - 1);
    }
    hr_error_done(&first);
    return r;
}

static hr_async int conn_open(void *driver, void **ret)
{
    struct hr__mysql_server *server = driver;
    int r = hr__mysql_wait_setup();
    if (r < 0)
        return hr_fail(r, "libmariadb %s cannot be used here", mysql_get_client_info());
    hr_mysql_conn *conn = NULL;
    server->refs++; /* the pool may be freed meanwhile */
    r = open_any(server, &conn);
    hr__mysql_server_unref(server);
    if (r >= 0)
        *ret = conn;
    return r;
}

static void conn_close(void *arg, bool polite)
{
    hr_mysql_conn *conn = arg;
    if (!polite && conn->wait.wire.fd >= 0)
        shutdown(conn->wait.wire.fd, SHUT_RDWR);
    conn_free(conn);
}

static hr_async int ping(hr_mysql_conn *conn)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, "a ping", conn->server->connect_timeout);
    if (r < 0)
        return r;
    r = hr__mysql_settle(conn, false);
    if (r == 0 && mysql_ping(conn->mysql))
        r = hr__mysql_error(conn);
    return hr__mysql_leave(&call, r);
}

/* While the pool is at it, whoever has given it back is told that it is busy. */
static hr_async int conn_ping(void *arg)
{
    hr_mysql_conn *conn = arg;
    conn->given_back = false;
    int r = ping(conn);
    conn->given_back = true;
    return r;
}

#define ISOLATION "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"

static hr_async int reset(hr_mysql_conn *conn)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, "ROLLBACK", 0);
    if (r < 0)
        return r;
    r = hr__mysql_run(conn, "ROLLBACK");
    if (r >= 0 && conn->altered) {
        r = hr__mysql_run(conn, conn->begins_read_only ? ISOLATION : ISOLATION ", READ WRITE");
        conn->altered = r < 0;
    }
    return hr__mysql_leave(&call, r);
}

static hr_async int conn_reset(void *arg)
{
    hr_mysql_conn *conn = arg;
    conn->given_back = false;
    int r = reset(conn);
    conn->given_back = true;
    return r;
}

static bool conn_alive(void *arg)
{
    const hr_mysql_conn *conn = arg;
    return !conn->broken && hr__wire_quiet(&conn->wait.wire);
}

static void conn_cut(void *arg)
{
    const hr_mysql_conn *conn = arg;
    if (conn->wait.wire.fd >= 0)
        shutdown(conn->wait.wire.fd, SHUT_RDWR);
}

const struct hr_conn_ops hr__mysql_conn_ops = {
    .name = "mysql",
    .open = conn_open,
    .close = conn_close,
    .ping = conn_ping,
    .reset = conn_reset,
    .alive = conn_alive,
    .cut = conn_cut,
};
