/* SPDX-License-Identifier: MIT */
/*
 * The envelope: it comes back as it was, and damage of any byte is seen.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/envelope.h"

static struct envelope sample(void)
{
    struct envelope e = {.id = "0123456789abcdef0123456789abcdef:999",
                         .attempts = 3,
                         .first_seen = 1763698207123,
                         .payload = "{\"a\":\0\xff}",
                         .payload_len = 8};
    failure_set(&e.error, "transient", 1213, "Deadlock found");
    failure_set_column(&e.error, "note");
    failure_set_value(&e.error, "\xc3\xa9", 2);
    return e;
}

static void it_comes_back_as_it_was(void **state)
{
    struct envelope e = sample(), back;
    char bytes[4096];
    assert_true(envelope_size(&e) <= sizeof bytes);
    size_t len = envelope_encode(&e, bytes);
    assert_true(len <= envelope_size(&e));
    assert_int_equal(envelope_decode(bytes, len, &back), 0);
    assert_string_equal(back.id, e.id);
    assert_int_equal(back.attempts, 3);
    assert_true(back.first_seen == e.first_seen);
    assert_string_equal(back.error.error_class, "transient");
    assert_int_equal(back.error.code, 1213);
    assert_string_equal(back.error.message, "Deadlock found");
    assert_string_equal(back.error.column, "note");
    assert_string_equal(back.error.value, "\xc3\xa9");
    assert_int_equal(back.payload_len, 8);
    assert_memory_equal(back.payload, e.payload, 8);
}

static void an_empty_one_comes_back_too(void **state)
{
    struct envelope e = {.payload = ""}, back = sample();
    char bytes[4096];
    assert_int_equal(envelope_decode(bytes, envelope_encode(&e, bytes), &back), 0);
    assert_string_equal(back.id, "");
    assert_string_equal(back.error.error_class, "");
    assert_int_equal(back.payload_len, 0);
}

static void damage_is_refused(void **state)
{
    struct envelope e = sample(), back;
    char bytes[4096];
    size_t len = envelope_encode(&e, bytes);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            assert_int_equal(envelope_decode(bytes, len, &back), -EBADMSG);
            bytes[i] ^= (char)(1 << bit);
        }
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(envelope_decode(bytes, cut, &back), -EBADMSG);
    bytes[len] = 0;
    assert_int_equal(envelope_decode(bytes, len + 1, &back), -EBADMSG);
    assert_int_equal(envelope_decode("{\"raw\":\"item\",\"long\":\"enough\"}", 31, &back),
                     -EBADMSG);
    assert_int_equal(envelope_decode(bytes, len, &back), 0);
}

int test_envelope(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(it_comes_back_as_it_was),
        ITEM_TEST(an_empty_one_comes_back_too),
        ITEM_TEST(damage_is_refused),
    };
    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
