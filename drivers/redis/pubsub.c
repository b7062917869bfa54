/* SPDX-License-Identifier: MIT */
/*
 * A subscriber's calls, and the messages that wait for him.
 */
#include "drivers/redis/pubsub.h"

#include <string.h>

#include "core/timeout.h"
#include "drivers/missing.h"
#include "drivers/redis/own.h"
#include "drivers/redis/pubsub_impl.h"

#define MAX_MESSAGES 1024
#define MAX_BYTES    ((size_t)16 << 20)

/* --- life */

hr_redis_pubsub *hr_redis_pubsub_new(hr_redis *redis, const struct hr_redis_pubsub_options *options)
{
    if (hr__redis_check_loop(redis) < 0)
        return NULL;
    struct hr_redis_pubsub *pubsub = calloc(1, sizeof(*pubsub));
    if (!pubsub) {
        (void)hr_fail(-ENOMEM, "%s: no memory for a subscriber", redis->target.name);
        return NULL;
    }
    pubsub->refs = 1;
    pubsub->redis = hr__redis_ref(redis);
    if (options)
        pubsub->options = *options;
    if (pubsub->options.max_messages == 0)
        pubsub->options.max_messages = MAX_MESSAGES;
    if (pubsub->options.max_bytes == 0)
        pubsub->options.max_bytes = MAX_BYTES;
    hr__table_init(&pubsub->subscriptions);
    hr_list_init(&pubsub->due);
    hr_list_init(&pubsub->asked);
    hr_list_init(&pubsub->heard);
    hr_event_init(&pubsub->nudge);
    hr_event_init(&pubsub->moved);
    hr_event_init(&pubsub->ready);
    hr_list_append(&redis->pubsubs, &pubsub->link);
    return pubsub;
}

struct hr_redis_pubsub *hr__redis_pubsub_ref(struct hr_redis_pubsub *pubsub)
{
    pubsub->refs++;
    return pubsub;
}

static void forget_heard(struct hr_redis_pubsub *pubsub, struct hr__redis_heard *heard)
{
    hr_list_remove(&heard->link);
    if (heard->reply) {
        pubsub->messages--;
        pubsub->bytes -= hr_reply_size(heard->reply);
        heard->reply = hr_reply_free(heard->reply);
    }
    hr_error_done(&heard->error);
    free(heard);
}

void hr__redis_pubsub_unref(struct hr_redis_pubsub *pubsub)
{
    if (--pubsub->refs > 0)
        return;
    hr__redis_pubsub_drop_all(pubsub);
    hr__table_done(&pubsub->subscriptions);
    while (!hr_list_empty(&pubsub->heard))
        forget_heard(pubsub, hr_list_entry(pubsub->heard.next, struct hr__redis_heard, link));
    hr_error_done(&pubsub->error);
    hr_event_done(&pubsub->nudge);
    hr_event_done(&pubsub->moved);
    hr_event_done(&pubsub->ready);
    hr__redis_unref(pubsub->redis);
    free(pubsub);
}

void hr__redis_pubsub_end(struct hr_redis_pubsub *pubsub)
{
    if (pubsub->closed)
        return;
    pubsub->closed = true;
    hr_list_remove(&pubsub->link);
    if (pubsub->keeper)
        hr_task_cancel(pubsub->keeper, "the subscriber is closed");
    hr_event_set(&pubsub->ready);
    hr_event_set(&pubsub->moved);
}

hr_redis_pubsub *hr_redis_pubsub_free(hr_redis_pubsub *pubsub)
{
    if (pubsub) {
        hr__redis_pubsub_end(pubsub);
        hr__redis_pubsub_unref(pubsub);
    }
    return NULL;
}

void hr_redis_pubsub_freep(hr_redis_pubsub **pubsub)
{
    *pubsub = hr_redis_pubsub_free(*pubsub);
}

