/* SPDX-License-Identifier: MIT */
/*
 * The whole way to ready is one sequence under one time limit.
 */
#include "drivers/redis/open.h"

#include <stdio.h>
#include <string.h>

#include "core/timeout.h"
#include "drivers/dial.h"
#include "drivers/redis/greet.h"
#include "drivers/redis/sentinel.h"
#include "drivers/wire.h"

void hr__redis_target_describe(struct hr__redis_target *target)
{
    const struct hr_url *url = &target->url;
    if (url->scheme == HR_URL_SENTINEL)
        snprintf(target->name, sizeof(target->name), "redis %s", url->master);
    else if (url->socket)
        snprintf(target->name, sizeof(target->name), "redis %s", url->socket);
    else if (strchr(url->host, ':'))
        snprintf(target->name, sizeof(target->name), "redis [%s]:%u", url->host, url->port);
    else
        snprintf(target->name, sizeof(target->name), "redis %s:%u", url->host, url->port);
}

/* *shaking is true while TLS is agreed upon, and stays so where the time is over meanwhile. */
static hr_async int open_wire(const struct hr__redis_target *target, struct hr__wire *ret,
                              bool *shaking)
{
    int fd = -1;
    int r = hr__dial(&target->url, target->connect_timeout, &fd);
    if (r == 0)
        r = hr__wire_open(ret, fd);
    if (r < 0 || !target->tls)
        return r;
    *shaking = true;
    r = hr__wire_secure(ret, target->tls, target->url.host);
    *shaking = r < 0;
    if (r < 0)
        hr__wire_close(ret);
    return r;
}

/* --- servers that hang up on HELLO */

/* So long HELLO is not said there, at first and at most: it may hang up for another reason, and one
 * address may stand for many servers. */
#define DEAF_FIRST  hr_seconds(1)
#define DEAF_MOST   hr_seconds(600)
#define DEAF_FACTOR 4

static bool is_same_place(const struct hr__redis_deaf *one, const struct hr__redis_deaf *other)
{
    return one->len > 0 && one->len == other->len &&
           memcmp(&one->address, &other->address, one->len) == 0;
}

static bool is_deaf(const struct hr__redis_deaf *deaf, const struct hr__redis_deaf *there)
{
    return deaf && hr_now() < deaf->until && is_same_place(deaf, there);
}

static void note_deaf(struct hr__redis_deaf *deaf, const struct hr__redis_deaf *there)
{
    if (!deaf)
        return;
    hr_usec span = is_same_place(deaf, there) ? deaf->span : DEAF_FIRST;
    if (is_same_place(deaf, there) && hr_now() >= deaf->until) /* not once more at the same time */
        span *= DEAF_FACTOR;
    *deaf = *there;
    deaf->span = span < DEAF_MOST ? span : DEAF_MOST;
    deaf->until = hr_later(hr_now(), deaf->span);
}

/* It has answered HELLO. */
static void forget_deaf(struct hr__redis_deaf *deaf, const struct hr__redis_deaf *there)
{
    if (deaf && is_same_place(deaf, there))
        *deaf = (struct hr__redis_deaf){0};
}

/* An attempt at a connection. */
struct attempt {
    const struct hr__redis_target *target;
    struct hr__redis_identity *ret_who;
    struct hr__redis_deaf there; /* whom it reached */
    bool hung_up;                /* its only answer to the greeting was to hang up */
    bool *shaking;
};

static int open_and_greet(struct attempt *attempt, bool hello, struct hr__redis_conn **ret)
{
    struct hr__redis_target target = *attempt->target;
    struct hr__wire wire = {.fd = -1};
    int r = open_wire(&target, &wire, attempt->shaking);
    if (r < 0)
        return r;
    attempt->there.len = sizeof(attempt->there.address);
    if (getpeername(wire.fd, (struct sockaddr *)&attempt->there.address, &attempt->there.len) < 0)
        attempt->there.len = 0;
    if (!hello || (target.protocol == 0 && is_deaf(target.deaf, &attempt->there)))
        target.protocol = 2;
    struct hr__redis_conn *conn =
        hr__redis_conn_new(&wire, target.name, &target.limits, target.census);
    if (!conn)
        return -ENOMEM;
    r = hr__redis_greet(conn, &target, attempt->ret_who);
    if (r == 0 && !hr__redis_conn_alive(conn)) /* lost behind the last answer */
        r = hr_error_raise(hr__redis_conn_error(conn));
    if (r < 0) {
        attempt->hung_up = target.protocol == 0 && hr__redis_conn_was_hung_up_on(conn);
        hr__redis_conn_fail(conn, r, 0);
        hr__redis_conn_unref(conn);
        return r;
    }
    if (target.protocol == 0)
        forget_deaf(target.deaf, &attempt->there);
    *ret = conn;
    return 0;
}

