/* SPDX-License-Identifier: MIT */
/*
 * A Redis client for tasks. It reads like blocking code and blocks only the task.
 *
 * Commands of all tasks share one connection and are pipelined by themselves: what is asked in one
 * loop pass goes out in one write, in a few growing ones where it is more than half a KiB; replies
 * come back in order. A cancelled command's reply is read and thrown away by its place, never
 * handed to the next. What others would suffer from is refused there (-EINVAL): commands that block
 * (BLMOVE) take a connection of one's own, hr_redis_acquire(); for MULTI and WATCH there is
 * drivers/redis/pipeline.h, for SUBSCRIBE drivers/redis/pubsub.h.
 *
 * Behind sentinels (redis+sentinel://) the client connects to whoever is the master: it asks the
 * sentinels, verifies by ROLE, and asks anew when they announce another, when the connection is
 * lost and on READONLY. During a failover commands fail with -ENOTCONN, those under way with
 * HR_ELOST. What the old master acknowledged and had not replicated is lost: Redis promises no
 * more. For a cluster there is drivers/redis/cluster.h.
 */
#pragma once

#include "core/loop.h"
#include "drivers/pool.h"
#include "drivers/redis/reply.h"
#include "drivers/tls.h"

typedef struct hr_redis hr_redis;
typedef struct hr_redis_conn hr_redis_conn;

struct hr_redis_options {
    const char *url;           /* redis://, rediss:// (with TLS), unix://, redis+sentinel://,
                                  rediss+sentinel://; copied */
    const char *user;          /* of an ACL, when it is not in the URL; one without a password is
                                  logged in as with an empty one; copied */
    const char *password;      /* likewise */
    struct hr_tls_options tls; /* zeros: none, or as rediss:// says; files are read at once */
    const char *sentinel_user; /* of the sentinels, where the URL does not have it; copied */
    const char *sentinel_password;
    struct hr_tls_options sentinel_tls; /* zeros: as for the servers */
    const char *client_name;            /* CLIENT SETNAME; NULL: none */
    unsigned protocol;       /* 2, 3; 0: RESP3 where the server speaks it. Getters do not mind. One
                                that hangs up on HELLO costs two attempts, again after a second and
                                ever more seldom, at last once in ten minutes: 2 spares them */
    unsigned connections;    /* of one's own, at most; 0: 4. The shared one comes on top */
    hr_usec connect_timeout; /* whole way to ready; 0: 3 s */
    hr_usec command_timeout; /* one command on the shared connection; 0: 5 s */
    hr_usec patience;   /* how long a command or a pipeline waits for the shared connection, within
                           its timeout, and hr_redis_acquire() for one of its own, and then
                           -ETIMEDOUT; what waiting does not cure (wrong password or user, no such
                           database) is told at once as -ENOTCONN, while the client goes on to
                           try. 0: while an attempt runs, and is told between attempts why the
                           last failed (-ENOTCONN); for one that is lent, as long as it takes */
    unsigned repeats;   /* how often a command whose outcome is unknown is sent again, since all
                           of this client's may be carried out twice; 0: never */
    size_t max_pending; /* bytes asked and not yet written before callers wait, and of futures
                           that wait for a connection or may be asked again; 0: 16 MiB */
    size_t max_reply;   /* bytes of one reply, 1 GiB at most; larger ones close the connection;
                           0: 512 MiB */
    struct hr_backoff reconnect; /* between attempts to connect; first 0: 0.1 s, doubling to 5 s,
                                    with jitter. It starts over when a connection lived a second */
};

/* Checks the options; connects when first used. NULL: the record says -EINVAL or -ENOMEM. */
HR_PUBLIC hr_owned hr_redis *hr_redis_new(const struct hr_redis_options *options);

/* Fails what is pending with HR_ECLOSED, hangs up, waits for connections of one's own to come
 * back. Then free. close may be called twice; free alone drops everything but those, which end when
 * they are given back, also after the loop's end. A client belongs to the first loop that it is
 * used on: another gets HR_EWRONGLOOP, from close as well. */
HR_PUBLIC hr_async int hr_redis_close(hr_redis *redis);
HR_PUBLIC hr_redis *hr_redis_free(hr_redis *redis);
HR_PUBLIC void hr_redis_freep(hr_redis **redis);

