/* SPDX-License-Identifier: MIT */
#include "daemon/item/redact.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char blank[] = "[redacted]";

/* So much of a secret in a text is the secret: a value that is shown may be cut. */
#define TELLTALE_MAX 32

struct blanking {
    const struct redact *redact;
    struct arena *arena;
    struct deadletter *letter;
    const struct json_value *blank;
    bool found;
};

static bool is_secret(const struct redact *redact, const char *name, size_t len)
{
    for (size_t i = 0; i < redact->n; i++) {
        if (strlen(redact->names[i]) == len && strncasecmp(redact->names[i], name, len) == 0)
            return true;
    }
    return false;
}

static void blank_error(struct failure *error)
{
    static const char message[] = "left out of the log: it is about a field of log.redact";
    memcpy(error->message, message, sizeof(message));
    if (error->value[0])
        memcpy(error->value, blank, sizeof(blank));
}

/* A secret was found: the error may quote it, under whatever name. */
static void note_secret(struct blanking *b, const struct json_value *value)
{
    size_t len;
    const char *text = json_text(value, &len);
    struct failure *error = &b->letter->error;
    size_t look = len < TELLTALE_MAX ? len : TELLTALE_MAX;
    b->found = true;
    if (look > 0 && (memmem(error->message, strlen(error->message), text, look) ||
                     memmem(error->value, strlen(error->value), text, look)))
        blank_error(error);
}

static int copy(struct blanking *b, const struct json_value *v, bool secret,
                const struct json_value **ret);

static int copy_array(struct blanking *b, const struct json_value *v, bool secret,
                      const struct json_value **ret)
{
    size_t n = json_count(v), i = 0;
    const struct json_value **values = arena_alloc(b->arena, (n + 1) * sizeof(*values));
    const struct json_value *key, *value;
    struct json_iter each = json_iter(v);
    int r = values ? 0 : arena_error(b->arena);
    while (r == 0 && json_next(&each, &key, &value))
        r = copy(b, value, secret, &values[i++]);
    return r == 0 ? json_array(b->arena, values, n, ret) : r;
}

static int copy_object(struct blanking *b, const struct json_value *v, bool secret,
                       const struct json_value **ret)
{
    size_t n = json_count(v), i = 0;
    struct json_member *members = arena_alloc(b->arena, (n + 1) * sizeof(*members));
    const struct json_value *key, *value;
    struct json_iter each = json_iter(v);
    int r = members ? 0 : arena_error(b->arena);
    while (r == 0 && json_next(&each, &key, &value)) {
        size_t len;
        const char *name = json_text(key, &len);
        members[i].key = key;
        r = copy(b, value, secret || is_secret(b->redact, name, len), &members[i++].value);
    }
    return r == 0 ? json_object(b->arena, members, n, ret) : r;
}

/* All of a secret is secret, whatever is nested in it. */
static int copy(struct blanking *b, const struct json_value *v, bool secret,
                const struct json_value **ret)
{
    switch (json_type(v)) {
    case JSON_ARRAY:
        return copy_array(b, v, secret, ret);
    case JSON_OBJECT:
        return copy_object(b, v, secret, ret);
    case JSON_NULL:
        *ret = v;
        return 0;
    default:
        if (secret)
            note_secret(b, v);
        *ret = secret ? b->blank : v;
        return 0;
    }
}

/* Whether one of the names stands anywhere in the text. */
static bool mentions(const struct redact *redact, const char *text, size_t len)
{
    for (size_t i = 0; i < redact->n; i++) {
        size_t name = strlen(redact->names[i]);
        for (size_t at = 0; name > 0 && at + name <= len; at++) {
            if (strncasecmp(text + at, redact->names[i], name) == 0)
                return true;
        }
    }
    return false;
}

static int blank_payload(struct blanking *b)
{
    struct deadletter *letter = b->letter;
    const struct json_value *value;
    struct failure ignored;
    int r = json_parse(b->arena, letter->payload, letter->payload_len, &value, &ignored);
    if (r == -EBADMSG) {
        if (mentions(b->redact, letter->payload, letter->payload_len)) {
            letter->payload = blank;
            letter->payload_len = sizeof(blank) - 1;
            blank_error(&letter->error);
        }
        return 0;
    }
    if (r == 0)
        r = json_string(b->arena, blank, sizeof(blank) - 1, &b->blank);
    if (r == 0)
        r = copy(b, value, false, &value);
    const char *text;
    size_t len;
    if (r == 0 && b->found)
        r = json_write(b->arena, value, &text, &len, &ignored);
    if (r == 0 && b->found) {
        letter->payload = text;
        letter->payload_len = len;
    }
    return r;
}

int redact_letter(const struct redact *redact, struct arena *arena, bool json,
                  struct deadletter *letter)
{
    if (redact->n == 0)
        return 0;
    const char *dot = strrchr(letter->error.column, '.');
    const char *column = dot ? dot + 1 : letter->error.column;
    if (is_secret(redact, column, strlen(column)))
        blank_error(&letter->error);
    struct blanking b = {.redact = redact, .arena = arena, .letter = letter};
    return json && letter->payload ? blank_payload(&b) : 0;
}
