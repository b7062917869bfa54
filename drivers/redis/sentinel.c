/* SPDX-License-Identifier: MIT */
/*
 * A list of sentinels, the one to ask first in front. Who fails goes to the end, so a dead one is
 * asked once and not at each connection; who told of a failover goes to the front, since the others
 * may not know it yet.
 *
 * Every question opens a connection of its own: they are rare, and a connection that is kept for
 * them would only be found broken on the day it is needed. One connection stays: that of the
 * subscription.
 */
#include "drivers/redis/sentinel.h"

#include <stdio.h>
#include <string.h>

#include "core/timeout.h"
#include "drivers/backoff.h"
#include "drivers/redis.h"
#include "drivers/tls_impl.h"

#define SENTINELS_MAX 32

/* A subscription that was silent for so long is asked whether it lives. */
#define PING_AFTER hr_seconds(5)

struct hr__redis_sentinel {
    struct hr__redis_target target; /* how a sentinel is reached; its url has no host of its own */
    char *master;
    char name[80]; /* of the client, for messages */
    struct hr__redis_address items[SENTINELS_MAX];
    size_t count;
    struct hr__redis_address found; /* where the master was the last time; port 0: not found yet */
    struct hr__redis_address news;  /* where it is now, as the subscription says; likewise */
    hr_event heard;                 /* news, or the subscription is lost */
};

static size_t index_of(const struct hr__redis_sentinel *sentinel,
                       const struct hr__redis_address *address)
{
    size_t i = 0;
    while (i < sentinel->count && !hr__redis_address_equals(&sentinel->items[i], address))
        i++;
    return i;
}

/* Moves it to a place, and those in between up or down by one. */
static void move_to(struct hr__redis_sentinel *sentinel, const struct hr__redis_address *address,
                    size_t to)
{
    struct hr__redis_address moving = *address;
    struct hr__redis_address *items = sentinel->items;
    size_t from = index_of(sentinel, &moving);
    if (from == sentinel->count)
        return;
    if (from < to)
        memmove(&items[from], &items[from + 1], (to - from) * sizeof(*items));
    else
        memmove(&items[to + 1], &items[to], (from - to) * sizeof(*items));
    items[to] = moving;
}

static void put_last(struct hr__redis_sentinel *sentinel, const struct hr__redis_address *address)
{
    move_to(sentinel, address, sentinel->count - 1);
}

/* One that is new goes to the end; when the list is full it is not needed. */
static void add(struct hr__redis_sentinel *sentinel, const char *host, int64_t port)
{
    struct hr__redis_address address;
    if (sentinel->count < SENTINELS_MAX && hr__redis_address_set(&address, host, port) &&
        index_of(sentinel, &address) == sentinel->count)
        sentinel->items[sentinel->count++] = address;
}

/* --- making one */

static int fill(struct hr__redis_sentinel *sentinel, const struct hr_redis_options *options,
                const struct hr__redis_target *client)
{
    const struct hr_url *url = &client->url;
    struct hr__redis_target *target = &sentinel->target;
    const char *user = options->sentinel_user ? options->sentinel_user : url->sentinel_user;
    const char *password =
        options->sentinel_password ? options->sentinel_password : url->sentinel_password;
    sentinel->master = strdup(url->master);
    target->password = password ? strdup(password) : NULL;
    target->client_name = client->client_name ? strdup(client->client_name) : NULL;
    if (!sentinel->master || (password && !target->password) ||
        (client->client_name && !target->client_name) || hr_url_set_user(&target->url, user) < 0)
        return hr_fail(-ENOMEM, "redis: no memory for a client");

    snprintf(sentinel->name, sizeof(sentinel->name), "%s", client->name);
    target->protocol = client->protocol;
    target->connect_timeout = client->connect_timeout;
    target->limits = client->limits;
    target->census = client->census;
    add(sentinel, url->host, url->port);
    for (size_t i = 0; i < url->n_others; i++)
        add(sentinel, url->others[i].host, url->others[i].port);

    const struct hr_tls_options *tls = &options->sentinel_tls;
    bool own = tls->verify != HR_TLS_OFF || tls->ca || tls->cert;
    return hr__tls_context_new(url, own ? tls : &options->tls, &target->tls);
}

