/* SPDX-License-Identifier: MIT */
#include "drivers/mysql/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/resolve.h"
#include "drivers/tls_impl.h"

#define MAX_RESULT       ((size_t)64 << 20)
#define MAX_RESULT_LEAST ((size_t)64 << 10) /* our own questions have to fit */
#define AVOID_FOR        hr_seconds(10)

static hr_usec or_default(hr_usec span, hr_usec otherwise)
{
    return span > 0 ? span : otherwise;
}

static int copy_text(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? hr_fail(-ENOMEM, "mysql: no memory for a pool") : 0;
}

static void name_host(struct hr__mysql_host *host, const char *socket)
{
    if (socket)
        snprintf(host->name, sizeof(host->name), "%s", socket);
    else
        snprintf(host->name, sizeof(host->name), strchr(host->host, ':') ? "[%s]:%u" : "%s:%u",
                 host->host, host->port);
}

static int list_hosts(struct hr__mysql_server *server)
{
    const struct hr_url *url = &server->url;
    server->hosts = calloc(url->n_others + 1, sizeof(*server->hosts));
    if (!server->hosts)
        return hr_fail(-ENOMEM, "mysql: no memory for a pool");
    for (size_t i = 0; i <= url->n_others; i++) {
        struct hr__mysql_host *host = &server->hosts[server->n_hosts++];
        host->host = i == 0 ? url->host : url->others[i - 1].host;
        host->port = i == 0 ? url->port : url->others[i - 1].port;
        if (url->socket)
            host->port = 0;
        name_host(host, url->socket);
    }
    server->primary =
        url->role == HR_URL_PRIMARY || (url->role == HR_URL_ROLE_UNSAID && server->n_hosts > 1);
    return 0;
}

static int parse_url(struct hr__mysql_server *server, const struct hr_mysql_options *options)
{
    const char *what = "it is missing";
    size_t offset = 0;
    int r = options->url
                ? hr_url_parse_for(HR_URL_MYSQLS, options->url, &server->url, &what, &offset)
                : -EINVAL;
    if (r == -ENOMEM)
        return hr_fail(r, "mysql: no memory for a pool");
    if (r < 0)
        return hr_fail(r, "mysql: the url is wrong at character %zu: %s", offset + 1, what);
    if (hr_url_set_user(&server->url, options->user) < 0)
        return hr_fail(-ENOMEM, "mysql: no memory for a pool");
    return copy_text(options->password ? options->password : server->url.password,
                     &server->password);
}

static void server_unrefp(struct hr__mysql_server **server)
{
    *server = hr__mysql_server_unref(*server);
}

struct hr__mysql_server *hr__mysql_server_new(const struct hr_mysql_options *options)
{
    hr_auto(server_unrefp) struct hr__mysql_server *server = calloc(1, sizeof(*server));
    if (!server) {
        (void)hr_fail(-ENOMEM, "mysql: no memory for a pool");
        return NULL;
    }
    server->refs = 1;
    if (parse_url(server, options) < 0 || list_hosts(server) < 0 ||
        hr__tls_context_new(&server->url, &options->tls, &server->tls) < 0)
        return NULL;
    server->connect_timeout = or_default(options->connect_timeout, hr_seconds(3));
    server->query_timeout = or_default(options->query_timeout, hr_seconds(30));
    server->wait_timeout = or_default(options->wait_timeout, hr_seconds(60));
    server->write_timeout = options->write_timeout;
    server->lock_wait = options->lock_wait;
    server->statement_time = options->statement_time;
    server->max_result = options->max_result ? options->max_result : MAX_RESULT;
    if (server->max_result < MAX_RESULT_LEAST)
        server->max_result = MAX_RESULT_LEAST;
    server->statements = options->statements;
    server->multi_statements = options->multi_statements;
    server->kill_query = options->kill_query;
    return hr_take(server);
}

struct hr__mysql_server *hr__mysql_server_unref(struct hr__mysql_server *server)
{
    if (server && --server->refs == 0) {
        hr_url_done(&server->url);
        if (server->password)
            explicit_bzero(server->password, strlen(server->password));
        free(server->password);
        free(server->hosts);
        hr__tls_context_free(server->tls);
        free(server);
    }
    return NULL;
}

void hr__mysql_server_order(struct hr__mysql_server *server, struct hr__mysql_host *ret[])
{
    hr_usec now = hr_now();
    size_t n = 0;
    for (int avoided = 0; avoided <= 1; avoided++) {
        for (size_t i = 0; i < server->n_hosts; i++) {
            struct hr__mysql_host *host = &server->hosts[i];
            if ((host->avoided_till > now) == avoided)
                ret[n++] = host;
        }
    }
}

void hr__mysql_host_avoid(struct hr__mysql_host *host)
{
    host->avoided_till = hr_later(hr_now(), AVOID_FOR);
    if (host->host)
        hr_resolve_forget(host->host);
}

bool hr__mysql_server_choose(struct hr__mysql_server *server, struct hr__mysql_host *host)
{
    bool moved = server->primary && server->chosen && server->chosen != host;
    server->chosen = host;
    host->avoided_till = 0;
    return moved;
}
