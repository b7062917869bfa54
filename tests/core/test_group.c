/* SPDX-License-Identifier: MIT */
/*
 * Task groups, semantics 9.
 */
#include "core/group.h"

#include <string.h>

#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

struct child {
    hr_usec span;
    int outcome;
    hr_usec cleanup; /* when cancelled: so long */
    int at_cancel;   /* and ends with this, if it is not 0 */
    int cancels;
    bool finished;
};

static int child(void *arg)
{
    struct child *c = arg;
    int r = hr_sleep(c->span), outcome = c->outcome;
    while (r == -ECANCELED && c->cleanup >= 0) {
        c->cancels++;
        if (hr_sleep(c->cleanup) == 0)
            break;
    }
    if (r == -ECANCELED)
        outcome = c->at_cancel ? c->at_cancel : -ECANCELED;
    c->finished = true;
    return outcome < 0 && outcome != -ECANCELED ? hr_fail(outcome, "no luck") : outcome;
}

static hr_task *add(struct hr_task_group *group, const char *name, struct child *c)
{
    hr_task *task = hr_task_group_spawn(group, name, child, c);
    ASSERT_TRUE(task);
    return task;
}

TEST(s9_1_s9_2_all_children_end_before_the_exit_returns)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_ms(10), 1},
        {hr_ms(30), 2}
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_auto(hr_future_unrefp) hr_task *first = hr_future_ref(add(&group, "a", &c[0]));
    add(&group, "b", &c[1]);
    ASSERT_ERR(hr_task_group_leave(&group, 5), 5);
    ASSERT_EQ(test_clock_now(), hr_ms(30));
    ASSERT_TRUE(c[0].finished && c[1].finished);
    ASSERT_ERR(hr_future_status(first), 1);
}

TEST(s9_3_a_failing_child_cancels_the_others_and_the_body)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_ms(10), -EIO    },
        { hr_seconds(60),        1, hr_ms(5)}
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "reader", &c[0]);
    add(&group, "writer", &c[1]);
    int r = hr_sleep(hr_seconds(60));
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_task_group_leave(&group, r), HR_EGROUP);
    ASSERT_EQ(test_clock_now(), hr_ms(15));
    ASSERT_EQ(c[1].cancels, 1);
    ASSERT_STR(hr_error_message(HR_EGROUP), "1 failed in a group: reader: no luck");
    ASSERT_ERR(TEST_MADE(hr_last_error()->cause)->code, -EIO);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0); /* 9.9 */
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_PTR(test_report(), NULL);
}

TEST(s9_3_a_failure_while_the_exit_waits)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_ms(10), -EIO},
        {hr_seconds(60)        }
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "a", &c[0]);
    add(&group, "b", &c[1]);
    ASSERT_ERR(hr_task_group_leave(&group, 0), HR_EGROUP);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_ERR(hr_yield(), 0);
}

TEST(s9_4_a_cancelled_child_affects_nobody)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_seconds(60)},
        { hr_ms(10),             1}
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task *first = add(&group, "a", &c[0]);
    add(&group, "b", &c[1]);
    test_passes(1);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    ASSERT_EQ(c[1].cancels, 0);
}

TEST(s9_5_a_failing_body_cancels_the_children_and_its_error_comes_out)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_seconds(60), 1, hr_ms(5)},
        { hr_seconds(60),             1, 0,   -EPIPE}
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "a", &c[0]);
    test_passes(1);
    ASSERT_ERR(hr_task_group_leave(&group, hr_fail(-EIO, "the body broke")), -EIO);
    ASSERT_STR(hr_error_message(-EIO), "the body broke");
    ASSERT_TRUE(c[0].finished);

    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "b", &c[1]);
    test_passes(1);
    ASSERT_ERR(hr_task_group_leave(&group, hr_fail(-EIO, "the body broke")), HR_EGROUP);
    ASSERT_STR(hr_error_message(HR_EGROUP),
               "2 failed in a group: the body: the body broke; b: no luck");
    ASSERT_ERR(TEST_MADE(hr_last_error()->cause)->code, -EIO);
}

