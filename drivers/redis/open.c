/* SPDX-License-Identifier: MIT */
/*
 * The whole way to ready is one sequence under one time limit. AUTH, SELECT, CLIENT SETNAME and
 * PING go out together, so introducing oneself costs one round trip.
 */
#include "drivers/redis/open.h"

#include <stdio.h>
#include <string.h>

#include "core/timeout.h"
#include "drivers/dial.h"
#include "drivers/wire.h"

#define STEPS_MAX 5

/* What is said on a fresh connection. */
struct step {
    struct hr__redis_call call;
    bool optional; /* a server that does not know or allow it is no worse for it */
    bool is_id;
};

struct introduction {
    struct hr__redis_conn *conn;
    hr_usec span;
    struct step steps[STEPS_MAX];
    size_t count;
};

void hr__redis_target_describe(struct hr__redis_target *target)
{
    const struct hr_url *url = &target->url;
    if (url->socket)
        snprintf(target->name, sizeof(target->name), "redis %s", url->socket);
    else if (strchr(url->host, ':'))
        snprintf(target->name, sizeof(target->name), "redis [%s]:%u", url->host, url->port);
    else
        snprintf(target->name, sizeof(target->name), "redis %s:%u", url->host, url->port);
}

static int say(struct introduction *intro, bool optional, const char *fmt, ...)
{
    hr_assert(intro->count < STEPS_MAX);
    struct step *step = &intro->steps[intro->count];
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r = hr__redis_call_begin(&step->call, intro->conn, &request, intro->span);
    va_end(args);
    if (r < 0)
        return r;
    step->optional = optional;
    intro->count++;
    return 0;
}

static int say_all(struct introduction *intro, const struct hr__redis_target *target, bool ask_id)
{
    const char *password = target->password ? target->password : target->url.password;
    int r = 0;
    if (password && target->url.user)
        r = say(intro, false, "AUTH %s %s", target->url.user, password);
    else if (password)
        r = say(intro, false, "AUTH %s", password);
    if (r == 0 && target->url.db > 0)
        r = say(intro, false, "SELECT %u", target->url.db);
    if (r == 0 && target->client_name)
        r = say(intro, true, "CLIENT SETNAME %s", target->client_name);
    if (r == 0 && ask_id) {
        r = say(intro, true, "CLIENT ID");
        if (r == 0)
            intro->steps[intro->count - 1].is_id = true;
    }
    if (r == 0)
        r = say(intro, true, "PING");
    return r;
}

/* An optional step may be unknown to an old server or not allowed to this user. Any other error,
 * "max number of clients reached" for one, ends the attempt. */
static bool is_harmless(const struct step *step, int code)
{
    const struct hr_error *error = hr_last_error();
    return step->optional && code == HR_EREPLY &&
           (strcmp(error->kind, "NOPERM") == 0 ||
            strncmp(error->message, "ERR unknown", strlen("ERR unknown")) == 0 ||
            strncmp(error->message, "ERR Unknown", strlen("ERR Unknown")) == 0);
}

/* Hears all answers, so that every call is over in the end; the first failure counts. */
static int hear_all(struct introduction *intro, int r, int64_t *ret_id)
{
    struct hr_error first = {0};
    for (size_t i = 0; i < intro->count; i++) {
        struct step *step = &intro->steps[i];
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        if (r >= 0)
            r = hr__redis_call_wait(&step->call);
        if (r < 0)
            hr__redis_call_abandon(&step->call);
        int ended = hr__redis_call_end(&step->call, &reply);
        if (r >= 0 && ended < 0 && !is_harmless(step, ended)) {
            r = ended;
            hr_error_copy(&first, hr_last_error());
        }
        if (ended >= 0 && step->is_id)
            *ret_id = hr_reply_int(reply);
    }
    if (first.code < 0)
        (void)hr_error_raise(&first);
    hr_error_done(&first);
    return r;
}

static int introduce(struct hr__redis_conn *conn, const struct hr__redis_target *target,
                     int64_t *ret_id)
{
    struct introduction intro = {.conn = conn, .span = target->connect_timeout};
    int64_t id = 0;
    int r = say_all(&intro, target, ret_id != NULL);
    r = hear_all(&intro, r, &id);
    if (r >= 0 && ret_id)
        *ret_id = id;
    return r < 0 ? r : 0;
}

static hr_async int open_wire(const struct hr__redis_target *target, struct hr__wire *ret)
{
    int fd = -1;
    int r = hr__dial(&target->url, target->connect_timeout, &fd);
    if (r == 0)
        r = hr__wire_open(ret, fd);
    if (r < 0 || !target->tls)
        return r;
    r = hr__wire_secure(ret, target->tls, target->url.host);
    if (r < 0)
        hr__wire_close(ret);
    return r;
}

static int open_in_time(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                        int64_t *ret_id)
{
    struct hr__wire wire = {.fd = -1};
    int r = open_wire(target, &wire);
    if (r < 0)
        return r;
    struct hr__redis_conn *conn =
        hr__redis_conn_new(&wire, target->name, &target->limits, target->census);
    if (!conn)
        return -ENOMEM;
    r = introduce(conn, target, ret_id);
    if (r == 0 && !hr__redis_conn_alive(conn)) /* lost behind the last answer */
        r = hr_error_raise(hr__redis_conn_error(conn));
    if (r < 0) {
        hr__redis_conn_fail(conn, r, 0);
        hr__redis_conn_unref(conn);
        return r;
    }
    *ret = conn;
    return 0;
}

/* The failure as the caller of a command needs it: nothing was sent, and why. */
static int explain(const struct hr__redis_target *target, int code)
{
    if (code == -ETIMEDOUT)
        return hr_fail(-ENOTCONN, "%s: no connection within %.3g s", target->name,
                       (double)target->connect_timeout / 1e6);
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    size_t named = strlen(target->name);
    bool has_name = strncmp(error.message, target->name, named) == 0;
    const char *text = has_name ? error.message + named + 2 : error.message;
    int r = hr_fail_native(-ENOTCONN, 0, NULL, error.kind[0] ? error.kind : NULL, false, "%s: %s",
                           target->name, text);
    hr_error_done(&error);
    return r;
}

int hr__redis_open(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                   int64_t *ret_id)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, target->connect_timeout);
    if (r < 0)
        return r;
    struct hr__redis_conn *conn = NULL;
    r = hr_timeout_leave(&limit, open_in_time(target, &conn, ret_id));
    if (r >= 0)
        *ret = conn;
    return r >= 0 || r == -ECANCELED || r == -ENOMEM ? r : explain(target, r);
}
