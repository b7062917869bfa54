/* SPDX-License-Identifier: MIT */
/*
 * Error records, semantics 0 and 21.
 */
#include "core/error.h"

#include <pthread.h>
#include <string.h>

#include "tests/support/hrtest.h"

TEST_PLAIN(every_code_has_a_name_and_a_text)
{
    ASSERT_STR(hr_error_name(HR_ELOST), "HR_ELOST");
    ASSERT_STR(hr_error_text(HR_ECLOSED), "closed");
    ASSERT_STR(hr_error_name(-ETIMEDOUT), "ETIMEDOUT");
    ASSERT_STR(hr_error_text(-ENOENT), "No such file or directory");
    ASSERT_STR(hr_error_name(0), "OK");
    ASSERT_STR(hr_error_name(-999999), "?");
    ASSERT_STR(hr_error_name(12), "?");
    ASSERT_STR(hr_error_text(-999999), "unknown error");
}

TEST(s21_1_a_failure_writes_code_message_and_task)
{
    ASSERT_EQ(hr_last_error()->code, 0);
    ASSERT_ERR(hr_fail(-ENOENT, "order %d: sold out", 7), -ENOENT);
    ASSERT_ERR(hr_last_error()->code, -ENOENT);
    ASSERT_STR(hr_last_error()->message, "order 7: sold out");
    ASSERT_STR(hr_last_error()->task, "test");
    ASSERT_STR(hr_error_message(-ENOENT), "order 7: sold out");
    ASSERT_STR(hr_error_message(-EIO), "Input/output error"); /* the record tells about another */
}

TEST(a_message_may_quote_the_one_it_replaces)
{
    hr_fail(-EIO, "disk full");
    const char *old = hr_error_message(-EIO);
    hr_fail(-EIO, "saving: %s", old);
    ASSERT_STR(hr_last_error()->message, "saving: disk full");
}

TEST(a_long_message_is_cut_between_characters)
{
    char text[HR_ERROR_MESSAGE_MAX + 50];
    for (int shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof(text));
        for (size_t i = (size_t)shift; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xF0\x9F\x90\x8C", 4);
        text[sizeof(text) - 1] = '\0';
        hr_fail(-EIO, "%s", text);
        size_t length = strlen(hr_last_error()->message);
        ASSERT_TRUE(length < HR_ERROR_MESSAGE_MAX && length > HR_ERROR_MESSAGE_MAX - 5);
        ASSERT_EQ((length - (size_t)shift) % 4, 0);
    }
}

TEST(what_the_server_said_is_kept)
{
    ASSERT_ERR(hr_fail_native(HR_EREPLY, 1213, "40001", NULL, true, "deadlock"), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1213);
    ASSERT_STR(hr_last_error()->state, "40001");
    ASSERT_STR(hr_last_error()->kind, "");
    ASSERT_TRUE(hr_last_error()->sent);
    hr_fail_native(HR_EREPLY, 0, NULL, "A-KIND-THAT-IS-TOO-LONG", false, "redis");
    ASSERT_STR(hr_last_error()->kind, "A-KIND-THAT-IS-");
    hr_fail(-EIO, "another");
    ASSERT_STR(hr_last_error()->kind, "");
}

TEST(s21_1_causes_can_be_walked)
{
    hr_fail(-EIO, "first");
    hr_fail_because(-EPIPE, "second");
    hr_fail_because(HR_EBROKEN, "third");
    const struct hr_error *error = hr_last_error();
    ASSERT_STR(error->message, "third");
    ASSERT_TRUE(error->cause && error->cause->cause);
    ASSERT_STR(error->cause->message, "second");
    ASSERT_STR(error->cause->cause->message, "first");
    ASSERT_PTR(error->cause->cause->cause, NULL);

    struct hr_error copy;
    hr_error_copy(&copy, error);
    hr_fail(-ENOENT, "fresh");
    ASSERT_PTR(hr_last_error()->cause, NULL);
    ASSERT_TRUE(copy.cause && copy.cause->cause);
    ASSERT_STR(copy.cause->cause->message, "first");
    ASSERT_ERR(hr_error_raise(copy.cause), -EPIPE);
    ASSERT_ERR(hr_error_raise(hr_last_error()->cause), -EIO); /* one of its own */
    ASSERT_STR(hr_last_error()->message, "first");
    hr_error_done(&copy);
}

static int fails_silently(void *arg)
{
    return -EIO;
}

