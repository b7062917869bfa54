/* SPDX-License-Identifier: MIT */
/*
 * Limiters, semantics 14.17, and limits a key.
 */
#include "core/limiter.h"

#include "core/key_limiter.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

struct loaner {
    hr_limiter *limiter;
    int result;
    hr_usec at;
};

static int borrow_a_while(void *arg)
{
    struct loaner *l = arg;
    l->result = hr_limiter_acquire(l->limiter, l);
    l->at = test_clock_now();
    int r = l->result < 0 ? l->result : hr_sleep(hr_ms(10));
    if (l->result == 0)
        ASSERT_ERR(hr_limiter_release(l->limiter, l), 0);
    return r;
}

static void borrow_all(hr_limiter *limiter, struct loaner *loaners, hr_task **tasks, int n)
{
    for (int i = 0; i < n; i++) {
        loaners[i] = (struct loaner){.limiter = limiter, .result = 1};
        tasks[i] = hr_create_task(NULL, borrow_a_while, &loaners[i]);
    }
    test_passes(2);
}

TEST(s14_17_a_limiter_counts_what_each_borrower_holds)
{
    hr_limiter *limiter = hr_limiter_new(2);
    int a, b;
    ASSERT_ERR(hr_limiter_acquire(limiter, &a), 0);
    ASSERT_EQ(hr_limiter_borrowed(limiter), 1);
    ASSERT_ERR(hr_limiter_acquire(limiter, &a), -EBUSY); /* though there is one left */
    ASSERT_ERR(hr_limiter_release(limiter, &b), -EINVAL);
    ASSERT_ERR(hr_limiter_acquire(limiter, NULL), 0); /* the task itself */
    ASSERT_ERR(hr_limiter_acquire(limiter, NULL), -EBUSY);
    ASSERT_ERR(hr_limiter_release(limiter, NULL), 0);
    ASSERT_ERR(hr_limiter_release(limiter, &a), 0);
    ASSERT_ERR(hr_limiter_release(limiter, &a), -EINVAL);
    ASSERT_EQ(hr_limiter_borrowed(limiter), 0);
    hr_limiter_free(limiter);
}

TEST(s14_17_borrowers_are_served_in_order_and_a_cancelled_one_passes_its_token_on)
{
    hr_limiter *limiter = hr_limiter_new(1);
    struct loaner loaners[4];
    hr_task *tasks[4];
    borrow_all(limiter, loaners, tasks, 4);
    ASSERT_ERR(hr_limiter_acquire(limiter, &loaners[2]), -EBUSY); /* it waits for one */
    ASSERT_ERR(hr_limiter_release(limiter, &loaners[2]), -EINVAL);
    ASSERT_ERR(hr_join(tasks[0]), 0); /* the next has been called */
    hr_task_cancel(tasks[1], NULL);
    ASSERT_ERR(hr_join(tasks[1]), -ECANCELED);
    ASSERT_ERR(hr_join(tasks[2]), 0);
    ASSERT_ERR(hr_join(tasks[3]), 0);
    ASSERT_EQ(loaners[2].at, hr_ms(10));
    ASSERT_EQ(loaners[3].at, hr_ms(20));
    ASSERT_EQ(hr_limiter_borrowed(limiter), 0);
    hr_limiter_free(limiter);
}

TEST(s14_11_s14_17_one_cancelled_in_the_instant_it_was_called_passes_its_token_on)
{
    hr_limiter *limiter = hr_limiter_new(1);
    ASSERT_ERR(hr_limiter_acquire(limiter, NULL), 0);
    struct loaner first = {.limiter = limiter}, second = first;
    hr_task *a = hr_create_task(NULL, borrow_a_while, &first);
    hr_task *b = hr_create_task(NULL, borrow_a_while, &second);
    test_passes(1);
    ASSERT_ERR(hr_limiter_release(limiter, NULL), 0); /* calls the first */
    hr_task_cancel(a, NULL);
    ASSERT_ERR(hr_join(a), -ECANCELED);
    ASSERT_ERR(first.result, -ECANCELED);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ(hr_limiter_borrowed(limiter), 0);
    hr_limiter_free(limiter);
}

TEST(s14_17_the_number_of_tokens_can_change)
{
    hr_limiter *limiter = hr_limiter_new(0);
    struct loaner loaners[3];
    hr_task *tasks[3];
    borrow_all(limiter, loaners, tasks, 3);
    ASSERT_EQ(loaners[0].result, 1);
    hr_limiter_set_tokens(limiter, 2);
    ASSERT_EQ(hr_limiter_tokens(limiter), 2);
    test_passes(1);
    ASSERT_EQ(hr_limiter_borrowed(limiter), 2);
    hr_limiter_set_tokens(limiter, 1);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_EQ(loaners[2].at, hr_ms(10));
    hr_limiter_free(limiter);
}

