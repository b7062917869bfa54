/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client of a build without libcurl: each call says that it is missing, and leaves what it
 * was handed as it was.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/http.h"

static void assert_missing(ssize_t code)
{
    assert_int_equal(code, -ENOTSUP);
    assert_int_equal(hr_last_error()->code, -ENOTSUP);
    assert_non_null(strstr(hr_last_error()->message, "without libcurl"));
    (void)hr_fail(-EINVAL, "the next one writes a record of its own");
}

static void a_session_cannot_be_made_and_says_why(void **state)
{
    assert_null(hr_http_session_new(&(struct hr_http_options){0}));
    assert_missing(-ENOTSUP);
    assert_null(hr_http_session_new(NULL));
    assert_missing(-ENOTSUP);
}

static void what_talks_is_missing(void **state)
{
    static const struct hr_http_request request = {.url = "http://localhost/"};
    hr_http_response *response = NULL;
    const void *bytes = NULL;
    const char *text = NULL;
    size_t size = 7;
    uint64_t saved = 7;
    assert_missing(hr_http_send(NULL, &request, &response));
    assert_missing(hr_http_get(NULL, request.url, &response));
    assert_missing(hr_http_post(NULL, request.url, "text/plain", "x", 1, &response));
    assert_missing(hr_http_begin(NULL, &request, &response));
    assert_missing(hr_http_write(NULL, "x", 1));
    assert_missing(hr_http_finish(NULL));
    assert_missing(hr_http_read(NULL, &size, sizeof(size)));
    assert_missing(hr_http_bytes(NULL, &bytes, &size));
    assert_missing(hr_http_text(NULL, &text, &size));
    assert_missing(hr_http_save(NULL, "/nowhere", &saved));
    assert_missing(hr_http_clear_cookies(NULL));
    assert_true(!response && !bytes && !text && size == 7 && saved == 7);
}

static void what_looks_finds_nothing(void **state)
{
    struct hr_http_stats stats;
    const struct hr_http_stats none = {0};
    const char *name = "unchanged", *value = name;
    memset(&stats, 1, sizeof(stats));
    hr_http_get_stats(NULL, &stats);
    assert_memory_equal(&stats, &none, sizeof(stats));
    assert_int_equal(hr_http_status(NULL), 0);
    assert_null(hr_http_header(NULL, "Date"));
    assert_false(hr_http_header_at(NULL, 0, &name, &value));
    assert_string_equal(name, value);
    assert_string_equal(hr_http_url(NULL), "");
    assert_int_equal(hr_http_redirects(NULL), 0);
    assert_int_equal(hr_http_version(NULL), 0);
}

static void what_ends_has_nothing_to_do(void **state)
{
    hr_http_session *session = NULL;
    hr_http_response *response = NULL;
    hr_http_session_close(session);
    hr_http_session_freep(&session);
    hr_http_closep(&response);
    assert_null(hr_http_session_free(session));
    assert_null(hr_http_close(response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_cannot_be_made_and_says_why),
        cmocka_unit_test(what_talks_is_missing),
        cmocka_unit_test(what_looks_finds_nothing),
        cmocka_unit_test(what_ends_has_nothing_to_do),
    };
    return cmocka_run_group_tests_name("http without libcurl", tests, NULL, NULL);
}
