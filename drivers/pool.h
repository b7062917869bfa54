/* SPDX-License-Identifier: MIT */
/*
 * The life of connections, once for every driver: limits, waiting in order, health, reconnecting
 * with backoff, idle and age limits, draining. A driver fills the hooks.
 */
#pragma once

#include "core/loop.h"
#include "drivers/backoff.h"

typedef struct hr_pool hr_pool;

struct hr_conn_ops {
    const char *name; /* "mysql": for messages and task names */
    /* Opens a connection; may wait. 0 and *ret, or a negative code; 1 and *ret when it leads to
     * another server, so that connections opened before are of no more use (hr_pool_flush()). */
    int (*open)(void *driver, void **ret);
    /* Ends it. Says goodbye if polite and that takes no waiting on a stuck peer. Frees conn. */
    void (*close)(void *conn, bool polite);
    /* Asks whether it still works; may wait. Called when it was idle for ping_after. NULL: never.
     */
    int (*ping)(void *conn);
    /* Makes a dirty connection like new (ROLLBACK, session state); may wait. NULL: close it. */
    int (*reset)(void *conn);
    /* Cheap look before reuse, without waiting: false when the peer has closed it. */
    bool (*alive)(void *conn);
    /* Takes it away under the hands of its borrower, whose call fails and who gives it back as
     * broken; does not wait. NULL: hr_pool_terminate() lets borrowers finish. */
    void (*cut)(void *conn);
    /* Whether another opening may do better by itself after one that failed so: borrowers with
     * patience wait for that. NULL: they get the failure at once. */
    bool (*may_pass)(const struct hr_error *why);
};

struct hr_pool_options {
    unsigned limit;  /* connections at most, > 0 */
    unsigned keep;   /* so many are opened ahead and kept open, pinged where they idle; 0: none */
    hr_usec idle;    /* close after so long without use; HR_FOREVER: never */
    hr_usec max_age; /* close on return after so long, less up to a tenth; HR_FOREVER */
    hr_usec ping_after; /* ping before reuse when idle longer */
    unsigned opening;   /* connects in flight at most; 0: 2 */
    hr_usec patience;   /* a borrower waits so long at most, also for one that is pinged, and
                           through failures that may pass; 0: as long as it takes */
    struct hr_backoff backoff;
};

/* driver is passed to open. NULL: no memory. */
HR_PUBLIC hr_owned hr_pool *hr_pool_new(const struct hr_conn_ops *ops, void *driver,
                                        const struct hr_pool_options *options);

enum hr_pool_return {
    HR_POOL_CLEAN,  /* as it was lent */
    HR_POOL_DIRTY,  /* works, but holds state that nobody else may see */
    HR_POOL_BROKEN, /* of no use */
};

/* A pool belongs to the first loop that it is used on. 0; HR_EWRONGLOOP when another one runs. */
HR_PUBLIC int hr_pool_check_loop(hr_pool *pool);

/* Borrows a connection, waiting in order for one: lent ones coming back, or one that a task of the
 * pool opens (a borrower that is cancelled does not waste it). 0; -ECANCELED; HR_ECLOSED;
 * HR_EWRONGLOOP; -ETIMEDOUT when none came free within patience; or what open said, when nothing is
 * lent that could be waited for. After a failure the next opening waits for the backoff, and
 * borrowers meanwhile get the last error at once, so that nobody hammers a server that is down;
 * where it may pass, those with patience wait on, and get -ETIMEDOUT with its reason. */
HR_PUBLIC hr_async int hr_pool_acquire(hr_pool *pool, void **ret);

/* Gives it back; never waits. Dirty ones are reset by a task of the pool before anyone sees them.
 * One that is not lent ends the program. */
HR_PUBLIC void hr_pool_release(hr_pool *pool, void *conn, enum hr_pool_return state);

/* Ends the program: call ("hr_mysql_release()") was given a connection that was given back before.
 */
HR_PUBLIC __attribute__((noreturn)) void hr_pool_not_lent(const char *call);

/* The server changed its mind (failover): closes idle connections, retires the lent ones on
 * return. */
HR_PUBLIC void hr_pool_flush(hr_pool *pool);

/* Refuses new loans, closes what idles and cuts what is lent: borrowers fail in the call that they
 * are at. Then close, which waits until they have given back. */
HR_PUBLIC void hr_pool_terminate(hr_pool *pool);

/* Refuses new loans, waits for those out, closes all. 0, or -ECANCELED: may be called again. Then
 * free. free alone drops what idles; what is lent is closed when it comes back. After the loop's
 * end free drops all there is; close on another loop is HR_EWRONGLOOP. */
HR_PUBLIC hr_async int hr_pool_close(hr_pool *pool);
HR_PUBLIC void hr_pool_free(hr_pool *pool);

struct hr_pool_stats {
    unsigned open, lent, idle, waiting;
    uint64_t opened, failed; /* since the start */
    uint64_t closed, pinged, reset;
    uint64_t waits, timeouts;     /* borrowers that had to wait; of those: past patience */
    hr_usec waited, longest_wait; /* all of them together, and one of them */
    bool up;                      /* the latest open worked */
};
HR_PUBLIC void hr_pool_get_stats(const hr_pool *pool, struct hr_pool_stats *ret); /* NULL: zeros */
