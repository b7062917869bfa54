/* SPDX-License-Identifier: MIT */
/*
 * Secrets in dead letters for the log: blanked by name at any depth, and where an error quotes
 * them.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/redact.h"

static const char *const names[] = {"password", "token"};
static const struct redact both = {names, 2};

/* The letter of a payload after redaction. */
static struct deadletter blanked(const char *payload, const char *column, const char *message,
                                 const char *value)
{
    struct deadletter d = {.payload = payload, .payload_len = strlen(payload)};
    failure_set(&d.error, "row", 1406, "%s", message);
    failure_set_column(&d.error, column);
    failure_set_value(&d.error, value, strlen(value));
    assert_int_equal(redact_letter(&both, arena, true, &d), 0);
    return d;
}

static void assert_payload(const struct deadletter *d, const char *want)
{
    assert_int_equal(d->payload_len, strlen(want));
    assert_memory_equal(d->payload, want, d->payload_len);
}

static void fields_of_these_names_are_blanked_at_any_depth(void **state)
{
    struct deadletter d =
        blanked("{\"a\": 1.10, \"Password\": \"x\", \"l\": [{\"token\": 7}]}", "a", "m", "");
    assert_payload(&d,
                   "{\"a\":1.10,\"Password\":\"[redacted]\",\"l\":[{\"token\":\"[redacted]\"}]}");
    assert_string_equal(d.error.message, "m");
    d = blanked("{\"token\": {\"a\": [\"x\", null, true]}}", "", "m", "");
    assert_payload(&d, "{\"token\":{\"a\":[\"[redacted]\",null,\"[redacted]\"]}}");
}

static void what_holds_no_secret_stays_as_it_is(void **state)
{
    struct deadletter d = blanked("{ \"a\":  \"my token\" }", "a", "too long", "my token");
    assert_payload(&d, "{ \"a\":  \"my token\" }");
    assert_string_equal(d.error.message, "too long");
    assert_string_equal(d.error.value, "my token");
    d = blanked("{broken", "", "not JSON", "");
    assert_payload(&d, "{broken");
}

static void an_error_about_a_secret_or_quoting_one_is_blanked(void **state)
{
    struct deadletter d = blanked("{}", "user.token", "but is \"s3cret\"", "s3cret");
    assert_null(strstr(d.error.message, "s3cret"));
    assert_string_equal(d.error.value, "[redacted]");
    /* By the value, as the column has another name. */
    d = blanked("{\"password\": \"s3cret\"}", "pw", "Duplicate entry 's3cret'", "s3cret");
    assert_null(strstr(d.error.message, "s3cret"));
    assert_string_equal(d.error.value, "[redacted]");
}

static void what_cannot_be_read_is_blanked_whole_where_a_name_stands(void **state)
{
    struct deadletter d = blanked("{\"PassWord\": \"s3cr", "", "not JSON", "");
    assert_payload(&d, "[redacted]");
}

static void without_names_and_for_raw_items_nothing_is_looked_at(void **state)
{
    struct deadletter d = {.payload = "{\"token\":1", .payload_len = 10};
    assert_int_equal(redact_letter(&both, arena, false, &d), 0);
    assert_payload(&d, "{\"token\":1");
    assert_int_equal(redact_letter(&(struct redact){NULL, 0}, arena, true, &d), 0);
    assert_payload(&d, "{\"token\":1");
}

int test_redact(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(fields_of_these_names_are_blanked_at_any_depth),
        ITEM_TEST(what_holds_no_secret_stays_as_it_is),
        ITEM_TEST(an_error_about_a_secret_or_quoting_one_is_blanked),
        ITEM_TEST(what_cannot_be_read_is_blanked_whole_where_a_name_stands),
        ITEM_TEST(without_names_and_for_raw_items_nothing_is_looked_at),
    };
    return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}
