/* SPDX-License-Identifier: MIT */
/*
 * Sessions, semantics 24.1 to 24.5, 24.8 and 24.10: connections kept, turns, cookies, redirects.
 */
#include <stdio.h>
#include <string.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

static hr_http_session *session_with(struct hr_http_options options)
{
    hr_http_session *session = hr_http_session_new(&options);
    ASSERT_TRUE(session);
    return session;
}

#define SESSION(...) session_with((struct hr_http_options){__VA_ARGS__})

/* Gets a path and compares the text. */
static void says_in(hr_http_session *session, const char *path, const char *expected)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    ASSERT_ERR(hr_http_get(session, rig_url(path), &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, expected);
}

static void says(const char *path, const char *expected)
{
    says_in(rig.session, path, expected);
}

/* In which order turns were taken, as the server saw it. */
static int came[8];
static size_t came_count;

static bool serve_plain(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/hang"))
        return test_conn_until_gone(conn);
    if (test_conn_asks(conn, "/long")) {
        test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst");
        return test_conn_until_gone(conn);
    }
    if (test_conn_asks(conn, "/missing"))
        return test_conn_say(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n"
                                   "X-Two: a\r\nx-two: b\r\n\r\ngone");
    if (test_conn_asks(conn, "/bye")) {
        test_conn_say(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye");
        return false;
    }
    if (sscanf(conn->path, "/turn/%d", &came[came_count]) == 1)
        came_count++;
    if (strncmp(conn->path, "/turn", 5) == 0 && hr_sleep(hr_ms(20)) < 0)
        return false;
    return test_conn_answer(conn, conn->path);
}

TEST_REAL(s24_1_a_session_is_a_scope_and_closes_twice)
{
    test_http_start(&rig.server, serve_plain);
    {
        hr_auto(hr_http_session_freep) hr_http_session *session = SESSION();
        hr_http_response *response = NULL;
        says_in(session, "/a", "/a");
        hr_http_session_close(session);
        hr_http_session_close(session);
        ASSERT_ERR(hr_http_get(session, rig_url("/a"), &response), HR_ECLOSED);
        ASSERT_PTR(response, NULL);
    }
    for (int i = 0; rig.server.open > 0; i++) {
        ASSERT_TRUE(i < 1000);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    test_http_stop(&rig.server);
}

TEST_REAL(s24_1_what_could_not_be_made_says_nothing)
{
    struct hr_http_options key_only = {.tls.key = "key.pem"};
    struct hr_http_stats stats = {.requests = 1};
    hr_http_session *session = hr_http_session_new(&key_only);
    const char *name = NULL, *value = NULL;
    ASSERT_PTR(session, NULL);
    ASSERT_ERR(hr_http_clear_cookies(session), -EINVAL);
    hr_http_get_stats(session, &stats);
    hr_http_session_close(session);
    ASSERT_EQ(stats.requests, 0);
    ASSERT_EQ(hr_http_status(NULL), 0);
    ASSERT_EQ(hr_http_redirects(NULL), 0);
    ASSERT_EQ(hr_http_version(NULL), 0);
    ASSERT_STR(hr_http_url(NULL), "");
    ASSERT_PTR(hr_http_header(NULL, "date"), NULL);
    ASSERT_FALSE(hr_http_header_at(NULL, 0, &name, &value));
}

static int get_hanging(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    return hr_http_get(rig.session, rig_url("/hang"), &response);
}

TEST_REAL(s24_1_closing_ends_what_is_under_way_and_who_waits)
{
    rig_begin(serve_plain, .limit = 1);
    hr_task *first = hr_create_task("first", get_hanging, NULL);
    hr_task *second = hr_create_task("second", get_hanging, NULL);
    while (rig.server.requests < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    struct hr_http_stats stats;
    hr_http_get_stats(rig.session, &stats);
    ASSERT_EQ(stats.under_way, 1);
    ASSERT_EQ(stats.waiting, 1);
    hr_http_session_freep(&rig.session);
    ASSERT_ERR(hr_join(first), HR_ECLOSED);
    ASSERT_ERR(hr_join(second), HR_ECLOSED);
    ASSERT_EQ(rig.server.requests, 1);
    test_http_stop(&rig.server);
}

TEST_REAL(s24_2_a_response_has_status_headers_text_and_bytes)
{
    rig_begin(serve_plain);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text, *name, *value;
    const void *bytes;
    size_t size;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/missing"), &response), 0);
    ASSERT_EQ(hr_http_status(response), 404); /* no error of the call */
    ASSERT_STR(hr_http_header(response, "CONTENT-length"), "4");
    ASSERT_STR(hr_http_header(response, "X-TWO"), "a");
    ASSERT_PTR(hr_http_header(response, "x-three"), NULL);
    ASSERT_TRUE(hr_http_header_at(response, 2, &name, &value));
    ASSERT_STR(name, "x-two");
    ASSERT_STR(value, "b");
    ASSERT_FALSE(hr_http_header_at(response, 3, &name, &value));
    ASSERT_EQ(hr_http_version(response), 11);
    ASSERT_STR(hr_http_url(response), rig_url("/missing"));
    ASSERT_ERR(hr_http_text(response, &text, &size), 0);
    ASSERT_STR(text, "gone");
    ASSERT_EQ(size, 4);
    ASSERT_ERR(hr_http_bytes(response, &bytes, &size), 0); /* and again */
    ASSERT_STR(bytes, "gone");
    hr_http_closep(&response);
    says("/next", "/next");
    ASSERT_EQ(rig.server.connections, 1); /* it was given back */
    rig_end();
}

static int get_slow(void *arg)
{
    says("/turn", "/turn");
    return 0;
}

TEST_REAL(s24_3_three_requests_take_as_long_as_one)
{
    rig_begin(serve_plain);
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&tasks, hr_create_task(NULL, get_slow, NULL));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    ASSERT_EQ(rig.server.most_under_way, 3);
    rig_end();
}

TEST_REAL(s24_4_a_connection_is_kept_when_both_sides_allow_it)
{
    rig_begin(serve_plain);
    for (int i = 0; i < 5; i++)
        says("/again", "/again");
    ASSERT_EQ(rig.server.connections, 1);
    says("/bye", "bye"); /* the server does not */
    says("/again", "/again");
    ASSERT_EQ(rig.server.connections, 2);

    hr_auto(hr_http_closep) hr_http_response *unread = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/long"), &unread), 0);
    hr_http_closep(&unread); /* the body was not read to its end */
    says("/again", "/again");
    ASSERT_EQ(rig.server.connections, 3);
    rig_end();
}

/* The second request of a connection is taken and never answered: the client's side cannot know
 * whether it was done. */
static bool serve_once(struct test_conn *conn)
{
    return conn->request < 2 && test_conn_answer(conn, "once");
}

TEST_REAL(s24_4_what_may_not_be_done_twice_is_not_sent_again)
{
    rig_begin(serve_once);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    says("/", "once");
    ASSERT_ERR(hr_http_post(rig.session, rig_url("/"), NULL, "pay", 3, &response), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(rig.server.requests, 2);
    says("/", "once");
    says("/", "once"); /* lost as well, and sent again by itself */
    ASSERT_EQ(rig.server.requests, 5);
    struct hr_http_request request = {.url = rig_url("/"), .method = "PATCH", .body = ""};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), HR_ELOST);
    ASSERT_EQ(rig.server.requests, 6);
    says("/", "once");
    request.idempotent = true;
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    ASSERT_EQ(rig.server.requests, 9);
    hr_http_closep(&response);
    rig_end();
}

static int take_turn(void *number)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char own[128]; /* until it is its turn */
    const void *bytes;
    snprintf(own, sizeof(own), "%s/turn/%d", rig.server.url, *(int *)number);
    int r = hr_http_get(rig.session, own, &response);
    return r < 0 ? r : hr_http_bytes(response, &bytes, NULL);
}

