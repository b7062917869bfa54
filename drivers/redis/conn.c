/* SPDX-License-Identifier: MIT */
/*
 * Two tasks serve a connection: one reads and hands replies out, one writes at the end of a pass
 * what was asked in it and has not left early. Commands are formatted straight into the output;
 * nobody allocates for a command.
 */
#include "drivers/redis/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/redis/conn_impl.h"

#define READ_SIZE (64 * 1024)
#define KEEP_OUT  (256 * 1024)

/* What leaves before the end of a pass. */
#define FLUSH_FIRST 512
#define FLUSH_MOST  (8 * 1024)

/* Shared by all connections of a thread: nothing suspends between reading and parsing. */
static _Thread_local char read_buffer[READ_SIZE];

struct hr__redis_conn *hr__redis_conn_ref(struct hr__redis_conn *conn)
{
    conn->refs++;
    return conn;
}

static void free_conn(struct hr__redis_conn *conn)
{
    hr__redis_census_leave(conn->census);
    hr__redis_reader_free(conn->reader);
    hr__redis_line_done(&conn->line);
    hr_buf_done(&conn->out);
    hr_event_done(&conn->asked);
    hr_error_done(&conn->error);
    free(conn);
}

void hr__redis_conn_unref(struct hr__redis_conn *conn)
{
    if (--conn->refs == 0)
        free_conn(conn);
}

bool hr__redis_conn_alive(const struct hr__redis_conn *conn)
{
    return !conn->lost && !conn->retiring;
}

bool hr__redis_conn_busy(const struct hr__redis_conn *conn)
{
    return !hr__redis_line_empty(&conn->line);
}

bool hr__redis_conn_has_room(const struct hr__redis_conn *conn)
{
    return hr__redis_conn_pending(conn) < conn->limits.max_pending && hr_list_empty(&conn->room);
}

bool hr__redis_conn_was_hung_up_on(const struct hr__redis_conn *conn)
{
    int why = conn->error.code;
    return conn->lost && !conn->spoke && (why == -ECONNRESET || why == -EPIPE);
}

void hr__redis_conn_end_asking(struct hr__redis_conn *conn)
{
    if (!conn->lost)
        (void)shutdown(conn->wire.fd, SHUT_WR); /* fails where the peer has gone already */
}

const struct hr_error *hr__redis_conn_error(const struct hr__redis_conn *conn)
{
    return &conn->error;
}

void hr__redis_conn_on_lost(struct hr__redis_conn *conn, void (*lost)(void *cookie), void *cookie)
{
    conn->on_lost = lost;
    conn->cookie = cookie;
}

void hr__redis_conn_on_refusal(struct hr__redis_conn *conn, void (*refused)(void *cookie),
                               void *cookie)
{
    conn->on_refusal = refused;
    conn->refusal_cookie = cookie;
}

void hr__redis_conn_on_push(struct hr__redis_conn *conn, hr__redis_push_fn *push, void *cookie)
{
    conn->push = push;
    conn->push_cookie = cookie;
}

unsigned hr__redis_conn_protocol(const struct hr__redis_conn *conn)
{
    return conn->protocol;
}

void hr__redis_conn_set_protocol(struct hr__redis_conn *conn, unsigned protocol)
{
    conn->protocol = protocol;
}

static void close_socket(struct hr__redis_conn *conn)
{
    hr__wire_close(&conn->wire);
    if (conn->timer)
        hr_handle_cancel(conn->timer);
    conn->timer = NULL;
}

