/* SPDX-License-Identifier: MIT */
/*
 * How a pipeline is run. A plain run takes a place in line for each command, so that a lost
 * connection tells which of them have left. A transaction takes one place with many replies: unless
 * EXEC has left, too, nothing of it was carried out.
 */
#include "drivers/redis/pipeline.h"

#include <errno.h>
#include <string.h>

#include "drivers/redis/client.h"
#include "drivers/redis/own.h"
#include "drivers/redis/pipeline_impl.h"
#include "drivers/redis/words.h"

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n";
static const char exec[] = "*1\r\n$4\r\nEXEC\r\n";

static struct hr__redis_request load_of(const struct hr_redis_script *script, const char **argv,
                                        size_t *lens)
{
    hr_assert(script->source);
    argv[0] = "SCRIPT";
    argv[1] = "LOAD";
    argv[2] = script->source;
    lens[0] = strlen(argv[0]);
    lens[1] = strlen(argv[1]);
    lens[2] = script->len;
    return (struct hr__redis_request){.argc = 3, .argv = argv, .lens = lens};
}

/* Room for so many replies, and the outcomes as long as nothing was sent. */
static int prepare(hr_redis_pipeline *p, size_t replies)
{
    if (!p)
        return hr__pipeline_fail_memory();
    if (p->failed.code < 0)
        return hr_error_raise(&p->failed);
    if (p->count == 0)
        return hr_fail(-EINVAL, "redis: the pipeline is empty");
    hr__pipeline_drop_outcomes(p);
    p->replies = calloc(replies, sizeof(*p->replies));
    p->outcomes = calloc(p->count, sizeof(*p->outcomes));
    if (p->replies && p->outcomes) {
        p->n_replies = replies;
        return 0;
    }
    hr__pipeline_drop_outcomes(p);
    return hr__pipeline_fail_memory();
}

static int set_outcome(struct hr_redis_outcome *outcome, int code, bool sent, const hr_reply *reply)
{
    outcome->code = code;
    outcome->sent = sent;
    outcome->reply = code == 0 ? reply : NULL;
    if (code == 0 && hr_reply_type(reply) == HR_REPLY_ERROR) {
        outcome->reply = reply;
        outcome->code = hr__redis_fail_reply(reply);
    }
    return outcome->code;
}

/* Says in the record of an error reply which of the commands it is about. */
static void blame(const hr_redis_pipeline *p, size_t i)
{
    struct hr__redis_request all = {.data = hr_buf_data(&p->bytes)};
    char name[HR__REDIS_COMMAND_MAX];
    struct hr_error why = {0};
    hr__redis_name_command(&all, i, name);
    hr_error_copy(&why, hr_last_error());
    (void)hr_fail_native(why.code, why.native, NULL, why.kind[0] ? why.kind : NULL, why.sent,
                         "command %zu of %zu, %s: %s", i + 1, p->count, name, why.message);
    hr_error_done(&why);
}

/* Which failure is the run's: the first. */
struct first {
    const hr_redis_pipeline *pipeline;
    int code;
    struct hr_error error;
};

/* i is the command's number; what belongs to none has NO_COMMAND. */
#define NO_COMMAND SIZE_MAX

static void note(struct first *first, size_t i, int code)
{
    if (code >= 0 || first->code < 0)
        return;
    first->code = code;
    if (i != NO_COMMAND && code == HR_EREPLY)
        blame(first->pipeline, i);
    hr_error_copy(&first->error, hr_last_error());
}

static int end_first(struct first *first)
{
    if (first->code < 0)
        (void)hr_error_raise(&first->error);
    hr_error_done(&first->error);
    return first->code;
}

/* How long a run may take: in all, and what is left of it. */
struct time_left {
    hr_usec limit, span;
};

/* A command of a plain run. */
struct asked {
    struct hr__redis_request request;
    struct hr__redis_call call;
};