static void keep_the_limit(struct hr_http_options options, unsigned limit)
{
    rig_begin_with(serve_plain, options);
    static const int expected[] = {0, 1, 2, 3, 5, 6, 7};
    int numbers[8];
    hr_task *tasks[8];
    came_count = 0;
    for (int i = 0; i < 8; i++) {
        numbers[i] = i;
        tasks[i] = hr_create_task(NULL, take_turn, &numbers[i]);
    }
    while (rig.server.requests < limit)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task_cancel(tasks[4], NULL); /* one that waits: those behind move up */
    for (int i = 0; i < 8; i++)
        ASSERT_ERR(hr_join(tasks[i]), i == 4 ? -ECANCELED : 0);
    ASSERT_EQ(rig.server.most_under_way, limit);
    ASSERT_TRUE(rig.server.most <= limit);
    ASSERT_EQ(rig.server.requests, 7);
    for (size_t i = 0; i < HR_ARRAY_LEN(expected); i += limit) { /* in rounds, which may race */
        for (size_t j = i; j < i + limit && j < HR_ARRAY_LEN(expected); j++)
            ASSERT_TRUE(came[j] >= expected[i] && came[j] <= expected[i] + (int)limit);
    }
    struct hr_http_stats stats;
    hr_http_get_stats(rig.session, &stats);
    ASSERT_EQ(stats.under_way, 0);
    ASSERT_EQ(stats.waiting, 0);
    rig_end();
}

