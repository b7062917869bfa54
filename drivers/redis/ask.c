/* SPDX-License-Identifier: MIT */
/*
 * How a command is asked on the shared connection: at once, when there is one again, or as a
 * future; and whether it is asked again.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/redis/client.h"
#include "drivers/redis/manners.h"

int hr__redis_check_loop(struct hr_redis *redis)
{
    uint64_t here = hr_running_loop_number();
    if (hr_unlikely(!redis))
        return hr__missing_object("redis: a client");
    if (hr_likely(here && redis->home == here))
        return 0;
    if (!here)
        return hr_fail(HR_ENOLOOP, "redis: no loop runs in this thread");
    if (redis->home)
        return hr_fail(HR_EWRONGLOOP, "redis: the client belongs to another loop");
    redis->home = here;
    return 0;
}

bool hr__redis_heed_refusal(struct hr_redis *redis, int r)
{
    static const char *const kinds[] = {"READONLY", "MASTERDOWN", "LOADING"};
    for (size_t i = 0; r == HR_EREPLY && i < HR_ARRAY_LEN(kinds); i++) {
        if (strcmp(hr_last_error()->kind, kinds[i]) == 0) {
            hr__redis_leave_server(redis);
            return true;
        }
    }
    return false;
}

/* A command on its way through the client. */
struct asking {
    struct hr_redis *redis;
    const struct hr__redis_request *request;
    hr_reply **ret;
    hr_usec deadline;
    bool stands; /* the deadline, however long connecting takes */
    unsigned repeats;
};

static int ask_on(struct hr__redis_conn *conn, const struct asking *a, hr_usec span)
{
    struct hr__redis_call call hr_unset; /* to clear it would take a tenth of a command's time */
    call.future = NULL;
    call.request = a->request;
    call.limit = a->redis->command_timeout;
    int r = hr__redis_call_begin(&call, conn, a->request, span);
    if (r < 0)
        return r;
    if (hr__redis_call_wait(&call) < 0)
        hr__redis_call_abandon(&call);
    return hr__redis_call_end(&call, a->ret);
}

/* Asks on the connection there is, or waits for one first; an attempt has its own time limit, so a
 * client without patience waits for its outcome and counts from there. */
static int ask_once(struct asking *a)
{
    struct hr_redis *redis = a->redis;
    struct hr__redis_conn *conn = redis->conn;
    if (hr_unlikely(!hr__redis_is_up(redis))) {
        bool stands = a->stands || redis->patience > 0;
        int r = hr__redis_await_conn(redis, stands ? a->deadline : HR_FOREVER, &conn);
        if (r < 0)
            return r;
        if (!stands)
            a->deadline = hr_later(hr_now(), redis->command_timeout);
    }
    return ask_on(conn, a, a->deadline - hr_now());
}

/* Whether a command that ended so is sent again: when it was never sent, or may be sent twice. */
static bool is_asked_again(struct asking *a, int r)
{
    if (a->redis->state == HR__REDIS_CLOSED || hr_now() >= a->deadline)
        return false;
    if (r == HR_ELOST && a->repeats > 0 && a->request->more == 0) {
        a->repeats--;
        return true;
    }
    return r == -ENOTCONN && a->redis->patience > 0 && hr__redis_may_pass(hr_last_error());
}

/* Once it was sent, what comes later cannot say that it was not. */
static int ask_again(struct asking *a, int r)
{
    struct hr_error lost = {0};
    while (is_asked_again(a, r)) {
        if (r == HR_ELOST && lost.code == 0)
            hr_error_copy(&lost, hr_last_error());
        r = ask_once(a);
    }
    if (lost.code < 0 && r == -ECANCELED)
        r = hr_fail_native(r, 0, NULL, NULL, true, "%s; cancelled before it was answered again",
                           lost.message);
    else if (lost.code < 0 && r < 0 && r != HR_EREPLY)
        r = hr_error_raise(&lost);
    hr_error_done(&lost);
    return r;
}

/* What a command comes to whose first attempt has failed. */
static int go_on(struct asking *a, int r)
{
    struct hr_redis *redis = a->redis;
    r = ask_again(a, r);
    hr__redis_heed_refusal(redis, r);
    if (r == -ENOTCONN && redis->state == HR__REDIS_CLOSED) /* while it waited for room */
        r = hr_fail(HR_ECLOSED, "%s: the client was closed", redis->target.name);
    return r;
}

static int ask(struct asking *a)
{
    struct hr_redis *redis = a->redis;
    int r = hr__redis_check_loop(redis);
    if (r >= 0 && a->request->more == 0)
        r = hr__redis_check_manners(a->request);
    if (r < 0)
        return r;
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "redis: only a task can wait for a reply");
    hr__redis_ref(redis);
    if (!a->stands)
        a->deadline = hr_later(hr_now(), redis->command_timeout);
    r = ask_once(a);
    if (hr_unlikely(r < 0))
        r = go_on(a, r);
    hr__redis_unref(redis);
    return r;
}

int hr__redis_ask(struct hr_redis *redis, hr_reply **ret, const struct hr__redis_request *request)
{
    return ask(&(struct asking){
        .redis = redis, .request = request, .ret = ret, .repeats = redis ? redis->repeats : 0});
}

