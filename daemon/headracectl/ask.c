/* SPDX-License-Identifier: MIT */
#include "daemon/headracectl/ask.h"

#include <ctype.h>
#include <string.h>

#include "config/suggest.h"
#include "daemon/headracectl/http.h"
#include "daemon/headracectl/print.h"

#define ANSWER_ROOM ((size_t)512 * 1024 * 1024)
#define JOBS_MAX    1000

static int parse(const struct ctl *ctl, struct http_answer *answer, struct reply *ret)
{
    struct reply reply = {.body = answer->body, .len = answer->len};
    struct failure why;
    reply.arena = arena_new(ANSWER_ROOM);
    if (!reply.arena || json_parse(reply.arena, reply.body, reply.len, &reply.json, &why) < 0) {
        ask_done(&reply);
        return ctl_fail(ctl, EX_SOFTWARE, "the answer at %s cannot be read: it is not JSON",
                        ctl->socket_path);
    }
    *ret = reply;
    return 0;
}

/* The jobs that are there, for somebody who named another one. */
static int refuse_job(struct ctl *ctl)
{
    struct reply reply = {0};
    char name[80], names[512] = "";
    snprintf(name, sizeof(name), "%s", ctl->args[0]);
    int status = ask(ctl, "/jobs", NULL, 0, &reply);
    if (status != 0)
        return status;
    static char texts[JOBS_MAX][72];
    static struct {
        const char *name;
    } known[JOBS_MAX];
    const struct json_value *key, *job;
    struct json_iter each = reply_each(reply.json, "jobs");
    size_t n = 0, used = 0;
    for (; n < JOBS_MAX && json_next(&each, &key, &job); n++) {
        struct text text = reply_text(job, "name");
        snprintf(texts[n], sizeof(texts[n]), "%.*s", (int)text.len, text.bytes);
        known[n].name = texts[n];
        if (used < sizeof(names) - 80)
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", n ? ", " : "",
                                     texts[n]);
    }
    ask_done(&reply);
    const char *meant = hr_conf_suggest(name, known, n, sizeof(known[0]));
    return ctl_fail(ctl, EX_USAGE, "the daemon has no job %s (%s%s%s%s)", name,
                    meant ? "did you mean " : "its jobs: ", meant ? meant : names, meant ? "?" : "",
                    !meant && n == 0 ? "none" : "");
}

static bool is_about_job(struct text error)
{
    return error.len == 11 && memcmp(error.bytes, "no such job", 11) == 0;
}

/* What the daemon refused, and the exit status for it. */
static int refuse(struct ctl *ctl, int status, const struct reply *reply)
{
    struct text error = reply_text(reply->json, "error");
    static const struct {
        int http, exit;
        const char *hint;
    } known[] = {
        {400, EX_USAGE,       ""                                         },
        {404, EX_FOUND,       ""                                         },
        {405, EX_SOFTWARE,    " (is the daemon of another version?)"     },
        {413, EX_DATAERR,     ""                                         },
        {503, EX_UNAVAILABLE, " (see headracectl status; then try again)"},
    };
    if (status == 404 && is_about_job(error))
        return refuse_job(ctl);
    for (size_t i = 0; i < HR_ARRAY_LEN(known); i++) {
        if (known[i].http == status)
            return ctl_fail(ctl, known[i].exit, "%.*s%s", (int)error.len, error.bytes,
                            known[i].hint);
    }
    return ctl_fail(ctl, EX_SOFTWARE, "the daemon says %d: %.*s", status, (int)error.len,
                    error.bytes);
}

/* silent: that there is no such thing is not said. */
static int ask_any(struct ctl *ctl, const char *path, const char *body, size_t len, bool silent,
                   struct reply *ret)
{
    struct http_answer answer = {0};
    struct reply reply = {0};
    int status = http_ask(ctl, body ? "POST" : "GET", path, body, len, &answer);
    if (status == 0)
        status = parse(ctl, &answer, &reply);
    if (status != 0)
        return status;
    if (answer.status >= 200 && answer.status <= 299) {
        *ret = reply;
        return 0;
    }
    if (silent && answer.status == 404 && !is_about_job(reply_text(reply.json, "error")))
        status = EX_FOUND;
    else
        status = refuse(ctl, answer.status, &reply);
    ask_done(&reply);
    return status;
}

int ask(struct ctl *ctl, const char *path, const char *body, size_t len, struct reply *ret)
{
    return ask_any(ctl, path, body, len, false, ret);
}

int ask_one(struct ctl *ctl, const char *path, struct reply *ret)
{
    return ask_any(ctl, path, NULL, 0, true, ret);
}

void ask_done(struct reply *reply)
{
    free(reply->body);
    arena_free(reply->arena);
    *reply = (struct reply){0};
}

void ask_print(const struct reply *reply)
{
    fwrite(reply->body, 1, reply->len, stdout);
}

static char *checked(char *text)
{
    if (text)
        return text;
    fputs("headracectl: out of memory\n", stderr);
    exit(EX_SOFTWARE);
}

char *ask_escape(const char *text)
{
    char *escaped = checked(malloc(3 * strlen(text) + 1)), *to = escaped;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-_.:", c))
            *to++ = (char)c;
        else
            to += sprintf(to, "%%%02x", c);
    }
    *to = '\0';
    return escaped;
}

char *ask_job_path(const char *job, const char *rest)
{
    hr_auto(hr_freep) char *name = ask_escape(job);
    char *path = NULL;
    return checked(asprintf(&path, "/jobs/%s%s", name, rest) < 0 ? NULL : path);
}

static const struct json_value *find(const struct json_value *object, const char *key)
{
    for (;;) {
        size_t len = strcspn(key, ".");
        object = object ? json_get(object, key, len) : NULL;
        if (!object || !key[len])
            return object;
        key += len + 1;
    }
}

struct text reply_text(const struct json_value *object, const char *key)
{
    const struct json_value *value = find(object, key);
    struct text text = {"", 0};
    if (value && (json_type(value) == JSON_STRING || json_type(value) == JSON_NUMBER))
        text.bytes = json_text(value, &text.len);
    return text;
}

uint64_t reply_number(const struct json_value *object, const char *key)
{
    char digits[24];
    struct text text = reply_text(object, key);
    snprintf(digits, sizeof(digits), "%.*s", (int)text.len, text.bytes);
    return strtoull(digits, NULL, 10);
}

bool reply_truth(const struct json_value *object, const char *key)
{
    const struct json_value *value = find(object, key);
    return value && json_is_true(value);
}

bool reply_has(const struct json_value *object, const char *key)
{
    return find(object, key) != NULL;
}

struct json_iter reply_each(const struct json_value *object, const char *key)
{
    const struct json_value *value = find(object, key);
    return value ? json_iter(value) : (struct json_iter){0};
}
