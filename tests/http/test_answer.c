/* SPDX-License-Identifier: MIT */
/*
 * What an answer says: its headers, without those of answers before it, and its body as text.
 */
#include <stdio.h>
#include <string.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

static const char *type; /* of the next answer, or NULL */
static const char *body;

static bool serve_text(struct test_conn *conn)
{
    return test_conn_say(conn, "HTTP/1.1 200 OK\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
                         type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "",
                         strlen(body), body);
}

/* By their charset; then characters of each length, the first and the last; then what is longer
 * than need be, surrogates, beyond the last, cut off and out of place. */
TEST_REAL(text_is_utf_8_whatever_it_came_as)
{
    static const struct {
        const char *type, *body, *text; /* NULL: it is none */
    } table[] = {
        {NULL,                                           "\xc3\xa9",         "\xc3\xa9" },
        {NULL,                                           "\xe9!",            NULL       },
        {"text/plain",                                   "\xc3\xa9",         "\xc3\xa9" },
        {"text/plain; charset=utf8",                     "\xc3\xa9",         "\xc3\xa9" },
        {"text/plain; charset=UTF-8",                    "\xe9",             NULL       },
        {"text/plain; charset=\"utf-8\"",                "\xc3\xa9",         "\xc3\xa9" },
        {"text/plain; charset=ISO-8859-1",               "\xe9!",            "\xc3\xa9!"},
        {"text/plain;charset=iso8859-1",                 "\xff",             "\xc3\xbf" },
        {"text/plain; level=1; CHARSET=latin1; x=y",     "\x80",             "\xc2\x80" },
        {"text/plain; charset=\"Latin-1\"; x",           "\xe9",             "\xc3\xa9" },
        {"text/plain; charset=us-ascii",                 "plain",            "plain"    },
        {"text/plain; charset=ASCII",                    "\xc3\xa9",         NULL       },
        {"text/plain; charset=koi8-r",                   "plain",            NULL       },
        {"text/plain; charset=utf-8-and-something-else", "plain",            NULL       },
        {NULL,                                           "\xc2\x80\xdf\xbf", ""         },
        {NULL,                                           "\xe0\xa0\x80",     ""         },
        {NULL,                                           "\xed\x9f\xbf",     ""         },
        {NULL,                                           "\xef\xbf\xbf",     ""         },
        {NULL,                                           "\xf0\x90\x80\x80", ""         },
        {NULL,                                           "\xf4\x8f\xbf\xbf", ""         },
        {NULL,                                           "\xc0\xaf",         NULL       },
        {NULL,                                           "\xc1\xbf",         NULL       },
        {NULL,                                           "\xe0\x9f\xbf",     NULL       },
        {NULL,                                           "\xf0\x8f\xbf\xbf", NULL       },
        {NULL,                                           "\xed\xa0\x80",     NULL       },
        {NULL,                                           "\xed\xbf\xbf",     NULL       },
        {NULL,                                           "\xf4\x90\x80\x80", NULL       },
        {NULL,                                           "\xf5\x80\x80\x80", NULL       },
        {NULL,                                           "\xf8\x90\x80\x80", NULL       },
        {NULL,                                           "\xc3",             NULL       },
        {NULL,                                           "\xe2\x82",         NULL       },
        {NULL,                                           "\xe2\x82!",        NULL       },
        {NULL,                                           "\xf0\x9f\xc3\xa9", NULL       },
        {NULL,                                           "\x80",             NULL       },
        {NULL,                                           "\xff",             NULL       },
    };
    rig_begin(serve_text);
    for (size_t i = 0; i < HR_ARRAY_LEN(table); i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        const char *text, *again;
        size_t size;
        type = table[i].type;
        body = table[i].body;
        ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), 0);
        int r = hr_http_text(response, &text, &size);
        const char *expected = table[i].text;
        if (r != (expected ? 0 : -EILSEQ))
            test_fail(__FILE__, __LINE__, "text %zu is %s", i, hr_error_name(r));
        if (!expected)
            continue;
        if (!expected[0])
            expected = body;
        ASSERT_STR(text, expected);
        ASSERT_EQ(size, strlen(expected));
        ASSERT_ERR(hr_http_text(response, &again, NULL), 0);
        ASSERT_PTR(again, text);
    }
    type = "text/plain; charset=koi8-r";
    body = "";
    char text[8];
    ASSERT_ERR(rig_get("/", text, sizeof(text)), -EILSEQ);
    ASSERT_TRUE(strstr(hr_last_error()->message, "not known: koi8-r"));
    rig_end();
}

