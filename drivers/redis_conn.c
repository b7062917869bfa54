/* SPDX-License-Identifier: MIT */
/*
 * Two tasks serve a connection: one reads and hands replies out, one writes what was asked since
 * the last pass. Commands are formatted straight into the output; nobody allocates for a command.
 *
 * One timer serves all deadlines: it stands at the oldest command's, and is looked at again only
 * when it is due. When replies are due and the server was silent for a whole deadline, the peer is
 * taken for gone (half-open connections never report an error).
 */
#include "drivers/redis_conn.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "core/timeout.h"
#include "drivers/redis_line.h"
#include "drivers/redis_reader.h"

#define READ_SIZE    (64 * 1024)
#define FLUSH_AT     (64 * 1024) /* so much is written at once, without waiting for the pass */
#define KEEP_OUT     (256 * 1024)
#define NAME_MAX_LEN 80

struct hr__redis_conn {
    unsigned refs;
    int fd;
    hr_io *io;
    char name[NAME_MAX_LEN];
    struct hr__redis_limits limits;
    struct hr__redis_reader *reader;
    struct hr__redis_line line;

    struct hr__buf out;
    hr_event asked;      /* there is something to write */
    bool blocked;        /* the kernel takes no more for now */
    struct hr_list room; /* who waits until less is pending */

    hr_handle *timer;
    hr_usec heard;    /* the last sign of life, or when the line began */
    hr_usec patience; /* how long a silence may last while replies are due */

    bool retiring, lost;
    struct hr_error error; /* why it is lost */
    void (*on_lost)(void *cookie);
    void *cookie;
};

struct room_waiter {
    struct hr_list link;
    hr_event turn;
};

/* Shared by all connections of a thread: nothing suspends between reading and parsing. */
static _Thread_local char read_buffer[READ_SIZE];

static void arm_timer(struct hr__redis_conn *conn);
static int flush(struct hr__redis_conn *conn);

struct hr__redis_conn *hr__redis_conn_ref(struct hr__redis_conn *conn)
{
    conn->refs++;
    return conn;
}