TEST(s9_6_cancels_caused_by_the_abort_are_not_listed_and_errors_of_cleanups_are)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {.span = hr_ms(10),      .outcome = -EIO},
        {.span = hr_seconds(60)},
        {.span = hr_seconds(60),   .at_cancel = -EPIPE               },
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "a", &c[0]);
    add(&group, "b", &c[1]);
    add(&group, "c", &c[2]);
    ASSERT_ERR(hr_task_group_leave(&group, 0), HR_EGROUP);
    ASSERT_STR(hr_error_message(HR_EGROUP), "2 failed in a group: a: no luck; c: no luck");
}

struct parent {
    struct child *children;
    int count;
    int in_body, result, after;
    unsigned cancelling;
    bool body_waits;
};

static int parent(void *arg)
{
    struct parent *p = arg;
    struct hr_task_group group = {0};
    int r = hr_task_group_enter(&group);
    if (r < 0)
        return r;
    for (int i = 0; i < p->count; i++)
        add(&group, NULL, &p->children[i]);
    p->in_body = p->body_waits ? hr_sleep(hr_seconds(600)) : 0;
    p->result = hr_task_group_leave(&group, p->in_body);
    p->cancelling = hr_task_cancelling(hr_current_task());
    p->after = hr_yield();
    return p->result;
}

TEST(s9_7_s9_8_cancelling_the_parent_cancels_the_children_once_and_waits)
{
    for (int in_body = 0; in_body < 2; in_body++) {
        struct child c[] = {
            {hr_seconds(60), 0, hr_ms(20)}
        };
        struct parent p = {c, 1, .body_waits = in_body};
        hr_usec start = test_clock_now();
        hr_task *task = hr_create_task("parent", parent, &p);
        test_passes(3);
        hr_task_cancel(task, NULL);
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
        hr_task_cancel(task, NULL); /* the child goes on with its cleanup */
        ASSERT_ERR(hr_join(task), -ECANCELED);
        ASSERT_EQ(test_clock_now() - start, hr_ms(20));
        ASSERT_EQ(c[0].cancels, 1);
        ASSERT_EQ(p.cancelling, 2);
        ASSERT_ERR(p.after, 0);
    }
}

TEST(s9_7_s9_9_when_a_child_fails_too_the_group_error_comes_first_and_the_cancel_after)
{
    struct child c[] = {
        {hr_seconds(60), 0, 0, -EIO}
    };
    struct parent p = {c, 1};
    hr_task *task = hr_create_task("parent", parent, &p);
    test_passes(3);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), HR_EGROUP);
    ASSERT_EQ(p.cancelling, 1);
    ASSERT_ERR(p.after, -ECANCELED);
}

TEST(s9_7_a_foreign_cancel_beside_the_groups_own)
{
    struct child c[] = {
        {hr_ms(10), -EIO     },
        { hr_seconds(60),        0, hr_ms(20)}
    };
    struct parent p = {c, 2, .body_waits = true};
    hr_task *task = hr_create_task("parent", parent, &p);
    ASSERT_ERR(hr_sleep(hr_ms(15)), 0); /* the group aborts */
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), HR_EGROUP);
    ASSERT_ERR(p.in_body, -ECANCELED);
    ASSERT_EQ(p.cancelling, 1);
    ASSERT_ERR(p.after, -ECANCELED);
}

