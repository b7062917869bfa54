/* SPDX-License-Identifier: MIT */
/*
 * Outcomes as bytes: whatever the first owner decided, the second reads; damage is never believed.
 */
#include "daemon/outcome.h"

#include <string.h>

#include "daemon/hash.h"
#include "tests/daemon/daemon_test.h"

/* Failures of every kind and length, among items that went in. */
static struct batch *decided(size_t n, uint32_t seed)
{
    struct batch *batch = test_batch_of(n);
    for (size_t i = 0; i < n; i++) {
        uint32_t dice = test_random(&seed);
        struct failure failure;
        char text[300];
        memset(text, 'a' + (int)(dice % 26), sizeof(text));
        text[dice / 7 % sizeof(text)] = '\0';
        failure_set(&failure, "row", (int)(dice % 70000), "%s", text);
        failure_set_column(&failure, dice & 1 ? "größe" : NULL);
        failure_set_value(&failure, text, dice % sizeof(text));
        if (dice % 4 == 0)
            batch_fail(batch, i, FATE_DEAD, &failure);
        if (dice % 4 == 1)
            batch_fail(batch, i, FATE_RETRY, &failure);
        if (dice % 4 == 2)
            batch->items[i].fate = FATE_DROPPED;
        batch->items[i].delay = dice % 4 == 1 ? hr_ms(dice % 100000) : 0;
    }
    return batch;
}

static void assert_same(const struct item *is, const struct item *want)
{
    bool failed = want->fate == FATE_DEAD || want->fate == FATE_RETRY;
    ASSERT_EQ(is->fate, failed ? want->fate : FATE_LIVE);
    ASSERT_EQ(is->delay, want->delay);
    if (!failed)
        return;
    ASSERT_EQ(is->failure->code, want->failure->code);
    ASSERT_STR(is->failure->error_class, want->failure->error_class);
    ASSERT_STR(is->failure->message, want->failure->message);
    ASSERT_STR(is->failure->column, want->failure->column);
    ASSERT_STR(is->failure->value, want->failure->value);
}

TEST(what_one_owner_decided_the_next_one_reads)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        hr_auto(batch_freep) struct batch *first = decided(60, seed);
        hr_auto(batch_freep) struct batch *second = test_batch_of(60);
        hr_auto(outcome_done) struct outcome outcome = {0};
        bool split = true;
        ASSERT_ERR(outcome_encode(&outcome, first, false), 0);
        ASSERT_ERR(outcome_decode(outcome.data, outcome.len, second, &split), 0);
        ASSERT_FALSE(split);
        for (size_t i = 0; i < 60; i++)
            assert_same(&second->items[i], &first->items[i]);
    }
}

TEST(when_nothing_failed_there_is_nothing_to_remember)
{
    hr_auto(batch_freep) struct batch *batch = test_batch("a\nb\nc");
    hr_auto(outcome_done) struct outcome outcome = {0};
    struct failure failure;
    bool split = true;
    batch->items[1].fate = FATE_DROPPED;
    batch->items[2].fate = FATE_DUPLICATE;
    ASSERT_ERR(outcome_encode(&outcome, batch, false), 0);
    ASSERT_EQ(outcome.len, 0);
    failure_set(&failure, "row", 1, "an attempt that did not go in");
    batch_fail(batch, 0, FATE_DEAD, &failure);
    ASSERT_ERR(outcome_decode(NULL, 0, batch, &split), 0);
    ASSERT_FALSE(split);
    ASSERT_EQ(batch_count(batch, FATE_LIVE), 3);
}

TEST(a_split_is_an_outcome_of_its_own)
{
    hr_auto(batch_freep) struct batch *batch = decided(10, 3);
    hr_auto(outcome_done) struct outcome outcome = {0};
    bool split = false;
    ASSERT_ERR(outcome_encode(&outcome, batch, true), 0);
    ASSERT_ERR(outcome_decode(outcome.data, outcome.len, batch, &split), 0);
    ASSERT_TRUE(split);
    ASSERT_EQ(batch_count(batch, FATE_LIVE), 10);
}

static void assert_every_damage_is_refused(struct outcome *outcome, struct batch *batch)
{
    bool split;
    for (size_t len = 1; len < outcome->len; len++) {
        char *cut = malloc(len); /* its own size, so that reading beyond it is seen */
        ASSERT_TRUE(cut);
        memcpy(cut, outcome->data, len);
        ASSERT_ERR(outcome_decode(cut, len, batch, &split), -EBADMSG);
        free(cut);
    }
    for (size_t i = 0; i < outcome->len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            outcome->data[i] = (char)(outcome->data[i] ^ (1 << bit));
            ASSERT_ERR(outcome_decode(outcome->data, outcome->len, batch, &split), -EBADMSG);
            outcome->data[i] = (char)(outcome->data[i] ^ (1 << bit));
        }
    }
    ASSERT_ERR(outcome_decode(outcome->data, outcome->len, batch, &split), 0);
}

TEST(every_damaged_bit_and_every_missing_byte_is_refused)
{
    for (int split = 0; split < 2; split++) {
        hr_auto(batch_freep) struct batch *batch = decided(5, 9);
        hr_auto(outcome_done) struct outcome outcome = {0};
        ASSERT_ERR(outcome_encode(&outcome, batch, split), 0);
        ASSERT_TRUE(outcome.len > 0);
        assert_every_damage_is_refused(&outcome, batch);
    }
}

/* The outcome of a batch whose first item is to be tried again after so long, as anybody might have
 * written it: the check holds. */
static size_t forge(uint64_t delay_ms, char *ret)
{
    size_t len = 0;
    ret[len++] = 1;
    ret[len++] = 0;
    ret[len++] = 'R';
    for (; delay_ms > 0x7f; delay_ms >>= 7)
        ret[len++] = (char)(delay_ms | 0x80);
    ret[len++] = (char)delay_ms;
    memset(ret + len, 0, 5);
    len += 5;
    struct hash hash = {0};
    hash_add(&hash, ret, len);
    for (size_t i = 0; i < 8; i++)
        ret[len++] = (char)(hash.value >> (8 * i));
    return len;
}

TEST(a_delay_that_no_clock_can_hold_is_refused_or_is_for_ever)
{
    hr_auto(batch_freep) struct batch *batch = test_batch_of(1);
    bool split;
    char bytes[64];
    ASSERT_ERR(outcome_decode(bytes, forge(1500, bytes), batch, &split), 0);
    ASSERT_EQ(batch->items[0].delay, hr_ms(1500));
    ASSERT_ERR(outcome_decode(bytes, forge(INT64_MAX, bytes), batch, &split), 0);
    ASSERT_EQ(batch->items[0].delay, HR_FOREVER);
    ASSERT_ERR(outcome_decode(bytes, forge(UINT64_MAX, bytes), batch, &split), -EBADMSG);
}

TEST(the_outcome_of_a_larger_batch_is_refused)
{
    hr_auto(batch_freep) struct batch *large = test_batch_of(3);
    hr_auto(batch_freep) struct batch *small = test_batch_of(2);
    hr_auto(outcome_done) struct outcome outcome = {0};
    struct failure failure;
    bool split;
    failure_set(&failure, "row", 1406, "too long");
    batch_fail(large, 2, FATE_DEAD, &failure);
    ASSERT_ERR(outcome_encode(&outcome, large, false), 0);
    ASSERT_ERR(outcome_decode(outcome.data, outcome.len, small, &split), -EBADMSG);
}
