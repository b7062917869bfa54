/* SPDX-License-Identifier: MIT */
/*
 * Stacks: guards, reuse, limits; semantics 2.12, 2.21, 2.22.
 */
#include "core/stack.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/loop_impl.h"
#include "tests/support/hrtest.h"

/* Whether the byte can be written to; tried out in a process of its own. */
static bool writable(volatile char *byte)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* sanitizers have a handler of their own */
        signal(SIGBUS, SIG_DFL);
        *byte = 1;
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void check_guard(enum hr__guard guard)
{
    struct hr__stacks stacks;
    struct hr__stack stack[3];
    hr__stacks_init(&stacks, 64 << 10, guard);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr__stack_get(&stacks, &stack[i]), 0);
    for (int i = 0; i < 3; i++) {
        char *bottom = stack[i].bottom;
        ASSERT_TRUE(writable(bottom));
        ASSERT_TRUE(writable(bottom + stack[i].size - 1));
        ASSERT_FALSE(writable(bottom - 1));
        ASSERT_FALSE(writable(bottom - 4096));
        ASSERT_FALSE(writable(bottom - (16 << 10)));
    }
    hr__stack_put(&stacks, &stack[1]);
    ASSERT_ERR(hr__stack_get(&stacks, &stack[1]), 0); /* used again, it still has its guard */
    ASSERT_FALSE(writable((char *)stack[1].bottom - 1));
    for (int i = 0; i < 3; i++)
        hr__stack_put(&stacks, &stack[i]);
    hr__stacks_done(&stacks);
}

TEST_PLAIN(s2_21_below_each_stack_lies_a_guard)
{
    check_guard(HR__GUARD_AUTO);
}

TEST_PLAIN(s2_21_also_where_the_kernel_has_no_guard_regions)
{
    check_guard(HR__GUARD_MPROTECT);
}

TEST_PLAIN(stacks_are_reused_and_what_they_had_touched_is_dropped)
{
    struct hr__stacks stacks;
    struct hr__stack first, second;
    hr__stacks_init(&stacks, 256 << 10, HR__GUARD_AUTO);
    ASSERT_ERR(hr__stack_get(&stacks, &first), 0);
    ASSERT_EQ(hr__stack_touched(&first), 0);
    char *top = (char *)first.bottom + first.size;
    memset(top - 100, 1, 100);
    ASSERT_EQ(hr__stack_touched(&first), 4096);
    memset(top - 50000, 1, 100);
    ASSERT_EQ(hr__stack_touched(&first), 53248);
    hr__stack_put(&stacks, &first);
    ASSERT_ERR(hr__stack_get(&stacks, &second), 0);
    ASSERT_PTR(second.bottom, first.bottom);
    ASSERT_EQ(hr__stack_touched(&second), 0);
    hr__stack_put(&stacks, &second);
    hr__stacks_done(&stacks);
}

TEST_PLAIN(many_stacks_of_any_size_never_overlap)
{
    enum { COUNT = 200 };
    static const size_t sizes[] = {1, 16 << 10, (64 << 10) + 1, 256 << 10, 20 << 20};
    static struct hr__stack held[COUNT];
    for (size_t s = 0; s < HR_ARRAY_LEN(sizes); s++) {
        struct hr__stacks stacks;
        int count = sizes[s] > 1 << 20 ? 5 : COUNT;
        hr__stacks_init(&stacks, sizes[s], HR__GUARD_AUTO);
        for (int i = 0; i < count; i++) {
            ASSERT_ERR(hr__stack_get(&stacks, &held[i]), 0);
            ASSERT_TRUE(held[i].size + held[i].guard >= sizes[s]);
            ASSERT_TRUE(held[i].size >= 16 << 10);
            ASSERT_TRUE(held[i].guard >= 4096 && held[i].guard <= 64 << 10);
            memset((char *)held[i].bottom + held[i].size - 8, i, 8);
        }
        for (int i = 0; i < count; i++) {
            ASSERT_EQ(((unsigned char *)held[i].bottom)[held[i].size - 1], i);
            for (int j = 0; j < i; j++) {
                char *one = held[i].bottom, *two = held[j].bottom;
                ASSERT_TRUE(one + held[i].size < two || two + held[j].size < one);
            }
        }
        for (int i = 0; i < count; i++)
            hr__stack_put(&stacks, &held[i]);
        hr__stacks_done(&stacks);
    }
}

static size_t count_slabs(const struct hr__stacks *stacks)
{
    size_t count = 0;
    hr_list_foreach_safe (node, &stacks->slabs)
        count++;
    return count;
}

