/* SPDX-License-Identifier: MIT */
/*
 * A connection from the inside: what its socket (redis/conn.c) and the commands on it
 * (redis/call.c) share.
 */
#pragma once

#include <stdio.h>

#include "drivers/redis/conn.h"
#include "drivers/redis/line.h"
#include "drivers/redis/reader.h"
#include "drivers/wire.h"

#define HR__REDIS_NAME_MAX 80

struct hr__redis_conn {
    unsigned refs;
    struct hr__wire wire;
    char name[HR__REDIS_NAME_MAX];
    struct hr__redis_limits limits;
    struct hr__redis_census *census;
    struct hr__redis_reader *reader;
    struct hr__redis_line line;

    struct hr_buf out;
    size_t flush_at;     /* so much is written without waiting for the end of the pass */
    hr_event asked;      /* there is something to write */
    bool blocked;        /* the kernel takes no more for now */
    struct hr_list room; /* who waits until less is pending */
    bool letting_in;     /* one of them has been woken and has not asked yet */

    hr_handle *timer;
    hr_usec timer_at;
    hr_usec heard;    /* the last sign of life, or when the line began */
    hr_usec patience; /* how long a silence may last while replies are due */

    bool spoke; /* something has come */
    unsigned protocol;
    hr__redis_push_fn *push; /* NULL: messages are dropped */
    void *push_cookie;

    bool retiring, lost;
    struct hr_list link;   /* while it retires */
    struct hr_error error; /* why it is lost */
    void (*on_lost)(void *cookie);
    void *cookie;
    void (*on_refusal)(void *cookie);
    void *refusal_cookie;
};

/* Bytes that were asked and have not left, without those that were taken back. */
static inline size_t hr__redis_conn_pending(const struct hr__redis_conn *conn)
{
    return hr_buf_size(&conn->out) - conn->line.back;
}

/* Drops what was taken back from the output. */
void hr__redis_conn_tidy(struct hr__redis_conn *conn);

/* Writes as much as the kernel takes. 0, -EAGAIN, or why it ended. */
int hr__redis_conn_flush(struct hr__redis_conn *conn);

/* The same in the middle of a pass, since so much was asked. */
void hr__redis_conn_flush_early(struct hr__redis_conn *conn);

/* Ends a retired connection once nothing is due. */
void hr__redis_conn_end_if_retired(struct hr__redis_conn *conn);

/* The call is over: whoever waits for it learns that. A code of 0 means that its reply is there. */
void hr__redis_call_finish(struct hr__redis_call *call, int code);

/* Lets the first who waits for room ask, if there is some; all when the connection is lost. */
void hr__redis_wake_room(struct hr__redis_conn *conn);

/* Writes into ret the first word of an error reply, as far as a record holds it. */
void hr__redis_copy_kind(const char *text, size_t len, char ret[16]);
