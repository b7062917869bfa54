/* SPDX-License-Identifier: MIT */
/*
 * Batches: their digest names their content, envelopes open, an attempt can be taken back.
 */
#include "daemon/batch.h"

#include <string.h>

#include "tests/daemon/daemon_test.h"

TEST(lines_are_items_and_the_last_newline_ends_none)
{
    static const struct {
        const char *text;
        size_t n, last_len;
    } cases[] = {
        {"a",        1, 1},
        {"a\n",      1, 1},
        {"a\n\nbc",  3, 2},
        {"\n",       1, 0},
        {"a\nb\n\n", 3, 0}
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_auto(batch_freep) struct batch *batch = test_batch(cases[i].text);
        ASSERT_EQ(batch->n, cases[i].n);
        ASSERT_EQ(batch->items[batch->n - 1].len, cases[i].last_len);
        ASSERT_EQ(batch->items[0].payload[0], cases[i].text[0]);
    }
}

static uint64_t digest_of(size_t n, const char *const entries[])
{
    size_t lens[4];
    for (size_t i = 0; i < n; i++)
        lens[i] = strlen(entries[i]);
    hr_auto(batch_freep) struct batch *batch = test_batch_of_entries(0, n, entries, lens);
    return batch->digest;
}

TEST(a_digest_tells_other_content_order_and_borders)
{
    uint64_t digest = digest_of(3, (const char *[]){"ab", "c", "d"});
    ASSERT_TRUE(digest == digest_of(3, (const char *[]){"ab", "c", "d"}));
    ASSERT_TRUE(digest != digest_of(3, (const char *[]){"a", "bc", "d"}));
    ASSERT_TRUE(digest != digest_of(3, (const char *[]){"c", "ab", "d"}));
    ASSERT_TRUE(digest != digest_of(4, (const char *[]){"ab", "c", "d", ""}));
    ASSERT_TRUE(digest != digest_of(2, (const char *[]){"ab", "c"}));
    hr_auto(batch_freep) struct batch *lines = test_batch("ab\nc\nd\n");
    ASSERT_TRUE(digest == lines->digest);
}

/* An envelope as bytes in ret; how many. */
static size_t enclose(const char *payload, char ret[1024])
{
    struct envelope envelope = {
        .id = "some:7",
        .attempts = 4,
        .first_seen = 1234,
        .payload = payload,
        .payload_len = strlen(payload),
    };
    failure_set(&envelope.error, "unknown", 4242, "strange");
    ASSERT_TRUE(envelope_size(&envelope) <= 1024);
    return envelope_encode(&envelope, ret);
}

TEST(the_first_entries_are_envelopes_and_raw_items_never)
{
    char bytes[1024];
    size_t len = enclose("retried", bytes);
    const char *const entries[] = {bytes, bytes, "raw"};
    const size_t lens[] = {len, len, 3};
    hr_auto(batch_freep) struct batch *batch = test_batch_of_entries(1, 3, entries, lens);
    char id[ENVELOPE_ID_MAX];

    ASSERT_EQ(batch->items[0].len, 7);
    ASSERT_EQ(memcmp(batch->items[0].payload, "retried", 7), 0);
    ASSERT_EQ(batch_attempts(batch, 0), 4);
    ASSERT_EQ(batch_first_seen(batch, 0), 1234);
    batch_item_id(batch, 0, id);
    ASSERT_STR(id, "some:7");

    ASSERT_EQ(batch->items[1].len, len);
    ASSERT_EQ(batch_attempts(batch, 1), 0);
    ASSERT_EQ(batch_first_seen(batch, 1), batch->seen);
    batch_item_id(batch, 1, id);
    ASSERT_STR(id, TEST_ID ":1");
}

