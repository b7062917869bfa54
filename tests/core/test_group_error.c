/* SPDX-License-Identifier: MIT */
/*
 * What a group error tells, semantics 9.16 and 21.2.
 */
#include "core/group.h"

#include <string.h>

#include "core/cancel_scope.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

/* A cancel, as by a sibling that failed before, does not keep it from failing. */
static int fail_with(void *code)
{
    int r = hr_yield();
    (void)r;
    return hr_fail((int)(intptr_t)code, "code %d", (int)(intptr_t)code);
}

static int inner_group(void *arg)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task_group_spawn(&group, "deep pipe", fail_with, (void *)-EPIPE);
    hr_task_group_spawn(&group, "deep io", fail_with, (void *)-EIO);
    return hr_task_group_leave(&group, 0);
}

/* A group with one ordinary failure and one group among its children. */
static int fail_nested(void)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task_group_spawn(&group, "inner", inner_group, NULL);
    hr_task_group_spawn(&group, "io", fail_with, (void *)-EIO);
    return hr_task_group_leave(&group, 0);
}

TEST(s9_16_a_group_error_names_and_counts_its_members)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task_group_spawn(&group, "pipe", fail_with, (void *)-EPIPE);
    hr_task_group_spawn(&group, "io", fail_with, (void *)-EIO);
    ASSERT_ERR(hr_task_group_leave(&group, 0), HR_EGROUP);

    const struct hr_error *error = hr_last_error();
    ASSERT_TRUE(strstr(error->message, "2 failed in a group"));
    const struct hr_error *first = TEST_MADE(error->members);
    ASSERT_STR(first->task, "pipe");
    ASSERT_ERR(first->code, -EPIPE);
    ASSERT_STR(first->message, "code -32");
    ASSERT_STR(TEST_MADE(first->next)->task, "io");
    ASSERT_PTR(first->next->next, NULL);
    ASSERT_ERR(TEST_MADE(error->cause)->code, -EPIPE);
}

TEST(s9_16_s21_2_a_code_is_found_through_nested_groups)
{
    ASSERT_ERR(fail_nested(), HR_EGROUP);
    const struct hr_error *error = hr_last_error();
    ASSERT_STR(TEST_MADE(hr_error_find(error, -EPIPE))->task, "deep pipe");
    ASSERT_PTR(hr_error_find(error, HR_EGROUP), error);
    ASSERT_PTR(hr_error_find(error, -ENOENT), NULL);
    ASSERT_PTR(hr_error_find(NULL, -ENOENT), NULL);
}

TEST(s21_2_a_group_error_is_split_by_code_through_nested_groups)
{
    ASSERT_ERR(fail_nested(), HR_EGROUP);
    hr_auto(hr_error_done) struct hr_error io = {0}, rest = {0};
    ASSERT_EQ(hr_error_split(hr_last_error(), -EIO, &io, &rest), 2);
    ASSERT_ERR(io.code, HR_EGROUP);
    ASSERT_PTR(hr_error_find(&io, -EPIPE), NULL);
    ASSERT_TRUE(TEST_MADE(io.members)->next);
    ASSERT_STR(TEST_MADE(hr_error_find(&rest, -EPIPE))->task, "deep pipe");
    ASSERT_PTR(hr_error_find(&rest, -EIO), NULL);
    ASSERT_PTR(TEST_MADE(rest.members)->next, NULL);

    hr_auto(hr_error_done) struct hr_error none = {0}, all = {0};
    ASSERT_EQ(hr_error_split(&io, -ENOENT, &none, &all), 0);
    ASSERT_EQ(none.code, 0);
    ASSERT_TRUE(hr_error_find(&all, -EIO));
}

TEST(s21_2_an_ordinary_error_goes_to_one_side_whole)
{
    hr_fail(-EIO, "no luck");
    hr_auto(hr_error_done) struct hr_error match = {0}, rest = {0};
    ASSERT_EQ(hr_error_split(hr_last_error(), -EIO, &match, &rest), 1);
    ASSERT_STR(match.message, "no luck");
    ASSERT_EQ(rest.code, 0);
}

static int nest(void *depth)
{
    intptr_t left = (intptr_t)depth;
    if (left == 0)
        return hr_fail(-EIO, "at the bottom");
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task_group_spawn(&group, NULL, nest, (void *)(left - 1));
    return hr_task_group_leave(&group, 0);
}

TEST(groups_nested_beyond_all_reason_are_cut_and_say_so)
{
    ASSERT_ERR(nest((void *)5), HR_EGROUP);
    ASSERT_STR(TEST_MADE(hr_error_find(hr_last_error(), -EIO))->message, "at the bottom");
    ASSERT_ERR(nest((void *)40), HR_EGROUP);
    size_t depth = 0;
    const struct hr_error *at = hr_last_error();
    for (; at->members; at = at->members)
        depth++;
    ASSERT_TRUE(depth > 8 && depth <= 17);
    ASSERT_TRUE(at->cut);
}

/* Children that say when they are ready. */

struct service {
    struct hr_task_group *group;
    int outcome;
    bool ready;
    int said;
    hr_task **starter;
};

static int serve(void *arg)
{
    struct service *service = arg;
    int r = hr_sleep(hr_ms(5));
    if (r == 0 && service->ready)
        service->said = hr_task_group_ready(service->group, service);
    if (r == 0 && service->ready)
        r = hr_sleep(hr_ms(20));
    if (r == 0 && service->outcome < 0)
        return hr_fail(service->outcome, "no luck");
    return r;
}

