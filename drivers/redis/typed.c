/* SPDX-License-Identifier: MIT */
/*
 * The conversions take all forms that a value has in either generation of the protocol.
 */
#include "drivers/redis/typed.h"

#include <limits.h>
#include <string.h>

#include "drivers/redis/client.h"
#include "drivers/redis/words.h"

static const char *name_of(const hr_reply *reply)
{
    static const char *const names[] = {
        [HR_REPLY_STATUS] = "text",    [HR_REPLY_ERROR] = "an error",
        [HR_REPLY_INT] = "an integer", [HR_REPLY_STR] = "text",
        [HR_REPLY_ARRAY] = "a list",   [HR_REPLY_MAP] = "a map",
        [HR_REPLY_SET] = "a set",      [HR_REPLY_DOUBLE] = "a double",
        [HR_REPLY_BOOL] = "a boolean", [HR_REPLY_BIG] = "a big number",
        [HR_REPLY_PUSH] = "a message",
    };
    return names[hr_reply_type(reply)];
}

/* A reply of another kind than was asked for, by the command's name and without what it holds. */
static int refuse_reply(const char *fmt, const hr_reply *reply, const char *what)
{
    const char *word = fmt + strspn(fmt, " ");
    int len = (int)strcspn(word, " %");
    return hr_fail(-EPROTO, "redis: the reply to %.*s is %s, not %s", len > 0 ? len : 11,
                   len > 0 ? word : "the command", name_of(reply), what);
}

int(hr_redis_command_int)(hr_redis *redis, int64_t *ret, const char *fmt, ...)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    va_list args;
    va_start(args, fmt);
    int r = hr__redis_ask_v(redis, &reply, fmt, &args);
    va_end(args);
    if (r < 0 || hr_reply_is_nil(reply))
        return r;
    return hr_reply_get_int(reply, ret) < 0 ? refuse_reply(fmt, reply, "an integer") : 1;
}

int(hr_redis_command_double)(hr_redis *redis, double *ret, const char *fmt, ...)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    va_list args;
    va_start(args, fmt);
    int r = hr__redis_ask_v(redis, &reply, fmt, &args);
    va_end(args);
    if (r < 0 || hr_reply_is_nil(reply))
        return r;
    return hr_reply_get_double(reply, ret) < 0 ? refuse_reply(fmt, reply, "a number") : 1;
}

int(hr_redis_command_text)(hr_redis *redis, char **ret, size_t *ret_len, const char *fmt, ...)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    va_list args;
    va_start(args, fmt);
    int r = hr__redis_ask_v(redis, &reply, fmt, &args);
    va_end(args);
    if (r < 0 || hr_reply_is_nil(reply))
        return r;
    size_t len = 0;
    const char *text = hr_reply_str(reply, &len);
    if (!text)
        return refuse_reply(fmt, reply, "text");
    char *copy = malloc(len + 1);
    if (!copy)
        return hr_fail(-ENOMEM, "redis: no memory for a copy of the reply");
    memcpy(copy, text, len + 1);
    *ret = copy;
    if (ret_len)
        *ret_len = len;
    return 1;
}

/* Whether elements stand two and two in arrays of their own. */
static bool is_nested(const hr_reply *reply)
{
    return hr_reply_type(reply) == HR_REPLY_ARRAY && hr_reply_len(reply) > 0 &&
           hr_reply_len(hr_reply_at(reply, 0)) > 0;
}

static bool fill_pair(struct hr_redis_pair *pair, const hr_reply *name, const hr_reply *value)
{
    if (!name || !value)
        return false;
    pair->name = hr_reply_str(name, &pair->name_len);
    pair->value = hr_reply_str(value, &pair->value_len);
    return pair->name && pair->value;
}

static int fill_pairs(struct hr_redis_pairs *pairs, const char *fmt)
{
    const hr_reply *reply = pairs->reply;
    bool nested = is_nested(reply);
    size_t len = hr_reply_len(reply);
    if (hr_reply_type(reply) != HR_REPLY_NIL && hr_reply_type(reply) != HR_REPLY_MAP &&
        hr_reply_type(reply) != HR_REPLY_ARRAY)
        return refuse_reply(fmt, reply, "names and values");
    if (!nested && len % 2 != 0)
        return refuse_reply(fmt, reply, "names and values, since their number is odd");
    size_t count = nested ? len : len / 2;
    if (count == 0)
        return 0;
    pairs->items = count < INT_MAX ? calloc(count, sizeof(*pairs->items)) : NULL;
    if (!pairs->items)
        return hr_fail(-ENOMEM, "redis: no memory for pairs");
    for (size_t i = 0; i < count; i++) {
        const hr_reply *pair = nested ? hr_reply_at(reply, i) : reply;
        size_t at = nested ? 0 : i * 2;
        if (!fill_pair(&pairs->items[i], hr_reply_at(pair, at), hr_reply_at(pair, at + 1)))
            return refuse_reply(fmt, reply, "names and values, since one of them is no text");
    }
    pairs->count = count;
    return (int)count;
}

/* Of the reply to a command, which the pairs own from then on. */
static int make_pairs(hr_reply *reply, struct hr_redis_pairs *ret, const char *fmt)
{
    struct hr_redis_pairs pairs = {.reply = reply};
    int r = fill_pairs(&pairs, fmt);
    if (r < 0)
        hr_redis_pairs_done(&pairs);
    else
        *ret = pairs;
    return r;
}

int hr_redis_pairs_of(hr_reply *reply, struct hr_redis_pairs *ret)
{
    return make_pairs(reply, ret, "");
}

int(hr_redis_command_pairs)(hr_redis *redis, struct hr_redis_pairs *ret, const char *fmt, ...)
{
    hr_reply *reply = NULL;
    va_list args;
    va_start(args, fmt);
    int r = hr__redis_ask_v(redis, &reply, fmt, &args);
    va_end(args);
    return r < 0 ? r : make_pairs(reply, ret, fmt);
}

void hr_redis_pairs_done(struct hr_redis_pairs *pairs)
{
    free(pairs->items);
    (void)hr_reply_free(pairs->reply);
    *pairs = (struct hr_redis_pairs){0};
}

const char *hr_redis_pairs_find(const struct hr_redis_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].name, name) == 0)
            return pairs->items[i].value;
    }
    return NULL;
}

int(hr_redis_hset)(hr_redis *redis, const char *key, size_t n, const struct hr_redis_field *fields)
{
    hr_auto(hr__words_done) struct hr__words words;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr__words_init(&words, 2 + n * 2);
    if (r < 0)
        return r;
    hr__words_add_text(&words, "HSET");
    hr__words_add_text(&words, key);
    for (size_t i = 0; i < n; i++) {
        hr__words_add_text(&words, fields[i].name);
        hr__words_add_args(&words, 1, &fields[i].value);
    }
    struct hr__redis_request request = hr__words_request(&words);
    r = hr__redis_ask(redis, &reply, &request);
    return r < 0 ? r : (int)hr_reply_int(reply);
}

int(hr_redis_command_args)(hr_redis *redis, hr_reply **ret, size_t n,
                           const struct hr_redis_arg *args)
{
    hr_auto(hr__words_done) struct hr__words words;
    int r = hr__words_init(&words, n);
    if (r < 0)
        return r;
    hr__words_add_args(&words, n, args);
    struct hr__redis_request request = hr__words_request(&words);
    return hr__redis_ask(redis, ret, &request);
}
