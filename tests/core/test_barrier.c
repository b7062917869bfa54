/* SPDX-License-Identifier: MIT */
/*
 * Barriers, semantics 15.11 to 15.16.
 */
#include "core/barrier.h"

#include "core/task.h"
#include "tests/support/hrtest.h"

struct party {
    hr_barrier *barrier;
    int rounds;
    int places[4];
    hr_usec at[4];
    hr_usec late;
};

static int arrive(void *arg)
{
    struct party *p = arg;
    int r = p->late ? hr_sleep(p->late) : 0;
    for (int i = 0; i < p->rounds && r >= 0; i++) {
        r = p->places[i] = hr_barrier_wait(p->barrier);
        p->at[i] = test_clock_now();
    }
    return r < 0 ? r : 0;
}

static hr_barrier barrier;

static hr_task *comes(struct party *party, int rounds, hr_usec late)
{
    *party = (struct party){.barrier = &barrier, .rounds = rounds, .late = late};
    return hr_create_task(NULL, arrive, party);
}

static void set_up(struct party *parties, hr_task **tasks, unsigned n, int rounds, unsigned come)
{
    ASSERT_ERR(hr_barrier_init(&barrier, n), 0);
    for (unsigned i = 0; i < come; i++)
        tasks[i] = comes(&parties[i], rounds, hr_ms(i));
}

TEST(s15_11_the_last_to_come_lets_all_go_round_after_round)
{
    struct party p[3];
    hr_task *tasks[3];
    set_up(p, tasks, 3, 2, 3);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(p[i].places[0], i);
        ASSERT_EQ(p[i].at[0], hr_ms(2));
        ASSERT_EQ(p[i].at[1], hr_ms(2));
    }
    /* The second round: the last one of the first came back first. */
    ASSERT_EQ(p[2].places[1], 0);
    ASSERT_EQ(p[0].places[1], 1);
    ASSERT_EQ(p[1].places[1], 2);
    hr_barrier_done(&barrier);
}

TEST(s15_12_who_comes_while_a_round_leaves_waits_for_the_next)
{
    struct party p[2];
    hr_task *tasks[2];
    set_up(p, tasks, 2, 1, 1);
    test_passes(1);
    ASSERT_ERR(hr_barrier_wait(&barrier), 1); /* the other is on its way out */
    ASSERT_EQ(hr_barrier_waiting(&barrier), 0);
    tasks[1] = comes(&p[1], 1, 0);
    ASSERT_ERR(hr_join(tasks[0]), 0);
    test_passes(2);
    ASSERT_FALSE(hr_future_done(tasks[1]));
    ASSERT_ERR(hr_barrier_wait(&barrier), 1);
    ASSERT_ERR(hr_join(tasks[1]), 0);
}

TEST(s15_13_a_cancelled_waiter_is_not_counted)
{
    struct party p[3];
    hr_task *tasks[3];
    set_up(p, tasks, 3, 1, 2);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(hr_barrier_waiting(&barrier), 2);
    hr_task_cancel(tasks[0], NULL);
    ASSERT_ERR(hr_join(tasks[0]), -ECANCELED);
    ASSERT_EQ(hr_barrier_waiting(&barrier), 1);
    tasks[2] = comes(&p[2], 1, 0);
    test_passes(1);
    ASSERT_ERR(hr_barrier_wait(&barrier), 2);
    ASSERT_ERR(hr_join(tasks[1]), 0);
    ASSERT_ERR(hr_join(tasks[2]), 0);
}

TEST(s15_13_one_cancelled_when_its_round_is_complete_leaves_the_others_theirs)
{
    struct party p[2];
    hr_task *tasks[2];
    set_up(p, tasks, 3, 1, 2);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(hr_barrier_wait(&barrier), 2);
    hr_task_cancel(tasks[0], NULL);
    ASSERT_ERR(hr_join(tasks[0]), -ECANCELED);
    ASSERT_ERR(hr_join(tasks[1]), 0);
    ASSERT_EQ(hr_barrier_waiting(&barrier), 0);
}

TEST(s15_14_abort_breaks_it_for_present_and_later_waiters)
{
    struct party p[1];
    hr_task *tasks[1];
    set_up(p, tasks, 2, 1, 1);
    test_passes(1);
    hr_barrier_abort(&barrier);
    ASSERT_ERR(hr_join(tasks[0]), HR_EBROKEN);
    ASSERT_ERR(hr_barrier_wait(&barrier), HR_EBROKEN);
}

TEST(s15_14_reset_breaks_it_for_those_present_only)
{
    struct party p[1];
    hr_task *tasks[1];
    set_up(p, tasks, 2, 1, 1);
    test_passes(1);
    hr_barrier_reset(&barrier);
    ASSERT_ERR(hr_join(tasks[0]), HR_EBROKEN);
    ASSERT_FALSE(hr_barrier_broken(&barrier));
    tasks[0] = comes(&p[0], 1, 0);
    test_passes(1);
    ASSERT_ERR(hr_barrier_wait(&barrier), 1);
    ASSERT_ERR(hr_join(tasks[0]), 0);
}

TEST(s15_15_a_barrier_of_none_is_refused_and_of_one_never_waits)
{
    hr_barrier one;
    ASSERT_ERR(hr_barrier_init(&one, 0), -EINVAL);
    ASSERT_ERR(hr_barrier_init(&one, 1), 0);
    struct hr_loop_stats before, after;
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(hr_barrier_wait(&one), 0);
    ASSERT_ERR(hr_barrier_wait(&one), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_EQ(before.slices, after.slices);
}

TEST(s15_16_how_many_wait_and_whether_it_is_broken_can_be_read)
{
    struct party p[2];
    hr_task *tasks[2];
    set_up(p, tasks, 3, 1, 2);
    ASSERT_EQ(hr_barrier_waiting(&barrier), 0);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(hr_barrier_waiting(&barrier), 2);
    ASSERT_FALSE(hr_barrier_broken(&barrier));
    hr_barrier_abort(&barrier);
    ASSERT_EQ(hr_barrier_waiting(&barrier), 0);
    ASSERT_TRUE(hr_barrier_broken(&barrier));
    ASSERT_ERR(hr_join(tasks[0]), HR_EBROKEN);
    ASSERT_ERR(hr_join(tasks[1]), HR_EBROKEN);
}