TEST_REAL(s24_5_the_limit_in_total_is_kept_in_order)
{
    keep_the_limit((struct hr_http_options){.limit = 2}, 2);
}

TEST_REAL(s24_5_the_limit_a_host_is_kept_in_order)
{
    keep_the_limit((struct hr_http_options){.limit = 6, .limit_per_host = 2}, 2);
}

static int get_held(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    return hr_http_get(rig.session, rig_url("/turn/9"), &response);
}

TEST_REAL(s24_5_who_leaves_while_he_waits_gives_his_turn_at_the_host_back)
{
    rig_begin(serve_plain, .limit = 1, .limit_per_host = 1, .total_timeout = hr_seconds(5));
    hr_auto(hr_http_closep) hr_http_response *held = NULL;
    char elsewhere[128];
    snprintf(elsewhere, sizeof(elsewhere), "http://localhost:%s/long",
             strrchr(rig.server.url, ':') + 1);
    ASSERT_ERR(hr_http_get(rig.session, elsewhere, &held), 0); /* the only turn, at another host */
    hr_task *task = hr_create_task("get", get_held, NULL);
    ASSERT_ERR(hr_yield(), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    hr_http_closep(&held);
    says("/next", "/next");
    rig_end();
}

static bool serve_authorization(struct test_conn *conn)
{
    return test_conn_answer(conn, test_conn_header(conn, "authorization"));
}

TEST_REAL(a_password_in_a_url_is_for_that_request_alone)
{
    rig_begin(serve_authorization);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    char own[128];
    snprintf(own, sizeof(own), "http://user:word@127.0.0.1:%s/", strrchr(rig.server.url, ':') + 1);
    ASSERT_ERR(hr_http_get(rig.session, own, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "Basic dXNlcjp3b3Jk");
    hr_http_closep(&response);
    says("/", "");
    rig_end();
}

static bool serve_cookies(struct test_conn *conn)
{
    bool away = test_conn_asks(conn, "/login-and-go");
    if (away || test_conn_asks(conn, "/login"))
        return test_conn_say(conn,
                             "HTTP/1.1 %s\r\nLocation: /\r\nContent-Length: 0\r\n"
                             "Set-Cookie: all=1; Path=/\r\n"
                             "Set-Cookie: some=2; Path=/private\r\n\r\n",
                             away ? "303 See Other" : "200 OK");
    return test_conn_answer(conn, test_conn_header(conn, "cookie"));
}

TEST_REAL(s24_8_cookies_are_kept_for_a_host_and_path)
{
    rig_begin(serve_cookies);
    hr_auto(hr_http_session_freep) hr_http_session *other = SESSION();
    hr_auto(hr_http_session_freep) hr_http_session *none = SESSION(.no_cookies = true);
    hr_auto(hr_http_closep) hr_http_response *elsewhere = NULL;
    const char *text;
    char localhost[128];
    says("/login", "");
    says_in(none, "/login", "");
    says("/", "all=1");
    says("/private/x", "some=2; all=1");
    says_in(other, "/", ""); /* nor for others */
    says_in(none, "/", "");
    snprintf(localhost, sizeof(localhost), "http://localhost:%s/",
             strrchr(rig.server.url, ':') + 1);
    ASSERT_ERR(hr_http_get(rig.session, localhost, &elsewhere), 0);
    ASSERT_ERR(hr_http_text(elsewhere, &text, NULL), 0);
    ASSERT_STR(text, "");
    ASSERT_ERR(hr_http_clear_cookies(rig.session), 0);
    says("/", "");
    says("/login-and-go", "all=1"); /* which the redirect has set */
    hr_http_closep(&elsewhere);
    rig_end();
}

static bool serve_redirects(struct test_conn *conn)
{
    int left, code;
    if (sscanf(conn->path, "/down/%d", &left) == 1 && left > 0)
        return test_conn_say(conn,
                             "HTTP/1.1 302 Found\r\nLocation: /down/%d\r\n"
                             "Content-Length: 4\r\n\r\nskip",
                             left - 1);
    if (sscanf(conn->path, "/code/%d", &code) == 1)
        return test_conn_say(
            conn, "HTTP/1.1 %d There\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n", code);
    if (test_conn_asks(conn, "/file"))
        return test_conn_say(conn, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                                   "Content-Length: 0\r\n\r\n");
    char text[128];
    snprintf(text, sizeof(text), "%s %.*s", conn->method, (int)conn->body_size, conn->body);
    return test_conn_answer(conn, text);
}

static void answer_after(const char *method, int code, const char *expected)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char path[32];
    const char *text;
    snprintf(path, sizeof(path), "/code/%d", code);
    struct hr_http_request request = {
        .method = method, .url = rig_url(path), .body = "body", .body_size = 4};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, expected);
    ASSERT_STR(hr_http_url(response), rig_url("/end"));
}

