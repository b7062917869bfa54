/* SPDX-License-Identifier: MIT */
/*
 * Generators and async iterators, semantics 17.
 */
#include "core/generator.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static char order[64];

static void note(const char *text)
{
    strncat(order, text, sizeof(order) - strlen(order) - 1);
}

/* Yields 1, 2, … up to arg and returns "done". */
static int count(hr_generator *self, void *arg)
{
    static char done[] = "done";
    note("[");
    for (intptr_t i = 1; i <= (intptr_t)arg; i++) {
        int r = hr_generator_yield(self, (void *)i, NULL);
        if (r < 0) {
            note("]");
            return r;
        }
    }
    hr_generator_return(self, done);
    return 0;
}

TEST_PLAIN(s17_1_s17_2_making_runs_nothing_and_the_end_gives_the_value_once)
{
    order[0] = '\0';
    hr_generator *g = hr_generator_new(count, (void *)2);
    ASSERT_STR(order, "");
    void *value;
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_STR(order, "[");
    ASSERT_EQ((intptr_t)value, 1);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_EQ((intptr_t)value, 2);
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    ASSERT_STR(value, "done");
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    ASSERT_PTR(value, NULL);
    ASSERT_ERR(hr_generator_close(g), 0);
    hr_generator_free(g);
}

/* Echoes what it is sent; an error comes back as the next value, HR_EEXIT ends it. */
static int echo(hr_generator *self, void *arg)
{
    static char caught[] = "caught";
    void *sent = NULL;
    for (;;) {
        int r = hr_generator_yield(self, sent, &sent);
        if (r == HR_EEXIT)
            return r;
        if (r == -EIO)
            return hr_fail_because(-EPIPE, "because of that");
        if (r < 0)
            sent = caught;
    }
}

TEST_PLAIN(s17_3_send_throw_and_close_reach_the_yield)
{
    char text[] = "text";
    void *value;
    hr_generator *g = hr_generator_new(echo, NULL);
    ASSERT_ERR(hr_generator_send(g, text, &value), -EINVAL); /* nobody takes it yet */
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_send(g, text, &value), 0);
    ASSERT_PTR(value, text);
    ASSERT_ERR(hr_generator_throw(g, -ENOENT, &value), 0);
    ASSERT_STR(value, "caught");
    ASSERT_ERR(hr_generator_close(g), 0);
    ASSERT_ERR(hr_generator_throw(g, -ENOENT, &value), -ENOENT); /* over: it comes back */
    hr_generator_free(g);

    g = hr_generator_new(echo, NULL);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_throw(g, hr_fail(-EIO, "no luck"), &value), -EPIPE);
    ASSERT_STR(TEST_MADE(hr_last_error()->cause)->message, "no luck");
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    hr_generator_free(g);

    g = hr_generator_new(echo, NULL);
    ASSERT_ERR(hr_generator_throw(g, -EIO, &value), -EIO); /* not started: over */
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    hr_generator_free(g);
}

static int stubborn(hr_generator *self, void *arg)
{
    (void)!hr_generator_yield(self, NULL, NULL);
    return hr_generator_yield(self, NULL, NULL);
}

TEST_PLAIN(s17_3_a_yield_in_answer_to_close_is_broken)
{
    void *value;
    hr_generator *g = hr_generator_new(stubborn, NULL);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_close(g), HR_EBROKEN);
    hr_generator_free(g);
}

static int ask_itself(hr_generator *self, void *arg)
{
    void *value;
    return hr_generator_next(self, &value);
}

TEST_PLAIN(s17_4_next_on_a_running_one_is_busy)
{
    void *value;
    hr_generator *g = hr_generator_new(ask_itself, NULL);
    ASSERT_ERR(hr_generator_next(g, &value), -EBUSY);
    hr_generator_free(g);
}

static void *next_from_elsewhere(void *generator)
{
    void *value;
    return (void *)(intptr_t)hr_generator_next(generator, &value);
}

