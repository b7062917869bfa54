/* SPDX-License-Identifier: MIT */
/*
 * How it works: each greenlet is a strand. Where a value goes is settled before the switch: past
 * those that are dead, and past those that die of an error before they have started. What is passed
 * waits in the one that goes on.
 */
#include "core/greenlet_impl.h"

#include <pthread.h>

#include "core/loop_impl.h"
#include "core/strand.h"

enum state { FRESH, STARTED, DEAD };

struct hr_greenlet {
    struct hr__strand strand;
    unsigned refs; /* the owner's, and one of each child */
    struct hr__home *home;
    hr_greenlet *parent; /* a reference; NULL: a main one */
    hr_greenlet_fn *fn;
    void *arg;
    enum state state;
    int status; /* what its switch returns, with the value */
    void *value;
};

/* Where greenlets run: a task, or a thread outside of tasks. */
struct hr__home {
    unsigned refs; /* of whoever it belongs to, and one of each greenlet */
    hr_greenlet main;
    hr_greenlet *current;
};

static _Thread_local struct hr__home *thread_home;
static _Thread_local hr_greenlet_trace *tracer;
static _Thread_local void *trace_cookie;

static pthread_key_t home_key;
static pthread_once_t home_once = PTHREAD_ONCE_INIT;

static void home_unref(struct hr__home *home)
{
    if (--home->refs == 0)
        free(home);
}

static void thread_ends(void *home)
{
    home_unref(home);
}

static void make_key(void)
{
    pthread_key_create(&home_key, thread_ends);
}

static struct hr__home *home_new(void)
{
    struct hr__home *home = calloc(1, sizeof(*home));
    if (!home) {
        hr_fail(-ENOMEM, "no memory for greenlets");
        return NULL;
    }
    home->refs = 1;
    home->main.home = home;
    home->main.state = STARTED;
    home->current = &home->main;
    return home;
}

/* Of what runs; made at the first use. */
static struct hr__home *home_here(void)
{
    struct hr__task *task = hr__task_running();
    struct hr__home **place = task ? &task->fiber->home : &thread_home;
    if (!*place) {
        *place = home_new();
        if (*place && !task) { /* it goes with the thread */
            pthread_once(&home_once, make_key);
            pthread_setspecific(home_key, *place);
        }
    }
    return *place;
}

void hr__home_leave(struct hr__home *home)
{
    home_unref(home);
}

static bool is_main(const hr_greenlet *greenlet)
{
    return greenlet == &greenlet->home->main;
}

static hr_greenlet *ref(hr_greenlet *greenlet)
{
    if (!is_main(greenlet))
        greenlet->refs++;
    return greenlet;
}

static void unref(hr_greenlet *greenlet)
{
    while (greenlet && !is_main(greenlet) && --greenlet->refs == 0) {
        struct hr__home *home = greenlet->home;
        hr_greenlet *parent = is_main(greenlet->parent) ? NULL : greenlet->parent;
        hr__strand_done(&greenlet->strand);
        free(greenlet);
        home_unref(home); /* a main greenlet goes with it */
        greenlet = parent;
    }
}

/* Settles who goes on with the code, and with which. */
static hr_greenlet *receiver(hr_greenlet *target, int *code)
{
    for (;; target = target->parent) {
        if (target->state == FRESH && *code < 0)
            target->state = DEAD;
        if (target->state != DEAD)
            return target;
        if (*code == HR_EEXIT)
            *code = 0;
    }
}

static void trace(hr_greenlet *from, hr_greenlet *to, int code)
{
    if (tracer)
        tracer(from, to, code, trace_cookie);
}

static void pass(hr_greenlet *to, int code, void *value)
{
    to->home->current = to;
    to->state = STARTED;
    to->status = code;
    to->value = value;
}

static void run_body(void *arg)
{
    hr_greenlet *self = arg;
    void *value = self->value;
    int code = self->fn(self->arg, &value);
    if (code == HR_EEXIT)
        code = 0;
    if (code < 0)
        value = NULL;
    if (code < 0 && hr_last_error()->code != code)
        hr_fail(code, "%s", hr_error_text(code));
    self->state = DEAD;
    hr_greenlet *to = receiver(self->parent, &code);
    trace(self, to, code);
    pass(to, code, value);
    hr__strand_exit(&self->strand.coro, &to->strand.coro);
}

