/* SPDX-License-Identifier: MIT */
/*
 * Finding the bad rows: exactly those, whatever the server tells about them, and in few statements.
 */
#include "daemon/sink/isolate.h"

#include <string.h>

#include "tests/daemon/daemon_test.h"

#define ROWS_MAX 1000

enum naming {
    NAMES_NONE,  /* MySQL's 1062 */
    NAMES_FIRST, /* MariaDB */
    NAMES_LAST,  /* true, but not the first */
    NAMES_GOOD,  /* a row that nothing is wrong with */
    NAMES_WILD,  /* beyond the statement */
};

struct server {
    enum naming naming;
    size_t rows, n_bad;
    bool bad[ROWS_MAX];
    bool set_aside[ROWS_MAX];
    unsigned in[ROWS_MAX]; /* how often the row went in */
    int named;             /* of the last statement */
    unsigned statements, fatal_at;
    int fatal;  /* a code without a server's number; 0: a deadlock */
    bool ahead; /* what went ahead of the rows was refused, with an error that could be a row's */
};

static int name_row(const struct server *s, size_t from, size_t n)
{
    int first = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->bad[from + i]) {
            first = first ? first : (int)i + 1;
            last = (int)i + 1;
        }
    }
    if (!first)
        return 0;
    switch (s->naming) {
    case NAMES_FIRST:
        return first;
    case NAMES_LAST:
        return last;
    case NAMES_GOOD:
        return first > 1 ? 1 : (int)n;
    case NAMES_WILD:
        return (int)n + 1;
    default:
        return -1;
    }
}

static int send(void *arg, hr_mysql_tx *tx, size_t from, size_t n)
{
    struct server *s = arg;
    ASSERT_TRUE(n > 0 && from + n <= s->rows);
    if (++s->statements == s->fatal_at)
        return s->fatal ? s->fatal
                        : hr_fail_native(HR_EREPLY, 1213, "40001", NULL, true, "Deadlock found");
    s->named = name_row(s, from, n);
    if (s->named)
        return hr_fail_native(HR_EREPLY, 1406, "22001", NULL, true, "Data too long at %zu", from);
    for (size_t i = from; i < from + n; i++)
        s->in[i]++;
    return (int)n;
}

static int refused_row(void *arg, hr_mysql_tx *tx)
{
    struct server *s = arg;
    hr_fail(-EINVAL, "a record that must not be shown for the row");
    return s->named > 0 ? s->named : 0;
}

static bool refused_ahead(void *arg, hr_mysql_tx *tx)
{
    struct server *s = arg;
    return s->ahead;
}

static int refused(void *arg, size_t row, int code, const struct hr_error *error)
{
    struct server *s = arg;
    ASSERT_ERR(code, HR_EREPLY);
    ASSERT_EQ(error->native, 1406);
    ASSERT_FALSE(s->set_aside[row]);
    s->set_aside[row] = true;
    return 0;
}

static struct isolate isolate_of(struct server *s)
{
    return (struct isolate){
        .arg = s,
        .send = send,
        .refused_row = s->naming == NAMES_NONE ? NULL : refused_row,
        .refused = refused,
        .rows = s->rows,
    };
}

static void spoil(struct server *s, size_t rows, size_t n_bad, uint32_t *seed)
{
    s->rows = rows;
    for (s->n_bad = 0; s->n_bad < n_bad;) {
        size_t row = test_random(seed) % rows;
        s->n_bad += !s->bad[row];
        s->bad[row] = true;
    }
}

static unsigned statements_for(enum naming naming, size_t rows, size_t n_bad, uint32_t seed)
{
    struct server s = {.naming = naming};
    spoil(&s, rows, n_bad, &seed);
    struct isolate isolate = isolate_of(&s);
    ASSERT_ERR(isolate_send(&isolate, 0, rows), 0);
    for (size_t row = 0; row < rows; row++) {
        bool aside = naming == NAMES_GOOD ? s.set_aside[row] && s.bad[row] : s.set_aside[row];
        if (naming != NAMES_GOOD)
            ASSERT_EQ(aside, s.bad[row]);
        ASSERT_EQ(s.in[row] + s.set_aside[row], 1);
    }
    ASSERT_EQ(isolate.bad, naming == NAMES_GOOD ? isolate.bad : n_bad);
    ASSERT_EQ(isolate.statements, s.statements);
    return s.statements;
}

