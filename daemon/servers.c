/* SPDX-License-Identifier: MIT */
#include "daemon/servers.h"

#include "core/timeout.h"
#include "daemon/log.h"

/* What closing the connections to one server may take. */
#define CLOSE_AT_MOST hr_seconds(2)

/* Bytes of a dead letter besides its payload, and what may wait to be sent in any case. */
#define LETTER_BESIDES ((size_t)8 * 1024)
#define COMMAND_LEAST  ((size_t)16 << 20)

struct server *servers_find(const struct servers *servers, const struct server_conf *conf)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (servers->items[i].conf == conf)
            return &servers->items[i];
    }
    return NULL;
}

/* The longest lease of the jobs that write to this server bounds how long a silent session lives.
 */
static hr_usec longest_lease(const struct settings *settings, const struct server_conf *conf)
{
    hr_usec longest = 0;
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const struct job_conf *job = &settings->jobs[i];
        if (job->sink.server == conf && job->source.lease > longest)
            longest = job->source.lease;
    }
    return longest;
}

/* The longest command is an acknowledgement of nothing but dead letters, each with the item's
 * payload, of which JSON may need six bytes for one. It has to get through, however long it is. */
static size_t longest_command(const struct settings *settings)
{
    size_t longest = 0;
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const struct job_conf *job = &settings->jobs[i];
        size_t payloads = job->sink.batch_bytes + job->source.max_payload;
        size_t length = 6 * payloads + job->sink.batch_rows * LETTER_BESIDES;
        longest = length > longest ? length : longest;
    }
    return longest > COMMAND_LEAST ? longest : COMMAND_LEAST;
}

/* How long the server keeps a silent session: long enough for the leases, and shorter than any
 * ledger that these jobs keep, or a frozen owner could outlive its batch's row. */
static hr_usec wait_timeout(const struct settings *settings, const struct server_conf *conf,
                            hr_usec lease)
{
    hr_usec wait = settings_session_wait(lease);
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const struct job_conf *job = &settings->jobs[i];
        if (job->sink.server == conf && job->delivery == EXACTLY_ONCE &&
            wait > job->ledger_keep / 2)
            wait = job->ledger_keep / 2;
    }
    return wait;
}

/* How long a statement waits for locks: it is told so before the transaction's time is up, which
 * then means that the statement itself is slow. */
static hr_usec lock_wait(const struct settings *settings, const struct server_conf *conf)
{
    hr_usec shortest = conf->command_timeout;
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const struct job_conf *job = &settings->jobs[i];
        if (job->sink.server == conf && job->timeout < shortest)
            shortest = job->timeout;
    }
    return shortest / 2;
}

/* How long a statement may take at the server: none of the jobs waits any longer. */
static hr_usec statement_time(const struct settings *settings, const struct server_conf *conf)
{
    hr_usec longest = 0;
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const struct job_conf *job = &settings->jobs[i];
        if (job->sink.server == conf && job->timeout > longest)
            longest = job->timeout;
    }
    return longest < conf->command_timeout ? longest : conf->command_timeout;
}

/* Rests between attempts to connect. After an outage nothing is taken over until the taker's
 * connection has been up for one lease (recover.c): by then the living have to be back and to have
 * renewed. */
static struct hr_backoff reconnect(const struct settings *settings, const struct server_conf *conf)
{
    hr_usec longest = hr_seconds(5);
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const struct source_conf *source = &settings->jobs[i].source;
        if (source->server == conf && source->lease > 0 && source->lease / 8 < longest)
            longest = source->lease / 8;
    }
    return (struct hr_backoff){
        .first = longest < hr_ms(100) ? longest : hr_ms(100),
        .max = longest,
        .factor = 2,
        .jitter = true,
    };
}

static int open_server(const struct settings *settings, const struct server_conf *conf,
                       struct server *ret)
{
    struct server server = {.conf = conf};
    if (conf->kind == SERVER_REDIS) {
        server.redis = hr_redis_new(&(struct hr_redis_options){
            .url = conf->url,
            .user = conf->user,
            .password = conf->password,
            .tls = conf->tls,
            .client_name = "headraced",
            .connections = conf->connections,
            .connect_timeout = conf->connect_timeout,
            .command_timeout = conf->command_timeout,
            .reconnect = reconnect(settings, conf),
            .max_pending = longest_command(settings),
        });
    } else {
        hr_usec lease = longest_lease(settings, conf);
        server.mysql = hr_mysql_pool_new(&(struct hr_mysql_options){
            .url = conf->url,
            .user = conf->user,
            .password = conf->password,
            .tls = conf->tls,
            .connections = conf->connections,
            .connect_timeout = conf->connect_timeout,
            .query_timeout = conf->command_timeout,
            /* Both free the ledger key of an owner that is frozen or unreachable (protocol.md 3).
             */
            .wait_timeout = wait_timeout(settings, conf, lease),
            .write_timeout = lease,
            .lock_wait = lock_wait(settings, conf),
            .statement_time = statement_time(settings, conf),
        });
    }
    if (!server.redis && !server.mysql)
        return hr_fail_because(-EINVAL, "server %s: %s", conf->name, hr_last_error()->message);
    *ret = server;
    return 0;
}

int servers_open(struct servers *servers, const struct settings *settings)
{
    servers->items = calloc(settings->n_servers + 1, sizeof(*servers->items));
    if (!servers->items)
        return hr_fail(-ENOMEM, "opening servers: out of memory");
    for (; servers->count < settings->n_servers; servers->count++) {
        int r = open_server(settings, &settings->servers[servers->count],
                            &servers->items[servers->count]);
        if (r < 0)
            return r;
    }
    return 0;
}

void servers_close(struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        struct server *server = &servers->items[i];
        struct hr_timeout limit = {0};
        int r = hr_timeout_enter(&limit, CLOSE_AT_MOST);
        if (r >= 0 && server->redis)
            r = hr_redis_close(server->redis);
        if (r >= 0 && server->mysql)
            r = hr_mysql_pool_close(server->mysql);
        r = hr_timeout_leave(&limit, r);
        if (r < 0)
            log_debug("server %s: closing: %s", server->conf->name, hr_error_message(r));
        hr_redis_free(server->redis);
        hr_mysql_pool_free(server->mysql);
    }
    free(servers->items);
}
