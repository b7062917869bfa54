/* SPDX-License-Identifier: MIT */
/*
 * What one request asks for is its own: handles are kept, and nothing of it shows in the next. The
 * server says what it was asked, word for word.
 */
#include <stdio.h>
#include <string.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

/* The same with a name and a password. */
static const char *signed_url(const char *path)
{
    static char text[256];
    snprintf(text, sizeof(text), "http://user:word@%s%s", rig.server.url + 7, path);
    return text;
}

static bool serve_echo(struct test_conn *conn)
{
    char text[6000];
    if (test_conn_asks(conn, "/hang"))
        return test_conn_until_gone(conn);
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(conn,
                             "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n",
                             signed_url("/landed"));
    if (test_conn_asks(conn, "/same")) /* no redirect, although it names a place */
        return test_conn_say(conn, "HTTP/1.1 304 Not Modified\r\nLocation: /landed\r\n\r\n");
    if (test_conn_asks(conn, "/see"))
        return test_conn_say(conn, "HTTP/1.1 303 See Other\r\nContent-Length: 0\r\n"
                                   "Location: /landed\r\n\r\n");
    snprintf(text, sizeof(text), "%s %s\n%s\n%.*s", conn->method, conn->path, conn->headers,
             (int)conn->body_size, conn->body);
    return test_conn_answer(conn, text);
}

#define REQUEST(path, ...)                                                                         \
    (struct hr_http_request)                                                                       \
    {                                                                                              \
        .url = rig_url(path), __VA_ARGS__                                                          \
    }