void hr__redis_conn_fail(struct hr__redis_conn *conn, int why, int code)
{
    if (conn->lost)
        return;
    conn->lost = true;
    hr_list_remove(&conn->link);
    hr__redis_conn_ref(conn);
    if (hr_last_error()->code != why)
        (void)hr_fail(why, "%s: %s", conn->name, hr_error_text(why));
    hr_error_copy(&conn->error, hr_last_error());
    close_socket(conn);

    struct hr__redis_line line = conn->line;
    conn->line = (struct hr__redis_line){0};
    hr_buf_done(&conn->out);
    for (uint64_t place = line.head; place < line.tail; place++) {
        struct hr__redis_call *call = hr__redis_line_at(&line, place)->call;
        if (!call)
            continue;
        call->sent = place < line.sent;
        hr__redis_call_finish(call, code < 0 ? code : call->sent ? HR_ELOST : -ENOTCONN);
    }
    hr__redis_line_done(&line);
    hr__redis_wake_room(conn);
    hr_event_set(&conn->asked); /* the writer ends */
    if (conn->on_lost)
        conn->on_lost(conn->cookie);
    hr__redis_conn_unref(conn);
}

void hr__redis_conn_hang_up(struct hr__redis_conn *conn, const char *reason, int code)
{
    if (conn->lost)
        return;
    hr_auto(hr_error_done) struct hr_error before = {0};
    hr_error_copy(&before, hr_last_error());
    (void)hr_fail(HR_ECLOSED, "%s: %s", conn->name, reason);
    hr__redis_conn_fail(conn, HR_ECLOSED, code);
    (void)hr_error_raise(&before);
}

void hr__redis_conn_end_if_retired(struct hr__redis_conn *conn)
{
    if (conn->retiring && hr__redis_line_empty(&conn->line))
        hr__redis_conn_hang_up(conn, "replaced by a new connection", 0);
}

void hr__redis_conn_retire(struct hr__redis_conn *conn, struct hr_list *retired)
{
    conn->retiring = true;
    conn->on_lost = conn->on_refusal = NULL;
    hr_list_append(retired, &conn->link);
    hr__redis_conn_end_if_retired(conn);
}

void hr__redis_conn_end_retired(struct hr_list *retired)
{
    while (!hr_list_empty(retired)) {
        struct hr__redis_conn *conn = hr_list_entry(retired->next, struct hr__redis_conn, link);
        hr__redis_conn_hang_up(conn, "the client was closed", HR_ECLOSED);
    }
}

/* What comes without having been asked for is the server's last word: "max number of clients
 * reached". */
static void accept_unsolicited(struct hr__redis_conn *conn, hr_reply *reply)
{
    const char *text = "a reply that nobody asked for";
    char kind[16] = "";
    if (hr_reply_type(reply) == HR_REPLY_ERROR) {
        size_t len;
        text = hr_reply_str(reply, &len);
        hr__redis_copy_kind(text, len, kind);
    }
    (void)hr_fail_native(-ECONNABORTED, 0, NULL, kind, false, "%s: %s", conn->name, text);
    (void)hr_reply_free(reply);
    hr__redis_conn_fail(conn, -ECONNABORTED, 0);
}

/* A message that is nobody's reply by its type. False: it is one after all. */
static bool accept_push(struct hr__redis_conn *conn, hr_reply *reply)
{
    if (!conn->push) {
        (void)hr_reply_free(reply);
        return true;
    }
    return conn->push(reply, conn->push_cookie) == HR__REDIS_PUSH_TAKEN;
}

static bool is_message(const struct hr__redis_conn *conn, const hr_reply *reply)
{
    if (hr_reply_type(reply) == HR_REPLY_PUSH)
        return true;
    return conn->push && conn->protocol < 3 && hr_reply_type(reply) == HR_REPLY_ARRAY &&
           hr_reply_len(reply) > 0 && hr_reply_type(hr_reply_at(reply, 0)) == HR_REPLY_STR;
}