TEST_PLAIN(after_a_rush_the_address_space_goes_back_but_for_a_reserve)
{
    enum { COUNT = 1000 };
    static struct hr__stack held[COUNT];
    struct hr__stacks stacks;
    hr__stacks_init(&stacks, 64 << 10, HR__GUARD_AUTO);
    for (int i = 0; i < COUNT; i++)
        ASSERT_ERR(hr__stack_get(&stacks, &held[i]), 0);
    ASSERT_TRUE(count_slabs(&stacks) > 3);
    for (int i = COUNT - 1; i > 0; i--)
        hr__stack_put(&stacks, &held[i]);
    ASSERT_EQ(count_slabs(&stacks), 2); /* that of the first, and an idle one */
    hr__stack_put(&stacks, &held[0]);
    ASSERT_EQ(count_slabs(&stacks), 1);
    for (int i = 0; i < COUNT; i++) /* and again */
        ASSERT_ERR(hr__stack_get(&stacks, &held[i]), 0);
    for (int i = 0; i < COUNT; i++)
        hr__stack_put(&stacks, &held[i]);
    ASSERT_EQ(count_slabs(&stacks), 1);
    hr__stacks_done(&stacks);
}

TEST_PLAIN(guards_by_mprotect_stop_short_of_the_kernels_limit)
{
    struct hr__stacks stacks;
    struct hr__stack held[3], another;
    hr__stack_limit_guards(3);
    hr__stacks_init(&stacks, 64 << 10, HR__GUARD_MPROTECT);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr__stack_get(&stacks, &held[i]), 0);
    ASSERT_ERR(hr__stack_get(&stacks, &another), -EAGAIN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "vm.max_map_count"));
    hr__stack_put(&stacks, &held[0]);
    ASSERT_ERR(hr__stack_get(&stacks, &held[0]), 0); /* its guard is there already */
    for (int i = 0; i < 3; i++)
        hr__stack_put(&stacks, &held[i]);
    hr__stacks_done(&stacks);

    /* Their mappings are gone with the stacks. */
    hr__stacks_init(&stacks, 64 << 10, HR__GUARD_MPROTECT);
    ASSERT_ERR(hr__stack_get(&stacks, &another), 0);
    hr__stack_put(&stacks, &another);
    hr__stacks_done(&stacks);
    hr__stack_limit_guards(0);
}

static int nap(void *arg)
{
    return hr_sleep(hr_ms(1));
}

static int never_runs(void *arg)
{
    return 1;
}

static int arguments_freed;

static void free_argument(void *arg)
{
    arguments_freed++;
}

static int spawn_beyond_the_limit(void *arg)
{
    struct hr_task_options options = {.name = "too many", .free_arg = free_argument};
    hr_task *one = hr_create_task("one", nap, NULL);
    hr_task *two = hr_create_task_with(&options, never_runs, &options);
    ASSERT_ERR(hr_join(two), -EAGAIN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "vm.max_map_count"));
    ASSERT_EQ(arguments_freed, 1);
    return hr_join(one);
}

TEST_PLAIN(s21_7_a_task_that_gets_no_stack_ends_with_the_reason)
{
    hr_loop *loop = hr_loop_new(NULL);
    hr__fibers_init(&loop->fibers, 64 << 10, HR__GUARD_MPROTECT);
    hr__stack_limit_guards(2); /* this test's main task and one more */
    struct hr_task_options options = {.loop = loop};
    hr_task *task = hr_create_task_with(&options, spawn_beyond_the_limit, NULL);
    ASSERT_ERR(hr_loop_run_until_complete(loop, task), 0);
    hr__stack_limit_guards(0);
    hr_loop_free(loop);
}

enum { CROWD = 3000 };

TEST(s2_22_parked_tasks_use_little_and_stacks_go_back_afterwards)
{
    static hr_task *tasks[CROWD];
    for (int i = 0; i < CROWD; i++)
        tasks[i] = hr_create_task(NULL, nap, NULL);
    test_passes(1);
    size_t bytes = 0;
    for (int i = 0; i < CROWD; i++)
        bytes += hr_task_stack_used(tasks[i]);
    ASSERT_TRUE(bytes <= (size_t)CROWD * 8192);
    ASSERT_TRUE(bytes >= (size_t)CROWD * 4096);
    for (int i = 0; i < CROWD; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_TRUE(hr_running_loop()->fibers.cached >= CROWD);
    ASSERT_ERR(hr_sleep(hr_seconds(9)), 0); /* there may be another rush */
    ASSERT_TRUE(hr_running_loop()->fibers.cached >= CROWD);
    for (int i = 0; i < 2; i++)
        ASSERT_ERR(hr_sleep(hr_seconds(2)), 0);
    ASSERT_TRUE(hr_running_loop()->fibers.cached <= 1024);
}