int hr__redis_sentinel_new(const struct hr_redis_options *options,
                           const struct hr__redis_target *client, struct hr__redis_sentinel **ret)
{
    struct hr__redis_sentinel *sentinel = calloc(1, sizeof(*sentinel));
    if (!sentinel)
        return hr_fail(-ENOMEM, "redis: no memory for a client");
    hr_event_init(&sentinel->heard);
    int r = fill(sentinel, options, client);
    if (r < 0) {
        hr__redis_sentinel_free(sentinel);
        return r;
    }
    *ret = sentinel;
    return 0;
}

struct hr__redis_sentinel *hr__redis_sentinel_free(struct hr__redis_sentinel *sentinel)
{
    if (!sentinel)
        return NULL;
    hr_event_done(&sentinel->heard);
    hr_url_done(&sentinel->target.url);
    if (sentinel->target.password)
        explicit_bzero(sentinel->target.password, strlen(sentinel->target.password));
    free(sentinel->target.password);
    free(sentinel->target.client_name);
    hr__tls_context_free(sentinel->target.tls);
    free(sentinel->master);
    free(sentinel);
    return NULL;
}

/* --- asking */

static int open_one(const struct hr__redis_sentinel *sentinel,
                    const struct hr__redis_address *address, hr_usec limit,
                    struct hr__redis_conn **ret)
{
    char host[sizeof(address->host)];
    struct hr__redis_target target = sentinel->target;
    memcpy(host, address->host, sizeof(host)); /* the list may change meanwhile */
    target.url.host = host;
    target.url.port = address->port;
    target.connect_timeout = limit;
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(target.name, sizeof(target.name), is_v6 ? "sentinel [%.60s]:%u" : "sentinel %.60s:%u",
             host, address->port);
    return hr__redis_open(&target, ret, NULL);
}

static void close_one(struct hr__redis_conn *conn)
{
    hr__redis_conn_on_push(conn, NULL, NULL);
    hr__redis_conn_hang_up(conn, "closed", 0);
    hr__redis_conn_unref(conn);
}

static int read_answer(const struct hr__redis_sentinel *sentinel, const hr_reply *reply,
                       struct hr__redis_address *ret)
{
    if (hr_reply_len(reply) == 2 &&
        hr__redis_address_set(ret, hr_reply_str(hr_reply_at(reply, 0), NULL),
                              hr_reply_int(hr_reply_at(reply, 1))))
        return 0;
    if (hr_reply_is_nil(reply))
        return hr_fail(-ENOENT, "it knows no master called %.80s", sentinel->master);
    return hr_fail(-EBADMSG, "its answer holds no address");
}

static int ask_one(const struct hr__redis_sentinel *sentinel,
                   const struct hr__redis_address *address, hr_usec limit,
                   struct hr__redis_address *ret)
{
    struct hr__redis_conn *conn = NULL;
    int r = open_one(sentinel, address, limit, &conn);
    if (r < 0)
        return r;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    r = hr__redis_callf(conn, &reply, limit, "SENTINEL GET-MASTER-ADDR-BY-NAME %s",
                        sentinel->master);
    bool answered = r >= 0 || r == HR_EREPLY;
    if (r >= 0)
        r = read_answer(sentinel, reply, ret);
    if (r < 0 && answered) {
        char text[HR_ERROR_MESSAGE_MAX];
        snprintf(text, sizeof(text), "%s", hr_last_error()->message);
        r = hr_fail(r, "sentinel %s:%u: %s", address->host, address->port, text);
    }
    close_one(conn);
    return r;
}

