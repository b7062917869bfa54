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
