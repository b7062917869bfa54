/* SPDX-License-Identifier: MIT */
/*
 * A command's way: room, line, reply or deadline.
 *
 * One timer serves all deadlines of a connection: it stands at the oldest command's, and is looked
 * at again only when it is due. When replies are due and the server was silent for a whole
 * deadline, the peer is taken for gone (half-open connections never report an error).
 */
#include "core/timeout.h"
#include "drivers/redis/arena.h"
#include "drivers/redis/conn_impl.h"

struct room_waiter {
    struct hr_list link;
    hr_event turn;
    bool let_in;
};

static void deadline_due(void *arg);

void hr__redis_copy_kind(const char *text, size_t len, char ret[16])
{
    size_t n = 0;
    while (n < len && n < 15 && text[n] != ' ') {
        ret[n] = text[n];
        n++;
    }
    ret[n] = '\0';
}

int hr__redis_fail_reply(const hr_reply *error)
{
    char kind[16];
    size_t len;
    const char *text = hr_reply_str(error, &len);
    hr__redis_copy_kind(text, len, kind);
    return hr_fail_native(HR_EREPLY, 0, NULL, kind, true, "%s", text);
}

/* A call that a future stands for: its request may be gone before it is over. */
struct future_call {
    struct hr__redis_call call;
    char name[HR__REDIS_COMMAND_MAX];
};

/* What was asked, for messages. */
static const char *name_of(const struct hr__redis_call *call, char text[HR__REDIS_COMMAND_MAX])
{
    const char *name = text;
    text[0] = '\0';
    if (call->request)
        hr__redis_name_command(call->request, call->n_parts, text);
    else if (call->future)
        name = hr_container_of(call, const struct future_call, call)->name;
    return name[0] ? name : "a command";
}

/* Writes how the call ended into the record. */
static int explain(const struct hr__redis_call *call)
{
    const struct hr_error *error = &call->conn->error;
    const char *name = call->conn->name;
    if (call->code == 0 && hr_reply_type(call->reply) != HR_REPLY_ERROR)
        return 0;
    if (call->code == 0)
        return hr__redis_fail_reply(call->reply);
    char text[HR__REDIS_COMMAND_MAX];
    const char *named = name_of(call, text);
    if (call->code == -ETIMEDOUT)
        return hr_fail_native(-ETIMEDOUT, 0, NULL, NULL, call->sent,
                              call->sent ? "%s: no reply to %s within %.6g s"
                                         : "%s: %s could not be sent within %.6g s",
                              name, named, (double)call->limit / 1e6);
    if (call->code == -ECANCELED)
        return hr_fail_native(-ECANCELED, 0, NULL, NULL, call->sent, "%s: %s was cancelled %s",
                              name, named,
                              call->sent ? "before the reply came" : "before it was sent");
    return hr_fail_native(call->code, 0, NULL, error->kind[0] ? error->kind : NULL, call->sent,
                          "%s", error->message);
}

void hr__redis_drop_reply(void *reply)
{
    (void)hr_reply_free(reply);
}

void hr__redis_call_finish(struct hr__redis_call *call, int code)
{
    call->code = code;
    call->in_line = false;
    if (!call->future) {
        hr_event_set(&call->done);
        return;
    }
    hr_future *future = call->future;
    int r = explain(call);
    if (!hr_future_done(future)) {
        if (r < 0)
            (void)hr_future_set_error_record(future, hr_last_error());
        else
            (void)hr_future_set_result(future, hr_take(call->reply), hr__redis_drop_reply);
    }
    call->reply = hr_reply_free(call->reply);
    if (r == HR_EREPLY && call->conn->on_refusal)
        call->conn->on_refusal(call->conn->refusal_cookie);
    hr__redis_conn_unref(call->conn);
    (void)hr_future_unref(future);
    free(call);
}

/* One at a time: who is let in wakes the next once his command is in, or he has gone. What several
 * had to ask would be more than there is room for. */
void hr__redis_wake_room(struct hr__redis_conn *conn)
{
    while (!hr_list_empty(&conn->room) &&
           (conn->lost ||
            (!conn->letting_in && hr__redis_conn_pending(conn) < conn->limits.max_pending))) {
        struct hr_list *first = hr_list_pop(&conn->room);
        struct room_waiter *waiter = hr_list_entry(first, struct room_waiter, link);
        waiter->let_in = conn->letting_in = true;
        hr_event_set(&waiter->turn);
    }
}

/* Takes it back if it has not begun to leave. */
static bool mark_back(struct hr__redis_call *call)
{
    if (!hr__redis_line_take_back(&call->conn->line, call->place))
        return false;
    call->in_line = false;
    call->sent = false;
    call->code = -ECANCELED;
    return true;
}