TEST_PLAIN(s17_4_a_generator_belongs_to_its_thread)
{
    order[0] = '\0';
    hr_generator *g = hr_generator_new(count, (void *)2);
    pthread_t thread;
    void *r;
    ASSERT_EQ(pthread_create(&thread, NULL, next_from_elsewhere, g), 0);
    pthread_join(thread, &r);
    ASSERT_ERR((int)(intptr_t)r, HR_EWRONGTHREAD);
    ASSERT_STR(order, "");
    hr_generator_free(g);
}

struct turns {
    char name;
    int rounds;
};

static int take_turns(hr_generator *self, void *arg)
{
    struct turns *turns = arg;
    for (int i = 0; i < turns->rounds; i++) {
        char step[] = {turns->name, (char)('0' + i), ' ', '\0'};
        note(step);
        int r = hr_generator_yield(self, NULL, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

TEST_PLAIN(s17_5_two_in_turn_interleave_exactly)
{
    order[0] = '\0';
    struct turns turns[] = {
        {'A', 3},
        {'B', 4},
    };
    hr_auto(hr_generator_freep) hr_generator *a = hr_generator_new(take_turns, &turns[0]);
    hr_auto(hr_generator_freep) hr_generator *b = hr_generator_new(take_turns, &turns[1]);
    void *value;
    while (hr_generator_next(a, &value) == 0 && hr_generator_next(b, &value) == 0)
        ;
    ASSERT_STR(order, "A0 B0 A1 B1 A2 B2 ");
}

TEST_PLAIN(s17_6_freeing_a_suspended_one_runs_its_cleanups)
{
    order[0] = '\0';
    void *value;
    hr_generator *g = hr_generator_new(count, (void *)5);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    hr_generator_free(g);
    ASSERT_STR(order, "[]");
    order[0] = '\0';
    hr_generator_free(hr_generator_new(count, (void *)5));
    ASSERT_STR(order, ""); /* never started */
}

static int outer(hr_generator *self, void *arg)
{
    void *value = NULL;
    int r = hr_generator_delegate(self, arg, &value);
    if (r < 0)
        return r;
    hr_generator_return(self, value);
    return 0;
}

TEST_PLAIN(s17_7_delegation_passes_everything_on_and_gives_the_inners_value)
{
    void *value;
    order[0] = '\0';
    hr_generator *inner = hr_generator_new(count, (void *)2);
    hr_generator *g = hr_generator_new(outer, inner);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_EQ((intptr_t)value, 2);
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    ASSERT_STR(value, "done");
    hr_generator_free(g);
    hr_generator_free(inner);

    char text[] = "text";
    inner = hr_generator_new(echo, NULL);
    g = hr_generator_new(outer, inner);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_send(g, text, &value), 0);
    ASSERT_PTR(value, text);
    ASSERT_ERR(hr_generator_throw(g, -ENOENT, &value), 0);
    ASSERT_STR(value, "caught");
    ASSERT_ERR(hr_generator_throw(g, -EIO, &value), -EPIPE);
    hr_generator_free(g);
    hr_generator_free(inner);

    inner = hr_generator_new(count, (void *)9);
    g = hr_generator_new(outer, inner);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    order[0] = '\0';
    ASSERT_ERR(hr_generator_close(g), 0);
    ASSERT_STR(order, "]");
    hr_generator_free(g);
    hr_generator_free(inner);
}

static int end_well(hr_generator *self, void *arg)
{
    int r = hr_generator_yield(self, NULL, NULL);
    note("inner ");
    return r == HR_EEXIT ? 0 : r;
}

static int go_on_after(hr_generator *self, void *inner)
{
    int r = hr_generator_delegate(self, inner, NULL);
    note(r == HR_EEXIT ? "asked to end" : "goes on");
    return r < 0 ? r : hr_generator_yield(self, NULL, NULL);
}

TEST_PLAIN(s17_7_a_close_ends_the_outer_one_however_the_inner_takes_it)
{
    void *value;
    order[0] = '\0';
    hr_generator *inner = hr_generator_new(end_well, NULL);
    hr_generator *g = hr_generator_new(go_on_after, inner);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_close(g), 0);
    ASSERT_STR(order, "inner asked to end");
    hr_generator_free(g);
    hr_generator_free(inner);

    inner = hr_generator_new(stubborn, NULL);
    g = hr_generator_new(go_on_after, inner);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_close(g), HR_EBROKEN); /* the inner one yields in answer */
    hr_generator_free(g);
    hr_generator_free(inner);
}

