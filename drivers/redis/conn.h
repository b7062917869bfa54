/* SPDX-License-Identifier: MIT */
/*
 * One connection to a Redis server: commands of many tasks go out together, replies come back to
 * who asked, by their place in line.
 *
 * What is asked in a loop pass leaves in one write at its end. Where it is more than half a KiB it
 * leaves in several: the first half KiB at once, then twice as much each time, up to 8 KiB. The
 * server wakes up and works while the rest is still being asked, so that with many callers it and
 * the client need not take turns.
 *
 * It knows sockets, places and deadlines; how a connection is opened (open), which one to use and
 * when to connect again (keep, own) is told elsewhere. References are counted: a call in
 * flight holds one, so a connection may be dropped at any moment.
 */
#pragma once

#include "core/event.h"
#include "core/list.h"
#include "drivers/redis/census.h"
#include "drivers/redis/format.h"
#include "drivers/redis/reply.h"

struct hr__redis_conn;
struct hr__wire;

struct hr__redis_limits {
    size_t max_pending; /* bytes asked and not yet written before callers wait */
    size_t max_reply;
};

/* A command on its way, and afterwards how it ended. On the stack of the task that waits, or on
 * the heap when a future stands for it. The caller sets future, request and limit; begin sets the
 * rest. */
struct hr__redis_call {
    struct hr__redis_conn *conn; /* referenced until the call is over */
    hr_future *future;           /* completed instead of waking a task; then frees the call */
    const struct hr__redis_request *request; /* NULL: it does not live as long, and has one reply */
    uint64_t place;
    hr_usec deadline;
    hr_usec limit; /* all the time its caller has, some of which may be over when it is asked: for
                      messages, and as a silence so long that the peer is gone */
    bool in_line;
    bool sent; /* it left whole: the server may have carried it out */
    int code;  /* 0: the reply came */
    hr_reply *reply;
    size_t n_parts; /* so many of the request's parts have come: the caller's */
    hr_event done;
};

/* Takes over a wire that is open (also when it fails). name is for messages and copied. NULL: the
 * record says why. */
struct hr__redis_conn *hr__redis_conn_new(struct hr__wire *wire, const char *name,
                                          const struct hr__redis_limits *limits,
                                          struct hr__redis_census *census);
struct hr__redis_conn *hr__redis_conn_ref(struct hr__redis_conn *conn);
void hr__redis_conn_unref(struct hr__redis_conn *conn);

/* Called once, when the connection is lost; it must only take note. */
void hr__redis_conn_on_lost(struct hr__redis_conn *conn, void (*lost)(void *cookie), void *cookie);

/* Called when the error that the server answered a future with is the present record; it must only
 * take note. Not after retire. */
void hr__redis_conn_on_refusal(struct hr__redis_conn *conn, void (*refused)(void *cookie),
                               void *cookie);

/* What a message is that is nobody's reply by its type: taken (and the callee's to free), or after
 * all the reply of the first in line: the confirmation of a SUBSCRIBE, whose only answer it is. */
enum hr__redis_push { HR__REDIS_PUSH_TAKEN, HR__REDIS_PUSH_IS_REPLY };

/* push() hears each push message (RESP3), and on a connection that speaks RESP2 each array whose
 * first element is a string, since there a subscriber's messages look like replies. It must only
 * take note: it may queue, complete futures and wake tasks, but neither wait nor fail the
 * connection. IS_REPLY with no command in line ends the connection. NULL: push messages are
 * dropped, arrays are replies. */
typedef enum hr__redis_push hr__redis_push_fn(hr_reply *message, void *cookie);
void hr__redis_conn_on_push(struct hr__redis_conn *conn, hr__redis_push_fn *push, void *cookie);

/* The protocol it speaks, 2 or 3. */
unsigned hr__redis_conn_protocol(const struct hr__redis_conn *conn);
void hr__redis_conn_set_protocol(struct hr__redis_conn *conn, unsigned protocol);

