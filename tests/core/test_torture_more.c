/* SPDX-License-Identifier: MIT */
/*
 * Out of memory anywhere, once more: each part of the runtime that tasks are put together with, run
 * with the first, the second, the n-th allocation failing; semantics 21.7.
 */
#include <string.h>

#include "core/headrace.h"
#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

static int nap(void *ms)
{
    return hr_sleep(hr_ms((intptr_t)ms));
}

static int fail(void *arg)
{
    int r = hr_yield();
    (void)r;
    return hr_fail(-EIO, "no luck");
}

static int use_as_completed(void)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    for (intptr_t i = 0; i < 12; i++)
        hr_futures_add(&naps, hr_create_task(NULL, nap, (void *)i));
    hr_auto(hr_as_completed_freep) hr_as_completed *done =
        hr_as_completed_new(&naps, hr_seconds(9), HR_CANCEL_REST);
    hr_future *next;
    int r;
    while ((r = hr_as_completed_next(done, &next)) == 0) {
        int status = hr_future_status(next);
        if (status < 0)
            return status;
    }
    return r == HR_EEND ? 0 : r;
}

/* Two failures: a group error, whose members may be cut. */
static int use_group(void)
{
    struct hr_task_group group = {0};
    int r = hr_task_group_enter(&group);
    if (r < 0)
        return r;
    bool spawned = hr_task_group_spawn(&group, "a", fail, NULL) &&
                   hr_task_group_spawn(&group, "b", fail, NULL);
    r = hr_task_group_leave(&group, spawned ? 0 : -ENOMEM);
    if (!spawned && (r == HR_EGROUP || r == -ENOMEM))
        return -ENOMEM;
    if (r != HR_EGROUP)
        return r;
    struct hr_error copy, matching, rest;
    hr_error_copy(&copy, hr_last_error());
    hr_error_split(&copy, -EIO, &matching, &rest);
    hr_error_done(&copy);
    hr_error_done(&matching);
    hr_error_done(&rest);
    return 0;
}

static const hr_local local = {.free_value = free};

static int use_local(void)
{
    char *value = strdup("value");
    if (!value)
        return -ENOMEM;
    int r = hr_local_set(&local, value);
    if (r < 0) {
        free(value);
        return r;
    }
    hr_auto(hr_future_unrefp) hr_future *sleep = hr_sleep_future(hr_ms(1), NULL, NULL);
    return hr_await(sleep);
}

static int by_address(const void *a, const void *b)
{
    return (a > b) - (a < b);
}

static int use_queue(void)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new_with(&(struct hr_queue_options){
        .order = HR_QUEUE_PRIORITY, .compare = by_address, .free_fn = free});
    if (!queue)
        return -ENOMEM;
    for (int i = 0; i < 20; i++) {
        void *item = malloc(8);
        int r = item ? hr_queue_put(queue, item) : -ENOMEM;
        if (r < 0) {
            free(item);
            return r;
        }
    }
    return 0;
}

static int use_limiters(void)
{
    hr_limiter *limiter = hr_limiter_new(1);
    hr_key_limiter *keys = hr_key_limiter_new(1);
    int r = limiter && keys ? hr_limiter_acquire(limiter, NULL) : -ENOMEM;
    if (r == 0) {
        r = hr_key_limiter_acquire(keys, "key");
        if (r == 0)
            r = hr_key_limiter_release(keys, "key");
        hr_limiter_release(limiter, NULL);
    }
    hr_limiter_free(limiter);
    hr_key_limiter_free(keys);
    return r;
}

static int close_it(void *arg, int code)
{
    return code;
}

static int use_exits(void)
{
    struct hr_exits exits = {0};
    int r = 0;
    for (int i = 0; i < 10 && r == 0; i++) {
        r = hr_exits_enter(&exits, NULL, close_it, NULL);
        void *memory = r == 0 ? malloc(8) : NULL;
        if (r == 0 && !memory)
            r = -ENOMEM;
        if (r == 0) {
            r = hr_exits_add(&exits, free, memory);
            if (r < 0)
                free(memory);
        }
    }
    return hr_exits_leave(&exits, r);
}

static int count(hr_generator *self, void *arg)
{
    int r = hr_generator_yield(self, NULL, NULL);
    return r < 0 ? r : hr_sleep(hr_ms(1));
}

static int pass_back(void *back, void **value)
{
    return hr_greenlet_switch(back, NULL, NULL);
}

static int use_strands(void)
{
    hr_auto(hr_generator_freep) hr_generator *generator = hr_generator_new(count, NULL);
    void *value;
    int r = generator ? hr_generator_next(generator, &value) : -ENOMEM;
    if (r < 0)
        return r;
    hr_greenlet *self = hr_greenlet_current();
    hr_greenlet *greenlet = self ? hr_greenlet_new(pass_back, self, NULL) : NULL;
    r = greenlet ? hr_greenlet_switch(greenlet, NULL, NULL) : -ENOMEM;
    hr_greenlet_free(greenlet);
    return r;
}

static int use_everything(void *arg)
{
    static int (*const parts[])(void) = {
        use_as_completed, use_group, use_local, use_queue, use_limiters, use_exits, use_strands,
    };
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    int r = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(parts) && r == 0; i++)
        r = parts[i]();
    return r;
}

TEST_PLAIN(s21_7_so_it_is_in_what_tasks_are_put_together_with)
{
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock};
    for (int once = 0; once < 2; once++) {
        long n = 0;
        for (bool failed = true; failed; n++) {
            starve_after(n, once);
            int r = hr_run_with(&options, use_everything, NULL);
            failed = starve_end();
            if (r != 0 && r != -ENOMEM)
                test_fail(__FILE__, __LINE__, "with %ld allocations: %s: %s", n, hr_error_name(r),
                          hr_error_message(r));
            while (test_report())
                continue;
        }
        ASSERT_TRUE(n > 60);
    }
}