/* What the server was asked. */
static const char *ask(hr_http_session *session, const struct hr_http_request *request)
{
    static char said[8000];
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    ASSERT_ERR(hr_http_send(session, request, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    snprintf(said, sizeof(said), "%s", text);
    return said;
}

static void upload(hr_http_session *session)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    struct hr_http_request request = {.url = rig_url("/pieces"), .stream = true, .method = "PUT"};
    ASSERT_ERR(hr_http_begin(session, &request, &response), 0);
    ASSERT_ERR(hr_http_write(response, "piece", 5), 0);
    ASSERT_ERR(hr_http_finish(response), 0);
    ASSERT_ERR(hr_http_bytes(response, &(const void *){NULL}, NULL), 0);
}

TEST_REAL(s24_17_nothing_of_a_request_shows_in_the_next)
{
    static const char *const lines[] = {
        "Authorization: Bearer secret", "Cookie: a=secret", "User-Agent: another",
        "Accept-Encoding: br",          "X-Own: secret",    NULL};
    test_http_start(&rig.server, serve_echo);
    const struct hr_http_request asked[] = {
        REQUEST("/", .headers = lines),
        (struct hr_http_request){.url = signed_url("/")},
        REQUEST("/away"), /* to where a password is asked for */
        REQUEST("/", .body = "secret", .body_size = 6, .content_type = "text/secret"),
        REQUEST("/see", .body = "secret", .body_size = 6, .method = "PUT"),
        REQUEST("/same"),
        REQUEST("/", .method = "HEAD"),
        REQUEST("/", .method = "REPORT", .verify = HR_TLS_NONE),
        REQUEST("/hang", .total_timeout = hr_ms(1)),
        REQUEST("/hang", .total_timeout = hr_ms(1), .headers = lines),
    };
    const struct hr_http_request next[] = {
        REQUEST("/"),
        REQUEST("/see"),
        REQUEST("/", .method = "DELETE"),
        REQUEST("/", .body = "b", .body_size = 1),
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(next); i++) {
        hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
        char alone[8000];
        snprintf(alone, sizeof(alone), "%s", ask(session, &next[i]));
        ASSERT_TRUE(strstr(alone, "User-Agent: headrace\n"));
        ASSERT_TRUE(strstr(alone, "Accept-Encoding: deflate, gzip"));
        ASSERT_PTR(strstr(alone, "secret"), NULL);
        for (size_t k = 0; k < HR_ARRAY_LEN(asked); k++) {
            hr_auto(hr_http_closep) hr_http_response *response = NULL;
            int r = hr_http_send(session, &asked[k], &response);
            ASSERT_ERR(r, strstr(asked[k].url, "/hang") ? -ETIMEDOUT : 0);
            hr_http_closep(&response);
            ASSERT_STR(ask(session, &next[i]), alone);
        }
        upload(session);
        ASSERT_STR(ask(session, &next[i]), alone);
    }
    test_http_stop(&rig.server);
}

TEST_REAL(a_header_may_be_empty)
{
    static const char *const lines[] = {"X-Empty:", "X-Blank: \t ", "Accept: ", NULL};
    test_http_start(&rig.server, serve_echo);
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    const char *said = ask(session, &REQUEST("/", .headers = lines));
    ASSERT_TRUE(strstr(said, "\nX-Empty:\n"));
    ASSERT_TRUE(strstr(said, "\nX-Blank:\n"));
    ASSERT_TRUE(strstr(said, "\nAccept:\n"));
    hr_http_session_freep(&session);
    test_http_stop(&rig.server);
}

/* How often a text stands in another. */
static int count(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

TEST_REAL(a_request_says_who_asks_and_which_compressions_are_known_once)
{
    static const char *const lines[] = {"user-agent: mine", "accept-encoding: identity", NULL};
    test_http_start(&rig.server, serve_echo);
    struct hr_http_options options = {.user_agent = "crawler/1", .no_compression = true};
    hr_auto(hr_http_session_freep) hr_http_session *own = hr_http_session_new(&options);
    hr_auto(hr_http_session_freep) hr_http_session *plain = hr_http_session_new(NULL);
    options = (struct hr_http_options){.proxy = rig.server.url};
    hr_auto(hr_http_session_freep) hr_http_session *through = hr_http_session_new(&options);
    struct hr_http_request get = {.url = rig_url("/")},
                           special = {.url = rig_url("/"), .headers = lines};

    const char *said = ask(own, &get);
    ASSERT_EQ(count(said, "User-Agent: crawler/1\n"), 1);
    ASSERT_EQ(count(said, "Accept-Encoding"), 0);
    said = ask(plain, &special);
    ASSERT_EQ(count(said, "user-agent: mine\n") + count(said, "User-Agent"), 1);
    ASSERT_EQ(count(said, "accept-encoding: identity\n") + count(said, "Accept-Encoding"), 1);
    get.url = "http://elsewhere.invalid/"; /* which the proxy knows */
    said = ask(through, &get);
    ASSERT_TRUE(strstr(said, "GET http://elsewhere.invalid/\n") == said);
    ASSERT_EQ(count(said, "User-Agent: headrace\n"), 1);
    ASSERT_EQ(count(said, "Accept-Encoding: deflate, gzip"), 1);

    options = (struct hr_http_options){.user_agent = "a\r\nX: y"};
    ASSERT_PTR(hr_http_session_new(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    hr_http_session_freep(&own);
    hr_http_session_freep(&plain);
    hr_http_session_freep(&through);
    test_http_stop(&rig.server);
}

/* --- and nothing of a response in the next */

static bool serve_plainly(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/hang"))
        return test_conn_until_gone(conn);
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(conn, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nX-Far: yes\r\n"
                                   "Location: /odd\r\n\r\n");
    if (test_conn_asks(conn, "/odd"))
        return test_conn_say(conn, "HTTP/1.1 418 Odd\r\nX-Odd: yes\r\nContent-Type: text/plain; "
                                   "charset=latin1\r\nContent-Length: 1\r\n\r\n\xe4");
    if (strcmp(conn->method, "PUT") == 0) {
        char text[64];
        snprintf(text, sizeof(text), "%.*s", (int)conn->body_size, conn->body);
        return test_conn_answer(conn, text);
    }
    return test_conn_say(conn, "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 0\r\n\r\n");
}

static void assert_plain(const char *path)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *name, *value;
    const void *bytes;
    size_t size;
    ASSERT_ERR(hr_http_get(rig.session, rig_url(path), &response), 0);
    ASSERT_EQ(hr_http_status(response), 200);
    ASSERT_EQ(hr_http_redirects(response), 0);
    ASSERT_STR(hr_http_url(response), rig_url(path));
    ASSERT_TRUE(hr_http_header_at(response, 1, &name, &value));
    ASSERT_PTR(hr_http_header_at(response, 2, &name, &value) ? name : NULL, NULL);
    ASSERT_ERR(hr_http_bytes(response, &bytes, &size), 0);
    ASSERT_EQ(size, 0);
}

TEST_REAL(s24_17_nothing_of_a_response_shows_in_the_next)
{
    rig_begin(serve_plainly);
    for (int i = 0; i < 3; i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        const char *text;
        ASSERT_ERR(hr_http_get(rig.session, rig_url("/away"), &response), 0);
        ASSERT_EQ(hr_http_status(response), 418);
        ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
        ASSERT_STR(text, "\u00e4");
        hr_http_closep(&response);
        assert_plain("/");

        struct hr_http_request late = {.url = rig_url("/hang"), .total_timeout = hr_ms(1)};
        ASSERT_ERR(hr_http_send(rig.session, &late, &response), -ETIMEDOUT);
        assert_plain("/longer/than/the/one/before");

        struct hr_http_request put = {.url = rig_url("/"), .method = "PUT", .stream = true};
        ASSERT_ERR(hr_http_begin(rig.session, &put, &response), 0);
        ASSERT_ERR(hr_http_write(response, "never sent", 10), 0);
        hr_http_closep(&response);
        ASSERT_ERR(hr_http_begin(rig.session, &put, &response), 0);
        ASSERT_ERR(hr_http_write(response, "sent", 4), 0);
        ASSERT_ERR(hr_http_finish(response), 0);
        ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
        ASSERT_STR(text, "sent");
    }
    rig_end();
}

/* --- and connections are left alone between requests */

static bool serve_and_leave(struct test_conn *conn)
{
    test_conn_answer(conn, "bye");
    return false;
}

/* A kept connection that the server ends is news for nobody: it must not keep the loop awake. */
TEST_REAL(a_connection_that_ends_between_requests_keeps_nobody_awake)
{
    struct hr_loop_stats before, after;
    char text[8];
    rig_begin(serve_and_leave);
    for (int i = 1; i <= 3; i++) {
        ASSERT_ERR(rig_get("/", text, sizeof(text)), 0);
        while (rig.server.open > 0)
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        hr_loop_get_stats(hr_running_loop(), &before);
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
        hr_loop_get_stats(hr_running_loop(), &after);
        ASSERT_TRUE(after.passes - before.passes < 100);
        ASSERT_EQ(rig.server.connections, i);
    }
    rig_end();
}

TEST_REAL(a_session_keeps_its_texts_whatever_becomes_of_the_callers)
{
    char agent[] = "crawler/1", proxy[64];
    test_http_start(&rig.server, serve_echo);
    snprintf(proxy, sizeof(proxy), "%s", rig.server.url);
    hr_auto(hr_http_session_freep) hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.user_agent = agent, .proxy = proxy});
    memset(agent, 'x', sizeof(agent) - 1);
    memset(proxy, 'x', sizeof(proxy) - 1);
    const char *said = ask(session, &(struct hr_http_request){.url = "http://elsewhere.invalid/"});
    ASSERT_TRUE(strstr(said, "GET http://elsewhere.invalid/\n") == said);
    ASSERT_EQ(count(said, "User-Agent: crawler/1\n"), 1);
    hr_http_session_freep(&session);
    test_http_stop(&rig.server);
}