TEST(s9_10_nested_groups_give_back_their_own_request_only)
{
    struct hr_task_group outer = {0}, inner = {0};
    struct child c[] = {
        {hr_ms(10), -EIO  },
        {hr_ms(10), -EPIPE}
    };
    ASSERT_ERR(hr_task_group_enter(&outer), 0);
    ASSERT_ERR(hr_task_group_enter(&inner), 0);
    add(&outer, "o", &c[0]);
    add(&inner, "i", &c[1]);
    int r = hr_sleep(hr_seconds(60)); /* both ask */
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 2);
    r = hr_task_group_leave(&inner, r);
    ASSERT_ERR(r, HR_EGROUP);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 1);
    ASSERT_ERR(hr_yield(), -ECANCELED); /* the outer one's is foreign to the inner */
    ASSERT_ERR(hr_task_group_leave(&outer, r), HR_EGROUP);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_ERR(hr_yield(), 0);
}

TEST(s9_10_a_group_inside_a_timeout_scope)
{
    struct hr_timeout limit = {0};
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_seconds(60), 0, hr_ms(5)}
    };
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "c", &c[0]);
    int r = hr_task_group_leave(&group, 0);
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_ms(15));
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
}

struct spawner {
    struct hr_task_group *group;
    struct child *child;
};

static int spawn_another(void *arg)
{
    struct spawner *s = arg;
    int r = hr_sleep(hr_ms(10));
    if (r < 0)
        return r;
    return hr_task_group_spawn(s->group, "late", child, s->child) ? 0 : hr_last_error()->code;
}

TEST(s9_11_children_may_spawn_into_the_group_while_it_waits)
{
    struct hr_task_group group = {0};
    struct child late = {hr_ms(20), 1};
    struct spawner s = {&group, &late};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_TRUE(hr_task_group_spawn(&group, "spawner", spawn_another, &s));
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    ASSERT_TRUE(late.finished);
    ASSERT_EQ(test_clock_now(), hr_ms(30));
}

TEST(s9_12_spawning_before_entry_after_the_end_or_while_aborting_is_refused)
{
    struct hr_task_group group = {0};
    struct child c = {0}, slow = {hr_seconds(60), 0, hr_ms(20)}, loser = {hr_ms(1), -EIO};
    ASSERT_PTR(hr_task_group_spawn(&group, "early", child, &c), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ESHUTDOWN);

    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "slow", &slow);
    add(&group, "loser", &loser);
    ASSERT_ERR(hr_sleep(hr_seconds(1)), -ECANCELED);
    ASSERT_PTR(hr_task_group_spawn(&group, "aborting", child, &c), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ESHUTDOWN);
    ASSERT_ERR(hr_task_group_leave(&group, -ECANCELED), HR_EGROUP);

    ASSERT_PTR(hr_task_group_spawn(&group, "late", child, &c), NULL);
    test_passes(2);
    ASSERT_FALSE(c.finished);
}

static void enter_outside(void *arg)
{
    struct hr_task_group group = {0};
    *(int *)arg = hr_task_group_enter(&group);
}

static int leave_it(void *arg)
{
    return hr_task_group_leave(arg, 0);
}

TEST(s9_13_misuse_is_refused)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_leave(&group, 0), -EINVAL);
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_task_group_enter(&group), -EBUSY);
    ASSERT_ERR(hr_join(hr_create_task("stranger", leave_it, &group)), -EINVAL);
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    ASSERT_ERR(hr_task_group_leave(&group, 0), -EINVAL);

    int outside = 0;
    hr_call_soon(enter_outside, &outside);
    test_passes(2);
    ASSERT_ERR(outside, HR_ENOTASK);
}

TEST(s9_13_leaving_out_of_order_is_refused_and_changes_nothing)
{
    struct hr_task_group outer = {0}, inner = {0};
    struct child c[] = {
        {hr_ms(10), 1},
        {hr_ms(20), 2},
    };
    ASSERT_ERR(hr_task_group_enter(&outer), 0);
    add(&outer, "a", &c[0]);
    ASSERT_ERR(hr_task_group_enter(&inner), 0);
    add(&inner, "b", &c[1]);
    ASSERT_ERR(hr_task_group_leave(&outer, -EIO), -EINVAL);
    ASSERT_ERR(hr_task_group_leave(&inner, 0), 0);
    ASSERT_EQ(c[0].cancels, 0);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    ASSERT_ERR(hr_task_group_leave(&outer, 3), 3);
    ASSERT_ERR(hr_task_group_enter(&outer), 0); /* and again, one after the other */
    ASSERT_ERR(hr_task_group_leave(&outer, 4), 4);
}

