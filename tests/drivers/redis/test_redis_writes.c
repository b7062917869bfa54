/* SPDX-License-Identifier: MIT */
/*
 * When commands leave: what is asked in one pass goes out together, whoever asks, and nobody waits
 * for what another server says.
 *
 * Writes are counted where they are made, as pieces that arrive tell nothing: a socket joins them.
 * The test program is linked so that hr__wire_send() comes here first.
 */
#include <errno.h>

#include "core/event.h"
#include "core/gather.h"
#include "drivers/redis.h"
#include "drivers/redis/pipeline.h"
#include "drivers/wire.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/ticker.h"

static unsigned writes, refusals; /* so many writes find the socket full */

ssize_t __real_hr__wire_send(struct hr__wire *wire, const void *data, size_t size);
ssize_t __wrap_hr__wire_send(struct hr__wire *wire, const void *data, size_t size);
ssize_t __wrap_hr__wire_send(struct hr__wire *wire, const void *data, size_t size)
{
    writes++;
    if (refusals > 0) {
        refusals--;
        return -EAGAIN;
    }
    return __real_hr__wire_send(wire, data, size);
}

enum { ASKERS_MOST = 500 };

/* Has n tasks ask in one pass; each command has 18 bytes or more. */
static void ask_in_one_pass(hr_redis *redis, int n)
{
    static struct fake_asker askers[ASKERS_MOST];
    hr_task *tasks[ASKERS_MOST];
    writes = 0;
    for (int i = 0; i < n; i++) {
        askers[i] = (struct fake_asker){.redis = redis, .number = i};
        tasks[i] = hr_create_task(NULL, fake_ask, &askers[i]);
    }
    for (int i = 0; i < n; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_TRUE(askers[i].matched);
    }
}

/* A client that is connected, so that nothing but what is asked is written. */
static hr_redis *open_client(struct fake_redis *fake)
{
    fake_start(fake, fake_echo, NULL);
    hr_redis *redis = fake_client(fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET 0"), 0);
    return redis;
}

TEST_TICKING(r11_what_is_asked_in_one_pass_goes_out_in_one_write)
{
    struct fake_redis fake;
    hr_redis *redis = open_client(&fake);
    for (int n = 1; n <= 23; n += 11) {
        ask_in_one_pass(redis, n);
        ASSERT_EQ(writes, 1);
    }
    fake_client_end(redis, &fake);
}

TEST(r11_of_much_that_is_asked_in_one_pass_the_first_leaves_early_and_the_rest_in_growing_writes)
{
    struct fake_redis fake;
    hr_redis *redis = open_client(&fake);
    for (int again = 0; again < 2; again++) { /* each pass begins anew */
        ask_in_one_pass(redis, ASKERS_MOST);
        ASSERT_EQ(writes, 5); /* 0.5, 1, 2 and 4 KiB, and what is left */
    }
    fake_client_end(redis, &fake);
}

TEST(r11_once_the_socket_is_full_nothing_more_leaves_before_the_end_of_the_pass)
{
    struct fake_redis fake;
    hr_redis *redis = open_client(&fake);
    refusals = 1;
    ask_in_one_pass(redis, ASKERS_MOST);
    ASSERT_EQ(writes, 2);
    fake_client_end(redis, &fake);
}

TEST(s22_8_a_pipeline_is_sent_at_once)
{
    struct fake_redis fake;
    hr_redis *redis = open_client(&fake);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 100; i++)
        ASSERT_ERR(hr_redis_pipeline_add(p, "GET %d", i), 0);
    writes = 0;
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), 0);
    ASSERT_EQ(writes, 3); /* 0.5 and 1 KiB, and what is left */
    ASSERT_TRUE(hr_reply_equals(hr_redis_pipeline_at(p, 99)->reply, "GET 99"));
    fake_client_end(redis, &fake);
}

/* Two servers, each of which answers once the other was asked as well. */
struct pair {
    hr_event both;
    int asked;
};

static void answer_when_both_are_asked(struct fake_peer *peer)
{
    struct pair *pair = peer->arg;
    if (!fake_introduce(peer) || !fake_next(peer))
        return;
    if (++pair->asked == 2)
        hr_event_set(&pair->both);
    if (hr_event_wait(&pair->both) == 0 && fake_say(peer, "+OK\r\n"))
        fake_silence(peer);
}

TEST(s22_11_two_clients_have_both_asked_before_either_is_answered)
{
    struct pair pair = {.asked = 0};
    hr_event_init(&pair.both);
    struct fake_redis first, second;
    fake_start(&first, answer_when_both_are_asked, &pair);
    fake_start(&second, answer_when_both_are_asked, &pair);
    hr_redis *a = fake_client(&first, NULL), *b = fake_client(&second, NULL);
    struct fake_asker askers[] = {{.redis = a}, {.redis = b}};
    hr_task *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = hr_create_task(NULL, fake_ask, &askers[i]);
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(askers[i].code, 0);
    }
    ASSERT_EQ(test_clock_now(), 0);
    fake_client_end(b, &second);
    fake_client_end(a, &first);
    hr_event_done(&pair.both);
}
