/* SPDX-License-Identifier: MIT */
/*
 * A loop's port: where threads put down what they have done for it. Inside core/ only.
 *
 * Putting something down takes no lock, and the first parcel since the port was last emptied calls
 * the loop, so that a batch costs one wake-up. The port outlives the loop as long as parcels may
 * come: whoever finds it closed keeps what he brings.
 */
#pragma once

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "core/loop_impl.h"

#define HR__PORT_LINE 64 /* what threads write has a cache line of its own */

/* Something for the loop, embedded in a larger struct. */
struct hr__parcel {
    struct hr__port *port; /* a reference */
    struct hr__parcel *next;
};

/* Stands first in memory that was aligned for it and that free() takes. */
struct hr__port {
    void (*visit)(struct hr__port *port); /* the loop has been called and is there */
    atomic_uint refs;                     /* the loop's, one a parcel, one a call on its way */
    atomic_bool called;                   /* the loop will come and look */
    struct hr__ready call;
    pthread_mutex_t lock; /* between that call and the end of the loop */
    hr_loop *loop;        /* NULL: closed */

    alignas(HR__PORT_LINE) _Atomic(struct hr__parcel *) brought; /* newest first */
};

/* The caller, in whose loop's thread this is, has the first reference. */
void hr__port_init(struct hr__port *port, hr_loop *loop, void (*visit)(struct hr__port *port));

static inline void hr__port_ref(struct hr__port *port)
{
    port->refs++;
}
void hr__port_unref(struct hr__port *port);

/* Puts a parcel down; in any thread. False when the port is closed: it stays the caller's. */
bool hr__port_put(struct hr__parcel *parcel);

/* Takes away what was brought: the oldest one, which leads to the others. In the loop's thread. */
struct hr__parcel *hr__port_take(struct hr__port *port);

/* Whether there may be something to take. */
static inline bool hr__port_has_parcels(struct hr__port *port)
{
    return atomic_load(&port->brought) != NULL;
}

/* As hr__port_take(), for the last time: no visit follows, and nothing is taken in. The caller
 * drops the loop's reference then. */
struct hr__parcel *hr__port_close(struct hr__port *port);