static int begin_at(hr_redis_pipeline *p, size_t i, size_t offset, struct asked *asked,
                    struct hr__redis_conn *conn, const struct time_left *time)
{
    asked->call.limit = time->limit;
    if (i < p->n_scripts) {
        const char *argv[3];
        size_t lens[3];
        struct hr__redis_request load = load_of(p->scripts[i], argv, lens);
        return hr__redis_call_begin(&asked->call, conn, &load, time->span);
    }
    asked->request.data = hr_buf_data(&p->bytes) + offset;
    asked->request.len = p->lens[i - p->n_scripts];
    asked->call.request = &asked->request;
    return hr__redis_call_begin(&asked->call, conn, &asked->request, time->span);
}

static int run_on(struct hr__redis_conn *conn, hr_redis_pipeline *p, const struct time_left *time)
{
    size_t total = p->n_scripts + p->count, begun = 0, offset = 0;
    hr_auto(hr_freep) struct asked *all = calloc(total, sizeof(*all));
    struct first first = {.pipeline = p};
    if (!all)
        return hr__pipeline_fail_memory();
    while (begun < total && first.code == 0) {
        note(&first, begun < p->n_scripts ? NO_COMMAND : begun - p->n_scripts,
             begin_at(p, begun, offset, &all[begun], conn, time));
        if (first.code < 0)
            break;
        if (begun >= p->n_scripts)
            offset += p->lens[begun - p->n_scripts];
        begun++;
    }
    for (size_t i = p->n_scripts; i < total;
         i++) /* what was not begun; the others are told below */
        p->outcomes[i - p->n_scripts].code = first.code;

    bool left = first.code == -ECANCELED;
    for (size_t i = 0; i < begun; i++) {
        struct hr__redis_call *call = &all[i].call;
        if (left || hr__redis_call_wait(call) < 0) {
            left = true;
            hr__redis_call_abandon(call);
        }
        bool sent = call->sent;
        int r = hr__redis_call_end_any(call, &p->replies[i]);
        size_t number = i < p->n_scripts ? NO_COMMAND : i - p->n_scripts;
        if (number != NO_COMMAND)
            r = set_outcome(&p->outcomes[number], r, sent, p->replies[i]);
        else if (r == 0 && hr_reply_type(p->replies[i]) == HR_REPLY_ERROR)
            r = hr__redis_fail_reply(p->replies[i]);
        note(&first, number, r);
    }
    return end_first(&first);
}

/* The transaction's bytes. */
static int compose(hr_redis_pipeline *p, struct hr_buf *ret)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->n_scripts; i++) {
        const char *argv[3];
        size_t lens[3];
        struct hr__redis_request request = load_of(p->scripts[i], argv, lens);
        r = hr__redis_format(ret, &request);
    }
    if (r == 0)
        r = hr_buf_append(ret, multi, sizeof(multi) - 1);
    if (r == 0)
        r = hr_buf_append(ret, hr_buf_data(&p->bytes), hr_buf_size(&p->bytes));
    if (r == 0)
        r = hr_buf_append(ret, exec, sizeof(exec) - 1);
    return r == 0 ? 0 : hr__pipeline_fail_memory();
}

static bool is_error(const hr_reply *reply)
{
    return hr_reply_type(reply) == HR_REPLY_ERROR;
}

static size_t first_refused(const hr_redis_pipeline *p, hr_reply *const *queued)
{
    for (size_t i = 0; i < p->count; i++) {
        if (is_error(queued[i]))
            return i;
    }
    return NO_COMMAND;
}

/* Nothing was carried out: each command was refused, or not reached. */
static void refuse_all(hr_redis_pipeline *p, hr_reply *const *queued)
{
    for (size_t i = 0; i < p->count; i++) {
        if (is_error(queued[i]))
            (void)set_outcome(&p->outcomes[i], 0, true, queued[i]);
        else
            p->outcomes[i] = (struct hr_redis_outcome){.code = -ENOEXEC, .sent = true};
    }
}