static void free_conn(struct hr__redis_conn *conn)
{
    hr__redis_reader_free(conn->reader);
    hr__redis_line_done(&conn->line);
    hr__buf_done(&conn->out);
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
    return hr__buf_len(&conn->out) < conn->limits.max_pending && hr_list_empty(&conn->room);
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

/* The first word of an error reply, as far as a record holds it. */
static void copy_kind(const char *text, size_t len, char ret[16])
{
    size_t n = 0;
    while (n < len && n < 15 && text[n] != ' ') {
        ret[n] = text[n];
        n++;
    }
    ret[n] = '\0';
}

/* Writes how the call ended into the record. */
static int explain(const struct hr__redis_call *call)
{
    const struct hr_error *error = &call->conn->error;
    const char *name = call->conn->name;
    if (call->code == 0 && hr_reply_type(call->reply) != HR_REPLY_ERROR)
        return 0;
    if (call->code == 0) {
        char kind[16];
        size_t len;
        const char *text = hr_reply_str(call->reply, &len);
        copy_kind(text, len, kind);
        return hr_fail_native(HR_EREPLY, 0, NULL, kind, true, "%s", text);
    }
    if (call->code == -ETIMEDOUT)
        return hr_fail_native(-ETIMEDOUT, 0, NULL, NULL, call->sent, "%s: %s", name,
                              call->sent ? "no reply in time" : "could not be asked in time");
    if (call->code == -ECANCELED)
        return hr_fail_native(-ECANCELED, 0, NULL, NULL, call->sent, "%s: cancelled %s", name,
                              call->sent ? "before the reply came" : "before it was asked");
    return hr_fail_native(call->code, 0, NULL, error->kind[0] ? error->kind : NULL, call->sent,
                          "%s", error->message);
}

static void free_reply(void *reply)
{
    (void)hr_reply_free(reply);
}

/* The call is over: whoever waits for it learns that. */
static void finish(struct hr__redis_call *call, int code)
{
    call->code = code;
    call->in_line = false;
    if (!call->future) {
        hr_event_set(&call->done);
        return;
    }
    hr_future *future = call->future;
    if (!hr_future_done(future)) {
        if (explain(call) < 0)
            (void)hr_future_set_error_record(future, hr_last_error());
        else
            (void)hr_future_set_result(future, hr_take(call->reply), free_reply);
    }
    call->reply = hr_reply_free(call->reply);
    hr__redis_conn_unref(call->conn);
    (void)hr_future_unref(future);
    free(call);
}

static void wake_room(struct hr__redis_conn *conn)
{
    while (!hr_list_empty(&conn->room) &&
           (conn->lost || hr__buf_len(&conn->out) < conn->limits.max_pending)) {
        struct hr_list *first = hr_list_pop(&conn->room);
        hr_event_set(&hr_list_entry(first, struct room_waiter, link)->turn);
        if (!conn->lost)
            break; /* who is woken wakes the next, once its command is in */
    }
}

static void close_socket(struct hr__redis_conn *conn)
{
    conn->io = hr_io_free(conn->io);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    if (conn->timer)
        hr_handle_cancel(conn->timer);
    conn->timer = NULL;
}

void hr__redis_conn_fail(struct hr__redis_conn *conn, int why, int code)
{
    if (conn->lost)
        return;
    conn->lost = true;
    hr__redis_conn_ref(conn);
    if (hr_last_error()->code != why)
        (void)hr_fail(why, "%s: %s", conn->name, hr_error_text(why));
    hr_error_copy(&conn->error, hr_last_error());
    close_socket(conn);

    struct hr__redis_line line = conn->line;
    conn->line = (struct hr__redis_line){0};
    hr__buf_done(&conn->out);
    for (uint64_t place = line.head; place < line.tail; place++) {
        struct hr__redis_call *call = hr__redis_line_at(&line, place)->call;
        if (!call)
            continue;
        call->sent = place < line.sent;
        finish(call, code < 0 ? code : call->sent ? HR_ELOST : -ENOTCONN);
    }
    hr__redis_line_done(&line);
    wake_room(conn);
    hr_event_set(&conn->asked); /* the writer ends */
    if (conn->on_lost)
        conn->on_lost(conn->cookie);
    hr__redis_conn_unref(conn);
}

static void end_if_retired(struct hr__redis_conn *conn)
{
    if (conn->retiring && !conn->lost && hr__redis_line_empty(&conn->line)) {
        (void)hr_fail(HR_ECLOSED, "%s: replaced by a new connection", conn->name);
        hr__redis_conn_fail(conn, HR_ECLOSED, 0);
    }
}

void hr__redis_conn_retire(struct hr__redis_conn *conn)
{
    conn->retiring = true;
    conn->on_lost = NULL;
    end_if_retired(conn);
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
        copy_kind(text, len, kind);
    }
    (void)hr_fail_native(-ECONNABORTED, 0, NULL, kind, false, "%s: %s", conn->name, text);
    (void)hr_reply_free(reply);
    hr__redis_conn_fail(conn, -ECONNABORTED, 0);
}

static void accept_reply(struct hr__redis_conn *conn, hr_reply *reply)
{
    if (!hr__redis_line_due(&conn->line)) {
        accept_unsolicited(conn, reply);
        return;
    }
    struct hr__redis_call *call = hr__redis_line_pop(&conn->line);
    if (call) {
        call->reply = reply;
        call->sent = true;
        finish(call, 0);
    } else {
        (void)hr_reply_free(reply);
    }
    end_if_retired(conn);
}