static bool serve_lines(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(conn, "HTTP/1.1 302 Found\r\nX-Before: 1\r\nLocation: /\r\n"
                                   "Content-Length: 0\r\n\r\n");
    return test_conn_say(conn, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                               "HTTP/1.1 200 OK\r\n"
                               "X-Blanks: \t a  b \t \r\n"
                               "X-Empty:\r\n"
                               "X-Lines: one\r\n   two\r\n\tthree\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n"
                               "2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n");
}

TEST_REAL(headers_are_those_of_the_last_answer)
{
    static const char *const others[] = {"x-before", "location", "content-length",
                                         "x-early",  "x-late",   "x-blank"};
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *name, *value, *text;
    rig_begin(serve_lines);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/away"), &response), 0);
    ASSERT_EQ(hr_http_status(response), 200);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "ok");
    ASSERT_STR(hr_http_header(response, "x-blanks"), "a  b");
    ASSERT_STR(hr_http_header(response, "x-empty"), "");
    ASSERT_STR(hr_http_header(response, "x-lines"), "one two three");
    for (size_t i = 0; i < HR_ARRAY_LEN(others); i++)
        ASSERT_PTR(hr_http_header(response, others[i]), NULL);
    ASSERT_TRUE(hr_http_header_at(response, 3, &name, &value));
    ASSERT_STR(name, "Transfer-Encoding");
    ASSERT_FALSE(hr_http_header_at(response, 4, &name, &value));
    hr_http_closep(&response);
    rig_end();
}

static bool serve_another_language(struct test_conn *conn)
{
    test_conn_say(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chess\r\n"
                        "Connection: Upgrade\r\n\r\ne2-e4");
    return false;
}

TEST_REAL(a_server_that_goes_on_in_another_language_has_answered)
{
    static const char *const lines[] = {"Connection: Upgrade", "Upgrade: chess", NULL};
    rig_begin(serve_another_language);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    struct hr_http_request request = {.url = rig_url("/"), .headers = lines};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    ASSERT_EQ(hr_http_status(response), 101);
    ASSERT_STR(hr_http_header(response, "upgrade"), "chess");
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "e2-e4");
    hr_http_closep(&response);
    rig_end();
}

static bool serve_half(struct test_conn *conn)
{
    test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n");
    return false;
}

TEST_REAL(a_server_that_leaves_among_its_headers_has_not_answered)
{
    rig_begin(serve_half);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    rig_end();
}

/* As if the body came, which for HEAD and for some answers it never does. */
static bool serve_heads(struct test_conn *conn)
{
    if (strcmp(conn->method, "HEAD") == 0)
        return test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    if (test_conn_asks(conn, "/same"))
        return test_conn_say(conn, "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n");
    if (test_conn_asks(conn, "/none"))
        return test_conn_say(conn, "HTTP/1.1 204 No Content\r\n\r\n");
    return test_conn_answer(conn, "next");
}

TEST_REAL(an_answer_without_a_body_ends_with_its_headers)
{
    static const struct {
        const char *method, *path;
        int status;
    } table[] = {
        {"HEAD", "/",     200},
        {"GET",  "/same", 304},
        {"GET",  "/none", 204}
    };
    char text[8];
    rig_begin(serve_heads, .read_timeout = test_patience(hr_seconds(2)));
    for (size_t i = 0; i < HR_ARRAY_LEN(table); i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        struct hr_http_request request = {.method = table[i].method, .url = rig_url(table[i].path)};
        ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
        ASSERT_EQ(hr_http_status(response), table[i].status);
        ASSERT_EQ(hr_http_read(response, text, sizeof(text)), 0);
        ASSERT_ERR(rig_get("/", text, sizeof(text)), 0);
        ASSERT_STR(text, "next");
    }
    ASSERT_EQ(rig.server.connections, 1);
    rig_end();
}

static bool serve_odd_line(struct test_conn *conn)
{
    return test_conn_say(conn, "HTTP/1.1 200 OK\r\n continued: 1\r\nContent-Length: 0\r\n\r\n");
}

TEST_REAL(a_line_that_continues_none_is_no_http)
{
    rig_begin(serve_odd_line);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), -EBADMSG);
    rig_end();
}

static bool serve_old(struct test_conn *conn)
{
    test_conn_say(conn, "HTTP/1.0 200 OK\r\n\r\nold");
    return false;
}

TEST_REAL(an_answer_says_which_http_was_spoken)
{
    rig_begin(serve_old);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), 0);
    ASSERT_EQ(hr_http_version(response), 10);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "old");
    hr_http_closep(&response);
    rig_end();
}
