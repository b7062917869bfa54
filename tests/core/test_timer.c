/* SPDX-License-Identifier: MIT */
/*
 * The wheel by itself: order, precision and shared wake-ups, semantics 10.
 */
#include "core/timer.h"

#include "tests/support/hrtest.h"

static void ignore(struct hr__timer *timer) {}

TEST_PLAIN(deadlines_that_follow_closely_share_a_wake_up)
{
    static struct hr__timers timers;
    struct hr__timer t[4];
    hr__timers_init(&timers, 0);
    for (int i = 0; i < 4; i++) {
        hr__timer_init(&t[i], ignore);
        ASSERT_EQ(hr__timers_wake(&timers), i == 0 ? HR_FOREVER : 100);
        hr__timer_arm(&timers, &t[i], 100 + 50 * i);
    }
    ASSERT_EQ(hr__timers_wake(&timers), 100 + 256);
    hr__timers_run(&timers, 150);
    ASSERT_EQ(hr__timers_wake(&timers), 200); /* two are not many */
    hr__timers_run(&timers, 300);
    ASSERT_EQ(timers.count, 0);
}

TEST_PLAIN(a_crowd_of_deadlines_shares_the_end_of_its_millisecond)
{
    static struct hr__timers timers;
    struct hr__timer t[16];
    hr__timers_init(&timers, 0);
    for (int i = 0; i < 16; i++) {
        hr__timer_init(&t[i], ignore);
        hr__timer_arm(&timers, &t[i], 100 + 50 * i);
        if (i == 14)
            ASSERT_EQ(hr__timers_wake(&timers), 100 + 256);
    }
    ASSERT_EQ(hr__timers_wake(&timers), 1024);
    hr__timers_run(&timers, 150);
    ASSERT_EQ(hr__timers_wake(&timers), 200 + 256); /* those left are no crowd */
    hr__timers_run(&timers, 1024);
    ASSERT_EQ(timers.count, 0);
}

TEST_PLAIN(a_timer_that_was_disarmed_wakes_the_loop_once_at_most)
{
    static const hr_usec spans[] = {100, 1023, 1024, 2000, 5000, 70000, 3000000};
    static struct hr__timers timers;
    for (size_t i = 0; i < HR_ARRAY_LEN(spans); i++) {
        struct hr__timer early, late;
        hr_usec end = hr_seconds(10);
        hr__timers_init(&timers, 0);
        hr__timer_init(&early, ignore);
        hr__timer_init(&late, ignore);
        hr__timer_arm(&timers, &early, spans[i]);
        hr__timer_arm(&timers, &late, end);
        ASSERT_EQ(hr__timers_wake(&timers), spans[i]);
        hr__timer_disarm(&timers, &early);
        hr_usec wake = hr__timers_wake(&timers);
        ASSERT_TRUE(wake == spans[i] || wake == end);
        if (wake < end)
            hr__timers_run(&timers, wake);
        ASSERT_EQ(hr__timers_wake(&timers), end);
        hr__timer_disarm(&timers, &late);
    }
}

/* The wheel against a plain list: many timers, armed, disarmed and run at random. */
struct model {
    struct hr__timer timer;
    bool armed;
    uint64_t armed_as; /* when in the order of arming */
};

static struct model *expected; /* who has to fire next */
static int wrong;

static void model_fired(struct hr__timer *timer)
{
    struct model *model = hr_container_of(timer, struct model, timer);
    if (model != expected)
        wrong++;
    model->armed = false;
    expected = NULL;
}

static struct model *model_earliest(struct model *models, int count)
{
    struct model *best = NULL;
    for (int i = 0; i < count; i++) {
        struct model *m = &models[i];
        if (m->armed &&
            (!best || m->timer.deadline < best->timer.deadline ||
             (m->timer.deadline == best->timer.deadline && m->armed_as < best->armed_as)))
            best = m;
    }
    return best;
}

static uint64_t random_state;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void run_model(uint64_t seed)
{
    enum { COUNT = 60 };
    static struct model models[COUNT];
    static struct hr__timers timers;
    hr_usec now = (hr_usec)(seed * 1234567);
    uint64_t arming = 0;
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    hr__timers_init(&timers, now);
    for (int i = 0; i < COUNT; i++) {
        hr__timer_init(&models[i].timer, model_fired);
        models[i].armed = false;
    }

    for (int step = 0; step < 3000; step++) {
        struct model *m = &models[random_number() % COUNT];
        if (m->armed) {
            hr__timer_disarm(&timers, &m->timer);
            m->armed = false;
        } else {
            uint64_t span = random_number() >> (random_number() % 60 + 2);
            hr_usec moment = now + (hr_usec)span - 100;
            if (random_number() % 3 == 0) /* so that deadlines meet */
                moment -= moment % 5000;
            hr__timer_arm(&timers, &m->timer, moment);
            m->armed = true;
            m->armed_as = arming++;
        }

        struct model *first = model_earliest(models, COUNT);
        hr_usec next = hr__timers_next(&timers);
        ASSERT_TRUE(first ? next <= first->timer.deadline : next == HR_FOREVER);
        if (random_number() % 2)
            continue;

        /* Run one timer at a time, as far as the next deadline or not quite. */
        hr_usec until = next == HR_FOREVER ? now : next - (hr_usec)(random_number() % 2);
        if (until > now)
            now = until;
        expected = first;
        if (first && first->timer.deadline <= now) {
            hr_usec exactly = first->timer.deadline;
            struct model *twin = NULL;
            for (int i = 0; i < COUNT; i++) {
                if (&models[i] != first && models[i].armed && models[i].timer.deadline <= now)
                    twin = &models[i];
            }
            if (twin) { /* several are due: only their number can be checked here */
                hr__timer_disarm(&timers, &twin->timer);
                twin->armed = false;
                continue;
            }
            ASSERT_EQ(hr__timers_run(&timers, now), now - exactly);
            ASSERT_PTR(expected, NULL);
        } else {
            expected = NULL;
            ASSERT_EQ(hr__timers_run(&timers, now), 0);
        }
        ASSERT_EQ(wrong, 0);
    }
}

