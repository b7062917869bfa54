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
    if (test_conn_asks(conn, "/short"))
        return !test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour");
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

TEST_REAL(reading_and_saving_are_asked_for_where_the_caller_stands)
{
    rig_begin(serve_bytes);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char bytes[8];
    static const char broken[] = "GET %s: transfer closed with 1 bytes remaining to read";
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/short"), &response), 0);
    ASSERT_EQ(hr_http_read(response, bytes, sizeof(bytes)), 4);
    ASSERT_EQ(hr_http_read(response, bytes, sizeof(bytes)), -EBADMSG);
    ASSERT_SAID(broken, rig_url("/short"));
    ASSERT_ERR(hr_http_save(response, "/tmp/hr-http-never", NULL), -EBADMSG);
    ASSERT_SAID(broken, rig_url("/short"));
    rig_end();
}

/* What answers at a port of the other kind, as far as it answers at all. */
static bool serve_alert(struct test_conn *conn)
{
    return !test_conn_send(conn, "\x15\x03\x01\x00\x02\x02\x46", 7);
}

static int get_securely(void *url)
{
    hr_http_response *response = NULL;
    return hr_http_get(rig.session, url, &response);
}

TEST_REAL(who_asks_a_port_by_the_wrong_scheme_is_told)
{
    static const char plain[] =
        "GET %s: the answer is no HTTP: a port that wants TLS is asked by https://";
    static const char refused[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    hr_http_response *response = NULL;
    char url[64];
    rig_begin(serve_alert);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), -EBADMSG);
    ASSERT_SAID(plain, rig_url("/"));

    snprintf(url, sizeof(url), "https%s/", strchr(rig.server.url, ':'));
    hr_task *task = hr_create_task("get", get_securely, url);
    while (rig.server.open < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    struct test_conn *conn = hr_list_entry(rig.server.conns.prev, struct test_conn, link);
    ASSERT_TRUE(test_conn_send(conn, refused, sizeof(refused) - 1));
    ASSERT_ERR(hr_join(task), -EPROTO);
    char said[192];
    snprintf(said, sizeof(said),
             "GET %s: no TLS is spoken there: ask by http://, or at the port of https://", url);
    ASSERT_STR(hr_last_error()->message, said);
    ASSERT_FALSE(hr_last_error()->sent);
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