TEST(a_damaged_envelope_is_a_dead_item_that_shows_its_bytes)
{
    const char *const entries[] = {"no envelope", "raw"};
    const size_t lens[] = {11, 3};
    hr_auto(batch_freep) struct batch *batch = test_batch_of_entries(1, 2, entries, lens);
    ASSERT_EQ(batch->items[0].fate, FATE_DEAD);
    ASSERT_STR(batch->items[0].failure->error_class, "decode");
    ASSERT_EQ(batch->items[0].len, 11);
    ASSERT_EQ(batch->items[1].fate, FATE_LIVE);
}

TEST(more_envelopes_than_entries_are_no_more_than_entries)
{
    char bytes[1024];
    size_t len = enclose("x", bytes);
    hr_auto(batch_freep) struct batch *batch =
        test_batch_of_entries(9, 1, (const char *[]){bytes}, (size_t[]){len});
    ASSERT_EQ(batch->n_envelopes, 1);
    ASSERT_EQ(batch->items[0].len, 1);
}

TEST(a_rewind_takes_back_what_the_sink_decided_and_nothing_else)
{
    hr_auto(batch_freep) struct batch *batch = test_batch("a\nb\nc\nd");
    struct failure failure;
    failure_set(&failure, "expect", 0, "no");
    batch_fail(batch, 0, FATE_DEAD, &failure);
    batch->items[1].fate = FATE_DROPPED;
    batch_settle(batch);
    failure_set(&failure, "row", 1406, "too long");
    batch_fail(batch, 2, FATE_RETRY, &failure);
    batch->items[2].delay = hr_seconds(1);
    batch->items[3].fate = FATE_DUPLICATE;

    batch_rewind(batch);
    ASSERT_EQ(batch->items[0].fate, FATE_DEAD);
    ASSERT_STR(batch->items[0].failure->error_class, "expect");
    ASSERT_EQ(batch->items[1].fate, FATE_DROPPED);
    ASSERT_EQ(batch->items[2].fate, FATE_LIVE);
    ASSERT_EQ(batch->items[2].delay, 0);
    ASSERT_PTR(batch->items[2].failure, NULL);
    ASSERT_EQ(batch->items[3].fate, FATE_LIVE);
}

TEST(nothing_is_begun_with_a_batch_whose_lease_may_be_over)
{
    hr_auto(batch_freep) struct batch *batch = test_batch("a");
    batch->until = hr_boottime() + hr_seconds(60);
    ASSERT_FALSE(batch_expired(batch));
    batch->stale = true;
    ASSERT_TRUE(batch_expired(batch));
    batch->stale = false;
    batch->until = hr_boottime();
    ASSERT_TRUE(batch_expired(batch));
}

TEST(parts_of_a_batch_are_its_items_as_they_are)
{
    struct failure failure;
    failure_set(&failure, "row", 1406, "too long");
    hr_auto(batch_freep) struct batch *whole = test_batch("a\nbb\nccc\n");
    batch_fail(whole, 1, FATE_DEAD, &failure);
    batch_settle(whole);
    hr_auto(batch_freep) struct batch *one = batch_part(whole, 0, 0, 1);
    hr_auto(batch_freep) struct batch *two = batch_part(whole, 1, 1, 2);
    ASSERT_EQ(one->n, 1);
    ASSERT_EQ(two->n, 2);
    ASSERT_EQ(two->bytes, 5);
    ASSERT_TRUE(strcmp(one->id, two->id) != 0 && strcmp(one->id, whole->id) != 0);
    ASSERT_EQ(one->items[0].fate, FATE_LIVE);
    ASSERT_EQ(two->items[0].fate, FATE_DEAD);
    ASSERT_EQ(two->items[0].failure->code, 1406);
    ASSERT_EQ(memcmp(two->items[1].payload, "ccc", 3), 0);
    batch_settle(two);
    batch_fail(two, 1, FATE_DEAD, &failure);
    batch_rewind(two);
    ASSERT_EQ(two->items[0].fate, FATE_DEAD);
    ASSERT_EQ(two->items[1].fate, FATE_LIVE);
}