static void answer_to_pieces(const char *method, int code, size_t size, const char *expected)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char path[32];
    const char *text;
    snprintf(path, sizeof(path), "/code/%d", code);
    struct hr_http_request request = {
        .method = method, .url = rig_url(path), .stream = true, .body_size = size};
    ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_write(response, "body", 4), 0);
    ASSERT_ERR(hr_http_finish(response), expected ? 0 : HR_ELOST);
    if (!expected)
        return;
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, expected);
}

TEST_REAL(s24_8_redirects_are_followed_up_to_a_limit)
{
    rig_begin(serve_redirects, .max_redirects = 3);
    hr_auto(hr_http_session_freep) hr_http_session *none = SESSION(.max_redirects = -1);
    hr_auto(hr_http_session_freep) hr_http_session *usual = SESSION();
    hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/down/3"), &response), 0);
    ASSERT_EQ(hr_http_status(response), 200);
    ASSERT_EQ(hr_http_redirects(response), 3);
    ASSERT_STR(hr_http_url(response), rig_url("/down/0"));
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/down/4"), &response), -ELOOP);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/file"), &response), -EBADMSG);
    ASSERT_ERR(hr_http_get(usual, rig_url("/down/10"), &response), 0);
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(usual, rig_url("/down/11"), &response), -ELOOP);
    ASSERT_ERR(hr_http_get(none, rig_url("/down/1"), &response), 0);
    ASSERT_EQ(hr_http_status(response), 302);
    const char *text;
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "skip");
    hr_http_closep(&response);
    rig_end();
}

TEST_REAL(s24_8_a_redirect_takes_method_and_body_along_where_it_should)
{
    static const struct {
        const char *method;
        int code;
        const char *whole, *in_pieces; /* NULL: the body is gone */
    } table[] = {
        {"POST",   301, "GET ",        "GET "},
        {"POST",   302, "GET ",        "GET "},
        {"POST",   303, "GET ",        "GET "},
        {"POST",   307, "POST body",   NULL  },
        {"POST",   308, "POST body",   NULL  },
        {"PUT",    301, "PUT body",    NULL  },
        {"PUT",    302, "PUT body",    NULL  },
        {"PUT",    303, "GET ",        "GET "},
        {"PUT",    308, "PUT body",    NULL  },
        {"PATCH",  301, "PATCH body",  NULL  },
        {"DELETE", 302, "DELETE body", NULL  },
    };
    rig_begin(serve_redirects);
    for (size_t i = 0; i < HR_ARRAY_LEN(table); i++) {
        const char *method = table[i].method;
        answer_after(method, table[i].code, table[i].whole);
        answer_to_pieces(method, table[i].code, 4, table[i].in_pieces);
        answer_to_pieces(method, table[i].code, 0, table[i].in_pieces);
    }
    rig_end();
}

