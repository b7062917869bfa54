/* SPDX-License-Identifier: MIT */
/*
 * Errors: a code to decide on, a record to read.
 *
 * Every fallible call returns a negative code: -errno, or one of the codes below. Whoever first
 * sees a failure writes the running task's record with hr_fail(); everyone above passes the code
 * up. The record belongs to the task, so other tasks do not overwrite it; a task that ends badly
 * leaves it in its future, and whoever awaits that future finds it in its own record, as an
 * exception would travel. Outside of a task there is one record a thread.
 */
#pragma once

#include <errno.h>
#include <sys/types.h>

#include "core/base.h"

/* The codes that errno does not have, from -1000 down: X(name, value, text). */
#define HR_ERROR_CODES(X)                                                                          \
    X(HR_EINVALIDSTATE, -1000, "invalid state: the future is done already")                        \
    X(HR_EWRONGLOOP, -1001, "belongs to another loop")                                             \
    X(HR_EWRONGTHREAD, -1002, "belongs to another thread")                                         \
    X(HR_ECLOSED, -1003, "closed")                                                                 \
    X(HR_ESHUTDOWN, -1004, "shut down")                                                            \
    X(HR_EBROKEN, -1005, "broken")                                                                 \
    X(HR_ENOTASK, -1006, "not inside a task")                                                      \
    X(HR_ENOLOOP, -1007, "no running loop")                                                        \
    X(HR_ESELFAWAIT, -1008, "a task cannot wait for itself")                                       \
    X(HR_EEND, -1009, "end")                                                                       \
    X(HR_EINTERRUPTED, -1010, "interrupted")                                                       \
    X(HR_EGROUP, -1011, "tasks of a group failed")                                                 \
    X(HR_ELOST, -1012, "sent, and no telling whether it was done")                                 \
    X(HR_EREPLY, -1013, "the server said no")                                                      \
    X(HR_EFATAL, -1014, "fatal: the loop stops")                                                   \
    X(HR_EEXIT, -1015, "asked to end")

enum {
#define HR_ERROR_ENUM(name, value, text) name = (value),
    HR_ERROR_CODES(HR_ERROR_ENUM)
#undef HR_ERROR_ENUM
};

#define HR_ERROR_MESSAGE_MAX 192

/* A failure, explained. Fixed size: failing needs no memory. */
struct hr_error {
    int code;          /* the negative code; 0 when nothing failed yet */
    int native;        /* the server's own number (MySQL's 1213), or 0 */
    char state[6];     /* SQLSTATE, or "" */
    char kind[16];     /* first word of a Redis error reply ("NOSCRIPT"), or "" */
    bool sent;         /* a request had left for the server: it may have been carried out */
    bool cut;          /* causes or members are missing for want of memory */
    char task[24];     /* name of the task that first saw it, "" outside of tasks */
    const char *place; /* where it was first seen, "orders.c:55"; NULL when that is not known */
    char message[HR_ERROR_MESSAGE_MAX];
    struct hr_error *cause;   /* what had failed before, or NULL; owned by this record */
    struct hr_error *members; /* of a group's error: what failed, in order; owned likewise */
    struct hr_error *next;    /* the next member of the same group */
};

/* Writes the record of the running task (outside of tasks: of the thread) and yields code, so
 * that one line does both: return hr_fail(-ENOENT, "order %d: sold out", id);
 * A record that is there already is overwritten. Longer messages are cut at a character. */
#define hr_fail(...) HR__CODE_OF(hr_fail_at(HR__HERE, __VA_ARGS__))

/* As hr_fail(), with what the server said: its number, SQLSTATE or kind; NULL where there is none.
 */
#define hr_fail_native(...) HR__CODE_OF(hr_fail_native_at(HR__HERE, __VA_ARGS__))

/* As hr_fail(), keeping the present record as the new one's cause (cut when memory is out), and
 * whether a request had been sent. */
#define hr_fail_because(...) HR__CODE_OF(hr_fail_because_at(HR__HERE, __VA_ARGS__))

/* What they stand for. place is a string that outlives the record, or NULL. */
HR_PUBLIC int hr_fail_at(const char *place, int code, const char *fmt, ...) hr_printf_like(3, 4);
HR_PUBLIC int hr_fail_native_at(const char *place, int code, int native, const char *state,
                                const char *kind, bool sent, const char *fmt, ...)
    hr_printf_like(7, 8);
HR_PUBLIC int hr_fail_because_at(const char *place, int code, const char *fmt, ...)
    hr_printf_like(3, 4);

#define HR__TEXT_OF(x)    HR__TEXT_OF_IT(x)
#define HR__TEXT_OF_IT(x) #x
#ifdef __FILE_NAME__
#define HR__HERE __FILE_NAME__ ":" HR__TEXT_OF(__LINE__)
#else
#define HR__HERE __FILE__ ":" HR__TEXT_OF(__LINE__)
#endif
#ifdef __clang_analyzer__ /* it does not look into them: what they yield is negative */
#define HR__CODE_OF(call) ((call), -1)
#else
#define HR__CODE_OF(call) (call)
#endif

/* A call whose failure is to name the place where the call stands, not the one in the library that
 * saw it: a header wraps it in a macro of its own name,
 *     #define hr_redis_command(...) hr_from_here(hr_redis_command(__VA_ARGS__)) */
#define hr_from_here(call) hr_from(HR__HERE, (call))

/* What it stands for: where code is negative and the present record is about it, notes the place.
 * Yields code. */
HR_PUBLIC int hr_fail_from(const char *place, int code);
static inline hr_async int hr_from(const char *place, int code)
{
    return hr_likely(code >= 0) ? code : HR__CODE_OF(hr_fail_from(place, code));
}

/* The same for a call that yields a size or a code. */
#define hr_size_from_here(call) hr_size_from(HR__HERE, (call))
static inline hr_async ssize_t hr_size_from(const char *place, ssize_t size)
{
    return hr_likely(size >= 0) ? size : HR__CODE_OF(hr_fail_from(place, (int)size));
}

/* The record of the running task, or the thread's. Valid until the next failure or suspension. */
HR_PUBLIC const struct hr_error *hr_last_error(void);

/* A sentence for a code: the record's message when it tells about this code, else the code's own
 * text. Never NULL. */
HR_PUBLIC const char *hr_error_message(int code);

/* The code's name ("HR_ELOST", "ETIMEDOUT") and its text, independent of any record. */
HR_PUBLIC const char *hr_error_name(int code);
HR_PUBLIC const char *hr_error_text(int code);

/* The first record with that code: error itself, else among its members and causes, theirs
 * included. Borrowed from error; NULL when there is none. */
HR_PUBLIC const struct hr_error *hr_error_find(const struct hr_error *error, int code);

/* Divides what failed in a group: *ret_matching becomes the group with the failures of that code,
 * *ret_rest the one with the others; groups inside are divided likewise. Without failures of its
 * kind a part has code 0. An error that is no group goes to one of them whole. Both are the
 * caller's, for hr_error_done(). Returns how many failures match. */
HR_PUBLIC size_t hr_error_split(const struct hr_error *error, int code,
                                struct hr_error *ret_matching, struct hr_error *ret_rest);

/* Copies a record with causes and members (to sixteen groups deep); frees those of a record that
 * the caller embedded. */
HR_PUBLIC void hr_error_copy(struct hr_error *to, const struct hr_error *from);
HR_PUBLIC void hr_error_done(struct hr_error *error);

/* Makes error the present record of the running task, so that it travels on from here; returns its
 * code. */
HR_PUBLIC int hr_error_raise(const struct hr_error *error);
