/* SPDX-License-Identifier: MIT */
/*
 * Company and solitude (R7): who may run beside whom, and that nobody waits for ever.
 */
#include "daemon/solitude.h"

#include "tests/support/hrtest.h"

struct story {
    struct solitude solitude;
    int together, most_together;
    bool alone, disturbed;
    int done;
};

static int keep_company(void *arg)
{
    struct story *s = arg;
    int r = solitude_join(&s->solitude);
    if (r < 0)
        return r;
    s->disturbed |= s->alone;
    if (++s->together > s->most_together)
        s->most_together = s->together;
    r = hr_sleep(hr_ms(10));
    s->together--;
    s->done++;
    solitude_leave(&s->solitude);
    return r;
}

static int be_alone(void *arg)
{
    struct story *s = arg;
    int r = solitude_begin(&s->solitude);
    if (r < 0)
        return r;
    s->disturbed |= s->alone || s->together > 0;
    s->alone = true;
    r = hr_sleep(hr_ms(10));
    s->alone = false;
    s->done++;
    solitude_end(&s->solitude);
    return r;
}

static hr_future *arrives(hr_task_fn *who, struct story *s)
{
    hr_future *task = hr_create_task("arrives", who, s);
    test_passes(2);
    return task;
}

/* The test itself is company. */
static void open_with_company(struct story *s)
{
    solitude_init(&s->solitude);
    ASSERT_ERR(solitude_join(&s->solitude), 0);
}

static void leave_and_close(struct story *s)
{
    solitude_leave(&s->solitude);
    solitude_done(&s->solitude);
}

TEST(company_runs_side_by_side)
{
    struct story s = {0};
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    solitude_init(&s.solitude);
    for (int i = 0; i < 5; i++)
        hr_futures_add(&tasks, hr_create_task("company", keep_company, &s));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    ASSERT_EQ(s.most_together, 5);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    solitude_done(&s.solitude);
}

TEST(whoever_is_alone_is_alone)
{
    struct story s = {0};
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    solitude_init(&s.solitude);
    for (int i = 0; i < 12; i++)
        hr_futures_add(&tasks, hr_create_task("any", i % 3 ? keep_company : be_alone, &s));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    ASSERT_EQ(s.done, 12);
    ASSERT_FALSE(s.disturbed);
    solitude_done(&s.solitude);
}

TEST(a_waiting_hermit_lets_no_new_company_in)
{
    struct story s = {0};
    open_with_company(&s);
    hr_auto(hr_future_unrefp) hr_future *hermit = arrives(be_alone, &s);
    hr_auto(hr_future_unrefp) hr_future *late = arrives(keep_company, &s);
    ASSERT_EQ(s.together, 0);
    ASSERT_FALSE(s.alone);
    solitude_leave(&s.solitude);
    test_passes(3);
    ASSERT_TRUE(s.alone);
    ASSERT_EQ(s.together, 0);
    ASSERT_ERR(hr_await(hermit), 0);
    ASSERT_ERR(hr_await(late), 0);
    ASSERT_FALSE(s.disturbed);
    solitude_done(&s.solitude);
}

TEST(a_hermit_that_gives_up_lets_company_in_again)
{
    struct story s = {0};
    open_with_company(&s);
    hr_auto(hr_future_unrefp) hr_future *hermit = arrives(be_alone, &s);
    hr_auto(hr_future_unrefp) hr_future *late = arrives(keep_company, &s);
    hr_future_cancel(hermit, "enough");
    ASSERT_ERR(hr_await(hermit), -ECANCELED);
    test_passes(3);
    ASSERT_EQ(s.together, 1);
    ASSERT_ERR(hr_await(late), 0);
    leave_and_close(&s);
}

TEST(company_that_gives_up_waiting_is_not_in)
{
    struct story s = {0};
    solitude_init(&s.solitude);
    ASSERT_ERR(solitude_begin(&s.solitude), 0);
    hr_auto(hr_future_unrefp) hr_future *late = arrives(keep_company, &s);
    hr_future_cancel(late, "enough");
    ASSERT_ERR(hr_await(late), -ECANCELED);
    solitude_end(&s.solitude);
    ASSERT_ERR(solitude_begin(&s.solitude), 0);
    solitude_end(&s.solitude);
    solitude_done(&s.solitude);
}

static int pause_a_while(void *arg)
{
    struct story *s = arg;
    int r = solitude_pause(&s->solitude, hr_ms(5));
    s->disturbed |= r >= 0 && s->alone;
    s->done++;
    return r;
}

TEST(a_pause_of_the_company_is_enough_to_be_alone)
{
    struct story s = {0};
    open_with_company(&s);
    hr_auto(hr_future_unrefp) hr_future *hermit = arrives(be_alone, &s);
    ASSERT_TRUE(solitude_is_awaited(&s.solitude));
    ASSERT_ERR(pause_a_while(&s), 0);
    ASSERT_FALSE(s.disturbed);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_FALSE(solitude_is_awaited(&s.solitude));
    ASSERT_ERR(hr_await(hermit), 0);
    leave_and_close(&s);
}

TEST(a_pause_that_is_cancelled_ends_in_company_at_once)
{
    struct story s = {0};
    open_with_company(&s);
    hr_auto(hr_future_unrefp) hr_future *pause = arrives(pause_a_while, &s);
    ASSERT_EQ(s.solitude.company, 0);
    ASSERT_ERR(solitude_begin(&s.solitude), 0);
    hr_future_cancel(pause, "enough");
    ASSERT_ERR(hr_await(pause), -ECANCELED);
    ASSERT_EQ(s.solitude.company, 1);
    solitude_end(&s.solitude);
    leave_and_close(&s);
}