/* Ends it: commands in line fail, those that left with HR_ELOST, the others with -ENOTCONN; or all
 * with code when that is not 0. The present record, where its code is why, says the reason. */
void hr__redis_conn_fail(struct hr__redis_conn *conn, int why, int code);

/* The same of our own accord: HR_ECLOSED is why, reason says more. The present record stays as it
 * is: who lets go of a connection may be on the way out with an error. */
void hr__redis_conn_hang_up(struct hr__redis_conn *conn, const char *reason, int code);

/* Takes no more commands from its owner and ends when the last reply came; until then it is in the
 * list, whose owner may end it (end_retired). */
void hr__redis_conn_retire(struct hr__redis_conn *conn, struct hr_list *retired);

/* Ends all of the list, as their client is closed: commands in line fail with HR_ECLOSED. */
void hr__redis_conn_end_retired(struct hr_list *retired);

bool hr__redis_conn_alive(const struct hr__redis_conn *conn);

/* Replies are due or a command has not left yet. */
bool hr__redis_conn_busy(const struct hr__redis_conn *conn);

/* The server hung up and had not said a word. */
bool hr__redis_conn_was_hung_up_on(const struct hr__redis_conn *conn);

/* Closes the sending half: no command can follow. The server hangs up when it sees that, and what
 * it said before still arrives. */
void hr__redis_conn_end_asking(struct hr__redis_conn *conn);

/* Whether a command can be asked right now, without waiting for room. */
bool hr__redis_conn_has_room(const struct hr__redis_conn *conn);

/* Why it is lost. */
const struct hr_error *hr__redis_conn_error(const struct hr__redis_conn *conn);

/* Asks a command whose reply has to come within span, which is what is left of the limit. Waits for
 * room when too much is pending (never if there is room, so a callback may ask then). 0, or
 * -EINVAL, -ENOMEM, -ENOBUFS, -ENOTCONN, -ECANCELED: nothing was asked and the call is over. */
hr_async int hr__redis_call_begin(struct hr__redis_call *call, struct hr__redis_conn *conn,
                                  const struct hr__redis_request *request, hr_usec span);

/* Waits for the end of the call: 0 (see code), or -ECANCELED: it is still in line, or just ended.
 */
hr_async int hr__redis_call_wait(struct hr__redis_call *call);

/* Takes a command back that has not begun to leave: true, and the call is over. */
bool hr__redis_call_take_back(struct hr__redis_call *call);

/* Leaves the line: a command is taken back, or its reply will be dropped by its place. Sets sent;
 * the code becomes -ECANCELED, also when the reply had just come. */
void hr__redis_call_abandon(struct hr__redis_call *call);

/* The reply has to come within span from now. */
void hr__redis_call_hurry(struct hr__redis_call *call, hr_usec span);

/* Ends the call: the reply goes to *ret (NULL: away), a failure into the record. */
int hr__redis_call_end(struct hr__redis_call *call, hr_reply **ret);

/* The same, but an error reply is a reply: 0. */
int hr__redis_call_end_any(struct hr__redis_call *call, hr_reply **ret);

/* hr_reply_free(), for the result of a future. */
void hr__redis_drop_reply(void *reply);

/* The record of an error reply: HR_EREPLY. */
int hr__redis_fail_reply(const hr_reply *error);

/* begin, wait, end; with a cancel told from its outcome: -ECANCELED and the record's sent. */
hr_async int hr__redis_call(struct hr__redis_conn *conn, hr_reply **ret,
                            const struct hr__redis_request *request, hr_usec span);
hr_async int hr__redis_callf(struct hr__redis_conn *conn, hr_reply **ret, hr_usec span,
                             const char *fmt, ...);

/* Begins a call that goes on by itself: a future stands for its reply, and who leaves that does not
 * take the command back. Codes of begin. */
hr_async int hr__redis_call_future(struct hr__redis_conn *conn,
                                   const struct hr__redis_request *request, hr_usec span,
                                   hr_future **ret);