static int fail_closed(const struct hr_redis_pubsub *pubsub)
{
    return hr_fail(HR_ECLOSED, "%s: the subscriber is closed", pubsub->redis->target.name);
}

static int fail_missing(void)
{
    return hr__missing_object("redis: a subscriber");
}

/* --- what is heard */

static bool is_full(const struct hr_redis_pubsub *pubsub, size_t size)
{
    return pubsub->messages > 0 && (pubsub->messages >= pubsub->options.max_messages ||
                                    pubsub->bytes + size > pubsub->options.max_bytes);
}

static bool tells_loss(const struct hr_redis_pubsub *pubsub, struct hr_list *link)
{
    return link != &pubsub->heard &&
           hr_list_entry(link, struct hr__redis_heard, link)->code == HR_ELOST;
}

/* Losses between which nothing is left to be heard become one, so that they are as bounded as the
 * messages are. */
static void forget_oldest(struct hr_redis_pubsub *pubsub)
{
    hr_list_foreach (link, &pubsub->heard) {
        struct hr__redis_heard *heard = hr_list_entry(link, struct hr__redis_heard, link);
        struct hr_list *before = link->prev, *behind = link->next;
        if (!heard->reply)
            continue;
        forget_heard(pubsub, heard);
        pubsub->missed++;
        if (tells_loss(pubsub, before) && tells_loss(pubsub, behind))
            forget_heard(pubsub, hr_list_entry(before, struct hr__redis_heard, link));
        return;
    }
}

/* The reader has to know, though there is no memory to tell him what. */
static void starve(struct hr_redis_pubsub *pubsub)
{
    pubsub->starved = true;
    hr_event_set(&pubsub->ready);
}

static void keep_message(struct hr_redis_pubsub *pubsub, hr_reply *message)
{
    size_t size = hr_reply_size(message);
    struct hr__redis_heard *heard = NULL;
    if (!pubsub->options.drop_newest) {
        while (is_full(pubsub, size))
            forget_oldest(pubsub);
    }
    if (!is_full(pubsub, size)) {
        heard = calloc(1, sizeof(*heard));
        if (!heard)
            starve(pubsub);
    }
    if (!heard) {
        pubsub->missed++;
        (void)hr_reply_free(message);
        return;
    }
    heard->reply = message;
    pubsub->messages++;
    pubsub->bytes += size;
    hr_list_append(&pubsub->heard, &heard->link);
    hr_event_set(&pubsub->ready);
}

void hr__redis_pubsub_tell(struct hr_redis_pubsub *pubsub, int code)
{
    if (code == HR_ELOST && tells_loss(pubsub, pubsub->heard.prev))
        return; /* one loss after the other, and nothing heard between them */
    struct hr__redis_heard *heard = calloc(1, sizeof(*heard));
    if (!heard) {
        starve(pubsub);
        return;
    }
    heard->code = code;
    hr_error_copy(&heard->error, hr_last_error());
    hr_list_append(&pubsub->heard, &heard->link);
    hr_event_set(&pubsub->ready);
}

/* How many words a message has; 0: it is none. */
static size_t words_of(const hr_reply *kind)
{
    if (hr_reply_equals(kind, "message") || hr_reply_equals(kind, "smessage"))
        return 3;
    return hr_reply_equals(kind, "pmessage") ? 4 : 0;
}

static bool is_confirmation(const hr_reply *kind)
{
    const char *text = hr_reply_str(kind, NULL);
    size_t len = text ? strlen(text) : 0;
    return hr_reply_equals(kind, "pong") || (len >= 9 && strcmp(text + len - 9, "subscribe") == 0);
}

enum hr__redis_push hr__redis_pubsub_hear(hr_reply *message, void *cookie)
{
    const hr_reply *kind = hr_reply_at(message, 0);
    size_t words = words_of(kind);
    if (words == 0 && is_confirmation(kind))
        return HR__REDIS_PUSH_IS_REPLY;
    if (words > 0 && hr_reply_len(message) == words)
        keep_message(cookie, message);
    else
        (void)hr_reply_free(message);
    return HR__REDIS_PUSH_TAKEN;
}

