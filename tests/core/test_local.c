/* SPDX-License-Identifier: MIT */
/*
 * Values of tasks, semantics 2.15.
 */
#include "core/local.h"

#include "tests/support/hrtest.h"

static int freed;

static void count_freed(void *value)
{
    freed++;
}

static const hr_local request = {.free_value = count_freed};
static const hr_local user;

static int set(const hr_local *key, const char *value)
{
    return hr_local_set(key, (void *)value);
}

struct child {
    void *begins_with, *later;
};

static int child_run(void *arg)
{
    struct child *child = arg;
    child->begins_with = hr_local_get(&request);
    int r = hr_sleep(hr_ms(2)); /* the parent sets another meanwhile */
    child->later = hr_local_get(&request);
    set(&request, "the child's");
    set(&user, "the child's");
    return r;
}

TEST(s2_15_values_are_copied_at_creation_and_then_each_has_its_own)
{
    freed = 0;
    ASSERT_PTR(hr_local_get(&request), NULL);
    ASSERT_ERR(set(&request, "first"), 0);
    struct child child = {0};
    hr_task *task = hr_create_task("child", child_run, &child);
    ASSERT_ERR(set(&request, "second"), 0);
    ASSERT_EQ(freed, 0); /* the child has it still */
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_STR(child.begins_with, "first");
    ASSERT_STR(child.later, "first");
    ASSERT_STR(hr_local_get(&request), "second");
    ASSERT_PTR(hr_local_get(&user), NULL);
    ASSERT_EQ(freed, 2); /* the child is over, and so is what it had set */
}

TEST(s2_15_a_value_set_again_and_again_takes_no_more_memory)
{
    freed = 0;
    for (int i = 0; i < 1000; i++)
        ASSERT_ERR(set(&request, "value"), 0);
    ASSERT_EQ(freed, 999);
    ASSERT_ERR(hr_local_set(&request, NULL), 0);
    ASSERT_PTR(hr_local_get(&request), NULL);
}

static int keep_value(void *arg)
{
    return set(&request, "kept");
}

TEST(s2_15_values_go_when_their_task_ends_although_its_handle_is_held)
{
    freed = 0;
    hr_task *task = hr_create_task("keeper", keep_value, NULL);
    ASSERT_ERR(hr_await(task), 0);
    ASSERT_EQ(freed, 1);
    hr_future_unref(task);
}

static void look_from_callback(void *arg)
{
    *(void **)arg = hr_local_get(&request);
    ASSERT_ERR(set(&request, "nobody's"), HR_ENOTASK);
}

TEST(s2_15_callbacks_have_no_values)
{
    void *seen = &seen;
    ASSERT_ERR(set(&request, "the task's"), 0);
    ASSERT_TRUE(hr_call_soon(look_from_callback, &seen));
    test_passes(2);
    ASSERT_PTR(seen, NULL);
}
