/* SPDX-License-Identifier: MIT */
/*
 * Dead letters: the object people and tools read, whatever the payload was.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/deadletter.h"

static struct deadletter sample(const char *payload, size_t len)
{
    struct deadletter d = {.job = "orders",
                           .host = "db1",
                           .id = "00ff:7",
                           .attempts = 2,
                           .first_seen = 1763698207123,
                           .last_seen = 1763698208000,
                           .payload = payload,
                           .payload_len = len};
    failure_set(&d.error, "row", 1406, "Data too long for column 'note'");
    failure_set_column(&d.error, "note");
    failure_set_value(&d.error, "xyz", 3);
    return d;
}

static const char *letter(const struct deadletter *d)
{
    const char *text;
    size_t len;
    assert_int_equal(deadletter_write(arena, d, &text, &len), 0);
    char *ended = arena_alloc(arena, len + 1);
    assert_non_null(ended);
    memcpy(ended, text, len);
    ended[len] = 0;
    return ended;
}

static void it_is_one_object_that_says_all(void **state)
{
    struct deadletter d = sample("{\"a\":\"\xc3\xa9\"}", 10);
    assert_string_equal(
        letter(&d),
        "{\"job\":\"orders\",\"id\":\"00ff:7\",\"payload\":\"{\\\"a\\\":\\\"\xc3\xa9\\\"}\","
        "\"error\":{\"class\":\"row\",\"code\":1406,\"message\":\"Data too long for column "
        "'note'\",\"column\":\"note\",\"value\":\"xyz\"},\"attempts\":2,"
        "\"first_seen\":\"2025-11-21T04:10:07.123Z\",\"last_seen\":\"2025-11-21T04:10:08.000Z\","
        "\"host\":\"db1\"}");
    failure_set(&d.error, "decode", 0, "not JSON: empty");
    d.payload = "";
    d.payload_len = 0;
    d.first_seen = 0;
    assert_string_equal(letter(&d),
                        "{\"job\":\"orders\",\"id\":\"00ff:7\",\"payload\":\"\",\"error\":{"
                        "\"class\":\"decode\",\"message\":\"not JSON: empty\"},\"attempts\":2,"
                        "\"last_seen\":\"2025-11-21T04:10:08.000Z\",\"host\":\"db1\"}");
}

static void every_payload_comes_back(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *encoded;
    } cases[] = {
        {"",             0, "\"payload\":\"\""               },
        {"a\0b",         3, "\"payload\":\"a\\u0000b\""      },
        {"\xff",         1, "\"payload_base64\":\"/w==\""    },
        {"\xff\xfe",     2, "\"payload_base64\":\"//4=\""    },
        {"\xff\xfe\xfd", 3, "\"payload_base64\":\"//79\""    },
        {"\xff\0\1\2",   4, "\"payload_base64\":\"/wABAg==\""},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct deadletter d = sample(cases[i].bytes, cases[i].len), back;
        const char *text = letter(&d);
        assert_non_null(strstr(text, cases[i].encoded));
        assert_int_equal(deadletter_read(arena, text, strlen(text), &back, &why), 0);
        assert_int_equal(back.payload_len, cases[i].len);
        assert_memory_equal(back.payload, cases[i].bytes, cases[i].len);
        assert_string_equal(back.id, d.id);
        assert_string_equal(back.job, "orders");
        assert_string_equal(back.host, "db1");
        assert_true(back.first_seen == d.first_seen && back.last_seen == d.last_seen);
        assert_int_equal(back.attempts, 2);
        assert_int_equal(back.error.code, 1406);
        assert_string_equal(back.error.message, d.error.message);
        assert_string_equal(back.error.column, "note");
    }
}

static void a_frame_makes_one_with_the_payload_apart(void **state)
{
    struct deadletter d = sample(NULL, 0), back;
    const char *before, *after;
    assert_int_equal(deadletter_frame(arena, &d, &before, &after), 0);
    char text[2000] = "";
    strcat(text, before);
    strcat(text, "\"id\":\"00ff:7\",\"payload_bytes\":307200,\"payload_at\":\"00ff:7\"");
    strcat(text, after);
    assert_int_equal(deadletter_read(arena, text, strlen(text), &back, &why), 0);
    assert_null(back.payload);
    assert_true(back.payload_bytes == 307200);
    assert_string_equal(back.payload_at, "00ff:7");
    assert_string_equal(back.error.error_class, "row");
    assert_string_equal(back.job, "orders");
}

static void texts_that_are_not_utf8_are_repaired(void **state)
{
    struct deadletter d = sample("x", 1);
    d.host = "h\xff";
    memcpy(d.error.message, "\xe9", 2);
    const char *text = letter(&d);
    assert_non_null(strstr(text, "\"host\":\"h\xef\xbf\xbd\""));
    assert_non_null(strstr(text, "\"message\":\"\xef\xbf\xbd\""));
}

static void what_is_no_dead_letter_is_refused(void **state)
{
    static const char *const texts[] = {"x",
                                        "[]",
                                        "{}",
                                        "{\"id\":5}",
                                        "\"id\"",
                                        "{\"id\":\"a\",\"payload_base64\":\"/w=\"}",
                                        "{\"id\":\"a\",\"payload_base64\":\"/?==\"}",
                                        "{\"id\":\"a\",\"payload_base64\":\"=abc\"}"};
    struct deadletter d;
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_int_equal(deadletter_read(arena, texts[i], strlen(texts[i]), &d, &why), -EBADMSG);
    static const char odd[] =
        "{\"id\":\"a\",\"error\":5,\"attempts\":\"x\",\"job\":[],\"code\":1.5}";
    assert_int_equal(deadletter_read(arena, odd, strlen(odd), &d, &why), 0);
    assert_string_equal(d.job, "");
    assert_int_equal(d.attempts, 0);
}

int test_deadletter(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(it_is_one_object_that_says_all),
        ITEM_TEST(every_payload_comes_back),
        ITEM_TEST(a_frame_makes_one_with_the_payload_apart),
        ITEM_TEST(texts_that_are_not_utf8_are_repaired),
        ITEM_TEST(what_is_no_dead_letter_is_refused),
    };
    return cmocka_run_group_tests_name("dead letter", tests, NULL, NULL);
}