/* Reads once and hands out what is whole. 1; 0 when there was nothing; or why it ended. */
static int receive(struct hr__redis_conn *conn)
{
    ssize_t n = recv(conn->fd, read_buffer, sizeof(read_buffer), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return hr_fail(-errno, "%s: %s", conn->name, strerror(errno));
    if (n == 0)
        return hr_fail(-ECONNRESET, "%s: the server closed the connection", conn->name);

    conn->heard = hr_now();
    int r = hr__redis_reader_feed(conn->reader, read_buffer, (size_t)n);
    while (r >= 0 && !conn->lost) {
        hr_reply *reply = NULL;
        r = hr__redis_reader_next(conn->reader, &reply);
        if (r <= 0)
            break;
        accept_reply(conn, reply);
    }
    return r < 0 ? r : 1;
}

static int read_replies(void *arg)
{
    struct hr__redis_conn *conn = arg;
    while (!conn->lost) {
        int r = hr_io_wait(conn->io, HR_READ);
        if (r >= 0)
            r = receive(conn);
        if (r < 0)
            hr__redis_conn_fail(conn, r, 0);
    }
    hr__redis_conn_unref(conn);
    return 0;
}

/* Writing failed: what the server said before it hung up tells more. */
static int fail_write(struct hr__redis_conn *conn, int error)
{
    int r;
    do {
        r = receive(conn);
    } while (r > 0 && !conn->lost);
    if (conn->lost)
        return HR_ECLOSED;
    if (r < 0 && r != -ECONNRESET && r != -EPIPE)
        return r;
    return hr_fail(-error, "%s: %s", conn->name, strerror(error));
}

/* Writes as much as the kernel takes. 0, -EAGAIN, or why it ended. */
static int flush(struct hr__redis_conn *conn)
{
    struct hr__buf *out = &conn->out;
    while (!conn->lost && hr__buf_len(out) > 0) {
        ssize_t n = send(conn->fd, out->data + out->start, hr__buf_len(out), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return -EAGAIN;
        if (n < 0)
            return fail_write(conn, errno);
        hr__buf_consume(out, (size_t)n);
        hr__redis_line_written(&conn->line, (size_t)n);
    }
    if (out->capacity > KEEP_OUT)
        hr__buf_done(out);
    wake_room(conn);
    return 0;
}

static int write_out(struct hr__redis_conn *conn)
{
    int r = flush(conn);
    while (r == -EAGAIN) {
        conn->blocked = true;
        r = hr_io_wait(conn->io, HR_WRITE);
        conn->blocked = false;
        if (r >= 0)
            r = conn->lost ? 0 : flush(conn);
    }
    return r;
}

static int write_commands(void *arg)
{
    struct hr__redis_conn *conn = arg;
    while (!conn->lost) {
        int r = hr_event_wait(&conn->asked);
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
    hr__redis_conn_fail(conn, HR_ECLOSED, 0);
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

struct hr__redis_conn *hr__redis_conn_new(int fd, const char *name,
                                          const struct hr__redis_limits *limits)
{
    struct hr__redis_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        close(fd);
        (void)hr_fail(-ENOMEM, "%s: no memory for a connection", name);
        return NULL;
    }
    conn->refs = 1;
    conn->fd = fd;
    conn->limits = *limits;
    snprintf(conn->name, sizeof(conn->name), "%s", name);
    hr_event_init(&conn->asked);
    hr_list_init(&conn->room);
    conn->io = hr_io_new(fd);
    conn->reader = hr__redis_reader_new(limits->max_reply);
    if (!conn->io || !conn->reader || start_tasks(conn) < 0) {
        (void)hr_fail(-ENOMEM, "%s: no memory for a connection", name);
        hr__redis_conn_fail(conn, -ENOMEM, 0);
        hr__redis_conn_unref(conn);
        return NULL;
    }
    return conn;
}

/* Ends the calls whose time is up. The oldest stand first, so it ends at the first that is not. */
static hr_usec expire_calls(struct hr__redis_conn *conn, hr_usec now)
{
    for (uint64_t place = conn->line.head; place < conn->line.tail; place++) {
        struct hr__redis_call *call = hr__redis_line_at(&conn->line, place)->call;
        if (!call)
            continue;
        if (call->deadline > now)
            return call->deadline;
        hr__redis_call_abandon(call);
        finish(call, -ETIMEDOUT);
    }
    return HR_FOREVER;
}

static void deadline_due(void *arg)
{
    struct hr__redis_conn *conn = hr__redis_conn_ref(arg);
    hr_usec now = hr_now();
    conn->timer = NULL;
    (void)expire_calls(conn, now);
    if (hr__redis_line_due(&conn->line) && now >= hr_later(conn->heard, conn->patience)) {
        (void)hr_fail(-ETIMEDOUT, "%s: no sign of life for %.1f s", conn->name,
                      (double)(now - conn->heard) / 1e6);
        hr__redis_conn_fail(conn, -ETIMEDOUT, 0);
    }
    end_if_retired(conn);
    arm_timer(conn);
    hr__redis_conn_unref(conn);
}

static void arm_timer(struct hr__redis_conn *conn)
{
    if (conn->timer || conn->lost || hr__redis_line_empty(&conn->line))
        return;
    hr_usec next = hr_later(conn->heard, conn->patience);
    for (uint64_t place = conn->line.head; place < conn->line.tail; place++) {
        const struct hr__redis_call *call = hr__redis_line_at(&conn->line, place)->call;
        if (call) {
            next = call->deadline < next ? call->deadline : next;
            break;
        }
    }
    if (next != HR_FOREVER)
        conn->timer = hr_call_at(next, deadline_due, conn);
}

static int wait_for_room(struct hr__redis_conn *conn, hr_usec span)
{
    struct room_waiter waiter;
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, span);
    if (r < 0)
        return r;
    hr_event_init(&waiter.turn);
    hr_list_append(&conn->room, &waiter.link);
    r = hr_event_wait(&waiter.turn);
    bool had_turn = waiter.turn.set;
    hr_list_remove(&waiter.link);
    hr_event_done(&waiter.turn);
    r = hr_timeout_leave(&limit, r);
    if (r < 0 && had_turn)
        wake_room(conn);
    return r;
}

/* Formats the command into the output and joins the line. */
static int ask(struct hr__redis_call *call, const struct hr__redis_request *request, hr_usec span)
{
    struct hr__redis_conn *conn = call->conn;
    size_t before = hr__buf_len(&conn->out);
    int r = hr__redis_line_reserve(&conn->line);
    if (r < 0)
        return hr_fail(r, "%s: no memory for the command", conn->name);
    r = hr__redis_format(&conn->out, request);
    if (r < 0)
        return r;
    size_t len = hr__buf_len(&conn->out) - before;
    if (len > conn->limits.max_pending) {
        conn->out.end -= len;
        return hr_fail(-ENOBUFS, "%s: the command has %zu bytes, more than may be pending",
                       conn->name, len);
    }

    hr_usec now = hr_now();
    if (hr__redis_line_empty(&conn->line)) {
        conn->heard = now;
        conn->patience = span;
    }
    call->deadline = hr_later(now, span);
    call->place = hr__redis_line_join(&conn->line, call, len);
    call->in_line = true;
    arm_timer(conn);
    hr_event_set(&conn->asked);
    return 0;
}

int hr__redis_call_begin(struct hr__redis_call *call, struct hr__redis_conn *conn,
                         const struct hr__redis_request *request, hr_usec span)
{
    call->conn = hr__redis_conn_ref(conn);
    hr_event_init(&call->done);
    int r = 0;
    if (!conn->lost && !hr__redis_conn_has_room(conn))
        r = wait_for_room(conn, span);
    if (r >= 0 && conn->lost)
        r = -ENOTCONN;
    if (r >= 0)
        r = ask(call, request, span);
    if (r < 0) {
        call->code = r;
        if (r == -ENOTCONN || r == -ETIMEDOUT || r == -ECANCELED)
            (void)explain(call);
        hr_event_done(&call->done);
        hr__redis_conn_unref(conn);
        return r;
    }
    if (hr__buf_len(&conn->out) >= FLUSH_AT && !conn->blocked) {
        r = flush(conn);
        if (r < 0 && r != -EAGAIN)
            hr__redis_conn_fail(conn, r, 0);
    }
    wake_room(conn);
    return 0;
}

int hr__redis_call_wait(struct hr__redis_call *call)
{
    return hr_event_wait(&call->done);
}

bool hr__redis_call_take_back(struct hr__redis_call *call)
{
    struct hr__redis_conn *conn = call->conn;
    size_t offset = 0;
    size_t len = call->in_line ? hr__redis_line_take_back(&conn->line, call->place, &offset) : 0;
    if (len == 0)
        return false;
    hr__buf_cut(&conn->out, offset, len);
    call->in_line = false;
    call->sent = false;
    call->code = -ECANCELED;
    wake_room(conn);
    end_if_retired(conn);
    return true;
}

void hr__redis_call_abandon(struct hr__redis_call *call)
{
    if (call->in_line && !hr__redis_call_take_back(call)) {
        hr__redis_line_forget(&call->conn->line, call->place);
        call->in_line = false;
        call->sent = true;
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
    if (conn->timer)
        hr_handle_cancel(conn->timer);
    conn->timer = NULL;
    arm_timer(conn);
}

int hr__redis_call_end(struct hr__redis_call *call, hr_reply **ret)
{
    hr_assert(!call->in_line);
    int r = explain(call);
    if (r == 0 && ret)
        *ret = hr_take(call->reply);
    call->reply = hr_reply_free(call->reply);
    hr_event_done(&call->done);
    hr__redis_conn_unref(call->conn);
    return r;
}

int hr__redis_call(struct hr__redis_conn *conn, hr_reply **ret,
                   const struct hr__redis_request *request, hr_usec span)
{
    struct hr__redis_call call = {0};
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
