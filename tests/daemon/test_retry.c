/* SPDX-License-Identifier: MIT */
/*
 * Tried again, and when, or buried: attempts, age, and who keeps nothing for a second attempt.
 */
#include "daemon/retry.h"

#include <string.h>

#include "tests/daemon/daemon_test.h"

static struct job_conf some_conf(void)
{
    return (struct job_conf){
        .source.kind = SOURCE_REDIS_LIST,
        .delivery = EXACTLY_ONCE,
        .retry = {.attempts = 4,
                  .max_age = hr_seconds(3600),
                  .backoff_first = hr_seconds(1),
                  .backoff_max = hr_seconds(6),
                  .backoff_factor = 2,
                  .jitter_full = true,
                  .crash_limit = 3},
    };
}

/* A batch of one item that failed so often, first seen so long ago. */
static struct batch *failed(unsigned attempts, hr_usec age)
{
    char bytes[1024];
    struct envelope envelope = {
        .id = "some:1",
        .attempts = attempts,
        .first_seen = (hr_walltime() - age) / 1000,
        .payload = "x",
        .payload_len = 1,
    };
    size_t len = envelope_encode(&envelope, bytes);
    return test_batch_of_entries(attempts > 0, 1, (const char *[]){bytes}, (size_t[]){len});
}

static enum fate fate_of(const struct job_conf *conf, unsigned attempts, hr_usec age,
                         hr_usec *ret_delay)
{
    hr_auto(batch_freep) struct batch *batch = failed(attempts, age);
    struct failure failure;
    failure_set(&failure, "unknown", 4242, "strange");
    retry_or_bury(conf, batch, 0, &failure);
    ASSERT_EQ(batch->items[0].failure->code, 4242);
    *ret_delay = batch->items[0].delay;
    return batch->items[0].fate;
}

TEST(an_item_is_retried_until_its_attempts_are_used_up)
{
    struct job_conf conf = some_conf();
    hr_usec delay;
    for (unsigned attempts = 0; attempts < 3; attempts++)
        ASSERT_EQ(fate_of(&conf, attempts, 0, &delay), FATE_RETRY);
    ASSERT_EQ(fate_of(&conf, 3, 0, &delay), FATE_DEAD);
    ASSERT_EQ(fate_of(&conf, 99, 0, &delay), FATE_DEAD);
    conf.retry.attempts = 1;
    ASSERT_EQ(fate_of(&conf, 0, 0, &delay), FATE_DEAD);
}

TEST(an_item_that_is_too_old_is_buried_with_attempts_left)
{
    struct job_conf conf = some_conf();
    hr_usec delay;
    ASSERT_EQ(fate_of(&conf, 1, hr_seconds(3590), &delay), FATE_RETRY);
    ASSERT_EQ(fate_of(&conf, 1, hr_seconds(3601), &delay), FATE_DEAD);
}

TEST(what_nobody_would_keep_is_buried_at_once)
{
    struct job_conf conf = some_conf();
    hr_usec delay;
    conf.delivery = AT_MOST_ONCE;
    ASSERT_EQ(fate_of(&conf, 0, 0, &delay), FATE_DEAD);
    conf = some_conf();
    conf.source.kind = SOURCE_LINES;
    ASSERT_EQ(fate_of(&conf, 0, 0, &delay), FATE_DEAD);
    conf = some_conf();
    conf.delivery = AT_LEAST_ONCE;
    ASSERT_EQ(fate_of(&conf, 0, 0, &delay), FATE_RETRY);
}

TEST(delays_double_up_to_their_limit_without_jitter)
{
    static const int seconds[] = {1, 2, 4, 6, 6};
    struct job_conf conf = some_conf();
    hr_usec delay;
    conf.retry.attempts = 99;
    conf.retry.jitter_full = false;
    for (unsigned attempts = 0; attempts < 5; attempts++) {
        ASSERT_EQ(fate_of(&conf, attempts, 0, &delay), FATE_RETRY);
        ASSERT_EQ(delay, hr_seconds(seconds[attempts]));
    }
}

TEST(full_jitter_stays_within_the_delay_and_spreads)
{
    struct job_conf conf = some_conf();
    hr_usec least = HR_FOREVER, most = 0, delay;
    for (int i = 0; i < 300; i++) {
        ASSERT_EQ(fate_of(&conf, 2, 0, &delay), FATE_RETRY);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    ASSERT_TRUE(least >= 0 && most <= hr_seconds(4));
    ASSERT_TRUE(least < hr_seconds(1) && most > hr_seconds(3));
}

TEST(the_last_item_of_a_crashing_batch_is_buried_as_a_crash)
{
    hr_auto(batch_freep) struct batch *batch = failed(2, 0);
    batch->crashes = 3;
    retry_bury_crashed(batch);
    ASSERT_EQ(batch->items[0].fate, FATE_DEAD);
    ASSERT_STR(batch->items[0].failure->error_class, "crash");
    ASSERT_TRUE(strstr(batch->items[0].failure->message, "3 times"));
}