static void accept_reply(struct hr__redis_conn *conn, hr_reply *reply)
{
    if (is_message(conn, reply) && accept_push(conn, reply))
        return;
    if (!hr__redis_line_due(&conn->line)) {
        accept_unsolicited(conn, reply);
        return;
    }
    struct hr__redis_call *call;
    if (hr__redis_line_take_part(&conn->line, &call)) {
        if (call)
            call->request->parts[call->n_parts++] = reply;
        else
            (void)hr_reply_free(reply);
        return;
    }
    call = hr__redis_line_pop(&conn->line);
    if (call) {
        call->reply = reply;
        call->sent = true;
        hr__redis_call_finish(call, 0);
    } else {
        (void)hr_reply_free(reply);
    }
    hr__redis_conn_end_if_retired(conn);
}

/* Reading or writing failed; TLS has said why. */
static int fail_socket(const struct hr__redis_conn *conn, int code)
{
    const char *why = code == -EPROTO ? hr_last_error()->message : hr_error_text(code);
    return hr_fail(code, "%s: %s", conn->name, why);
}

/* Names the command whose reply it is, where that is known. */
static int fail_size(const struct hr__redis_conn *conn)
{
    const struct hr__redis_call *call = NULL;
    char name[HR__REDIS_COMMAND_MAX] = "";
    if (!conn->push && hr__redis_line_due(&conn->line)) /* else it may be a message */
        call = hr__redis_line_at(&conn->line, conn->line.head)->call;
    if (call && call->request)
        hr__redis_name_command(call->request, call->n_parts, name);
    return hr_fail(-EMSGSIZE, "%s: the reply%s%s is larger than max_reply (%zu bytes)", conn->name,
                   name[0] ? " to " : "", name, conn->limits.max_reply);
}

/* Reads once and hands out what is whole. 1; 0 when there was nothing; or why it ended. */
static int receive(struct hr__redis_conn *conn)
{
    ssize_t n = hr__wire_recv(&conn->wire, read_buffer, sizeof(read_buffer));
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return fail_socket(conn, (int)n);
    if (n == 0)
        return hr_fail(-ECONNRESET, "%s: the server closed the connection", conn->name);

    conn->heard = hr_now();
    conn->spoke = true;
    hr__redis_reader_feed(conn->reader, read_buffer, (size_t)n);
    int r = 1;
    while (r > 0 && !conn->lost) {
        hr_reply *reply = NULL;
        r = hr__redis_reader_next(conn->reader, &reply);
        if (r > 0)
            accept_reply(conn, reply);
    }
    if (r == -EMSGSIZE)
        return fail_size(conn);
    return r < 0 ? r : 1;
}

static int read_replies(void *arg)
{
    struct hr__redis_conn *conn = arg;
    while (!conn->lost) {
        int r = hr__wire_wait(&conn->wire);
        if (r >= 0)
            r = receive(conn);
        if (r < 0)
            hr__redis_conn_fail(conn, r, 0);
    }
    hr__redis_conn_unref(conn);
    return 0;
}

/* Writing failed: what the server said before it hung up tells more. */
static int fail_write(struct hr__redis_conn *conn, int code)
{
    int r;
    do {
        r = receive(conn);
    } while (r > 0 && !conn->lost);
    if (conn->lost)
        return HR_ECLOSED;
    if (r < 0 && r != -ECONNRESET && r != -EPIPE)
        return r;
    return fail_socket(conn, code);
}

void hr__redis_conn_tidy(struct hr__redis_conn *conn)
{
    struct hr_buf *out = &conn->out;
    size_t dropped = hr__redis_line_tidy(&conn->line, (char *)hr_buf_data(out));
    hr_buf_cut(out, hr_buf_size(out) - dropped, dropped);
}

int hr__redis_conn_flush(struct hr__redis_conn *conn)
{
    struct hr_buf *out = &conn->out;
    if (hr_unlikely(conn->line.back > 0))
        hr__redis_conn_tidy(conn);
    while (!conn->lost && hr_buf_size(out) > 0) {
        ssize_t n = hr__wire_send(&conn->wire, hr_buf_data(out), hr_buf_size(out));
        if (n < 0)
            return n == -EAGAIN ? -EAGAIN : fail_write(conn, (int)n);
        hr_buf_consume(out, (size_t)n);
        hr__redis_line_written(&conn->line, (size_t)n);
    }
    int r = conn->lost ? 0 : hr__wire_flush(&conn->wire);
    if (r < 0)
        return r == -EAGAIN ? r : fail_write(conn, r);
    if (out->capacity > KEEP_OUT)
        hr_buf_done(out);
    hr__redis_wake_room(conn);
    return 0;
}

