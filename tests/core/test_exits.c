/* SPDX-License-Identifier: MIT */
/*
 * Scopes with exits, semantics 17.12 to 17.15.
 */
#include "core/exits.h"

#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static char order[64];

struct resource {
    char name;
    int fails_to_enter, fails_to_exit;
    int saw;
    bool shielded;
};

static void note(char letter)
{
    size_t length = strlen(order);
    ASSERT_TRUE(length + 1 < sizeof(order));
    order[length] = letter;
    order[length + 1] = '\0';
}

static int enter(void *arg)
{
    struct resource *resource = arg;
    int r = hr_yield();
    if (r == 0 && resource->fails_to_enter)
        r = hr_fail(resource->fails_to_enter, "%c does not open", resource->name);
    if (r == 0)
        note(resource->name);
    return r;
}

static int leave(void *arg, int code)
{
    struct resource *resource = arg;
    resource->saw = code;
    if (resource->shielded)
        hr_shield_enter();
    int r = hr_sleep(hr_ms(1));
    if (resource->shielded)
        hr_shield_leave();
    note((char)(resource->name - 'a' + 'A'));
    if (resource->fails_to_exit)
        return hr_fail(resource->fails_to_exit, "%c does not close", resource->name);
    return r < 0 ? r : code;
}

static int use(struct resource *resources, size_t count, int outcome)
{
    struct hr_exits exits = {0};
    int r = 0;
    order[0] = '\0';
    for (size_t i = 0; i < count && r >= 0; i++)
        r = hr_exits_enter(&exits, enter, leave, &resources[i]);
    if (r >= 0)
        r = outcome < 0 ? hr_fail(outcome, "the body failed") : outcome;
    return hr_exits_leave(&exits, r);
}

TEST(s17_12_an_exit_runs_if_its_enter_succeeded_and_sees_how_the_body_ended)
{
    struct resource r[] = {
        {'a'},
        {'b', .fails_to_enter = -EIO},
        {'c'  }
    };
    ASSERT_ERR(use(r, 1, 5), 5);
    ASSERT_STR(order, "aA");
    ASSERT_EQ(r[0].saw, 5);
    ASSERT_ERR(use(r, 1, -EPIPE), -EPIPE);
    ASSERT_ERR(r[0].saw, -EPIPE);
    ASSERT_STR(hr_last_error()->message, "the body failed");
    ASSERT_ERR(use(r, 3, 0), -EIO);
    ASSERT_STR(order, "aA");
    ASSERT_ERR(r[0].saw, -EIO);
    ASSERT_STR(hr_last_error()->message, "b does not open");
}

TEST(s17_13_exits_run_innermost_first_and_an_error_goes_on_with_the_earlier_as_its_cause)
{
    struct resource r[] = {
        {'a'},
        {'b', .fails_to_exit = -EIO},
        {'c'  }
    };
    ASSERT_ERR(use(r, 3, -EPIPE), -EIO);
    ASSERT_STR(order, "abcCBA");
    ASSERT_ERR(r[2].saw, -EPIPE);
    ASSERT_ERR(r[1].saw, -EPIPE);
    ASSERT_ERR(r[0].saw, -EIO);
    ASSERT_STR(hr_last_error()->message, "b does not close");
    ASSERT_STR(TEST_MADE(hr_last_error()->cause)->message, "the body failed");
}

static int swallow(void *arg, int code)
{
    note('S');
    return 0;
}

static void clean(void *arg)
{
    note(*(char *)arg);
}

static void fail_and_recover(void *arg)
{
    hr_fail(-ENOENT, "not there, which does not matter");
}

TEST(s17_14_a_stack_takes_resources_and_callbacks_and_unwinds_in_reverse)
{
    char x = 'x', y = 'y';
    struct resource a = {'a'};
    struct hr_exits exits = {0};
    order[0] = '\0';
    ASSERT_ERR(hr_exits_add(&exits, clean, &x), 0);
    ASSERT_ERR(hr_exits_enter(&exits, enter, leave, &a), 0);
    ASSERT_ERR(hr_exits_add(&exits, free, malloc(1)), 0);
    ASSERT_ERR(hr_exits_add(&exits, fail_and_recover, NULL), 0);
    ASSERT_ERR(hr_exits_add(&exits, clean, &y), 0);
    ASSERT_ERR(hr_exits_leave(&exits, hr_fail(-EPIPE, "the body failed")), -EPIPE);
    ASSERT_STR(order, "ayAx");
    ASSERT_STR(hr_last_error()->message, "the body failed");

    order[0] = '\0';
    ASSERT_ERR(hr_exits_enter(&exits, NULL, leave, &a), 0); /* entered already */
    ASSERT_ERR(hr_exits_enter(&exits, NULL, swallow, NULL), 0);
    ASSERT_ERR(hr_exits_leave(&exits, -EPIPE), 0);
    ASSERT_STR(order, "SA");
    ASSERT_EQ(a.saw, 0);
    ASSERT_ERR(hr_exits_leave(&exits, 4), 4); /* empty */
    for (int i = 0; i < 100; i++)
        ASSERT_ERR(hr_exits_add(&exits, free, malloc(1)), 0);
    ASSERT_ERR(hr_exits_leave(&exits, 0), 0);
}

TEST(s17_15_an_exit_that_waits_under_a_pending_cancel_is_cancelled_unless_shielded)
{
    struct resource r[] = {
        {'a', .shielded = true},
        {'b'  }
    };
    struct hr_exits exits = {0};
    order[0] = '\0';
    ASSERT_ERR(hr_exits_enter(&exits, enter, leave, &r[0]), 0);
    ASSERT_ERR(hr_exits_enter(&exits, enter, leave, &r[1]), 0);
    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_ERR(hr_exits_leave(&exits, 3), -ECANCELED);
    ASSERT_STR(order, "abBA");
    ASSERT_ERR(r[1].saw, 3);
    ASSERT_ERR(r[0].saw, -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(1)); /* the shielded one has waited */

    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_ERR(hr_exits_enter(&exits, NULL, leave, &r[0]), 0);
    ASSERT_ERR(hr_exits_leave(&exits, 3), 3);
    ASSERT_EQ(test_clock_now(), hr_ms(2));
    ASSERT_ERR(hr_yield(), -ECANCELED); /* and it comes after */
    while (hr_task_uncancel(hr_current_task()) > 0)
        ;
}