/* Bodies that wait. */

static int slow_count(hr_generator *self, void *arg)
{
    for (intptr_t i = 1; i <= (intptr_t)arg; i++) {
        int r = hr_sleep(hr_ms(10));
        if (r == 0)
            r = hr_generator_yield(self, (void *)i, NULL);
        if (r == HR_EEXIT) {
            r = hr_sleep(hr_ms(3)); /* a cleanup that waits */
            note("cleaned ");
            return r < 0 ? r : HR_EEXIT;
        }
        if (r < 0)
            return r;
    }
    return hr_fail(-EIO, "no luck");
}

TEST(s17_8_next_may_suspend_and_gives_value_error_end_or_cancel)
{
    void *value;
    hr_generator *g = hr_generator_new(slow_count, (void *)2);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_next(g, &value), -EIO);
    ASSERT_STR(hr_last_error()->message, "no luck");
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    hr_generator_free(g);

    struct hr_timeout limit = {0};
    g = hr_generator_new(slow_count, (void *)2);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_generator_next(g, &value)), -ETIMEDOUT);
    hr_generator_free(g);
}

struct consumer {
    hr_generator *generator;
    void *value;
};

static int consume_one(void *arg)
{
    struct consumer *c = arg;
    return hr_generator_next(c->generator, &c->value);
}

TEST(s17_9_one_consumer_at_a_time_and_any_task_may_be_next)
{
    struct consumer a = {hr_generator_new(slow_count, (void *)9), NULL}, b = a;
    hr_task *first = hr_create_task(NULL, consume_one, &a);
    hr_task *second = hr_create_task(NULL, consume_one, &b);
    ASSERT_ERR(hr_join(second), -EBUSY);
    ASSERT_ERR(hr_join(first), 0);
    ASSERT_EQ((intptr_t)a.value, 1);
    ASSERT_ERR(hr_join(hr_create_task(NULL, consume_one, &b)), 0);
    ASSERT_EQ((intptr_t)b.value, 2);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    hr_generator_free(a.generator);
}

TEST(s17_10_close_may_wait)
{
    order[0] = '\0';
    void *value;
    hr_generator *g = hr_generator_new(slow_count, (void *)9);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_ERR(hr_generator_close(g), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(13));
    ASSERT_STR(order, "cleaned ");
    hr_generator_free(g);
}

static hr_generator *left_open;

static int leave_open(void *arg)
{
    void *value;
    left_open = hr_generator_new(slow_count, (void *)9);
    return hr_generator_next(left_open, &value);
}

TEST_PLAIN(s17_10_s20_3_what_is_left_open_is_closed_at_the_end_of_the_run)
{
    order[0] = '\0';
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock};
    ASSERT_ERR(hr_run_with(&options, leave_open, NULL), 0);
    ASSERT_STR(order, "cleaned ");
    ASSERT_EQ(clock.now, hr_ms(13));
    hr_generator_free(left_open);
}

static int read_lines(hr_generator *self, void *arg)
{
    FILE *file = arg;
    char line[16];
    while (fgets(line, sizeof(line), file)) {
        int r = hr_yield(); /* reading might wait */
        if (r == 0)
            r = hr_generator_yield(self, line, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

TEST(s17_11_the_line_reader_gives_1_to_99_and_ends)
{
    FILE *file = tmpfile();
    for (int i = 1; i < 100; i++)
        fprintf(file, "%d\n", i);
    rewind(file);
    hr_generator *lines = hr_generator_new(read_lines, file);
    void *line;
    int expected = 1, r;
    while ((r = hr_generator_next(lines, &line)) == 0)
        ASSERT_EQ(atoi(line), expected++);
    ASSERT_ERR(r, HR_EEND);
    ASSERT_EQ(expected, 100);
    hr_generator_free(lines);
    fclose(file);
}
