/* SPDX-License-Identifier: MIT */
/*
 * What a failure says to people: which request it was, what bound it met, and where in the program
 * it was asked; and of errno only what is this request's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

/* The record says this, and is about the line that stands before this one. */
#define ASSERT_SAID(...)                                                                           \
    do {                                                                                           \
        char said[256], place[48];                                                                 \
        snprintf(said, sizeof(said), __VA_ARGS__);                                                 \
        snprintf(place, sizeof(place), "test_said.c:%d", __LINE__ - 1);                            \
        ASSERT_STR(hr_last_error()->message, said);                                                \
        ASSERT_STR(hr_last_error()->place, place);                                                 \
    } while (0)

static bool serve_bytes(struct test_conn *conn)
{
    return test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\xff\xfe\xfd\xfc\xfb");
}

TEST_REAL(a_body_that_is_no_text_or_too_long_is_so_by_its_request)
{
    rig_begin(serve_bytes, .max_body = 5);
    hr_auto(hr_http_closep) hr_http_response *response = NULL, *other = NULL;
    const char *text;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/photo"), &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), -EILSEQ);
    ASSERT_SAID("GET %s: the body is no text in utf-8", rig_url("/photo"));
    rig_end();

    const void *bytes;
    rig_begin(serve_bytes, .max_body = 4);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/photo"), &other), 0);
    ASSERT_ERR(hr_http_bytes(other, &bytes, NULL), -EMSGSIZE);
    ASSERT_SAID("GET %s: the body is longer than max_body, 4 bytes", rig_url("/photo"));
    rig_end();
}

TEST_REAL(a_name_that_is_not_found_has_no_errno_of_an_earlier_request)
{
    rig_begin(serve_bytes);
    hr_http_response *response = NULL;
    char gone[80];
    snprintf(gone, sizeof(gone), "%s", rig_url("/"));
    ASSERT_ERR(hr_http_get(rig.session, gone, &response), 0);
    response = hr_http_close(response);
    test_http_stop(&rig.server);
    ASSERT_ERR(hr_http_get(rig.session, gone, &response), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, ECONNREFUSED);
    ASSERT_ERR(hr_http_get(rig.session, "http://name..none/", &response), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, 0);
    hr_http_session_free(rig.session);
}