/* All replies are there. MULTI itself may have been refused (a user who may not): then the commands
 * were carried out one by one, and their own replies say so. */
static int sort_out(hr_redis_pipeline *p)
{
    hr_reply *const *queued = p->replies + p->n_scripts + 1;
    const hr_reply *begun = queued[-1], *end = p->replies[p->n_replies - 1];
    struct first first = {.pipeline = p};
    if (is_error(begun)) {
        note(&first, NO_COMMAND, hr__redis_fail_reply(begun));
        for (size_t i = 0; i < p->count; i++)
            (void)set_outcome(&p->outcomes[i], 0, true, queued[i]);
    } else if (is_error(end)) {
        size_t refused = first_refused(p, queued);
        const char *why = refused == NO_COMMAND ? NULL : hr_reply_str(queued[refused], NULL);
        int r = hr__redis_fail_reply(end);
        if (why)
            r = hr_fail_native(r, 0, NULL, hr_last_error()->kind, true,
                               "EXECABORT the transaction was discarded: %s", why);
        note(&first, refused, r);
        refuse_all(p, queued);
    } else if (hr_reply_is_nil(end)) {
        note(&first, NO_COMMAND,
             hr_fail_native(-EAGAIN, 0, NULL, NULL, true,
                            "redis: a key that was watched has changed"));
        refuse_all(p, queued);
    } else if (hr_reply_len(end) != p->count) {
        note(&first, NO_COMMAND,
             hr_fail_native(-EPROTO, 0, NULL, NULL, true,
                            "redis: EXEC answered to another number of commands"));
        refuse_all(p, queued);
    } else {
        for (size_t i = 0; i < p->count; i++)
            note(&first, i, set_outcome(&p->outcomes[i], 0, true, hr_reply_at(end, i)));
    }
    return end_first(&first);
}

static int exec_on(struct hr__redis_conn *conn, hr_redis_pipeline *p, const struct time_left *time)
{
    hr_auto(hr_buf_done) struct hr_buf bytes;
    hr_buf_init(&bytes, SIZE_MAX);
    int r = compose(p, &bytes);
    struct hr__redis_request request = {.data = hr_buf_data(&bytes),
                                        .len = hr_buf_size(&bytes),
                                        .more = p->n_scripts + 1 + p->count,
                                        .parts = p->replies};
    struct hr__redis_call call = {.request = &request, .limit = time->limit};
    if (r == 0)
        r = hr__redis_call_begin(&call, conn, &request, time->span);
    if (r < 0) {
        hr__pipeline_drop_outcomes(p);
        return r;
    }
    if (hr__redis_call_wait(&call) < 0)
        hr__redis_call_abandon(&call);
    bool sent = call.sent;
    r = hr__redis_call_end_any(&call, &p->replies[p->n_replies - 1]);
    if (r == 0)
        return sort_out(p);
    for (size_t i = 0; i < p->count; i++)
        p->outcomes[i] = (struct hr_redis_outcome){.code = r, .sent = sent};
    return r;
}

/* What a command was refused with says more of the server than the EXECABORT behind it. True: it
 * said that it is not what it was. */
static bool heed_outcomes(hr_redis *redis, const hr_redis_pipeline *p)
{
    struct hr_error why = {0};
    bool left = false;
    size_t outcomes = p->outcomes ? p->count : 0;
    hr_error_copy(&why, hr_last_error());
    for (size_t i = 0; i < outcomes && !left; i++)
        left = p->outcomes[i].code == HR_EREPLY &&
               hr__redis_heed_refusal(redis, hr__redis_fail_reply(p->outcomes[i].reply));
    (void)hr_error_raise(&why);
    hr_error_done(&why);
    return left;
}