int hr__redis_ask_by(struct hr_redis *redis, hr_usec deadline, hr_reply **ret,
                     const struct hr__redis_request *request)
{
    return ask(&(struct asking){
        .redis = redis, .request = request, .ret = ret, .deadline = deadline, .stands = true});
}

int hr__redis_ask_v(struct hr_redis *redis, hr_reply **ret, const char *fmt, va_list *args)
{
    return hr__redis_ask(redis, ret, &(struct hr__redis_request){.fmt = fmt, .args = args});
}

int(hr_redis_command)(hr_redis *redis, hr_reply **ret, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int r = hr__redis_ask_v(redis, ret, fmt, &args);
    va_end(args);
    return r;
}

int(hr_redis_command_argv)(hr_redis *redis, hr_reply **ret, size_t argc, const char *const *argv,
                           const size_t *lens)
{
    struct hr__redis_request request = {.argc = argc, .argv = argv, .lens = lens};
    return hr__redis_ask(redis, ret, &request);
}

int(hr_redis_command_repeat)(hr_redis *redis, hr_reply **ret, unsigned times, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r =
        ask(&(struct asking){.redis = redis, .request = &request, .ret = ret, .repeats = times});
    va_end(args);
    return r;
}

/* A command that a task sees to, since it has to wait before it can be asked, or may be asked
 * again: its bytes. */
struct late {
    struct hr_redis *redis;
    struct hr_buf bytes;
    struct hr__redis_request request;
    struct hr__redis_call call;
    bool begun; /* it was asked at once, so that it keeps its place before later ones */
};

static int end_call(struct late *late, hr_reply **ret)
{
    late->begun = false;
    return hr__redis_call_end(&late->call, ret);
}

static void free_late(void *arg)
{
    struct late *late = arg;
    if (late->begun) {
        hr__redis_call_abandon(&late->call);
        (void)end_call(late, NULL);
    }
    late->redis->late_bytes -= hr_buf_size(&late->bytes);
    hr_buf_done(&late->bytes);
    hr__redis_unref(late->redis);
    free(late);
}

/* Waits for what was asked at once. */
static int await_begun(struct late *late, hr_reply **ret)
{
    struct asking a = {.redis = late->redis,
                       .request = &late->request,
                       .ret = ret,
                       .deadline = late->call.deadline,
                       .repeats = late->redis->repeats};
    if (hr__redis_call_wait(&late->call) < 0)
        hr__redis_call_abandon(&late->call);
    int r = end_call(late, ret);
    return r < 0 ? go_on(&a, r) : r;
}

static int ask_late(void *arg)
{
    struct late *late = arg;
    hr_reply *reply = NULL;
    int r = late->begun ? await_begun(late, &reply)
                        : hr__redis_ask(late->redis, &reply, &late->request);
    if (r >= 0)
        hr_task_return(reply, hr__redis_drop_reply);
    free_late(late);
    return r;
}

static bool can_ask_now(const struct hr_redis *redis)
{
    return hr__redis_is_up(redis) && hr__redis_conn_has_room(redis->conn);
}

static int start_late(struct hr_redis *redis, const struct hr__redis_request *request,
                      hr_future **ret)
{
    struct late *late = calloc(1, sizeof(*late));
    if (!late)
        return hr_fail(-ENOMEM, "redis: no memory for the command");
    late->redis = hr__redis_ref(redis);
    hr_buf_init(&late->bytes, SIZE_MAX);
    int r = hr__redis_format(&late->bytes, request);
    late->request = (struct hr__redis_request){.data = hr_buf_data(&late->bytes),
                                               .len = hr_buf_size(&late->bytes)};
    redis->late_bytes += late->request.len;
    if (r == 0 && redis->late_bytes > redis->target.limits.max_pending)
        r = hr_fail(-ENOBUFS, "%s: too much waits to be sent", redis->target.name);
    if (r == 0 && can_ask_now(redis)) {
        late->call.request = &late->request;
        late->call.limit = redis->command_timeout;
        r = hr__redis_call_begin(&late->call, redis->conn, &late->request, redis->command_timeout);
        late->begun = r == 0;
    }
    if (r == 0) {
        struct hr_task_options options = {.name = "redis-command", .free_arg = free_late};
        *ret = hr_create_task_with(&options, ask_late, late);
        r = *ret ? 0 : -ENOMEM;
    }
    if (r < 0)
        free_late(late);
    return r;
}

hr_future *hr_redis_command_future(hr_redis *redis, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    hr_future *future = NULL;
    int r = hr__redis_check_loop(redis);
    if (r == 0)
        r = hr__redis_check_manners(&request);
    if (r == 0 && can_ask_now(redis) && redis->patience == 0 && redis->repeats == 0)
        r = hr__redis_call_future(redis->conn, &request, redis->command_timeout, &future);
    else if (r == 0)
        r = start_late(redis, &request, &future);
    va_end(args);

    if (r < 0 && r != -ENOMEM) { /* what is wrong with the command belongs to its future */
        future = hr_future_new(NULL);
        if (future)
            (void)hr_future_set_error_record(future, hr_last_error());
    }
    return future;
}
