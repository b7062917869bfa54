/* SPDX-License-Identifier: MIT */
/*
 * The commands of streams, and entries read out of their replies.
 */
#include "drivers/redis/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/redis/client.h"
#include "drivers/redis/words.h"

void hr_redis_entries_done(struct hr_redis_entries *entries)
{
    free(entries->items);
    (void)hr_reply_free(entries->reply);
    *entries = (struct hr_redis_entries){0};
}

const char *hr_redis_entry_field(const struct hr_redis_entry *entry, const char *name,
                                 size_t *ret_len)
{
    return hr_reply_str(hr_reply_find(entry->fields, name), ret_len);
}

static int refuse(const char *what)
{
    return hr_fail(-EPROTO, "redis: the reply is not %s", what);
}

/* Fills *ret with a list of entries inside a reply, which it owns from then on (also when it fails:
 * freed). */
static int fill(struct hr_redis_entries *ret, hr_reply *reply, const hr_reply *list)
{
    hr_redis_entries_done(ret);
    size_t n = hr_reply_len(list);
    ret->reply = reply;
    ret->items = n > 0 ? calloc(n, sizeof(*ret->items)) : NULL;
    if (n > 0 && !ret->items) {
        hr_redis_entries_done(ret);
        return hr_fail(-ENOMEM, "redis: no memory for %zu entries", n);
    }
    for (size_t i = 0; i < n; i++) {
        const hr_reply *entry = hr_reply_at(list, i);
        const hr_reply *fields = hr_reply_at(entry, 1);
        ret->items[i].id = hr_reply_str(hr_reply_at(entry, 0), NULL);
        ret->items[i].fields = hr_reply_is_nil(fields) ? NULL : fields;
        if (!ret->items[i].id) {
            hr_redis_entries_done(ret);
            return refuse("a list of entries");
        }
    }
    ret->count = n;
    return (int)n;
}

static int check_group(const struct hr_redis_group *group, bool by_consumer)
{
    const char *what = !group->stream                    ? "stream"
                       : !group->group                   ? "group"
                       : by_consumer && !group->consumer ? "consumer"
                                                         : NULL;
    return what ? hr_fail(-EINVAL, "redis: the group names no %s (NULL)", what) : 0;
}

static int copy_id(const hr_reply *id, char ret[HR_REDIS_ID_MAX])
{
    const char *text = hr_reply_str(id, NULL);
    if (!text || strlen(text) >= HR_REDIS_ID_MAX)
        return refuse("an id");
    snprintf(ret, HR_REDIS_ID_MAX, "%s", text);
    return 0;
}

int(hr_redis_add)(hr_redis *redis, const char *stream, uint64_t max_len, size_t n,
                  const struct hr_redis_field *fields, char ret_id[HR_REDIS_ID_MAX])
{
    hr_auto(hr__words_done) struct hr__words words;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    char number[24];
    int r = hr__words_init(&words, 6 + n * 2);
    if (r < 0)
        return r;
    hr__words_add_text(&words, "XADD");
    hr__words_add_text(&words, stream);
    if (max_len > 0) {
        snprintf(number, sizeof(number), "%" PRIu64, max_len);
        hr__words_add_text(&words, "MAXLEN");
        hr__words_add_text(&words, "~");
        hr__words_add_text(&words, number);
    }
    hr__words_add_text(&words, "*");
    for (size_t i = 0; i < n; i++) {
        hr__words_add_text(&words, fields[i].name);
        hr__words_add_args(&words, 1, &fields[i].value);
    }
    struct hr__redis_request request = hr__words_request(&words);
    r = hr__redis_ask(redis, &reply, &request);
    return r < 0 || !ret_id ? r : copy_id(reply, ret_id);
}

int(hr_redis_group_create)(hr_redis *redis, const struct hr_redis_group *group, const char *from)
{
    int r = check_group(group, false);
    if (r == 0)
        r = hr_redis_command(redis, NULL, "XGROUP CREATE %s %s %s MKSTREAM", group->stream,
                             group->group, from);
    if (r == HR_EREPLY && strcmp(hr_last_error()->kind, "BUSYGROUP") == 0)
        return 0;
    return r < 0 ? r : 1;
}

int(hr_redis_read_group)(hr_redis_conn *conn, const struct hr_redis_group *group, unsigned n,
                         hr_usec block, struct hr_redis_entries *ret)
{
    hr_reply *reply = NULL;
    long long ms = block > hr_ms(1) ? (long long)(block / hr_ms(1)) : 1; /* 0 means for ever */
    int r = check_group(group, true);
    if (r == 0)
        r = hr_redis_conn_command(conn, &reply, block,
                                  "XREADGROUP GROUP %s %s COUNT %u BLOCK %lld STREAMS %s >",
                                  group->group, group->consumer, n, ms, group->stream);
    if (r < 0)
        return r;
    /* One stream was asked for: in RESP3 a map of one, else an array of one pair. */
    bool is_map = hr_reply_type(reply) == HR_REPLY_MAP;
    const hr_reply *list = is_map ? hr_reply_at(reply, 1) : hr_reply_walk(reply, 2, 0, 1);
    return fill(ret, reply, list);
}

int(hr_redis_ack)(hr_redis *redis, const struct hr_redis_group *group,
                  const struct hr_redis_entries *entries)
{
    int r = check_group(group, false);
    if (r < 0 || entries->count == 0)
        return r;
    hr_auto(hr__words_done) struct hr__words words;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    r = hr__words_init(&words, 3 + entries->count);
    if (r < 0)
        return r;
    hr__words_add_text(&words, "XACK");
    hr__words_add_text(&words, group->stream);
    hr__words_add_text(&words, group->group);
    for (size_t i = 0; i < entries->count; i++)
        hr__words_add_text(&words, entries->items[i].id);
    struct hr__redis_request request = hr__words_request(&words);
    r = hr__redis_ask(redis, &reply, &request);
    return r < 0 ? r : (int)hr_reply_int(reply);
}

int(hr_redis_claim)(hr_redis *redis, const struct hr_redis_group *group, hr_usec min_idle,
                    unsigned n, char cursor[HR_REDIS_ID_MAX], struct hr_redis_entries *ret)
{
    hr_reply *reply = NULL;
    char next[HR_REDIS_ID_MAX];
    int r = check_group(group, true);
    if (r == 0)
        r = hr_redis_command(redis, &reply, "XAUTOCLAIM %s %s %s %lld %s COUNT %u", group->stream,
                             group->group, group->consumer, (long long)(min_idle / hr_ms(1)),
                             cursor, n);
    if (r < 0)
        return r;
    r = copy_id(hr_reply_at(reply, 0), next);
    if (r < 0) {
        (void)hr_reply_free(reply);
        return r;
    }
    r = fill(ret, reply, hr_reply_at(reply, 1));
    if (r >= 0)
        memcpy(cursor, next, sizeof(next));
    return r;
}