struct visit {
    hr_key_limiter *limiter;
    const char *host;
    hr_usec at;
};

static int visit(void *arg)
{
    struct visit *v = arg;
    int r = hr_key_limiter_acquire(v->limiter, v->host);
    if (r < 0)
        return r;
    v->at = test_clock_now();
    r = hr_sleep(hr_ms(10));
    ASSERT_ERR(hr_key_limiter_release(v->limiter, v->host), 0);
    return r;
}

TEST(a_limit_a_key_holds_up_only_those_with_the_same_key)
{
    hr_key_limiter *limiter = hr_key_limiter_new(2);
    struct visit visits[] = {
        {limiter, "a", -1},
        {limiter, "a", -1},
        {limiter, "a", -1},
        {limiter, "b", -1},
    };
    hr_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = hr_create_task(NULL, visit, &visits[i]);
    test_passes(1);
    ASSERT_EQ(hr_key_limiter_keys(limiter), 2);
    for (int i = 0; i < 4; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_EQ(visits[1].at, 0);
    ASSERT_EQ(visits[2].at, hr_ms(10));
    ASSERT_EQ(visits[3].at, 0);
    ASSERT_EQ(hr_key_limiter_keys(limiter), 0);
    ASSERT_ERR(hr_key_limiter_release(limiter, "a"), -EINVAL);
    hr_key_limiter_free(limiter);
    ASSERT_PTR(hr_key_limiter_new(0), NULL);
}

TEST(a_cancelled_visitor_of_a_key_leaves_nothing_behind)
{
    hr_key_limiter *limiter = hr_key_limiter_new(1);
    struct visit first = {limiter, "a", -1}, second = first, third = first;
    hr_task *a = hr_create_task(NULL, visit, &first);
    hr_task *b = hr_create_task(NULL, visit, &second);
    hr_task *c = hr_create_task(NULL, visit, &third);
    test_passes(1);
    hr_task_cancel(b, NULL);
    ASSERT_ERR(hr_join(b), -ECANCELED);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(c), 0);
    ASSERT_EQ(third.at, hr_ms(10));
    ASSERT_EQ(hr_key_limiter_keys(limiter), 0);
    hr_key_limiter_free(limiter);
}

TEST(many_keys_are_kept_apart)
{
    hr_key_limiter *limiter = hr_key_limiter_new(1);
    char key[16];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ASSERT_ERR(hr_key_limiter_acquire(limiter, key), 0);
    }
    ASSERT_EQ(hr_key_limiter_keys(limiter), 500);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ASSERT_ERR(hr_key_limiter_release(limiter, key), 0);
    }
    ASSERT_EQ(hr_key_limiter_keys(limiter), 0);
    hr_key_limiter_free(limiter);
}

TEST(a_release_of_nobodys_turn_leaves_the_waiter_its_own)
{
    hr_key_limiter *limiter = hr_key_limiter_new(1);
    struct visit waiting = {limiter, "a", -1};
    ASSERT_ERR(hr_key_limiter_acquire(limiter, "a"), 0);
    hr_task *task = hr_create_task(NULL, visit, &waiting);
    test_passes(1);
    ASSERT_ERR(hr_key_limiter_release(limiter, "a"), 0);
    ASSERT_ERR(hr_key_limiter_release(limiter, "a"), -EINVAL); /* it was called and has not run */
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_EQ(hr_key_limiter_keys(limiter), 0);
    hr_key_limiter_free(limiter);
}

static int hold_both(hr_limiter *limiter, hr_key_limiter *keys, int code)
{
    hr_auto(hr_limiter_releasep) struct hr_loan loan = {0};
    hr_auto(hr_key_limiter_releasep) struct hr_key_turn turn = {0};
    ASSERT_ERR(hr_limiter_hold(limiter, NULL, &loan), 0);
    ASSERT_ERR(hr_limiter_hold(limiter, NULL, &(struct hr_loan){0}), -EBUSY);
    ASSERT_ERR(hr_key_limiter_hold(keys, "host", &turn), 0);
    ASSERT_EQ(hr_limiter_borrowed(limiter), 1);
    ASSERT_EQ(hr_key_limiter_keys(keys), 1);
    return code;
}

TEST(s14_7_s14_17_a_loan_and_a_turn_are_given_back_on_every_way_out)
{
    hr_auto(hr_limiter_freep) hr_limiter *limiter = hr_limiter_new(1);
    hr_auto(hr_key_limiter_freep) hr_key_limiter *keys = hr_key_limiter_new(1);
    for (int i = -1; i < 2; i++) {
        ASSERT_ERR(hold_both(limiter, keys, i), i);
        ASSERT_EQ(hr_limiter_borrowed(limiter), 0);
        ASSERT_EQ(hr_key_limiter_keys(keys), 0);
    }
}