/* Takes it back, or leaves its reply to nobody. */
static void leave_line(struct hr__redis_call *call)
{
    if (mark_back(call))
        return;
    hr__redis_line_forget(&call->conn->line, call->place);
    call->in_line = false;
    call->sent = true;
}

/* After calls have left the line. What was taken back stays in the output until it is half of it,
 * or the rest is to be sent: so each byte is moved about once, whoever leaves in whatever order. */
static void settle(struct hr__redis_conn *conn)
{
    if (conn->line.back > 0 && conn->line.back >= hr__redis_conn_pending(conn))
        hr__redis_conn_tidy(conn);
    hr__redis_wake_room(conn);
    hr__redis_conn_end_if_retired(conn);
}

static void disarm_timer(struct hr__redis_conn *conn)
{
    if (conn->timer)
        hr_handle_cancel(conn->timer);
    conn->timer = NULL;
}

/* A timer that stands earlier than need be does no harm: it looks, and is armed anew. */
static int arm_timer_at(struct hr__redis_conn *conn, hr_usec moment)
{
    if (moment == HR_FOREVER || (conn->timer && conn->timer_at <= moment))
        return 0;
    hr_handle *timer = hr_call_at(moment, deadline_due, conn);
    if (!timer)
        return hr_fail(-ENOMEM, "%s: no memory for a deadline", conn->name);
    disarm_timer(conn);
    conn->timer_at = moment;
    conn->timer = timer;
    return 0;
}

/* Ends the calls whose time is up, and returns the earliest deadline of the others. Who waited for
 * the connection has less time left than those in front of him, so all are looked at: that is once
 * a deadline. */
static hr_usec expire_calls(struct hr__redis_conn *conn, hr_usec now)
{
    hr_usec next = HR_FOREVER;
    for (uint64_t place = conn->line.head; place < conn->line.tail; place++) {
        struct hr__redis_call *call = hr__redis_line_at(&conn->line, place)->call;
        if (!call)
            continue;
        if (call->deadline > now) {
            next = call->deadline < next ? call->deadline : next;
            continue;
        }
        leave_line(call);
        hr__redis_call_finish(call, -ETIMEDOUT);
    }
    settle(conn);
    return next;
}

static void deadline_due(void *arg)
{
    struct hr__redis_conn *conn = hr__redis_conn_ref(arg);
    hr_usec now = hr_now();
    conn->timer = NULL;
    hr_usec next = expire_calls(conn, now);
    hr_usec silent = hr_later(conn->heard, conn->patience);
    if (hr__redis_line_begun(&conn->line) && now >= silent) {
        (void)hr_fail(-ETIMEDOUT, "%s: no sign of life for %.3g s", conn->name,
                      (double)(now - conn->heard) / 1e6);
        hr__redis_conn_fail(conn, -ETIMEDOUT, 0);
    }
    if (!conn->lost && hr__redis_line_begun(&conn->line) && silent < next)
        next = silent;
    if (!conn->lost && arm_timer_at(conn, next) < 0)
        hr__redis_conn_fail(conn, -ENOMEM, 0);
    hr__redis_conn_unref(conn);
}

static int wait_for_room(struct hr__redis_conn *conn, hr_usec span)
{
    struct room_waiter waiter;
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, span);
    if (r < 0)
        return r;
    waiter.let_in = false;
    hr_event_init(&waiter.turn);
    hr_list_append(&conn->room, &waiter.link);
    r = hr_event_wait_as(&waiter.turn, "room for a command to Redis");
    hr_list_remove(&waiter.link);
    if (waiter.let_in)
        conn->letting_in = false;
    hr_event_done(&waiter.turn);
    return hr_timeout_leave(&limit, r);
}

/* Formats the command into the output and joins the line. */
static int ask(struct hr__redis_call *call, const struct hr__redis_request *request, hr_usec span)
{
    struct hr__redis_conn *conn = call->conn;
    size_t before = hr_buf_size(&conn->out);
    int r = hr__redis_line_reserve(&conn->line);
    if (r < 0)
        return hr_fail(r, "%s: no memory for the command", conn->name);
    r = hr__redis_format(&conn->out, request);
    if (r < 0)
        return r;
    size_t len = hr_buf_size(&conn->out) - before;
    if (len > conn->limits.max_pending) {
        hr_buf_cut(&conn->out, before, len);
        return hr_fail(-ENOBUFS, "%s: the command has %zu bytes, more than may be pending",
                       conn->name, len);
    }

    hr_usec now = hr_now();
    call->deadline = hr_later(now, span);
    r = arm_timer_at(conn, call->deadline);
    if (r < 0) {
        hr_buf_cut(&conn->out, before, len);
        return r;
    }
    if (hr__redis_line_empty(&conn->line)) {
        conn->heard = now;
        conn->patience = call->limit;
    }
    call->place = hr__redis_line_join(&conn->line, call, len, request->more);
    call->in_line = true;
    hr_event_set(&conn->asked);
    return 0;
}