TEST(exactly_the_bad_rows_are_set_aside_and_each_good_one_goes_in_once)
{
    static const enum naming namings[] = {NAMES_NONE, NAMES_FIRST, NAMES_WILD};
    uint32_t seed = 7;
    for (int round = 0; round < 400; round++) {
        size_t rows = 1 + test_random(&seed) % 300;
        size_t n_bad = test_random(&seed) % (round % 4 ? rows / 8 + 1 : rows + 1);
        statements_for(namings[round % 3], rows, n_bad, test_random(&seed) | 1);
    }
}

TEST(a_named_row_costs_two_statements)
{
    ASSERT_EQ(statements_for(NAMES_FIRST, 1000, 0, 1), 1);
    for (uint32_t seed = 1; seed < 20; seed++) {
        ASSERT_TRUE(statements_for(NAMES_FIRST, 1000, 1, seed) <= 3);
        ASSERT_TRUE(statements_for(NAMES_FIRST, 1000, 5, seed) <= 11);
        ASSERT_TRUE(statements_for(NAMES_FIRST, 1000, 40, seed) <= 81);
    }
}

TEST(an_unnamed_row_costs_two_statements_for_each_halving)
{
    for (uint32_t seed = 1; seed < 20; seed++) {
        ASSERT_TRUE(statements_for(NAMES_NONE, 1000, 1, seed) <= 21);
        ASSERT_TRUE(statements_for(NAMES_NONE, 1000, 5, seed) <= 5 * 20 + 1);
    }
}

TEST(many_bad_rows_cost_little_more_than_a_statement_each)
{
    for (uint32_t seed = 1; seed < 5; seed++) {
        ASSERT_TRUE(statements_for(NAMES_FIRST, 1000, 500, seed) <= 1250);
        ASSERT_TRUE(statements_for(NAMES_NONE, 1000, 500, seed) <= 1250);
        ASSERT_TRUE(statements_for(NAMES_NONE, 1000, 1000, seed) <= 1250);
    }
}

TEST(an_error_that_is_not_about_a_row_ends_the_attempt_wherever_it_comes)
{
    for (unsigned at = 1; at <= 11; at++) {
        struct server s = {.naming = NAMES_FIRST, .fatal_at = at};
        uint32_t seed = 3;
        spoil(&s, 1000, 5, &seed);
        struct isolate isolate = isolate_of(&s);
        ASSERT_ERR(isolate_send(&isolate, 0, 1000), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1213);
        ASSERT_EQ(s.statements, at);
    }
}

TEST(a_task_that_is_cancelled_asks_nothing_more)
{
    struct server s = {.naming = NAMES_FIRST, .rows = 100, .fatal_at = 1, .fatal = -ECANCELED};
    struct isolate isolate = isolate_of(&s);
    ASSERT_ERR(isolate_send(&isolate, 0, 100), -ECANCELED);
    ASSERT_EQ(s.statements, 1);
}

TEST(a_refusal_of_what_went_ahead_sets_no_row_aside)
{
    for (size_t rows = 1; rows <= 2; rows++) {
        struct server s = {.naming = NAMES_FIRST, .rows = rows, .bad = {[0] = true}, .ahead = true};
        struct isolate isolate = isolate_of(&s);
        isolate.refused_ahead = refused_ahead;
        ASSERT_ERR(isolate_send(&isolate, 0, rows), HR_EREPLY);
        ASSERT_EQ(s.statements, 1);
        ASSERT_FALSE(s.set_aside[0]);
    }
}

static int refuse_all(void *arg, size_t row, int code, const struct hr_error *error)
{
    return hr_fail(-ENOMEM, "no memory");
}

static int cannot_ask(void *arg, hr_mysql_tx *tx)
{
    return hr_fail(HR_ELOST, "the connection was lost");
}

TEST(whoever_sets_aside_or_asks_may_end_the_attempt)
{
    struct server s = {.naming = NAMES_FIRST, .rows = 10, .bad = {[4] = true}};
    struct isolate isolate = isolate_of(&s);
    isolate.refused = refuse_all;
    ASSERT_ERR(isolate_send(&isolate, 0, 10), -ENOMEM);
    isolate = isolate_of(&s);
    isolate.refused_row = cannot_ask;
    ASSERT_ERR(isolate_send(&isolate, 0, 10), HR_ELOST);
}