/* A proxy that does not know HELLO may hang up on it instead of saying so: then all is said once
 * more without it, on another connection. Where a host has several addresses that may lead to
 * another server, which tells nothing about the first. */
static int open_in_time(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                        struct hr__redis_identity *ret_who, bool *shaking)
{
    struct attempt attempt = {.target = target, .ret_who = ret_who, .shaking = shaking};
    *shaking = false;
    int r = open_and_greet(&attempt, true, ret);
    bool by_server = attempt.hung_up && (r == HR_ELOST || r == -ENOTCONN); /* no cancel as well */
    if (!by_server)
        return r;
    struct hr__redis_deaf first = attempt.there;
    r = open_and_greet(&attempt, false, ret);
    if (r == 0 && is_same_place(&first, &attempt.there))
        note_deaf(target->deaf, &attempt.there);
    return r;
}

/* In a list of what it is, so that what nobody has thought of is waited for. A plain ERR is told by
 * its words: the same kind says that there are too many clients. */
bool hr__redis_may_pass(const struct hr_error *why)
{
    static const char *const kinds[] = {"WRONGPASS", "NOAUTH", "NOPERM", "DENIED"};
    static const char *const texts[] = {
        ": ERR DB index ", ": ERR invalid DB index", ": ERR SELECT is not allowed",
        ": ERR AUTH ",     ": ERR Client sent AUTH", ": ERR invalid password",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(kinds); i++) {
        if (strcmp(why->kind, kinds[i]) == 0)
            return false;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(texts) && strcmp(why->kind, "ERR") == 0; i++) {
        if (strstr(why->message, texts[i]))
            return false;
    }
    return true;
}

/* The failure as the caller of a command needs it: nothing was sent, and why. */
static int explain(const struct hr__redis_target *target, int code, bool shaking)
{
    if (code == -ETIMEDOUT)
        return hr_fail(-ENOTCONN, "%s: no connection within %.3g s%s", target->name,
                       (double)target->connect_timeout / 1e6,
                       shaking ? ": it does not answer to TLS" : "");
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    size_t named = strlen(target->name);
    bool has_name = strncmp(error.message, target->name, named) == 0 &&
                    strncmp(error.message + named, ": ", 2) == 0;
    const char *text = has_name ? error.message + named + 2 : error.message;
    if (strcmp(error.kind, "NOAUTH") == 0) /* the server's own words are for who typed HELLO */
        text = "it wants a password, and none was given (NOAUTH)";
    int r = hr_fail_native(-ENOTCONN, 0, NULL, error.kind[0] ? error.kind : NULL, false, "%s: %s",
                           target->name, text);
    hr_error_done(&error);
    return r;
}

/* Opens a connection to the master that the sentinels tell of. */
static int open_master(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                       struct hr__redis_identity *ret_who, bool *shaking)
{
    struct hr__redis_address address;
    int r = hr__redis_sentinel_find(target->sentinel, target->connect_timeout, &address);
    if (r < 0)
        return r;
    struct hr__redis_target there = *target;
    there.url.host = address.host;
    there.url.port = address.port;
    snprintf(there.name, sizeof(there.name),
             strchr(address.host, ':') ? "%.30s at [%.35s]:%u" : "%.30s at %.35s:%u", target->name,
             address.host, address.port);
    r = open_in_time(&there, ret, ret_who, shaking);
    if (r >= 0 || r == -ECANCELED || r == -ENOMEM)
        return r;
    hr__redis_sentinel_doubt(target->sentinel);
    return explain(&there, r, *shaking);
}

int hr__redis_open(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                   struct hr__redis_identity *ret_who)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, target->connect_timeout);
    if (r < 0)
        return r;
    struct hr__redis_conn *conn = NULL;
    bool shaking = false; /* stays so while sentinels are asked */
    r = target->sentinel ? open_master(target, &conn, ret_who, &shaking)
                         : open_in_time(target, &conn, ret_who, &shaking);
    r = hr_timeout_leave(&limit, r);
    if (r >= 0)
        *ret = conn;
    return r >= 0 || r == -ECANCELED || r == -ENOMEM ? r : explain(target, r, shaking);
}