TEST(s9_14_an_empty_group_exits_at_once)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_task_group_leave(&group, 3), 3);
    ASSERT_EQ(test_clock_now(), 0);
}

TEST(s9_15_a_child_that_swallows_the_groups_cancel_keeps_its_value)
{
    struct hr_task_group group = {0};
    struct child stubborn = {hr_seconds(60), 0, 0, 42}, loser = {hr_ms(1), -EIO};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_auto(hr_future_unrefp) hr_task *task = hr_future_ref(add(&group, "s", &stubborn));
    add(&group, "l", &loser);
    ASSERT_ERR(hr_task_group_leave(&group, 0), HR_EGROUP);
    ASSERT_ERR(hr_future_status(task), 42);
}

TEST(s9_17_cancel_ends_the_group_early_without_an_error)
{
    struct hr_task_group group = {0};
    struct child c[] = {
        {hr_seconds(60)},
        { hr_ms(10),             7}
    };
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "a", &c[0]);
    test_passes(1);
    hr_task_group_cancel(&group);
    int r = hr_sleep(hr_seconds(60));
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_ERR(hr_task_group_leave(&group, r), 0);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_EQ(c[0].cancels, 1);

    /* A body that has nothing left to wait for keeps its result. */
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "a", &c[0]);
    hr_task_group_cancel(&group);
    ASSERT_ERR(hr_task_group_leave(&group, 9), 9);
    ASSERT_ERR(hr_yield(), 0);
}

static int stop_later(void *arg)
{
    int r = hr_sleep(hr_ms(10));
    hr_task_group_cancel(arg);
    return r;
}

TEST(s9_17_an_enclosing_timeout_is_still_seen)
{
    struct hr_timeout limit = {0};
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_TRUE(hr_task_group_spawn(&group, "stopper", stop_later, &group));
    int r = hr_sleep(hr_seconds(60));
    r = hr_task_group_leave(&group, r);
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
}

static void cancel_group(void *group)
{
    hr_task_group_cancel(group);
}

TEST(s9_17_a_cancel_while_the_exit_waits_leaves_the_bodys_result)
{
    struct hr_task_group group = {0};
    struct child c = {hr_seconds(60)};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "a", &c);
    ASSERT_TRUE(hr_call_later(hr_ms(5), cancel_group, &group));
    ASSERT_ERR(hr_task_group_leave(&group, 4), 4);
    ASSERT_EQ(c.cancels, 1);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_ERR(hr_yield(), 0);
}

static int stop_the_group(void *arg)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    *(struct hr_task_group **)arg = &group;
    return hr_task_group_leave(&group, hr_sleep(hr_seconds(60)));
}

TEST(s9_17_a_cancel_of_the_task_is_still_seen)
{
    struct hr_task_group *group;
    hr_task *task = hr_create_task("parent", stop_the_group, &group);
    test_passes(1);
    hr_task_group_cancel(group);
    hr_task_cancel(task, "by somebody else");
    ASSERT_ERR(hr_join(task), -ECANCELED);

    task = hr_create_task("parent", stop_the_group, &group);
    test_passes(1);
    hr_task_group_cancel(group);
    ASSERT_ERR(hr_join(task), 0);
}

static int fatal_child(void *arg)
{
    return hr_fail(HR_EFATAL, "the disk is on fire");
}

static int group_with_fatal_child(void *arg)
{
    struct hr_task_group group = {0};
    struct child c = {hr_seconds(60)};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "sleeper", &c);
    ASSERT_TRUE(hr_task_group_spawn(&group, "fatal", fatal_child, NULL));
    int r = hr_task_group_leave(&group, hr_sleep(hr_seconds(60)));
    *(int *)arg = r;
    ASSERT_TRUE(c.finished);
    return r;
}