TEST(s9_18_the_starter_goes_on_when_the_child_is_ready)
{
    struct hr_task_group group = {0};
    struct service service = {&group, 0, true, -1};
    void *value = NULL;
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_task_group_start(&group, "service", serve, &service, &value), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_PTR(value, &service);
    ASSERT_ERR(service.said, 0);
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(25)); /* a child like others */
}

TEST(s9_18_failing_before_that_fails_the_start_only)
{
    struct hr_task_group group = {0};
    struct service service = {&group, -EIO, false, -1};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_task_group_start(&group, "service", serve, &service, NULL), -EIO);
    ASSERT_STR(hr_last_error()->message, "no luck");
    service.outcome = 0;
    ASSERT_ERR(hr_task_group_start(&group, "service", serve, &service, NULL), HR_EBROKEN);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the body was not cancelled */
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
}

TEST(s9_18_failing_after_that_fails_the_group)
{
    struct hr_task_group group = {0};
    struct service service = {&group, -EIO, true, -1};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_task_group_start(&group, "service", serve, &service, NULL), 0);
    ASSERT_ERR(hr_task_group_leave(&group, 0), HR_EGROUP);
    ASSERT_STR(TEST_MADE(hr_last_error()->members)->task, "service");
}

static int start_service(void *service)
{
    return hr_task_group_start(((struct service *)service)->group, "service", serve, service, NULL);
}

TEST(s9_18_cancelling_the_starter_cancels_the_child)
{
    struct hr_task_group group = {0};
    struct service service = {&group, 0, true, -1};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task *starter = hr_create_task("starter", start_service, &service);
    test_passes(2);
    hr_task_cancel(starter, NULL);
    ASSERT_ERR(hr_join(starter), -ECANCELED);
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    ASSERT_EQ(test_clock_now(), 0);
    ASSERT_ERR(service.said, -1);
}

static int be_ready_and_cancel(void *arg)
{
    struct service *service = arg;
    service->said = hr_task_group_ready(service->group, service);
    hr_task_cancel(*service->starter, NULL);
    return hr_sleep(hr_seconds(60));
}

static int start_ready(void *service)
{
    return hr_task_group_start(((struct service *)service)->group, "service", be_ready_and_cancel,
                               service, NULL);
}

TEST(s9_18_a_child_that_is_ready_when_its_starter_is_cancelled_is_too)
{
    struct hr_task_group group = {0};
    hr_task *starter;
    struct service service = {&group, 0, true, -1, &starter};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    starter = hr_create_task("starter", start_ready, &service);
    ASSERT_ERR(hr_join(starter), -ECANCELED);
    ASSERT_ERR(service.said, 0);
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    ASSERT_EQ(test_clock_now(), 0); /* nobody slept it out */
}

struct starting {
    struct hr_task_group *group;
    hr_usec span;
    void *value;
    hr_usec when;
};

static int be_ready(void *arg)
{
    struct starting *s = arg;
    int r = hr_sleep(s->span);
    return r < 0 ? r : hr_task_group_ready(s->group, s);
}

static int start_one(void *arg)
{
    struct starting *s = arg;
    int r = hr_task_group_start(s->group, NULL, be_ready, s, &s->value);
    s->when = test_clock_now();
    return r;
}

TEST(s9_18_of_several_starters_each_hears_of_its_own_child)
{
    struct hr_task_group group = {0};
    struct starting slow = {&group, hr_ms(20)}, swift = {&group, hr_ms(5)};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task *first = hr_create_task(NULL, start_one, &slow);
    hr_task *second = hr_create_task(NULL, start_one, &swift);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_ERR(hr_join(first), 0);
    ASSERT_TRUE(slow.value == &slow && swift.value == &swift);
    ASSERT_TRUE(slow.when == hr_ms(20) && swift.when == hr_ms(5));
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
}

static int clean_up_and_fail(void *cleaned)
{
    if (hr_sleep(hr_seconds(60)) == -ECANCELED && hr_sleep(hr_ms(5)) == 0)
        *(bool *)cleaned = true;
    return hr_fail(-EIO, "cannot be cleaned up"); /* nobody reads it, and nobody reports it */
}

TEST(s9_18_s3_12_a_start_in_a_scope_that_is_cancelled_waits_for_the_child_to_end)
{
    struct hr_task_group group = {0};
    struct hr_cancel_scope scope = {0};
    bool cleaned = false;
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(1)), 0);
    int r = hr_task_group_start(&group, "slow", clean_up_and_fail, &cleaned, NULL);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, r), 0);
    ASSERT_TRUE(cleaned);
    ASSERT_EQ(test_clock_now(), hr_ms(6));
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
}

TEST(s9_5_the_error_of_a_body_is_its_code_and_not_what_failed_before)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    (void)hr_fail(-EMFILE, "something else");
    ASSERT_ERR(hr_task_group_leave(&group, -EIO), -EIO);
}

TEST(s9_18_misuse_is_refused)
{
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_ready(&group, NULL), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_task_group_start(&group, NULL, serve, NULL, NULL), HR_ESHUTDOWN);
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_ERR(hr_task_group_ready(&group, NULL), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
}