TEST_REAL(s24_8_what_names_a_place_and_is_no_redirect_is_an_answer)
{
    rig_begin(serve_redirects);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    static const int codes[] = {304, 300, 304};
    for (size_t i = 0; i < HR_ARRAY_LEN(codes); i++) {
        char path[32];
        snprintf(path, sizeof(path), "/code/%d", codes[i]);
        ASSERT_ERR(hr_http_get(rig.session, rig_url(path), &response), 0);
        ASSERT_EQ(hr_http_status(response), codes[i]);
        ASSERT_EQ(hr_http_redirects(response), 0);
        ASSERT_STR(hr_http_header(response, "location"), "/end");
        ASSERT_EQ(hr_http_read(response, &(char){0}, 1), 0);
        says("/code/302", "GET "); /* by the same handle */
        ASSERT_EQ(rig.server.requests, 3 * (i + 1));
        hr_http_closep(&response);
    }
    rig_end();
}

TEST_REAL(s24_10_a_cancelled_request_closes_its_connection)
{
    rig_begin(serve_plain);
    hr_task *task = hr_create_task("get", get_hanging, NULL);
    while (rig.server.requests < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    for (int i = 0; rig.server.open > 0; i++) {
        ASSERT_TRUE(i < 1000);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    says("/after", "/after");
    rig_end();
}

TEST_REAL(a_request_that_is_none_is_refused)
{
    rig_begin(serve_plain);
    hr_http_response *response = NULL;
    const char *const bad[] = {"a",
                               "",
                               "http://",
                               "http://a b/",
                               "http://127.0.0.1:99999/",
                               "http://127.0.0.1:x/",
                               "ftp://127.0.0.1/",
                               "file:///etc/passwd",
                               NULL};
    for (const char *const *text = bad; *text; text++)
        ASSERT_ERR(hr_http_get(rig.session, *text, &response), -EINVAL);
    struct hr_http_request request = {.url = rig_url("/"), .method = "GET / HTTP/1.1\r\nX: y"};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -EINVAL);
    const char *const lines[] = {"X: y\r\nZ: w", NULL};
    request = (struct hr_http_request){.url = rig_url("/"), .headers = lines};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -EINVAL);
    ASSERT_STR(hr_last_error()->message,
               "http: the header X holds the end of a line: each is one, without it");
    request = (struct hr_http_request){.url = rig_url("/"), .content_type = "a\r\nb"};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -EINVAL);
    request = (struct hr_http_request){
        .url = rig_url("/"), .method = "HEAD", .body = "x", .body_size = 1};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -EINVAL);
    request = (struct hr_http_request){.url = rig_url("/"), .method = "HEAD", .stream = true};
    ASSERT_ERR(hr_http_begin(rig.session, &request, &response), -EINVAL);
    ASSERT_EQ(rig.server.requests, 0);
    ASSERT_ERR(hr_http_get(rig.session, "http://127.0.0.1:1/", &response), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, ECONNREFUSED);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_ERR(hr_http_get(rig.session, "http://no.such.host.invalid/", &response), -ENOTCONN);
    says("/", "/");
    rig_end();
}

/* The code is what failed last. */
TEST_REAL(s0_6_a_session_that_could_not_be_made_says_why_to_who_uses_it)
{
    char byte;
    hr_http_response *response = NULL;
    struct hr_http_options options = {.tls = {.key = "without a certificate"}};
    hr_http_session *session = hr_http_session_new(&options);
    ASSERT_PTR(session, NULL);
    ASSERT_ERR(hr_http_get(session, "http://127.0.0.1:1/", &response), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "a key without"));
    ASSERT_ERR(hr_http_write(response, "x", 1), -EINVAL);
    ASSERT_ERR(hr_http_finish(response), -EINVAL);
    ASSERT_EQ(hr_http_read(response, &byte, 1), -EINVAL);
    ASSERT_ERR(hr_http_save(response, "/no/such", NULL), -EINVAL);
}

static hr_http_session *survivor;

static int leave_a_session(void *arg)
{
    test_http_start(&rig.server, serve_plain);
    survivor = hr_http_session_new(NULL);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(survivor, rig_url("/"), &response), 0);
    hr_http_closep(&response);
    test_http_stop(&rig.server);
    return 0;
}

/* This loop lies mostly where the one before did. */
static int ask_elsewhere(void *arg)
{
    hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(survivor, "http://127.0.0.1:1/", &response), HR_EWRONGLOOP);
    return 0;
}

TEST_PLAIN(s24_16_a_session_may_outlive_its_loop)
{
    ASSERT_ERR(hr_run(leave_a_session, NULL), 0);
    ASSERT_ERR(hr_run(ask_elsewhere, NULL), 0);
    survivor = hr_http_session_free(survivor);
}
