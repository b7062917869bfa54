/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out while items are processed: a wait where it comes again, an attempt where it
 * does not.
 */
#include "daemon/process.h"

#include <string.h>

#include "daemon/log.h"
#include "daemon/sink/sink.h"
#include "tests/daemon/daemon_test.h"
#include "tests/support/starve.h"

struct scene {
    struct job_conf conf;
    struct job job;
    struct batch *batch;
    hr_future *task;
};

static int process(void *arg)
{
    struct scene *scene = arg;
    return process_batch(&scene->job, scene->batch);
}

/* A batch of three items, of which the second is no JSON, is processed without any memory left. */
static void begin(struct scene *scene)
{
    scene->conf = (struct job_conf){
        .name = "orders",
        .decode = DECODE_JSON,
        .source = {.kind = SOURCE_REDIS_LIST, .max_payload = 1000},
        .delivery = EXACTLY_ONCE,
        .retry = { .attempts = 2, .max_age = hr_seconds(3600),          .backoff_first = 1, .backoff_max = 1},
    };
    scene->job = (struct job){.conf = &scene->conf};
    hr_event_init(&scene->job.ending);
    log_open(LOG_TO_STDERR, LOG_ERR);
    log_close(); /* without the thread, which would take memory, too */
    batch_free_spares();
    static const char *const entries[] = {"{\"a\":[1,2]}", "{", "[]"};
    scene->batch = test_batch_of_entries(0, 3, entries, (size_t[]){11, 1, 2});
    scene->task = hr_create_task("process", process, scene);
    starve_after(0, false);
}

static void end(struct scene *scene)
{
    hr_future_unref(scene->task);
    batch_free(scene->batch);
    batch_free_spares();
    hr_event_done(&scene->job.ending);
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_close();
}

TEST(memory_that_comes_again_costs_no_attempt)
{
    struct scene scene;
    begin(&scene);
    ASSERT_ERR(hr_sleep(hr_seconds(3)), 0);
    ASSERT_TRUE(starve_end());
    ASSERT_TRUE(!hr_future_done(scene.task));
    ASSERT_ERR(hr_await(scene.task), 0);
    const struct item *items = scene.batch->items;
    ASSERT_TRUE(items[0].fate == FATE_LIVE && items[0].value);
    ASSERT_EQ(items[1].fate, FATE_DEAD);
    ASSERT_STR(items[1].failure->error_class, "decode");
    ASSERT_TRUE(items[2].fate == FATE_LIVE && items[2].value);
    end(&scene);
}

TEST(memory_that_does_not_come_again_costs_an_attempt)
{
    struct scene scene;
    begin(&scene);
    int r = hr_await(scene.task);
    ASSERT_TRUE(starve_end());
    ASSERT_ERR(r, 0);
    ASSERT_TRUE(test_clock_now() > hr_seconds(10) && test_clock_now() < hr_seconds(60));
    for (size_t i = 0; i < 3; i++)
        ASSERT_EQ(scene.batch->items[i].fate, FATE_RETRY);
    end(&scene);
}

/* n items, those with a bit in large of 80 KB, go through a program that makes each 1,000 times as
 * large. Returns what process_batch() does. */
static int grow(size_t n, unsigned large, struct batch **ret)
{
    static char numbers[80002] = "[";
    for (size_t i = 1; i < sizeof(numbers) - 1; i++)
        numbers[i] = i % 2 ? '1' : ',';
    numbers[sizeof(numbers) - 2] = ']';
    char program[200] = ".";
    for (int doubled = 0; doubled < 10; doubled++)
        strcat(program, "|{a:.,b:.}");

    struct expr_error error;
    struct step_conf step = {.kind = STEP_MAP};
    ASSERT_ERR(expr_compile(program, &step.expr, &error), 0);
    struct job_conf conf = {
        .name = "orders",
        .decode = DECODE_JSON,
        .source = {.kind = SOURCE_REDIS_LIST, .max_payload = sizeof(numbers)},
        .steps = &step,
        .n_steps = 1,
    };
    struct job job = {.conf = &conf};
    const char *entries[1000];
    size_t lens[1000];
    for (size_t i = 0; i < n; i++) {
        entries[i] = i < 32 && large & (1U << i) ? numbers : "1";
        lens[i] = strlen(entries[i]);
    }
    *ret = test_batch_of_entries(0, n, entries, lens);
    int r = process_batch(&job, *ret);
    expr_free(step.expr);
    return r;
}

TEST(an_item_too_large_to_be_processed_leaves_its_neighbours_all_the_room)
{
    struct batch *batch = NULL;
    ASSERT_ERR(grow(100, 0x49, &batch), 0); /* three of them, the first of the batch among them */
    for (size_t i = 0; i < batch->n; i++)
        ASSERT_EQ(batch->items[i].fate, i == 0 || i == 3 || i == 6 ? FATE_DEAD : FATE_LIVE);
    ASSERT_STR(batch->items[0].failure->message, "the expression's result is too large");
    batch_free(batch);
    batch_free_spares();
}

TEST(items_that_are_too_large_together_are_nobodys_fault)
{
    struct batch *batch = NULL;
    ASSERT_ERR(grow(1000, 0, &batch), -E2BIG);
    ASSERT_EQ(batch_count(batch, FATE_LIVE), 1000);
    batch_free(batch);
    batch_free_spares();
}

TEST(a_job_that_is_to_end_does_not_wait_for_memory)
{
    struct scene scene;
    begin(&scene);
    ASSERT_ERR(hr_sleep(hr_seconds(3)), 0);
    hr_event_set(&scene.job.ending);
    int r = hr_await(scene.task);
    ASSERT_TRUE(starve_end());
    ASSERT_EQ(r, SINK_STOPPED);
    ASSERT_EQ(test_clock_now(), hr_seconds(3));
    ASSERT_EQ(batch_count(scene.batch, FATE_LIVE), 3);
    end(&scene);
}