static int find(struct hr__redis_sentinel *sentinel, hr_usec limit, struct hr__redis_address *ret)
{
    hr_usec deadline = hr_later(hr_now(), limit);
    bool may_pass = false; /* of one of them at least */
    int r = -ENOTCONN;
    for (size_t left = sentinel->count; left > 0; left--) {
        struct hr__redis_address asked = sentinel->items[0];
        hr_usec share = (deadline - hr_now()) / (hr_usec)(left + 1);
        r = ask_one(sentinel, &asked, share > hr_ms(1) ? share : hr_ms(1), ret);
        if (r >= 0 || r == -ECANCELED || r == -ENOMEM)
            return r;
        may_pass = may_pass || hr__redis_may_pass(hr_last_error());
        if (hr__redis_address_equals(&sentinel->items[0],
                                     &asked)) /* nobody else has found that out meanwhile */
            put_last(sentinel, &asked);
    }
    const struct hr_error last = *hr_last_error();
    return hr_fail_native(-ENOTCONN, 0, NULL, may_pass ? NULL : last.kind, false,
                          "no sentinel knows where it is: %s", last.message);
}

int hr__redis_sentinel_find(struct hr__redis_sentinel *sentinel, hr_usec limit,
                            struct hr__redis_address *ret)
{
    int r = find(sentinel, limit, ret);
    if (r >= 0)
        sentinel->found = *ret;
    return r;
}

void hr__redis_sentinel_doubt(struct hr__redis_sentinel *sentinel)
{
    struct hr__redis_address first = sentinel->items[0];
    put_last(sentinel, &first);
}

/* --- listening */

/* "NAME old-host old-port new-host new-port" */
static void hear_switch(struct hr__redis_sentinel *sentinel, const char *text)
{
    char host[sizeof(sentinel->news.host)];
    unsigned port;
    size_t name = strlen(sentinel->master);
    if (strncmp(text, sentinel->master, name) == 0 && text[name] == ' ' &&
        sscanf(text + name, " %*s %*s %253s %5u", host, &port) == 2 &&
        hr__redis_address_set(&sentinel->news, host, port))
        hr_event_set(&sentinel->heard);
}

/* "sentinel ID host port @ NAME host port" */
static void hear_sentinel(struct hr__redis_sentinel *sentinel, const char *text)
{
    char host[254];
    unsigned port;
    int end = 0;
    size_t name = strlen(sentinel->master);
    if (sscanf(text, "sentinel %*s %253s %5u @ %n", host, &port, &end) == 2 && end > 0 &&
        strncmp(text + end, sentinel->master, name) == 0 && text[end + name] == ' ')
        add(sentinel, host, port);
}

static enum hr__redis_push hear(hr_reply *message, void *cookie)
{
    struct hr__redis_sentinel *sentinel = cookie;
    if (!hr_reply_equals(hr_reply_at(message, 0), "message"))
        return HR__REDIS_PUSH_IS_REPLY; /* to SUBSCRIBE or PING */
    const char *text = hr_reply_str(hr_reply_at(message, 2), NULL);
    if (text && hr_reply_equals(hr_reply_at(message, 1), "+switch-master"))
        hear_switch(sentinel, text);
    else if (text && hr_reply_equals(hr_reply_at(message, 1), "+sentinel"))
        hear_sentinel(sentinel, text);
    (void)hr_reply_free(message);
    return HR__REDIS_PUSH_TAKEN;
}

static void subscription_lost(void *cookie)
{
    struct hr__redis_sentinel *sentinel = cookie;
    hr_event_set(&sentinel->heard);
}

/* An old sentinel, or one that does not permit it, is none the worse. */
static int learn_others(struct hr__redis_sentinel *sentinel, struct hr__redis_conn *conn)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr__redis_callf(conn, &reply, sentinel->target.connect_timeout, "SENTINEL SENTINELS %s",
                            sentinel->master);
    for (size_t i = 0; r >= 0 && i < hr_reply_len(reply); i++) {
        const hr_reply *other = hr_reply_at(reply, i);
        const hr_reply *host = hr_reply_find(other, "ip"), *port = hr_reply_find(other, "port");
        if (host && port)
            add(sentinel, hr_reply_str(host, NULL), hr_reply_int(port));
    }
    return r == HR_EREPLY ? 0 : r;
}