/* The shared connection. A client with patience waits for it, which is a part of *span. */
static int find_conn(hr_redis *redis, hr_usec *span, struct hr__redis_conn **ret)
{
    if (redis->patience <= 0)
        return hr__redis_get_conn(redis, ret);
    hr_usec deadline = hr_later(hr_now(), *span);
    int r = hr__redis_await_conn(redis, deadline, ret);
    *span = deadline - hr_now();
    return r;
}

static int run_shared(hr_redis *redis, hr_redis_pipeline *p,
                      int (*run)(struct hr__redis_conn *, hr_redis_pipeline *,
                                 const struct time_left *))
{
    int r = hr__redis_check_loop(redis);
    if (r == 0 && !hr_current_task())
        r = hr_fail(HR_ENOTASK, "redis: only a task can wait for replies");
    if (r < 0) {
        hr__pipeline_drop_outcomes(p);
        return r;
    }
    hr__redis_ref(redis);
    struct hr__redis_conn *conn = NULL;
    struct time_left time = {redis->command_timeout, redis->command_timeout};
    r = find_conn(redis, &time.span, &conn);
    if (r >= 0) {
        hr__redis_conn_ref(conn);
        r = run(conn, p, &time);
        hr__redis_conn_unref(conn);
    } else {
        hr__pipeline_drop_outcomes(p);
    }
    if (r == HR_EREPLY)
        (void)heed_outcomes(redis, p);
    hr__redis_unref(redis);
    return r;
}

int(hr_redis_pipeline_run)(hr_redis *redis, hr_redis_pipeline *p)
{
    int r = prepare(p, p ? p->n_scripts + p->count : 0);
    return r < 0 ? r : run_shared(redis, p, run_on);
}

int(hr_redis_pipeline_exec)(hr_redis *redis, hr_redis_pipeline *p)
{
    int r = prepare(p, p ? p->n_scripts + p->count + 2 : 0);
    return r < 0 ? r : run_shared(redis, p, exec_on);
}

int(hr_redis_conn_pipeline_run)(hr_redis_conn *conn, hr_redis_pipeline *p)
{
    int r = hr__redis_check_lent(conn);
    if (r == 0)
        r = prepare(p, p ? p->n_scripts + p->count : 0);
    if (r < 0)
        return r;
    hr_usec limit = conn->redis->command_timeout;
    r = run_on(conn->conn, p, &(struct time_left){limit, limit});
    if (r == HR_EREPLY && heed_outcomes(conn->redis, p))
        conn->dirty = true; /* the next borrower's goes to who is the server now */
    return r;
}

int(hr_redis_conn_pipeline_exec)(hr_redis_conn *conn, hr_redis_pipeline *p)
{
    int r = hr__redis_check_lent(conn);
    if (r == 0)
        r = prepare(p, p ? p->n_scripts + p->count + 2 : 0);
    if (r < 0)
        return r;
    hr_usec limit = conn->redis->command_timeout;
    r = exec_on(conn->conn, p, &(struct time_left){limit, limit});
    if (p->outcomes && p->replies[p->n_replies - 1] && !is_error(p->replies[p->n_scripts]))
        conn->watching = false; /* however EXEC ended */
    if (r == HR_EREPLY && heed_outcomes(conn->redis, p))
        conn->dirty = true;
    return r;
}

int(hr_redis_watch)(hr_redis *redis, size_t n, const char *const *keys, hr_redis_conn **ret)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr__words_done) struct hr__words words;
    int r = hr__words_init(&words, 1 + n);
    if (r < 0)
        return r;
    r = hr_redis_acquire(redis, &conn);
    if (r < 0)
        return r;
    hr__words_add_text(&words, "WATCH");
    for (size_t i = 0; i < n; i++)
        hr__words_add_text(&words, keys[i]);
    struct hr__redis_request request = hr__words_request(&words);
    conn->watching = true;
    r = hr__redis_call(conn->conn, NULL, &request, redis->command_timeout);
    if (r == 0)
        *ret = hr_take(conn);
    return r;
}