static int go(hr_greenlet *target, int code, void *value, void **ret)
{
    struct hr__home *home = home_here();
    if (!home)
        return -ENOMEM;
    if (target->home != home)
        return hr_fail(HR_EWRONGTHREAD, "the greenlet belongs to another thread or task");
    hr_greenlet *self = home->current, *to = receiver(target, &code);
    trace(self, to, code);
    pass(to, code, value);
    if (to != self)
        hr__strand_switch(&self->strand.coro, &to->strand.coro);
    if (ret && self->status >= 0)
        *ret = self->value;
    return self->status;
}

int hr_greenlet_switch(hr_greenlet *target, void *value, void **ret)
{
    return go(target, 0, value, ret);
}

int hr_greenlet_throw(hr_greenlet *target, int code, void **ret)
{
    return code < 0 ? go(target, code, NULL, ret) : hr_fail(-EINVAL, "%d is no error", code);
}

hr_greenlet *hr_greenlet_new_sized(hr_greenlet_fn *fn, void *arg, hr_greenlet *parent,
                                   size_t stack_size)
{
    struct hr__home *home = home_here();
    if (!home)
        return NULL;
    if (parent && parent->home != home) {
        hr_fail(HR_EWRONGTHREAD, "the parent belongs to another thread or task");
        return NULL;
    }
    if (!fn) {
        hr_fail(-EINVAL, "a greenlet without a function");
        return NULL;
    }
    hr_greenlet *greenlet = calloc(1, sizeof(*greenlet));
    if (!greenlet) {
        hr_fail(-ENOMEM, "no memory for a greenlet");
        return NULL;
    }
    if (hr__strand_init(&greenlet->strand, stack_size, run_body, greenlet) < 0) {
        free(greenlet);
        return NULL;
    }
    greenlet->refs = 1;
    greenlet->home = home;
    home->refs++;
    greenlet->parent = ref(parent ? parent : home->current);
    greenlet->fn = fn;
    greenlet->arg = arg;
    return greenlet;
}

hr_greenlet *hr_greenlet_new(hr_greenlet_fn *fn, void *arg, hr_greenlet *parent)
{
    return hr_greenlet_new_sized(fn, arg, parent, 0);
}

/* Has a suspended one end, and come back here. */
static void end(hr_greenlet *greenlet, struct hr__home *home)
{
    hr_greenlet *parent = greenlet->parent;
    greenlet->parent = ref(home->current);
    for (int tries = 0; tries < 2 && greenlet->state == STARTED; tries++)
        (void)go(greenlet, HR_EEXIT, NULL, NULL);
    unref(greenlet->parent);
    greenlet->parent = parent;
}

hr_greenlet *hr_greenlet_free(hr_greenlet *greenlet)
{
    if (!greenlet)
        return NULL;
    struct hr__home *home = greenlet->home;
    if (is_main(greenlet) || home->current == greenlet)
        return greenlet;
    if (greenlet->state == STARTED && home == home_here())
        end(greenlet, home);
    greenlet->state = DEAD;
    hr__strand_done(&greenlet->strand);
    unref(greenlet);
    return NULL;
}

void hr_greenlet_freep(hr_greenlet **greenlet)
{
    *greenlet = hr_greenlet_free(*greenlet);
}

hr_greenlet *hr_greenlet_current(void)
{
    struct hr__home *home = home_here();
    return home ? home->current : NULL;
}

hr_greenlet *hr_greenlet_parent(const hr_greenlet *greenlet)
{
    return greenlet->parent;
}

int hr_greenlet_set_parent(hr_greenlet *greenlet, hr_greenlet *parent)
{
    if (!parent || is_main(greenlet) || parent->home != greenlet->home)
        return hr_fail(-EINVAL, "greenlet: this cannot be its parent");
    for (const hr_greenlet *above = parent; above; above = above->parent) {
        if (above == greenlet)
            return hr_fail(-EINVAL, "greenlet: its own parent, by way of others");
    }
    hr_greenlet *before = greenlet->parent;
    greenlet->parent = ref(parent);
    unref(before);
    return 0;
}

bool hr_greenlet_started(const hr_greenlet *greenlet)
{
    return greenlet->state == STARTED;
}

bool hr_greenlet_dead(const hr_greenlet *greenlet)
{
    return greenlet->state == DEAD;
}

bool hr_greenlet_suspended(const hr_greenlet *greenlet)
{
    return greenlet->state == STARTED && greenlet->home->current != greenlet;
}

void hr_greenlet_set_trace(hr_greenlet_trace *fn, void *cookie)
{
    tracer = fn;
    trace_cookie = cookie;
}
