/* SPDX-License-Identifier: MIT */
/*
 * Misuse that has no code: the program ends, and says in its own words what it did.
 */
#include <string.h>

#include "core/cancel_scope.h"
#include "core/group.h"
#include "core/key_limiter.h"
#include "core/limiter.h"
#include "core/timeout.h"

#include "tests/support/hrtest.h"
#include "tests/support/last_words.h"

static int leave_a_shield(void *arg)
{
    hr_shield_leave();
    return 0;
}

static int free_own_loop(void *arg)
{
    hr_loop_free(hr_running_loop());
    return 0;
}

static int free_a_limiter_in_use(void *arg)
{
    hr_limiter *limiter = hr_limiter_new(2);
    int r = hr_limiter_acquire(limiter, &limiter);
    hr_limiter_free(limiter);
    return r;
}

static int free_a_key_limiter_in_use(void *arg)
{
    hr_key_limiter *limiter = hr_key_limiter_new(2);
    int r = hr_key_limiter_acquire(limiter, "key");
    hr_key_limiter_free(limiter);
    return r;
}

static hr_lock door;

static int wait_at_door(void *arg)
{
    return hr_lock_acquire(&door);
}

static int end_a_lock_in_use(void *arg)
{
    hr_lock_init(&door);
    (void)hr_lock_try(&door);
    int r = hr_spawn("visitor", wait_at_door, NULL);
    r = r < 0 ? r : hr_yield();
    hr_lock_done(&door);
    return r;
}

static int nap(void *arg)
{
    return hr_sleep(hr_ms(10));
}

/* Not inlined, and used up afterwards: the scope's memory is somebody else's when the task ends. */
static __attribute__((noinline)) int enter_and_return(int what)
{
    struct hr_timeout limit = {0};
    struct hr_cancel_scope scope = {0};
    struct hr_task_group group = {0};
    int r = 0;
    if (what == 0)
        r = hr_timeout_enter(&limit, hr_ms(5));
    else if (what == 1)
        r = hr_timeout_enter_at(&limit, hr_now());
    else if (what == 2)
        r = hr_cancel_scope_enter(&scope, hr_ms(5));
    else
        r = hr_task_group_enter(&group);
    if (what > 2)
        hr_task_group_spawn(&group, "child", nap, NULL);
    __asm__ volatile("" ::: "memory"); /* it is not the last thing that is done here */
    return r;
}

static __attribute__((noinline)) void use_the_stack(void)
{
    volatile char used[2000];
    for (size_t i = 0; i < sizeof(used); i++)
        used[i] = 'A';
}

static int forget(int what)
{
    int r = enter_and_return(what);
    use_the_stack();
    return r;
}

static int forget_a_timeout(void *arg)
{
    return forget(0);
}

static int forget_a_moment(void *arg)
{
    return forget(1);
}

static int forget_a_cancel_scope(void *arg)
{
    return forget(2);
}

static int forget_a_group(void *arg)
{
    return forget(3);
}

static int forget_a_shield(void *arg)
{
    hr_shield_enter();
    return 0;
}

static int forget_a_timeout_around_one(void *arg)
{
    struct hr_timeout outer = {0}, inner = {0};
    int r = hr_timeout_enter(&outer, hr_seconds(5));
    r = r < 0 ? r : hr_cancel_scope_enter(&(struct hr_cancel_scope){0}, HR_FOREVER);
    r = r < 0 ? r : hr_timeout_enter(&inner, hr_seconds(5));
    return hr_timeout_leave(&inner, r);
}

static struct hr_timeout foreign;

static int leave_foreign(void *arg)
{
    struct hr_timeout mine = foreign;
    hr_timeout_done(&mine);
    return 0;
}

static int have_another_task_leave(void *arg)
{
    int r = hr_timeout_enter(&foreign, hr_seconds(5));
    return r < 0 ? r : hr_join(hr_create_task("thief", leave_foreign, NULL));
}

static int leave_the_outer_group_first(void *arg)
{
    struct hr_task_group outer = {0}, inner = {0};
    int r = hr_task_group_enter(&outer);
    r = r < 0 ? r : hr_task_group_enter(&inner);
    hr_task_group_done(&outer);
    return r;
}

static const struct {
    hr_task_fn *fn;
    const char *said;
} misuses[] = {
    {leave_a_shield,              "headrace: task main: hr_shield_leave() without hr_shield_enter()"      },
    {free_own_loop,               "headrace: task main: hr_loop_free() inside a running loop: stop it"    },
    {free_a_limiter_in_use,       "headrace: task main: hr_limiter_free(): tokens are out"                },
    {free_a_key_limiter_in_use,   "headrace: task main: hr_key_limiter_free(): turns are taken"           },
    {end_a_lock_in_use,           "headrace: task main: hr_lock_done(): tasks wait for the lock"          },
    {have_another_task_leave,     "headrace: task thief: hr_timeout_done(): by a task that has not"       },
    {leave_the_outer_group_first, "headrace: task main: hr_task_group_done(): by a task that has"         },
    {forget_a_timeout,            "headrace: task main ended inside hr_timeout_enter() of test-core+0x"   },
    {forget_a_moment,             "headrace: task main ended inside hr_timeout_enter() of test-core+0x"   },
    {forget_a_cancel_scope,
     "headrace: task main ended inside hr_cancel_scope_enter() of test-core"                              },
    {forget_a_group,              "headrace: task main ended inside hr_task_group_enter() of test-core+0x"},
    {forget_a_shield,             "headrace: task main ended inside hr_shield_enter()"                    },
    {forget_a_timeout_around_one, "headrace: task main ended inside hr_cancel_scope_enter() of"           },
};

static int misuse(void *fn)
{
    return hr_run(*(hr_task_fn **)fn, NULL);
}

TEST_PLAIN(s0_4_s0_7_misuse_without_a_code_ends_the_program_with_a_sentence)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(misuses); i++) {
        char said[100];
        size_t size = strlen(misuses[i].said) + 1;
        hr_task_fn *fn = misuses[i].fn;
        ASSERT_TRUE(size <= sizeof(said));
        test_last_words(misuse, &fn, said, size);
        ASSERT_STR(said, misuses[i].said);
    }
}