TEST_PLAIN(the_wheel_never_fires_early_late_or_out_of_order)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        run_model(seed);
}

/* A crowd whose deadlines meet on every level of the wheel, and of which many are due at once. */
enum { CROWD = 400 };
static struct crowd_member {
    struct hr__timer timer;
    uint64_t armed_as;
} crowd[CROWD];
static hr_usec last_deadline;
static uint64_t last_armed_as;

static void crowd_fired(struct hr__timer *timer)
{
    struct crowd_member *member = hr_container_of(timer, struct crowd_member, timer);
    if (timer->deadline < last_deadline ||
        (timer->deadline == last_deadline && member->armed_as < last_armed_as))
        wrong++;
    last_deadline = timer->deadline;
    last_armed_as = member->armed_as;
}

static void run_crowd(uint64_t seed)
{
    static struct hr__timers timers;
    static const hr_usec grains[] = {1, 1024, 5000, 1 << 20, 700000, 1 << 26, 3600000000};
    hr_usec now = (hr_usec)(seed * 7654321);
    uint64_t arming = 0;
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    hr__timers_init(&timers, now);
    for (int i = 0; i < CROWD; i++)
        hr__timer_init(&crowd[i].timer, crowd_fired);

    for (int step = 0; step < 1000; step++) {
        for (int i = 0; i < 20; i++) {
            struct crowd_member *member = &crowd[random_number() % CROWD];
            hr_usec grain = grains[random_number() % HR_ARRAY_LEN(grains)];
            hr_usec moment = now + grain * (hr_usec)(random_number() % 5);
            hr__timer_disarm(&timers, &member->timer);
            if (random_number() % 4 == 0)
                continue;
            member->armed_as = arming++;
            hr__timer_arm(&timers, &member->timer, moment - moment % grain);
        }
        last_deadline = -1;
        now += (hr_usec)(random_number() >> (random_number() % 40 + 24));
        hr__timers_run(&timers, now);
        ASSERT_EQ(wrong, 0);
        size_t armed = 0;
        hr_usec earliest = HR_FOREVER;
        for (int i = 0; i < CROWD; i++) {
            if (!hr__timer_armed(&crowd[i].timer))
                continue;
            armed++;
            if (crowd[i].timer.deadline < earliest)
                earliest = crowd[i].timer.deadline;
        }
        ASSERT_TRUE(earliest > now);
        ASSERT_TRUE(hr__timers_next(&timers) <= earliest);
        ASSERT_EQ(timers.count, armed);
    }
}

TEST_PLAIN(s10_8_the_wheel_keeps_the_order_of_crowds)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_crowd(seed);
}

TEST_PLAIN(l5_a_hundred_thousand_timers_fire_in_order)
{
    enum { COUNT = 100000 };
    static struct hr__timers timers;
    static struct crowd_member members[COUNT];
    uint64_t arming = 0;
    random_state = 1;
    hr__timers_init(&timers, 0);
    for (int i = 0; i < COUNT; i++) {
        hr__timer_init(&members[i].timer, crowd_fired);
        members[i].armed_as = arming++;
        hr__timer_arm(&timers, &members[i].timer, (hr_usec)(random_number() % 5000) * 1000);
    }
    for (int i = 0; i < COUNT; i += 2) /* as most timers end */
        hr__timer_disarm(&timers, &members[i].timer);
    last_deadline = -1;
    for (int runs = 0; timers.count > 0; runs++) {
        ASSERT_TRUE(runs < 2 * COUNT);
        hr__timers_run(&timers, hr__timers_next(&timers));
    }
    for (int i = 0; i < COUNT; i++)
        ASSERT_FALSE(hr__timer_armed(&members[i].timer));
    ASSERT_EQ(wrong, 0);
}

static struct hr__timer *fired[4];
static int fired_count;

static void remember(struct hr__timer *timer)
{
    fired[fired_count++] = timer;
}

TEST_PLAIN(s10_8_the_wheel_keeps_arming_order_however_far_it_jumps)
{
    struct hr__timers timers;
    struct hr__timer t[4];
    hr__timers_init(&timers, 0);
    for (int i = 0; i < 4; i++)
        hr__timer_init(&t[i], remember);
    fired_count = 0;
    hr_usec far = hr_seconds(1000000) + 5;
    hr__timer_arm(&timers, &t[0], far);
    hr__timer_arm(&timers, &t[1], far);
    hr__timers_run(&timers, far - hr_seconds(60));
    hr__timer_arm(&timers, &t[2], far);
    hr__timers_run(&timers, far - 2);
    hr__timer_arm(&timers, &t[3], far);
    ASSERT_EQ(fired_count, 0);
    ASSERT_EQ(hr__timers_run(&timers, far + hr_seconds(5)), hr_seconds(5));
    ASSERT_EQ(fired_count, 4);
    for (int i = 0; i < 4; i++)
        ASSERT_PTR(fired[i], &t[i]);
    ASSERT_EQ(timers.count, 0);
}