int hr__redis_call_begin(struct hr__redis_call *call, struct hr__redis_conn *conn,
                         const struct hr__redis_request *request, hr_usec span)
{
    call->conn = hr__redis_conn_ref(conn);
    call->in_line = call->sent = false;
    call->code = 0;
    call->reply = NULL;
    call->n_parts = 0;
    hr_event_init(&call->done);
    int r = 0;
    if (!conn->lost && !hr__redis_conn_has_room(conn)) {
        hr_usec since = hr_now();
        r = wait_for_room(conn, span);
        span -= hr_now() - since;
    }
    if (r >= 0 && conn->lost)
        r = -ENOTCONN;
    if (r >= 0)
        r = ask(call, request, span);
    if (r < 0) {
        call->code = r;
        if (r == -ENOTCONN || r == -ETIMEDOUT || r == -ECANCELED)
            (void)explain(call);
        hr_event_done(&call->done);
        hr__redis_wake_room(conn); /* a turn that was not used is the next one's */
        hr__redis_conn_unref(conn);
        return r;
    }
    if (hr_unlikely(hr_buf_size(&conn->out) >= conn->flush_at))
        hr__redis_conn_flush_early(conn);
    if (hr_unlikely(!hr_list_empty(&conn->room)))
        hr__redis_wake_room(conn);
    return 0;
}

int hr__redis_call_wait(struct hr__redis_call *call)
{
    return hr_event_wait_as(&call->done, "a reply of Redis");
}

bool hr__redis_call_take_back(struct hr__redis_call *call)
{
    if (!call->in_line || !mark_back(call))
        return false;
    settle(call->conn);
    return true;
}

void hr__redis_call_abandon(struct hr__redis_call *call)
{
    if (call->in_line) {
        leave_line(call);
        settle(call->conn);
    }
    call->code = -ECANCELED;
}

void hr__redis_call_hurry(struct hr__redis_call *call, hr_usec span)
{
    struct hr__redis_conn *conn = call->conn;
    if (!call->in_line)
        return;
    call->deadline = hr_later(hr_now(), span);
    conn->patience = span;
    conn->heard = hr_now();
    if (arm_timer_at(conn, call->deadline) < 0)
        hr__redis_conn_fail(conn, -ENOMEM, 0);
}

static int end(struct hr__redis_call *call, int r, hr_reply **ret)
{
    hr_assert(!call->in_line);
    if (r == 0 && ret)
        *ret = hr_take(call->reply);
    call->reply = hr_reply_free(call->reply);
    hr_event_done(&call->done);
    hr__redis_conn_unref(call->conn);
    return r;
}

int hr__redis_call_end(struct hr__redis_call *call, hr_reply **ret)
{
    bool fine = hr_likely(call->code == 0 && call->reply->type != HR_REPLY_ERROR);
    return end(call, fine ? 0 : explain(call), ret);
}

int hr__redis_call_end_any(struct hr__redis_call *call, hr_reply **ret)
{
    return end(call, call->code == 0 ? 0 : explain(call), ret);
}

int hr__redis_call(struct hr__redis_conn *conn, hr_reply **ret,
                   const struct hr__redis_request *request, hr_usec span)
{
    struct hr__redis_call call = {.request = request, .limit = span};
    int r = hr__redis_call_begin(&call, conn, request, span);
    if (r < 0)
        return r;
    if (hr__redis_call_wait(&call) < 0)
        hr__redis_call_abandon(&call);
    return hr__redis_call_end(&call, ret);
}

int hr__redis_callf(struct hr__redis_conn *conn, hr_reply **ret, hr_usec span, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r = hr__redis_call(conn, ret, &request, span);
    va_end(args);
    return r;
}

int hr__redis_call_future(struct hr__redis_conn *conn, const struct hr__redis_request *request,
                          hr_usec span, hr_future **ret)
{
    struct future_call *it = calloc(1, sizeof(*it));
    hr_future *future = it ? hr_future_new(NULL) : NULL;
    if (!future) {
        free(it);
        return hr_fail(-ENOMEM, "%s: no memory for the command", conn->name);
    }
    hr__redis_name_command(request, 0, it->name);
    it->call.future = hr_future_ref(future);
    it->call.limit = span;
    int r = hr__redis_call_begin(&it->call, conn, request, span);
    if (r < 0) {
        (void)hr_future_unref(it->call.future);
        (void)hr_future_unref(future);
        free(it);
        return r;
    }
    *ret = future;
    return 0;
}
