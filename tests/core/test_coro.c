/* SPDX-License-Identifier: MIT */
/*
 * The context switch, semantics 18.12 and 19.5, by itself and under tasks.
 */
#include "core/coro.h"

#include <errno.h>
#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "tests/support/hrtest.h"

enum { STACK = 64 << 10 };

struct ring {
    struct hr__coro thread, coros[3];
    char order[64];
    int rounds;
};

struct place {
    struct ring *ring;
    int index;
};

static void go_round(void *arg)
{
    struct place place = *(struct place *)arg;
    struct ring *ring = place.ring;
    struct hr__coro *self = &ring->coros[place.index];
    for (int round = 0; round < ring->rounds; round++) {
        char step[] = {(char)('A' + place.index), (char)('0' + round), ' ', '\0'};
        strcat(ring->order, step);
        bool last = place.index == 2 && round == ring->rounds - 1;
        hr__coro_switch(self, last ? &ring->thread : &ring->coros[(place.index + 1) % 3]);
    }
    hr__coro_exit(self, &ring->thread);
}

TEST_PLAIN(s18_13_three_coroutines_in_a_ring)
{
    struct ring ring = {.rounds = 3};
    struct place places[3];
    void *stacks[3];
    hr__coro_init_thread(&ring.thread);
    for (int i = 0; i < 3; i++) {
        places[i] = (struct place){&ring, i};
        stacks[i] = malloc(STACK);
        ASSERT_TRUE(stacks[i]);
        hr__coro_init(&ring.coros[i], stacks[i], STACK, go_round, &places[i]);
    }
    hr__coro_switch(&ring.thread, &ring.coros[0]);
    ASSERT_STR(ring.order, "A0 B0 C0 A1 B1 C1 A2 B2 C2 ");
    for (int i = 0; i < 3; i++) {
        hr__coro_switch(&ring.thread, &ring.coros[i]); /* to its end */
        hr__coro_done(&ring.coros[i]);
        free(stacks[i]);
    }
}

static void never_runs(void *arg)
{
    abort();
}

TEST_PLAIN(a_coroutine_that_never_ran_can_be_given_up)
{
    struct hr__coro coro;
    void *stack = malloc(STACK);
    ASSERT_TRUE(stack);
    hr__coro_init(&coro, stack, STACK, never_runs, NULL);
    hr__coro_done(&coro);
    free(stack);
}

struct shift {
    struct hr__coro thread, worker;
    int begun;
};

static void work_once(void *arg)
{
    struct shift *shift = arg;
    shift->begun++;
    hr__coro_switch(&shift->worker, &shift->thread);
    hr__coro_idle(&shift->worker, &shift->thread);
}

TEST_PLAIN(a_coroutine_that_has_nothing_to_remember_begins_anew)
{
    struct shift shift = {0};
    void *stack = malloc(STACK);
    ASSERT_TRUE(stack);
    hr__coro_init_thread(&shift.thread);
    hr__coro_init(&shift.worker, stack, STACK, work_once, &shift);
    for (int i = 1; i <= 3; i++) {
        hr__coro_switch(&shift.thread, &shift.worker);
        ASSERT_EQ(shift.begun, i);
        hr__coro_switch(&shift.thread, &shift.worker);
        ASSERT_EQ(shift.begun, i);
    }
    hr__coro_done(&shift.worker);
    free(stack);
}

/* More live values than there are registers, through many switches. */
static int compute(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
    uint64_t g = seed * 17, h = seed * 19;
    double x = (double)seed / 3, y = x * 2;
    for (int i = 0; i < 100; i++) {
        if (hr_yield() < 0)
            return -1;
        a += b, b ^= c, c += d, d ^= e, e += f, f ^= g, g += h, h ^= a;
        x = x / 2 + y / 4, y = y / 2 + x / 4;
    }

    uint64_t a2 = seed, b2 = seed * 3, c2 = seed * 5, d2 = seed * 7, e2 = seed * 11;
    uint64_t f2 = seed * 13, g2 = seed * 17, h2 = seed * 19;
    double x2 = (double)seed / 3, y2 = x2 * 2;
    for (int i = 0; i < 100; i++) {
        a2 += b2, b2 ^= c2, c2 += d2, d2 ^= e2, e2 += f2, f2 ^= g2, g2 += h2, h2 ^= a2;
        x2 = x2 / 2 + y2 / 4, y2 = y2 / 2 + x2 / 4;
    }
    bool same = a == a2 && b == b2 && c == c2 && d == d2 && e == e2 && f == f2 && g == g2 &&
                h == h2 && x == x2 && y == y2;
    return same ? 1 : 0;
}

