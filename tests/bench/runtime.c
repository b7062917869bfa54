/* SPDX-License-Identifier: MIT */
/*
 * The runtime, as a peer of the benchmarks: each row is written as a user would write it.
 *
 *   runtime ROW COUNT [TIMES]      prints one JSON line
 *   runtime echo PORT              serves 127.0.0.1 until it is killed
 */
#include "core/headrace.h"
#include "tests/bench/measure.h"
#include "tests/bench/runtime_outside.h"

uint64_t bench_count, bench_times;
static uint64_t left;

static int nothing(void *arg)
{
    return 0;
}

/* --- switching, spawning */

static int yield_in_turn(void *arg)
{
    while (left > 0) {
        left--;
        must(hr_yield());
    }
    return 0;
}

static void row_switch(void)
{
    left = bench_count;
    hr_task *a = hr_create_task(NULL, yield_in_turn, NULL);
    hr_task *b = hr_create_task(NULL, yield_in_turn, NULL);
    must(hr_join(a));
    must(hr_join(b));
}

static void row_spawn(void)
{
    for (uint64_t i = 0; i < bench_count; i++)
        must(hr_join(hr_create_task(NULL, nothing, NULL)));
}

static int pass_gate(void *arg)
{
    return hr_event_wait(arg);
}

static void row_gather(void)
{
    for (int round = 0; round < 10; round++) {
        hr_auto(hr_futures_done) struct hr_futures all = {0};
        hr_event gate;
        hr_event_init(&gate);
        for (uint64_t i = 0; i < bench_count / 10; i++)
            hr_futures_add(&all, hr_create_task(NULL, pass_gate, &gate));
        must(hr_yield());
        hr_event_set(&gate);
        if (hr_gather(&all, 0) < 0)
            bench_die("gather");
        hr_event_done(&gate);
    }
}

/* --- queues */

struct court {
    hr_queue *there, *back;
};

static int answer(void *arg)
{
    struct court *court = arg;
    for (uint64_t i = 0; i < bench_count; i++) {
        void *ball;
        must(hr_queue_get(court->there, &ball));
        must(hr_queue_put(court->back, (char *)ball + 1));
    }
    return 0;
}

static void row_pingpong(void)
{
    hr_auto(hr_queue_freep) hr_queue *there = hr_queue_new(1, NULL);
    hr_auto(hr_queue_freep) hr_queue *back = hr_queue_new(1, NULL);
    struct court court = {there, back};
    hr_task *other = hr_create_task(NULL, answer, &court);
    void *ball = NULL;
    for (uint64_t i = 0; i < bench_count; i++) {
        must(hr_queue_put(there, ball));
        must(hr_queue_get(back, &ball));
    }
    must(hr_join(other));
    if ((uintptr_t)ball != bench_count)
        bench_die("a ball was lost");
}

static int produce(void *arg)
{
    for (uint64_t i = 0; i < bench_count; i++)
        must(hr_queue_put(arg, (void *)(uintptr_t)i));
    return 0;
}

static void row_stream(void)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(1024, NULL);
    hr_task *producer = hr_create_task(NULL, produce, queue);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < bench_count; i++) {
        void *item;
        must(hr_queue_get(queue, &item));
        sum += (uintptr_t)item;
    }
    must(hr_join(producer));
    if (sum != bench_count * (bench_count - 1) / 2)
        bench_die("an item was lost");
}

/* --- limits on waiting */

static void row_waitfor(void)
{
    hr_future *done = hr_future_new(NULL);
    hr_future_set_status(done, 0);
    for (uint64_t i = 0; i < bench_count; i++)
        must(hr_wait_for(hr_future_ref(done), hr_seconds(1)));
    hr_future_unref(done);
}

static int yield_until_cancelled(void *arg)
{
    while (hr_yield() == 0)
        continue;
    return 0;
}

static void row_waitfor_yield(void)
{
    hr_task *other = hr_create_task(NULL, yield_until_cancelled, NULL);
    for (uint64_t i = 0; i < bench_count; i++) {
        struct hr_timeout limit = {0};
        must(hr_timeout_enter(&limit, hr_seconds(1)));
        must(hr_timeout_leave(&limit, hr_yield()));
    }
    hr_task_cancel(other, NULL);
    must(hr_join(other));
}

/* --- crowds */

static hr_semaphore permits;
static hr_event all_over;

static void one_less(void)
{
    if (--left == 0)
        hr_event_set(&all_over);
}

static void crowd(hr_task_fn *fn)
{
    left = bench_count;
    hr_event_init(&all_over);
    for (uint64_t i = 0; i < bench_count; i++) {
        if (hr_spawn(NULL, fn, (void *)(uintptr_t)i) < 0)
            bench_die(hr_last_error()->message);
    }
    must(hr_event_wait(&all_over));
    hr_event_done(&all_over);
}

static int with_permit(void *arg)
{
    must(hr_semaphore_acquire(&permits));
    must(hr_yield());
    must(hr_semaphore_release(&permits));
    one_less();
    return 0;
}

static void row_sem(void)
{
    hr_semaphore_init(&permits, 500, false);
    crowd(with_permit);
    hr_semaphore_done(&permits);
}

static int sleep_often(void *arg)
{
    uint64_t dice = measure_seed((uintptr_t)arg);
    for (uint64_t k = 0; k < bench_times; k++)
        must(hr_sleep((hr_usec)(measure_draw(&dice) % 1000000)));
    one_less();
    return 0;
}

static void row_sleep(void)
{
    crowd(sleep_often);
}

static const struct row {
    const char *name;
    void (*run)(void);
    unsigned operations; /* for one of the count */
} rows[] = {
    {"switch",           row_switch,           1},
    {"spawn",            row_spawn,            1},
    {"gather",           row_gather,           1},
    {"pingpong",         row_pingpong,         2},
    {"stream",           row_stream,           1},
    {"waitfor",          row_waitfor,          1},
    {"waitfor_yield",    row_waitfor_yield,    1},
    {"sem",              row_sem,              1},
    {"sleep100k",        row_sleep,            1},
    {"sleep1m",          row_sleep,            1},
    {"executor",         row_executor,         1},
    {"executor_batch",   row_executor_batch,   1},
    {"executor_futures", row_executor_futures, 1},
    {"submit",           row_submit,           1},
    {"submit_batch",     row_submit_batch,     1},
};

_Noreturn void bench_die(const char *what)
{
    fprintf(stderr, "runtime: %s\n", what);
    exit(1);
}

static int run_row(void *arg)
{
    const struct row *row = arg;
    struct measure begun = measure_begin();
    row->run();
    measure_end(&begun, row->name, bench_count * row->operations);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_die("usage: runtime ROW COUNT [TIMES] | runtime echo PORT");
    bench_count = strtoull(argv[2], NULL, 10);
    bench_times = argc > 3                            ? strtoull(argv[3], NULL, 10)
                  : strcmp(argv[1], "sleep100k") == 0 ? 10
                                                      : 1;

    /* A crowd's stacks are many, and each needs a page; how far apart they are is free. */
    struct hr_loop_options options = {.stack_size = 16384};
    if (strcmp(argv[1], "echo") == 0)
        return hr_run_with(&options, serve_echo, (void *)(uintptr_t)bench_count) < 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, argv[1]) == 0)
            return hr_run_with(&options, run_row, (void *)&rows[i]) < 0;
    }
    bench_die("no such row");
}