TEST(s21_1_a_record_tells_where_in_the_program_it_was_written)
{
    hr_fail(-EIO, "first"), hr_fail_because(-EPIPE, "second");
    char here[32];
    snprintf(here, sizeof(here), "test_error.c:%d", __LINE__ - 2);
    ASSERT_STR(hr_last_error()->place, here);
    ASSERT_STR(hr_last_error()->cause->place, here);
    hr_fail_native(HR_EREPLY, 1213, NULL, NULL, true, "deadlock");
    ASSERT_TRUE(strncmp(hr_last_error()->place, "test_error.c:", 13) == 0);
    ASSERT_FALSE(strcmp(hr_last_error()->place, here) == 0);

    ASSERT_ERR(hr_join(hr_create_task("silent", fails_silently, NULL)), -EIO);
    ASSERT_PTR(hr_last_error()->place, NULL); /* nobody has said */
}

TEST(a_macro_around_a_call_gives_its_failure_the_place_of_the_call)
{
    char here[32];
    hr_fail(-EIO, "disk full");
    ASSERT_ERR(hr_from_here(-EIO), -EIO);
    snprintf(here, sizeof(here), "test_error.c:%d", __LINE__ - 1);
    ASSERT_STR(hr_last_error()->place, here);
    ASSERT_ERR(hr_from_here(-EPIPE), -EPIPE); /* the record is not about it */
    ASSERT_EQ(hr_from_here(3), 3);
    ASSERT_STR(hr_last_error()->place, here);
    ASSERT_EQ(hr_size_from_here(-EIO), -EIO);
    snprintf(here, sizeof(here), "test_error.c:%d", __LINE__ - 1);
    ASSERT_STR(hr_last_error()->place, here);
    ASSERT_EQ(hr_size_from_here((ssize_t)1 << 40), (ssize_t)1 << 40);
}

static int fails(void *arg)
{
    hr_fail(-EIO, "disk");
    return hr_fail_because(-ENOENT, "order %d: sold out", 7);
}

static int passes_on(void *arg)
{
    return hr_join(hr_create_task("shop", fails, NULL));
}

TEST(s21_1_an_awaited_tasks_record_travels_with_its_causes)
{
    ASSERT_ERR(hr_join(hr_create_task("mall", passes_on, NULL)), -ENOENT);
    ASSERT_STR(hr_last_error()->message, "order 7: sold out");
    ASSERT_STR(hr_last_error()->task, "shop");
    ASSERT_STR(TEST_MADE(hr_last_error()->cause)->message, "disk");
}

static int fails_and_waits(void *arg)
{
    hr_fail(-EIO, "%s", (const char *)arg);
    int r = hr_yield();
    ASSERT_STR(hr_last_error()->message, arg);
    return r;
}

TEST(each_task_has_a_record_of_its_own)
{
    static char of_one[] = "of one", of_two[] = "of two";
    hr_task *one = hr_create_task("one", fails_and_waits, of_one);
    hr_task *two = hr_create_task("two", fails_and_waits, of_two);
    hr_fail(-EIO, "of the test");
    ASSERT_ERR(hr_join(one), 0);
    ASSERT_ERR(hr_join(two), 0);
    ASSERT_STR(hr_last_error()->message, "of the test");
}

static int sees_a_clean_record(void *arg)
{
    ASSERT_EQ(hr_last_error()->code, 0);
    ASSERT_PTR(hr_last_error()->cause, NULL);
    return 0;
}

TEST(a_fresh_task_begins_with_a_clean_record)
{
    ASSERT_ERR(hr_join(hr_create_task(NULL, fails, NULL)), -ENOENT);
    ASSERT_ERR(hr_join(hr_create_task(NULL, sees_a_clean_record, NULL)), 0); /* same stack */
}

static int returns_what_it_did_not_explain(void *arg)
{
    hr_fail(-EIO, "something that was handled");
    return -ENOSPC;
}

TEST(a_code_without_a_record_brings_its_own_text)
{
    ASSERT_ERR(hr_join(hr_create_task("mute", returns_what_it_did_not_explain, NULL)), -ENOSPC);
    ASSERT_STR(hr_last_error()->message, "No space left on device");
    ASSERT_STR(hr_last_error()->task, "mute");
}

static void *fail_in_a_thread(void *arg)
{
    hr_fail(-EIO, "in a thread");
    hr_fail_because(-EPIPE, "with a cause, which must not leak");
    const struct hr_error *cause = hr_last_error()->cause;
    return cause && strcmp(cause->message, "in a thread") == 0 ? arg : NULL;
}

TEST_PLAIN(outside_of_tasks_there_is_a_record_a_thread)
{
    pthread_t thread;
    void *good = NULL;
    hr_fail(-ENOENT, "mine");
    ASSERT_EQ(pthread_create(&thread, NULL, fail_in_a_thread, &good), 0);
    pthread_join(thread, &good);
    ASSERT_TRUE(good);
    ASSERT_STR(hr_last_error()->message, "mine");
    ASSERT_STR(hr_last_error()->task, "");
}
