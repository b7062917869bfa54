/* SPDX-License-Identifier: MIT */
/*
 * An array of exits. The error record is kept while an exit runs, since a cleanup may fail and
 * recover on the way.
 */
#include "core/exits.h"

#include "core/error_impl.h"

static int reserve(struct hr_exits *exits)
{
    if (exits->count < exits->capacity)
        return 0;
    size_t capacity = exits->capacity ? 2 * exits->capacity : 8;
    struct hr__exit *items = reallocarray(exits->items, capacity, sizeof(*items));
    if (!items)
        return hr_fail(-ENOMEM, "no memory for an exit");
    exits->items = items;
    exits->capacity = capacity;
    return 0;
}

int hr_exits_enter(struct hr_exits *exits, hr_enter_fn *enter, hr_exit_fn *exit, void *arg)
{
    int r = reserve(exits);
    if (r < 0)
        return r;
    /* The place is taken before enter() waits: others may come to the same stack. */
    size_t place = exits->count++;
    exits->items[place] = (struct hr__exit){NULL, arg};
    r = enter ? enter(arg) : 0;
    if (r >= 0)
        exits->items[place].fn = exit;
    return r;
}

struct cleanup {
    void (*fn)(void *arg);
    void *arg;
};

static int run_cleanup(void *arg, int code)
{
    struct cleanup cleanup = *(struct cleanup *)arg;
    free(arg);
    cleanup.fn(cleanup.arg);
    return code;
}

int hr_exits_add(struct hr_exits *exits, void (*fn)(void *arg), void *arg)
{
    if (!fn)
        return hr_fail(-EINVAL, "a cleanup without a function");
    struct cleanup *cleanup = malloc(sizeof(*cleanup));
    if (!cleanup || reserve(exits) < 0) {
        free(cleanup);
        return hr_fail(-ENOMEM, "no memory for a cleanup");
    }
    *cleanup = (struct cleanup){fn, arg};
    exits->items[exits->count++] = (struct hr__exit){run_cleanup, cleanup};
    return 0;
}

/* Runs one exit and puts the record straight. */
static int leave_one(const struct hr__exit *exit, int code)
{
    hr_auto(hr_error_done) struct hr_error before = {0};
    if (code < 0 && hr_last_error()->code == code)
        hr_error_copy(&before, hr_last_error());
    int r = exit->fn(exit->arg, code);
    if (r >= 0 || before.code == 0)
        return r;
    if (r == code)
        return hr_error_raise(&before);
    if (hr_last_error()->code != r)
        hr_fail(r, "%s", hr_error_text(r));
    return hr__error_add_cause(&before);
}

int hr_exits_leave(struct hr_exits *exits, int code)
{
    while (exits->count > 0) {
        struct hr__exit exit = exits->items[--exits->count];
        if (exit.fn)
            code = leave_one(&exit, code);
    }
    free(exits->items);
    *exits = (struct hr_exits){0};
    return code;
}