void hr__redis_conn_flush_early(struct hr__redis_conn *conn)
{
    if (conn->blocked)
        return;
    if (conn->flush_at < FLUSH_MOST)
        conn->flush_at *= 2;
    int r = hr__redis_conn_flush(conn);
    if (r == -EAGAIN)
        conn->flush_at = SIZE_MAX; /* no more attempts in this pass */
    else if (r < 0)
        hr__redis_conn_fail(conn, r, 0);
}

/* At the end of a pass. */
static int write_out(struct hr__redis_conn *conn)
{
    conn->flush_at = FLUSH_FIRST;
    int r = hr__redis_conn_flush(conn);
    while (r == -EAGAIN) {
        conn->blocked = true;
        r = hr_io_wait(conn->wire.io, HR_WRITE);
        conn->blocked = false;
        if (r >= 0)
            r = conn->lost ? 0 : hr__redis_conn_flush(conn);
    }
    return r;
}

static int write_commands(void *arg)
{
    struct hr__redis_conn *conn = arg;
    while (!conn->lost) {
        int r = hr_event_wait_as(&conn->asked, "commands to Redis");
        hr_event_clear(&conn->asked);
        if (r >= 0 && !conn->lost)
            r = write_out(conn);
        if (r < 0)
            hr__redis_conn_fail(conn, r, 0);
    }
    hr__redis_conn_unref(conn);
    return 0;
}

/* The loop ends before a task of the connection ran. */
static void drop_task(void *arg)
{
    struct hr__redis_conn *conn = arg;
    hr__redis_conn_hang_up(conn, "its loop ends", 0);
    hr__redis_conn_unref(conn);
}

static int start_tasks(struct hr__redis_conn *conn)
{
    static const struct {
        const char *name;
        hr_task_fn *fn;
    } tasks[] = {
        {"redis-read",  read_replies  },
        {"redis-write", write_commands}
    };

    for (size_t i = 0; i < HR_ARRAY_LEN(tasks); i++) {
        struct hr_task_options options = {.name = tasks[i].name, .free_arg = drop_task};
        hr_auto(hr_future_unrefp) hr_task *task =
            hr_create_task_with(&options, tasks[i].fn, hr__redis_conn_ref(conn));
        if (!task) {
            hr__redis_conn_unref(conn);
            return -ENOMEM;
        }
    }
    return 0;
}

struct hr__redis_conn *hr__redis_conn_new(struct hr__wire *wire, const char *name,
                                          const struct hr__redis_limits *limits,
                                          struct hr__redis_census *census)
{
    struct hr__redis_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        hr__wire_close(wire);
        (void)hr_fail(-ENOMEM, "%s: no memory for a connection", name);
        return NULL;
    }
    conn->refs = 1;
    conn->protocol = 2;
    conn->flush_at = FLUSH_FIRST;
    conn->wire = *wire;
    conn->limits = *limits;
    conn->census = hr__redis_census_enter(census);
    snprintf(conn->name, sizeof(conn->name), "%s", name);
    hr_buf_init(&conn->out, SIZE_MAX);
    hr_event_init(&conn->asked);
    hr_list_init(&conn->room);
    hr_list_init(&conn->link);
    conn->reader = hr__redis_reader_new(limits->max_reply);
    if (!conn->reader || start_tasks(conn) < 0) {
        (void)hr_fail(-ENOMEM, "%s: no memory for a connection", name);
        hr__redis_conn_fail(conn, -ENOMEM, 0);
        hr__redis_conn_unref(conn);
        return NULL;
    }
    return conn;
}