static void fill_message(struct hr_redis_pubsub *pubsub, hr_reply *reply,
                         struct hr_redis_message *ret)
{
    bool by_pattern = hr_reply_len(reply) == 4;
    *ret = (struct hr_redis_message){.reply = reply, .missed = pubsub->missed};
    pubsub->missed = 0;
    if (by_pattern)
        ret->pattern = hr_reply_str(hr_reply_at(reply, 1), NULL);
    ret->channel = hr_reply_str(hr_reply_at(reply, 1 + by_pattern), &ret->channel_len);
    ret->data = hr_reply_str(hr_reply_at(reply, 2 + by_pattern), &ret->len);
}

/* Nothing waits for the reader. */
static bool is_silent(const struct hr_redis_pubsub *pubsub)
{
    return hr_list_empty(&pubsub->heard) && !pubsub->starved;
}

static int take_heard(struct hr_redis_pubsub *pubsub, struct hr_redis_message *ret)
{
    struct hr__redis_heard *heard = hr_list_entry(pubsub->heard.next, struct hr__redis_heard, link);
    int r = 0;
    if (hr_list_empty(&pubsub->heard)) {
        pubsub->starved = false;
        hr_event_clear(&pubsub->ready);
        return hr_fail(-ENOMEM, "%s: no memory for what was heard", pubsub->redis->target.name);
    }
    if (heard->reply) {
        pubsub->messages--;
        pubsub->bytes -= hr_reply_size(heard->reply);
        fill_message(pubsub, hr_take(heard->reply), ret);
    } else {
        r = hr_error_raise(&heard->error);
    }
    forget_heard(pubsub, heard);
    if (is_silent(pubsub) && !pubsub->closed)
        hr_event_clear(&pubsub->ready);
    return r;
}

int(hr_redis_pubsub_next)(hr_redis_pubsub *pubsub, struct hr_redis_message *ret)
{
    int r = 0;
    if (!pubsub)
        return fail_missing();
    hr__redis_pubsub_ref(pubsub);
    while (r >= 0 && !pubsub->closed && is_silent(pubsub))
        r = hr_event_wait_as(&pubsub->ready, "a message of Redis");
    if (r >= 0)
        r = pubsub->closed ? fail_closed(pubsub) : take_heard(pubsub, ret);
    hr__redis_pubsub_unref(pubsub);
    return r;
}

void hr_redis_message_done(struct hr_redis_message *message)
{
    (void)hr_reply_free(message->reply);
    *message = (struct hr_redis_message){0};
}

/* --- what is wanted */

static int start_keeper(struct hr_redis_pubsub *pubsub)
{
    if (pubsub->keeper)
        return 0;
    struct hr_task_options options = {.name = "redis-pubsub",
                                      .free_arg = hr__redis_pubsub_drop_keeper};
    pubsub->keeper =
        hr_create_task_with(&options, hr__redis_pubsub_keep, hr__redis_pubsub_ref(pubsub));
    if (pubsub->keeper)
        return 0;
    hr__redis_pubsub_unref(pubsub);
    return hr_fail(-ENOMEM, "%s: no memory for a task", pubsub->redis->target.name);
}

static int await_outcome(struct hr_redis_pubsub *pubsub, struct hr__redis_subscription *it)
{
    uint64_t failed = pubsub->failed;
    while (!it->standing) {
        if (pubsub->closed)
            return fail_closed(pubsub);
        if (it->code < 0)
            return hr_error_raise(&it->error);
        if (!it->wanted)
            return hr_fail(-ENOTCONN, "%s: unsubscribed meanwhile", pubsub->redis->target.name);
        if (pubsub->failed != failed)
            return hr_error_raise(&pubsub->error);
        int r = hr_event_wait_as(&pubsub->moved, "a subscription at Redis");
        if (r < 0)
            return r;
    }
    return 0;
}

