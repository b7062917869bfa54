/* SPDX-License-Identifier: MIT */
/*
 * How it works: parcels are a lock-free stack, which is taken all at once and turned over. Whoever
 * puts one on an empty stack calls the loop, unless it is called already; a closed port has a mark
 * there that nothing can be put on.
 */
#include "core/port.h"

#include <stdlib.h>

static struct hr__parcel closed_mark;

void hr__port_unref(struct hr__port *port)
{
    if (--port->refs > 0)
        return;
    pthread_mutex_destroy(&port->lock);
    free(port);
}

/* The loop has come. Who brings something after this mark is taken back calls it anew. */
static void called(struct hr__ready *entry, bool drop)
{
    struct hr__port *port = hr_container_of(entry, struct hr__port, call);
    atomic_store(&port->called, false);
    if (!drop)
        port->visit(port);
    hr__port_unref(port);
}

static void call_loop(struct hr__port *port)
{
    if (atomic_exchange(&port->called, true))
        return;
    hr__port_ref(port);
    pthread_mutex_lock(&port->lock);
    bool posted = port->loop && hr__inbox_post(port->loop, &port->call) == 0;
    pthread_mutex_unlock(&port->lock);
    if (!posted)
        hr__port_unref(port);
}

void hr__port_init(struct hr__port *port, hr_loop *loop, void (*visit)(struct hr__port *port))
{
    *port = (struct hr__port){.visit = visit, .refs = 1, .call.run = called, .loop = loop};
    pthread_mutex_init(&port->lock, NULL);
}

/* Who finds nothing there calls the loop, and keeps the port until he has: by then his parcel may
 * be gone. */
bool hr__port_put(struct hr__parcel *parcel)
{
    struct hr__port *port = parcel->port;
    struct hr__parcel *newest = atomic_load(&port->brought);
    bool kept = false;

    do {
        if (newest == &closed_mark)
            break;
        if (!newest && !kept) {
            hr__port_ref(port);
            kept = true;
        }
        parcel->next = newest;
    } while (!atomic_compare_exchange_weak(&port->brought, &newest, parcel));
    if (!newest)
        call_loop(port);
    if (kept)
        hr__port_unref(port);
    return newest != &closed_mark;
}

/* What was brought, the oldest first; leave takes its place. */
static struct hr__parcel *take(struct hr__port *port, struct hr__parcel *leave)
{
    struct hr__parcel *ordered = NULL, *newest = atomic_exchange(&port->brought, leave);
    while (newest) {
        struct hr__parcel *next = newest->next;
        newest->next = ordered;
        ordered = newest;
        newest = next;
    }
    return ordered;
}

struct hr__parcel *hr__port_take(struct hr__port *port)
{
    return take(port, NULL);
}

struct hr__parcel *hr__port_close(struct hr__port *port)
{
    pthread_mutex_lock(&port->lock);
    port->loop = NULL;
    pthread_mutex_unlock(&port->lock);
    return take(port, &closed_mark);
}