/* Sends a command and waits for its reply, which is the caller's. Blanks in fmt separate words;
 * what is put in never does: %s, %b with pointer and size_t, %d %u %x with l ll z j, %f, %g (all
 * digits that count), %%. A compiler cannot check it as it does printf's, since %b takes two
 * arguments and means something else there: what is no conversion, a NULL for %s and the like are
 * refused when it runs, and hr_redis_command_args() takes values that bear their type. ret may be
 * NULL.
 * 0, or
 *   HR_EREPLY    the server said no: the record's kind is the first word ("WRONGTYPE")
 *   -ENOTCONN    never sent: no connection, and the record says why; its kind is the server's
 *                reason for refusing one ("WRONGPASS", "LOADING")
 *   HR_ELOST     sent, and the connection was lost before the reply
 *   -ETIMEDOUT   no reply in command_timeout, or no connection in the client's patience, and why;
 *                the record's sent tells whether it left
 *   -ECANCELED   the task was cancelled; the record's sent likewise
 *   HR_ECLOSED · -ENOBUFS (longer than max_pending) · -ENOMEM · -EINVAL (format, or a command that
 *   others on the connection would suffer from) · HR_ENOTASK · HR_ENOLOOP · HR_EWRONGLOOP
 * What is not sent when its caller leaves is taken back and never will be. */
HR_PUBLIC hr_async int hr_redis_command(hr_redis *redis, hr_reply **ret, const char *fmt, ...);
HR_PUBLIC hr_async int hr_redis_command_argv(hr_redis *redis, hr_reply **ret, size_t argc,
                                             const char *const *argv, const size_t *lens);

/* The same for a command that may be carried out twice: when the connection is lost before its
 * reply, it is sent again, so many times and within command_timeout. HR_ELOST: it was sent at
 * least once, and there is no telling. Other commands are sent again only if they were surely never
 * sent, and the client has patience. */
HR_PUBLIC hr_async int hr_redis_command_repeat(hr_redis *redis, hr_reply **ret, unsigned times,
                                               const char *fmt, ...);

/* The same without waiting: a future whose result is the hr_reply, and whose error what the call
 * would have returned. To cancel it drops the reply; the command may be carried out all the same.
 * NULL: no memory, no loop. */
HR_PUBLIC hr_owned hr_future *hr_redis_command_future(hr_redis *redis, const char *fmt, ...);

/* Borrows a connection of one's own, opening it if need be; waits in order for one where all are
 * lent. How long, and through what, the client's patience says; the default is no limit but what
 * the caller sets (hr_timeout_enter()). Give it back with release, which never waits; a connection
 * that was left in the middle of a command is closed. Codes as command.
 *
 * A loan has no handle of its own, so forget the pointer when it ends (releasep does): what is
 * called on one that was given back is HR_ECLOSED, and to give it back once more ends the program,
 * only as long as it idles in the pool. Once it is lent again the pointer is the new borrower's: a
 * command is carried out inside his MULTI or under his WATCH, and release takes it away from him.
 * Once the pool has closed it the pointer is to freed memory. */
HR_PUBLIC hr_async int hr_redis_acquire(hr_redis *redis, hr_redis_conn **ret);
HR_PUBLIC void hr_redis_release(hr_redis_conn *conn);
HR_PUBLIC void hr_redis_releasep(hr_redis_conn **conn);

/* A command on it, that may block at the server for up to block (added to the deadline). Leaving
 * a blocked command by cancel goes through CLIENT UNBLOCK, so that no element is lost: when the
 * element came first, the call returns it with 0 and the cancel is delivered at the next
 * suspension. Where that cannot be said (the user may not, INFO does not tell a run_id, or the
 * shared connection is down or goes to another server, as it may behind a balancer and after a
 * failover), the sending half of the connection is closed instead, and the call still waits for
 * what was popped before. What the server pops in the very turn in which it sees that is lost;
 * BLMOVE has it in its destination. To leave takes a few round trips; twice
 * command_timeout at most, where every server involved has fallen silent. */
HR_PUBLIC hr_async int hr_redis_conn_command(hr_redis_conn *conn, hr_reply **ret, hr_usec block,
                                             const char *fmt, ...);

/* Called when the shared connection has become ready (up) or was lost; by a task of the client's,
 * whose work it holds up: it must not wait. Of NULL, a client that could not be made, nothing is
 * told, and below it was never up and has zeros. */
HR_PUBLIC void hr_redis_on_state(hr_redis *redis, void (*changed)(bool up, void *cookie),
                                 void *cookie);

/* Since when the shared connection has been up, on the loop's clock; HR_FOREVER when it is not. */
HR_PUBLIC hr_usec hr_redis_up_since(const hr_redis *redis);

/* Shared and own connections together. */
HR_PUBLIC void hr_redis_get_stats(const hr_redis *redis, struct hr_pool_stats *ret);

/* A failure names the caller's place in the program. */
#define hr_redis_command(...)        hr_from_here(hr_redis_command(__VA_ARGS__))
#define hr_redis_command_argv(...)   hr_from_here(hr_redis_command_argv(__VA_ARGS__))
#define hr_redis_command_repeat(...) hr_from_here(hr_redis_command_repeat(__VA_ARGS__))
#define hr_redis_acquire(...)        hr_from_here(hr_redis_acquire(__VA_ARGS__))
#define hr_redis_conn_command(...)   hr_from_here(hr_redis_conn_command(__VA_ARGS__))
