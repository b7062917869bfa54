/* SPDX-License-Identifier: MIT */
/*
 * How it works: a loan is in the table from the moment it is asked for, so that a borrower who
 * waits is known, too. Who is called out of the line has its token already.
 */
#include "core/limiter.h"

#include "core/error_impl.h"
#include "core/loop_impl.h"

#define BUCKETS 64

struct loan {
    struct hr_list link; /* in its bucket */
    const void *borrower;
    bool out; /* else waited for */
};

struct hr_limiter {
    unsigned tokens, out;
    struct hr__line line;
    struct hr_list buckets[BUCKETS];
};

hr_limiter *hr_limiter_new(unsigned tokens)
{
    hr_limiter *limiter = malloc(sizeof(*limiter));
    if (!limiter) {
        hr_fail(-ENOMEM, "no memory for a limiter");
        return NULL;
    }
    limiter->tokens = tokens;
    limiter->out = 0;
    hr__line_init(&limiter->line);
    for (size_t i = 0; i < BUCKETS; i++)
        hr_list_init(&limiter->buckets[i]);
    return limiter;
}

hr_limiter *hr_limiter_free(hr_limiter *limiter)
{
    if (limiter && limiter->out > 0)
        hr__misused("hr_limiter_free(): tokens are out; give them back first");
    if (limiter && !hr__line_empty(&limiter->line))
        hr__misused("hr_limiter_free(): tasks wait for a token; let them end first");
    free(limiter);
    return NULL;
}

void hr_limiter_freep(hr_limiter **limiter)
{
    *limiter = hr_limiter_free(*limiter);
}

static struct hr_list *bucket_of(hr_limiter *limiter, const void *borrower)
{
    return &limiter->buckets[((uintptr_t)borrower >> 4) % BUCKETS];
}

static struct loan *find(hr_limiter *limiter, const void *borrower)
{
    hr_list_foreach (node, bucket_of(limiter, borrower)) {
        struct loan *loan = hr_list_entry(node, struct loan, link);
        if (loan->borrower == borrower)
            return loan;
    }
    return NULL;
}

static void loan_free(struct loan *loan)
{
    hr_list_remove(&loan->link);
    free(loan);
}

/* Calls those for whom there is a token, which is theirs from now on. */
static void hand_out(hr_limiter *limiter)
{
    while (limiter->out < limiter->tokens && hr__line_call(&limiter->line, 0))
        limiter->out++;
}

static int take(hr_limiter *limiter)
{
    if (limiter->out < limiter->tokens) { /* nobody waits then */
        limiter->out++;
        return 0;
    }
    bool ours;
    int r = hr__line_wait(&limiter->line, "a limiter", &ours);
    if (r < 0 && ours) {
        limiter->out--;
        hand_out(limiter);
    }
    return r;
}

int hr_limiter_acquire(hr_limiter *limiter, const void *borrower)
{
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "limiter: borrowed from outside of a task");
    borrower = borrower ? borrower : hr_current_task();
    if (find(limiter, borrower))
        return hr_fail(-EBUSY, "limiter: the borrower has a token, or waits for one");
    struct loan *loan = malloc(sizeof(*loan));
    if (!loan)
        return hr_fail(-ENOMEM, "no memory for a loan");
    *loan = (struct loan){.borrower = borrower};
    hr_list_append(bucket_of(limiter, borrower), &loan->link);
    int r = take(limiter);
    if (r < 0)
        loan_free(loan);
    else
        loan->out = true;
    return r;
}

int hr_limiter_release(hr_limiter *limiter, const void *borrower)
{
    borrower = borrower ? borrower : hr_current_task();
    struct loan *loan = find(limiter, borrower);
    if (!loan || !loan->out)
        return hr_fail(-EINVAL, "limiter: given back what was not borrowed");
    loan_free(loan);
    limiter->out--;
    hand_out(limiter);
    return 0;
}

int hr_limiter_hold(hr_limiter *limiter, const void *borrower, struct hr_loan *ret)
{
    borrower = borrower ? borrower : hr_current_task();
    int r = hr_limiter_acquire(limiter, borrower);
    if (r == 0)
        *ret = (struct hr_loan){limiter, borrower};
    return r;
}

void hr_limiter_releasep(struct hr_loan *loan)
{
    if (loan->limiter)
        hr_limiter_release(hr_take(loan->limiter), loan->borrower);
}

void hr_limiter_set_tokens(hr_limiter *limiter, unsigned tokens)
{
    limiter->tokens = tokens;
    hand_out(limiter);
}

unsigned hr_limiter_tokens(const hr_limiter *limiter)
{
    return limiter->tokens;
}

unsigned hr_limiter_borrowed(const hr_limiter *limiter)
{
    return limiter->out;
}