static int subscribe(struct hr__redis_sentinel *sentinel, struct hr__redis_conn *conn)
{
    hr_usec limit = sentinel->target.connect_timeout;
    int r = learn_others(sentinel, conn);
    hr_event_clear(&sentinel->heard);
    sentinel->news.port = 0;
    hr__redis_conn_on_push(conn, hear, sentinel);
    hr__redis_conn_on_lost(conn, subscription_lost, sentinel);
    if (r >= 0)
        r = hr__redis_callf(conn, NULL, limit, "SUBSCRIBE +switch-master");
    if (r >= 0)
        r = hr__redis_callf(conn, NULL, limit, "SUBSCRIBE +sentinel");
    return r;
}

/* What was said while nobody listened. */
static int catch_up(struct hr__redis_sentinel *sentinel)
{
    struct hr__redis_address now;
    int r = find(sentinel, sentinel->target.connect_timeout, &now);
    if (r >= 0 && sentinel->found.port != 0 && sentinel->news.port == 0) {
        sentinel->news = now;
        hr_event_set(&sentinel->heard);
    }
    return r == -ENOTCONN ? 0 : r;
}

static int wait_for_news(struct hr__redis_sentinel *sentinel, struct hr__redis_conn *conn)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, PING_AFTER);
    if (r == 0)
        r = hr_timeout_leave(&limit, hr_event_wait_as(&sentinel->heard, "what the sentinels say"));
    if (r != -ETIMEDOUT)
        return r;
    r = hr__redis_callf(conn, NULL, sentinel->target.connect_timeout, "PING");
    return r == HR_EREPLY ? 0 : r;
}

/* Listens while the connection lasts. */
static int listen_to(struct hr__redis_sentinel *sentinel, const struct hr__redis_address *address,
                     struct hr__redis_conn *conn, void (*moved)(void *cookie), void *cookie)
{
    int r = subscribe(sentinel, conn);
    if (r >= 0)
        r = catch_up(sentinel);
    while (r >= 0 && hr__redis_conn_alive(conn)) {
        r = wait_for_news(sentinel, conn);
        hr_event_clear(&sentinel->heard);
        if (sentinel->news.port == 0)
            continue;
        if (!hr__redis_address_equals(&sentinel->news, &sentinel->found)) {
            move_to(sentinel, address, 0);
            moved(cookie);
        }
        sentinel->news.port = 0;
    }
    return r;
}

static int follow_one(struct hr__redis_sentinel *sentinel, struct hr_backoff *backoff,
                      void (*moved)(void *cookie), void *cookie)
{
    struct hr__redis_address address = sentinel->items[0];
    struct hr__redis_conn *conn = NULL;
    int r = open_one(sentinel, &address, sentinel->target.connect_timeout, &conn);
    if (r >= 0) {
        hr_backoff_reset(backoff);
        r = listen_to(sentinel, &address, conn, moved, cookie);
        hr__redis_conn_on_lost(conn, NULL, NULL);
        close_one(conn);
    }
    if (hr__redis_address_equals(&sentinel->items[0], &address))
        put_last(sentinel, &address);
    return r;
}

int hr__redis_sentinel_follow(struct hr__redis_sentinel *sentinel, void (*moved)(void *cookie),
                              void *cookie)
{
    struct hr_backoff backoff = {
        .first = hr_ms(100), .max = hr_seconds(2), .factor = 2, .jitter = true};
    for (;;) {
        int r = follow_one(sentinel, &backoff, moved, cookie);
        if (r == -ECANCELED)
            return r;
        r = hr_sleep(hr_backoff_next(&backoff));
        if (r < 0)
            return r;
    }
}