TEST(s18_12_registers_and_stack_survive_switches)
{
    hr_task *tasks[20];
    for (uintptr_t i = 0; i < 20; i++)
        tasks[i] = hr_create_task(NULL, compute, (void *)(i * 1234567 + 1));
    for (int i = 0; i < 20; i++)
        ASSERT_ERR(hr_join(tasks[i]), 1);
}

#if defined(__x86_64__)
/* Puts known values into every callee-saved register around a switch. */
static int hold_registers(void *arg)
{
    uintptr_t value = (uintptr_t)arg, wrong;
    __asm__ volatile("push %%rbp\n\t"
                     "mov %%rsp, %%r15\n\t"
                     "and $-16, %%rsp\n\t"
                     "mov %1, %%rbx\n\t"
                     "lea 1(%1), %%rbp\n\t"
                     "lea 2(%1), %%r12\n\t"
                     "lea 3(%1), %%r13\n\t"
                     "lea 4(%1), %%r14\n\t"
                     "push %1\n\t"
                     "push %1\n\t"
                     "call hr_yield\n\t"
                     "pop %%rcx\n\t"
                     "pop %%rcx\n\t"
                     "xor %%eax, %%eax\n\t"
                     "sub %%rcx, %%rbx\n\t"
                     "or %%rbx, %%rax\n\t"
                     "lea 1(%%rcx), %%rdx\n\t"
                     "sub %%rdx, %%rbp\n\t"
                     "or %%rbp, %%rax\n\t"
                     "lea 2(%%rcx), %%rdx\n\t"
                     "sub %%rdx, %%r12\n\t"
                     "or %%r12, %%rax\n\t"
                     "lea 3(%%rcx), %%rdx\n\t"
                     "sub %%rdx, %%r13\n\t"
                     "or %%r13, %%rax\n\t"
                     "lea 4(%%rcx), %%rdx\n\t"
                     "sub %%rdx, %%r14\n\t"
                     "or %%r14, %%rax\n\t"
                     "mov %%r15, %%rsp\n\t"
                     "pop %%rbp"
                     : "=&a"(wrong)
                     : "D"(value)
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "memory", "cc");
    return wrong == 0;
}

TEST(s18_12_every_callee_saved_register_survives)
{
    hr_task *tasks[5];
    for (uintptr_t i = 0; i < 5; i++)
        tasks[i] = hr_create_task(NULL, hold_registers, (void *)(i << 32 | 77));
    for (int i = 0; i < 5; i++)
        ASSERT_ERR(hr_join(tasks[i]), 1);
}
#endif

static int keep_rounding(void *mode)
{
    int wanted = *(int *)mode, before = fegetround();
    fesetround(wanted);
    int r = hr_yield();
    bool kept = fegetround() == wanted;
    fesetround(before);
    return r < 0 ? r : kept;
}

TEST(s18_12_each_task_keeps_its_floating_point_control_state)
{
    static int up = FE_UPWARD, down = FE_DOWNWARD;
    hr_task *one = hr_create_task(NULL, keep_rounding, &up);
    hr_task *two = hr_create_task(NULL, keep_rounding, &down);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_EQ(fegetround(), FE_TONEAREST);
    ASSERT_ERR(hr_join(one), 1);
    ASSERT_ERR(hr_join(two), 1);
}

static int rounding(void *arg)
{
    return fegetround();
}

TEST(s18_12_a_task_starts_with_the_control_state_of_its_loop)
{
    if (hr__context_control() == 0)
        return; /* ucontext: with that of whoever ran before */
    fesetround(FE_UPWARD);
    int r = hr_join(hr_create_task(NULL, rounding, NULL));
    bool kept = fegetround() == FE_UPWARD;
    fesetround(FE_TONEAREST);
    ASSERT_ERR(r, FE_TONEAREST);
    ASSERT_TRUE(kept);
}

static int keep_errno(void *value)
{
    int wanted = *(int *)value;
    errno = wanted;
    int r = hr_yield();
    return r < 0 ? r : errno == wanted;
}

TEST(s19_5_errno_is_the_tasks_own)
{
    static int values[] = {ENOENT, EIO, EPIPE};
    hr_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = hr_create_task(NULL, keep_errno, &values[i]);
    errno = E2BIG;
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_EQ(errno, E2BIG);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_join(tasks[i]), 1);
}

static int count_down(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    if (depth == 0)
        return hr_yield();
    int r = count_down(depth - 1);
    return r < 0 || frame[0] != (char)depth ? -1 : 0;
}

static int suspend_deep_down(void *arg)
{
    return count_down(50);
}

TEST(s18_12_a_task_may_suspend_at_any_depth)
{
    hr_task *tasks[50];
    for (int i = 0; i < 50; i++)
        tasks[i] = hr_create_task(NULL, suspend_deep_down, NULL);
    for (int i = 0; i < 50; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
}