TEST_PLAIN(s9_19_a_fatal_code_comes_out_unwrapped)
{
    int left = 0;
    ASSERT_ERR(hr_run(group_with_fatal_child, &left), HR_EFATAL);
    ASSERT_STR(hr_error_message(HR_EFATAL), "the disk is on fire");
    ASSERT_ERR(left, HR_EFATAL);
}

static int fatal_when_cancelled(void *arg)
{
    return hr_sleep(hr_seconds(60)) < 0 ? fatal_child(arg) : 0;
}

static int group_that_fails_twice(void *arg)
{
    struct hr_task_group group = {0};
    struct child c = {.outcome = -EIO};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_TRUE(hr_task_group_spawn(&group, "fatal", fatal_when_cancelled, NULL));
    add(&group, "first", &c);
    *(int *)arg = hr_task_group_leave(&group, 0);
    return *(int *)arg;
}

TEST_PLAIN(s9_19_a_fatal_code_goes_before_what_failed_earlier)
{
    int left = 0;
    ASSERT_ERR(hr_run(group_that_fails_twice, &left), HR_EFATAL);
    ASSERT_ERR(left, HR_EFATAL);
}

TEST(s9_20_other_tasks_may_spawn_into_the_group_and_memory_does_not_grow_with_the_dead)
{
    struct hr_task_group group = {0};
    struct child late = {0};
    struct spawner s = {&group, &late};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_join(hr_create_task("other", spawn_another, &s)), 0);
    ASSERT_EQ(group.running, 1);
    test_passes(3);
    ASSERT_TRUE(late.finished);
    ASSERT_EQ(group.running, 0);
    ASSERT_TRUE(hr_list_empty(&group.children));
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
}

/* Starts a child, lets it begin and goes, as if it had seen something that it cannot handle. */
static int start_and_go(struct child *c, hr_usec after, int code)
{
    hr_auto(hr_task_group_done) struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    add(&group, "child", c);
    ASSERT_ERR(hr_sleep(after), 0);
    return code < 0 ? hr_fail(code, "seen enough") : code;
}

TEST(s17_16_a_group_is_left_by_its_cleanup)
{
    struct child c = {.span = hr_seconds(60), .cleanup = hr_ms(5)};
    ASSERT_ERR(start_and_go(&c, hr_ms(1), -ENOENT), -ENOENT);
    ASSERT_STR(hr_last_error()->message, "seen enough");
    ASSERT_TRUE(c.finished);
    ASSERT_EQ(c.cancels, 1);
    ASSERT_EQ(test_clock_now(), hr_ms(6));
    ASSERT_PTR(test_report(), NULL);
    ASSERT_ERR(hr_yield(), 0);

    struct hr_task_group group = {0};
    hr_task_group_done(&group); /* not entered */
}

TEST(s17_16_an_error_that_a_cleanup_finds_is_reported)
{
    struct child c = {.span = hr_seconds(60), .cleanup = hr_ms(5), .at_cancel = -EIO};
    ASSERT_ERR(start_and_go(&c, hr_ms(1), 3), 3);
    const char *report = test_report();
    ASSERT_TRUE(report && strstr(report, "a group was left on an early way out"));
    ASSERT_TRUE(strstr(report, "child: no luck"));
    ASSERT_ERR(hr_yield(), 0);
}

static int goes_early(void *arg)
{
    int r = start_and_go(arg, 0, 4);
    ASSERT_ERR(r, 4);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    return r;
}

TEST(s17_16_a_cancel_that_a_cleanup_meets_comes_after_it)
{
    struct child c = {.span = hr_seconds(60), .cleanup = hr_ms(5)};
    hr_task *task = hr_create_task("early", goes_early, &c);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    hr_task_cancel(task, "now");
    ASSERT_ERR(hr_join(task), 4);
    ASSERT_TRUE(c.finished);
}