static int fail_late(const struct hr_redis_pubsub *pubsub, enum hr_redis_channel kind)
{
    const char *what = pubsub->conn ? "no reply to" : "no connection for";
    return hr_fail_native(-ETIMEDOUT, 0, NULL, NULL, pubsub->conn, "%s: %s %s within %.6g s",
                          pubsub->redis->target.name, what, hr__redis_pubsub_verb(kind, false),
                          (double)pubsub->redis->command_timeout / 1e6);
}

/* A subscription that is new, or that another caller waits for as well. */
static int await_standing(struct hr_redis_pubsub *pubsub, struct hr__redis_subscription *it)
{
    struct hr_timeout limit = {0};
    it->refs++;
    it->awaited++;
    hr_event_set(&pubsub->nudge);
    int r = hr_timeout_enter(&limit, pubsub->redis->command_timeout);
    if (r == 0)
        r = hr_timeout_leave(&limit, await_outcome(pubsub, it));
    it->awaited--;
    if (r < 0 && it->standing) { /* confirmed in that very moment */
        if (r == -ECANCELED)
            hr__redis_cancel_later();
        r = 0;
    }
    if (r == -ETIMEDOUT)
        r = fail_late(pubsub, it->kind);
    if (r < 0 && (it->code < 0 || (!it->stood && it->awaited == 0)))
        hr__redis_pubsub_drop(pubsub, it);
    hr__redis_subscription_unref(it);
    return r;
}

int(hr_redis_subscribe)(hr_redis_pubsub *pubsub, enum hr_redis_channel kind, const char *name)
{
    if (!pubsub)
        return fail_missing();
    if ((unsigned)kind > HR_REDIS_SHARD)
        return hr_fail(-EINVAL, "redis: %d is no kind of channel", (int)kind);
    if (pubsub->closed)
        return fail_closed(pubsub);
    if (!name)
        return hr_fail(-EINVAL, "redis: a channel without a name");
    struct hr__redis_subscription *it = hr__redis_pubsub_find(pubsub, kind, name);
    if (!it && !(it = hr__redis_pubsub_want(pubsub, kind, name)))
        return -ENOMEM;
    int r = start_keeper(pubsub);
    if (r < 0) {
        hr__redis_pubsub_drop(pubsub, it);
        return r;
    }
    hr__redis_pubsub_ref(pubsub);
    r = await_standing(pubsub, it);
    hr__redis_pubsub_unref(pubsub);
    return r;
}

/* Has the server told, also when the caller does not wait for that: it would go on saying what is
 * on the channel. */
static int leave_channel(struct hr_redis_pubsub *pubsub, enum hr_redis_channel kind,
                         const char *name)
{
    const char *argv[] = {hr__redis_pubsub_verb(kind, true), name};
    struct hr__redis_request request = {.argc = 2, .argv = argv};
    hr_auto(hr_future_unrefp) hr_future *left = NULL;
    int r = hr__redis_call_future(pubsub->conn, &request, pubsub->redis->command_timeout, &left);
    return r < 0 ? r : hr_await(left);
}

int(hr_redis_unsubscribe)(hr_redis_pubsub *pubsub, enum hr_redis_channel kind, const char *name)
{
    if (!pubsub)
        return fail_missing();
    struct hr__redis_subscription *it =
        pubsub->closed || !name ? NULL : hr__redis_pubsub_find(pubsub, kind, name);
    if (!it)
        return 0;
    bool standing = it->standing;
    hr__redis_pubsub_drop(pubsub, it);
    if (!standing || !pubsub->conn)
        return 0; /* the keeper takes it back, should it have been asked */
    int r = leave_channel(pubsub, kind, name);
    return r == -ECANCELED ? r : 0; /* with the connection the subscription went, too */
}
