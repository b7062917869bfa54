/* SPDX-License-Identifier: MIT */
/*
 * All is sent at once and then heard. A server that does not know HELLO has refused the password
 * that stood in it, too, and perhaps what came behind: then all is said once more the old way.
 */
#include "drivers/redis/greet.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STEPS_MAX 8
#define WORDS_MAX 7

enum kind {
    STEP_HELLO,
    STEP_NEEDED,
    STEP_WANTED, /* a server that does not know or allow it is no worse for it */
    STEP_IDLE,   /* whatever the server says about it */
    STEP_ID,     /* wanted, and its reply as well */
    STEP_SERVER, /* its reply, if it may be had */
    STEP_ROLE,   /* wanted, and whether it is the master that the sentinels told of */
};

struct step {
    struct hr__redis_call call;
    enum kind kind;
};

struct greeting {
    struct hr__redis_conn *conn;
    const struct hr__redis_target *target;
    struct step steps[STEPS_MAX];
    size_t count;
    bool old_server; /* it does not know HELLO */
    struct hr__redis_identity who;
};

static int say_words(struct greeting *g, enum kind kind, size_t argc, const char *const *argv)
{
    hr_assert(g->count < STEPS_MAX);
    struct step *step = &g->steps[g->count];
    struct hr__redis_request request = {.argc = argc, .argv = argv};
    step->call.limit = g->target->connect_timeout;
    int r = hr__redis_call_begin(&step->call, g->conn, &request, step->call.limit);
    if (r < 0)
        return r;
    step->kind = kind;
    g->count++;
    return 0;
}

#define say(g, kind, ...)                                                                          \
    say_words((g), (kind), sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *),           \
              (const char *[]){__VA_ARGS__})

/* NULL: whoever the server takes one for who says nothing. */
static const char *user_of(const struct hr__redis_target *target)
{
    const char *user = target->url.user;
    return user && user[0] ? user : NULL;
}

/* A user that is named is logged in as without a password, too: an ACL may want none of him. */
static const char *password_of(const struct hr__redis_target *target)
{
    const char *password = target->password ? target->password : target->url.password;
    return password || !user_of(target) ? password : "";
}

static int say_hello(struct greeting *g)
{
    const struct hr__redis_target *target = g->target;
    const char *words[WORDS_MAX] = {"HELLO", "3"};
    size_t count = 2;
    if (password_of(target)) {
        words[count++] = "AUTH";
        words[count++] = user_of(target) ? user_of(target) : "default";
        words[count++] = password_of(target);
    }
    if (target->client_name) {
        words[count++] = "SETNAME";
        words[count++] = target->client_name;
    }
    return say_words(g, STEP_HELLO, count, words);
}

static int say_who(struct greeting *g)
{
    const struct hr__redis_target *target = g->target;
    const char *password = password_of(target);
    int r = 0;
    if (password && user_of(target))
        r = say(g, STEP_NEEDED, "AUTH", user_of(target), password);
    else if (password)
        r = say(g, STEP_NEEDED, "AUTH", password);
    if (r == 0 && target->client_name)
        r = say(g, STEP_WANTED, "CLIENT", "SETNAME", target->client_name);
    return r;
}

static int say_all(struct greeting *g, bool hello, bool ask_who)
{
    char db[16];
    snprintf(db, sizeof(db), "%u", g->target->url.db);
    int r = hello ? say_hello(g) : say_who(g);
    if (r == 0 && g->target->url.db > 0)
        r = say(g, STEP_NEEDED, "SELECT", db);
    if (r == 0 && ask_who)
        r = say(g, STEP_ID, "CLIENT", "ID");
    if (r == 0 && ask_who)
        r = say(g, STEP_SERVER, "INFO", "server");
    if (r == 0)
        r = say(g, STEP_IDLE, "CLIENT", "SETINFO", "LIB-NAME", "headrace");
    if (r == 0 && g->target->sentinel)
        r = say(g, STEP_ROLE, "ROLE");
    return r == 0 ? say(g, STEP_WANTED, "PING") : r;
}

static bool is_unknown(const struct hr_error *error)
{
    return strncasecmp(error->message, "ERR unknown", strlen("ERR unknown")) == 0;
}

/* Any error but these, "max number of clients reached" for one, ends the attempt. */
static bool is_harmless(struct greeting *g, const struct step *step, int code)
{
    const struct hr_error *error = hr_last_error();
    if (code != HR_EREPLY)
        return false;
    switch (step->kind) {
    case STEP_HELLO:
        g->old_server =
            g->target->protocol == 0 && (is_unknown(error) || strcmp(error->kind, "NOPROTO") == 0);
        return g->old_server;
    case STEP_NEEDED:
        return g->old_server;
    case STEP_IDLE:
    case STEP_SERVER:
        return true;
    default:
        return g->old_server || is_unknown(error) || strcmp(error->kind, "NOPERM") == 0;
    }
}

void hr__redis_read_server(const hr_reply *info, char ret[HR__REDIS_SERVER_MAX])
{
    static const char field[] = "\nrun_id:";
    const char *text = hr_reply_str(info, NULL);
    const char *id = text ? strstr(text, field) : NULL;
    id = id ? id + strlen(field) : "";
    size_t len = strcspn(id, "\r\n");
    if (len >= HR__REDIS_SERVER_MAX)
        len = 0;
    memcpy(ret, id, len);
    ret[len] = '\0';
}

static int take_reply(struct greeting *g, const struct step *step, const hr_reply *reply)
{
    if (step->kind == STEP_ID)
        g->who.id = hr_reply_int(reply);
    if (step->kind == STEP_SERVER)
        hr__redis_read_server(reply, g->who.server);
    if (step->kind == STEP_HELLO) {
        const hr_reply *protocol = hr_reply_find(reply, "proto");
        hr__redis_conn_set_protocol(g->conn, protocol && hr_reply_int(protocol) == 3 ? 3 : 2);
    }
    if (step->kind == STEP_ROLE && !hr_reply_equals(hr_reply_at(reply, 0), "master"))
        return hr_fail_native(-ENOTCONN, 0, NULL, "READONLY", false, "no master answers there");
    return 0;
}

/* Hears all answers, so that every call is over in the end; the first failure counts. */
static int hear_all(struct greeting *g, int r)
{
    struct hr_error first = {0};
    for (size_t i = 0; i < g->count; i++) {
        struct step *step = &g->steps[i];
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        if (r >= 0)
            r = hr__redis_call_wait(&step->call);
        if (r < 0)
            hr__redis_call_abandon(&step->call);
        int ended = hr__redis_call_end(&step->call, &reply);
        if (r >= 0 && ended >= 0)
            ended = take_reply(g, step, reply);
        if (r >= 0 && ended < 0 && !is_harmless(g, step, ended)) {
            r = ended;
            hr_error_copy(&first, hr_last_error());
        }
    }
    if (first.code < 0)
        (void)hr_error_raise(&first);
    hr_error_done(&first);
    return r < 0 ? r : 0;
}

int hr__redis_greet(struct hr__redis_conn *conn, const struct hr__redis_target *target,
                    struct hr__redis_identity *ret_who)
{
    struct greeting g = {.conn = conn, .target = target};
    bool hello = target->protocol != 2;
    int r = hear_all(&g, say_all(&g, hello, ret_who != NULL));
    if (r == 0 && g.old_server) {
        g = (struct greeting){.conn = conn, .target = target};
        r = hear_all(&g, say_all(&g, false, ret_who != NULL));
    }
    if (r == 0 && ret_who)
        *ret_who = g.who;
    return r;
}
