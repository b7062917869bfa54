/* SPDX-License-Identifier: MIT */
/*
 * How it works: a strand, and the place to go back to, which is noted anew each time somebody asks.
 * A generator that was started in a loop is in the loop's list until it is over, so that the end of
 * the run can close what was left open.
 */
#include "core/generator.h"

#include "core/park.h"
#include "core/strand.h"

enum state { FRESH, SUSPENDED, RUNNING, OVER };

struct hr_generator {
    struct hr__strand strand;
    struct hr__coro caller; /* where the value goes */
    hr_generator_fn *fn;
    void *arg;
    pthread_t thread;
    enum state state;
    int code;       /* what the yield returns, or what the body ended with */
    void *passed;   /* what goes in or comes out */
    void *returned; /* with the end */
    hr_loop *loop;  /* whose list it is in */
    struct hr_list link;
};

static void run_body(void *arg)
{
    hr_generator *self = arg;
    self->code = self->fn(self, self->arg);
    self->state = OVER;
    hr__strand_exit(&self->strand.coro, &self->caller);
}

hr_generator *hr_generator_new_sized(hr_generator_fn *fn, void *arg, size_t stack_size)
{
    if (!fn) {
        hr_fail(-EINVAL, "a generator without a function");
        return NULL;
    }
    hr_generator *generator = calloc(1, sizeof(*generator));
    if (!generator) {
        hr_fail(-ENOMEM, "no memory for a generator");
        return NULL;
    }
    generator->fn = fn;
    generator->arg = arg;
    generator->thread = pthread_self();
    hr_list_init(&generator->link);
    if (hr__strand_init(&generator->strand, stack_size, run_body, generator) < 0) {
        free(generator);
        return NULL;
    }
    return generator;
}

hr_generator *hr_generator_new(hr_generator_fn *fn, void *arg)
{
    return hr_generator_new_sized(fn, arg, 0);
}

static int close_one(void *generator)
{
    return hr_generator_close(generator);
}

struct closing {
    struct hr__watch watch;
    hr_loop *loop;
};

static void closing_done(struct hr__watch *watch)
{
    hr__sched_stop(hr_container_of(watch, struct closing, watch)->loop);
}

/* The loop is closing and no task is left: generators that stand still end, in a task of theirs. */
static void close_open(hr_loop *loop)
{
    for (struct hr_list *node; (node = hr_list_pop(&loop->generators));) {
        hr_generator *generator = hr_list_entry(node, hr_generator, link);
        hr_task *task = hr_create_task("generator", close_one, generator);
        if (!task)
            continue;
        struct closing closing = {.watch.done = closing_done, .loop = loop};
        hr__future_watch(task, &closing.watch);
        while (!hr_future_done(task)) /* somebody may call hr_loop_stop() on the way */
            hr__sched_run(loop);
        if (hr_future_status(task) < 0)
            hr__report(loop, "a generator that was left open failed to close",
                       hr_future_error(task), "");
        hr_future_unref(task);
    }
}

static void remember(hr_generator *generator)
{
    hr_loop *loop = hr__loop_running;
    if (!loop)
        return;
    loop->close_generators = close_open;
    hr_list_append(&loop->generators, &generator->link);
}

/* Goes into the body with code and value; what comes out of that step is its result. */
static int resume(hr_generator *generator, int code, void *value, void **ret)
{
    if (generator->state == FRESH)
        remember(generator);
    generator->state = RUNNING;
    generator->code = code;
    generator->passed = value;
    hr__strand_switch(&generator->caller, &generator->strand.coro);
    if (generator->state == SUSPENDED) {
        *ret = generator->passed;
        return 0;
    }
    hr_list_remove(&generator->link);
    hr__strand_done(&generator->strand);
    if (generator->code < 0)
        return generator->code;
    *ret = hr_take(generator->returned);
    return HR_EEND;
}

/* Whether it can be asked: 0, HR_EEND when it is over, or a code. */
static int check(const hr_generator *generator)
{
    if (!pthread_equal(generator->thread, pthread_self()))
        return hr_fail(HR_EWRONGTHREAD, "the generator belongs to another thread");
    if (generator->state == RUNNING)
        return hr_fail(-EBUSY, "the generator is running");
    return generator->state == OVER ? HR_EEND : 0;
}

int hr_generator_send(hr_generator *generator, void *value, void **ret)
{
    int r = check(generator);
    if (r == HR_EEND)
        *ret = NULL;
    if (r < 0)
        return r;
    if (generator->state == FRESH && value)
        return hr_fail(-EINVAL, "the generator has not started: nobody takes a value yet");
    return resume(generator, 0, value, ret);
}

int hr_generator_next(hr_generator *generator, void **ret)
{
    return hr_generator_send(generator, NULL, ret);
}

int hr_generator_throw(hr_generator *generator, int code, void **ret)
{
    int r = check(generator);
    if (r < 0 && r != HR_EEND)
        return r;
    if (r == HR_EEND)
        return code;
    if (generator->state == SUSPENDED)
        return resume(generator, code, NULL, ret);
    generator->state = OVER;
    hr__strand_done(&generator->strand);
    return code;
}

int hr_generator_close(hr_generator *generator)
{
    void *ignored = NULL;
    int r = check(generator);
    if (r == HR_EEND)
        return 0;
    if (r < 0)
        return r;
    r = hr_generator_throw(generator, HR_EEXIT, &ignored);
    if (r == 0)
        return hr_fail(HR_EBROKEN, "the generator yields although it was asked to end");
    return r == HR_EEXIT || r == HR_EEND ? 0 : r;
}

hr_generator *hr_generator_free(hr_generator *generator)
{
    if (!generator)
        return NULL;
    hr_assert(generator->state != RUNNING);
    if (hr_generator_close(generator) == HR_EBROKEN)
        (void)!hr_generator_close(generator);
    hr_list_remove(&generator->link);
    hr__strand_done(&generator->strand);
    free(generator);
    return NULL;
}

void hr_generator_freep(hr_generator **generator)
{
    *generator = hr_generator_free(*generator);
}

int hr_generator_yield(hr_generator *self, void *value, void **ret_sent)
{
    self->state = SUSPENDED;
    self->passed = value;
    hr__strand_switch(&self->strand.coro, &self->caller);
    if (self->code < 0)
        return self->code;
    if (ret_sent)
        *ret_sent = self->passed;
    return 0;
}

int hr_generator_delegate(hr_generator *self, hr_generator *inner, void **ret_value)
{
    void *value = NULL, *sent = NULL;
    int r = hr_generator_next(inner, &value);
    while (r == 0) {
        r = hr_generator_yield(self, value, &sent);
        if (r == HR_EEXIT) { /* the inner one ends first */
            int closed = hr_generator_close(inner);
            return closed < 0 ? closed : r;
        }
        r = r < 0 ? hr_generator_throw(inner, r, &value) : hr_generator_send(inner, sent, &value);
    }
    if (r != HR_EEND)
        return r;
    if (ret_value)
        *ret_value = value;
    return 0;
}

void hr_generator_return(hr_generator *self, void *value)
{
    self->returned = value;
}
