/* SPDX-License-Identifier: MIT */
/*
 * Bodies of requests: whole ones and those in pieces, servers that answer early or hang up, and
 * lengths that were not kept.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/http/impl.h"
#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

#define MIB ((size_t)1024 * 1024)

static bool serve_echo(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/sum")) {
        unsigned sum = 0;
        for (size_t i = 0; i < conn->body_size; i++)
            sum = sum * 31 + (unsigned char)conn->body[i];
        char text[64];
        snprintf(text, sizeof(text), "%s %zu %u", test_conn_header(conn, "transfer-encoding"),
                 conn->body_size, sum);
        return test_conn_answer(conn, text);
    }
    char text[512];
    snprintf(text, sizeof(text), "%s %.*s", conn->method, (int)conn->body_size, conn->body);
    size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, " %s", test_conn_header(conn, "content-type"));
    return test_conn_answer(conn, text);
}

static bool serve_length(struct test_conn *conn)
{
    char text[64];
    snprintf(text, sizeof(text), "%s %s", conn->method, test_conn_header(conn, "content-length"));
    return test_conn_answer(conn, text);
}

TEST_REAL(where_a_server_expects_a_body_none_has_the_length_0)
{
    const char *const says[] = {"POST 0", "PUT 0", "PATCH 0", "DELETE ", "OPTIONS ", "GET "};
    rig_begin(serve_length);
    for (size_t i = 0; i < HR_ARRAY_LEN(says); i++) {
        char method[16];
        snprintf(method, sizeof(method), "%.*s", (int)strcspn(says[i], " "), says[i]);
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        struct hr_http_request request = {.method = method, .url = rig_url("/")};
        const char *text;
        ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
        ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
        ASSERT_STR(text, says[i]);
    }
    rig_end();
}

TEST_REAL(bodies_are_sent_as_they_are)
{
    rig_begin(serve_echo);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    ASSERT_ERR(hr_http_post(rig.session, rig_url("/"), "text/plain", "a body", 6, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "POST a body text/plain");
    hr_http_closep(&response);

    ASSERT_ERR(hr_http_post(rig.session, rig_url("/"), NULL, NULL, 0, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "POST  ");
    hr_http_closep(&response);

    const char *const headers[] = {"Content-Type: application/json", NULL};
    struct hr_http_request request = {
        .method = "PATCH", .url = rig_url("/"), .headers = headers, .body = "{}", .body_size = 2};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "PATCH {} application/json");
    hr_http_closep(&response);

    request = (struct hr_http_request){.url = rig_url("/sum"), .body = "a\0b", .body_size = 3};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_TRUE(strstr(text, " 3 "));
    hr_http_closep(&response);

    request = (struct hr_http_request){.method = "DELETE", .url = rig_url("/")};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "DELETE  ");
    hr_http_closep(&response);

    /* Nothing is left of those before. */
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "GET  ");
    hr_http_closep(&response);
    rig_end();
}

static void stream(size_t size, size_t known, const char *expected)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    static char piece[50000];
    unsigned sum = 0;
    const char *text;
    struct hr_http_request request = {
        .method = "PUT", .url = rig_url("/sum"), .stream = true, .body_size = known};
    ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
    for (size_t sent = 0, n; sent < size; sent += n) {
        n = size - sent < sizeof(piece) ? size - sent : sizeof(piece);
        for (size_t i = 0; i < n; i++) {
            piece[i] = rig_byte(sent + i);
            sum = sum * 31 + (unsigned char)piece[i];
        }
        ASSERT_ERR(hr_http_write(response, piece, n), 0);
    }
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0); /* all of it goes, and only its end is missing */
    ASSERT_ERR(hr_http_finish(response), 0);
    ASSERT_ERR(hr_http_write(response, piece, 1), -EINVAL);
    ASSERT_EQ(hr_http_status(response), 200);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    char all[64];
    snprintf(all, sizeof(all), "%s %zu %u", expected, size, sum);
    ASSERT_STR(text, all);
}

TEST_REAL(a_body_may_be_sent_in_pieces)
{
    rig_begin(serve_echo);
    stream(3 * MIB, 0, "chunked");
    stream(3 * MIB, 3 * MIB, "");
    stream(0, 0, "chunked");
    stream(1, 1, "");
    rig_end();
}

TEST_REAL(a_body_in_pieces_goes_by_the_method_that_was_asked_for)
{
    static const char *const methods[] = {NULL, "POST", "PUT", "PATCH", "REPORT"};
    rig_begin(serve_echo);
    for (size_t i = 0; i < HR_ARRAY_LEN(methods); i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        const char *text;
        char expected[32];
        struct hr_http_request request = {
            .method = methods[i], .url = rig_url("/"), .stream = true, .content_type = "a/b"};
        ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
        ASSERT_ERR(hr_http_write(response, "piece", 5), 0);
        ASSERT_ERR(hr_http_finish(response), 0);
        ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
        snprintf(expected, sizeof(expected), "%s piece a/b", methods[i] ? methods[i] : "POST");
        ASSERT_STR(text, expected);
    }
    rig_end();
}

static int write_for_ever(void *arg)
{
    hr_http_response *response = arg;
    static char piece[65536];
    int r = 0;
    while (r >= 0)
        r = hr_http_write(response, piece, sizeof(piece));
    return r;
}

static bool serve_nobody(struct test_conn *conn)
{
    return false;
}

/* A server whose one connection is the test's own: nothing of what is sent is read. */
static hr_http_response *begin_unread(size_t body_size, int *ret_fd)
{
    hr_http_response *response = NULL;
    test_http_start(&rig.server, serve_nobody);
    hr_task_cancel(rig.server.acceptor, NULL);
    ASSERT_ERR(hr_join(rig.server.acceptor), -ECANCELED);
    rig.session = hr_http_session_new(&(struct hr_http_options){.read_timeout = hr_ms(100)});
    struct hr_http_request request = {.url = rig_url("/"), .stream = true, .body_size = body_size};
    ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
    ASSERT_EQ(hr_wait_fd(rig.server.fd, HR_READ), HR_READ);
    *ret_fd = accept4(rig.server.fd, NULL, NULL, SOCK_CLOEXEC);
    ASSERT_TRUE(*ret_fd >= 0);
    return response;
}

static void end_unread(hr_http_response *response, int fd)
{
    hr_http_close(response);
    close(fd);
    close(rig.server.fd);
    hr_http_session_freep(&rig.session);
}

static hr_http_response *left;

static int leave_a_request(void *fd)
{
    left = begin_unread(0, fd);
    ASSERT_ERR(hr_http_write(left, "piece", 5), 0);
    return 0;
}

TEST_PLAIN(s24_16_what_is_under_way_when_the_loop_closes_is_closed_with_its_session)
{
    int fd;
    ASSERT_ERR(hr_run(leave_a_request, &fd), 0);
    ASSERT_ERR(hr_http_finish(left), HR_ECLOSED);
    end_unread(left, fd);
}

TEST_REAL(a_server_that_does_not_read_holds_the_sender_back)
{
    int fd;
    hr_http_response *response = begin_unread(0, &fd);
    ASSERT_ERR(write_for_ever(response), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    end_unread(response, fd);
}

TEST_REAL(a_piece_of_any_size_waits_where_it_is_until_there_is_room_in_the_window)
{
    static char piece[32 * MIB]; /* more than the kernel keeps */
    int fd;
    hr_http_response *response = begin_unread(0, &fd);
    ASSERT_ERR(hr_http_write(response, piece, sizeof(piece)), -ETIMEDOUT);
    size_t kept = hr_buf_size(&response->upload);
    ASSERT_TRUE(kept > 0 && kept <= 65536);
    end_unread(response, fd);
}

static int post_long(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    hr_auto(hr_freep) char *body = calloc(1, 32 * MIB);
    return hr_http_post(rig.session, rig_url("/"), NULL, body, 32 * MIB, &response);
}

/* It takes several times as long as a server may be silent. */
TEST_REAL(s24_7_a_server_that_takes_a_long_body_slowly_is_not_silent)
{
    static char bytes[MIB];
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    hr_usec patience = test_patience(hr_ms(200));
    test_http_start(&rig.server, serve_nobody);
    hr_task_cancel(rig.server.acceptor, NULL);
    ASSERT_ERR(hr_join(rig.server.acceptor), -ECANCELED);
    rig.session = hr_http_session_new(&(struct hr_http_options){.read_timeout = patience});
    hr_task *task = hr_create_task("post", post_long, NULL);
    ASSERT_EQ(hr_wait_fd(rig.server.fd, HR_READ), HR_READ);
    int fd = accept4(rig.server.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (size_t got = 0; got < 32 * MIB && !hr_future_done(task);) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        got += n > 0 ? (size_t)n : 0;
        ASSERT_ERR(hr_sleep(patience / 10), 0);
    }
    ASSERT_EQ(write(fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    ASSERT_ERR(hr_join(task), 0);
    end_unread(NULL, fd);
}

TEST_REAL(s24_7_a_server_that_takes_no_more_of_a_long_body_is_silent)
{
    test_http_start(&rig.server, serve_nobody);
    hr_task_cancel(rig.server.acceptor, NULL);
    ASSERT_ERR(hr_join(rig.server.acceptor), -ECANCELED);
    rig.session = hr_http_session_new(&(struct hr_http_options){.read_timeout = hr_ms(100)});
    ASSERT_ERR(post_long(NULL), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, "said nothing"));
    hr_http_session_freep(&rig.session);
    close(rig.server.fd);
}

TEST_REAL(a_server_may_answer_before_it_has_read_the_body)
{
    static const char answer[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!";
    const char *text;
    int fd;
    hr_http_response *response = begin_unread(0, &fd);
    ASSERT_EQ(write(fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    ASSERT_ERR(write_for_ever(response), -EPIPE);
    ASSERT_ERR(hr_http_finish(response), 0);
    ASSERT_EQ(hr_http_status(response), 413);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "no!");
    end_unread(response, fd);
}

TEST_REAL(a_server_that_hangs_up_while_it_is_sent_to_is_a_code_and_no_signal)
{
    int fd;
    hr_http_response *response = begin_unread(0, &fd);
    hr_task *writer = hr_create_task("write", write_for_ever, response);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    close(fd);
    ASSERT_ERR(hr_join(writer), HR_ELOST);
    end_unread(response, dup(0));
}

static void put(size_t known, const char *body, int written, int finished)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    struct hr_http_request request = {
        .method = "PUT", .url = rig_url("/"), .stream = true, .body_size = known};
    ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_write(response, body, strlen(body)), written);
    if (written < 0)
        ASSERT_ERR(hr_http_write(response, body, known), 0);
    const struct test_conn *conn = hr_list_entry(rig.server.conns.next, struct test_conn, link);
    while (finished < 0 && conn->body_size != known) /* it has begun */
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_http_finish(response), finished);
    if (finished < 0)
        return;
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "PUT 0123456789 ");
}

TEST_REAL(a_body_of_another_length_than_was_said_is_no_part_of_another_request)
{
    char text[32];
    rig_begin(serve_echo);
    put(10, "0123456789GET / HTTP/1.1\r\n\r\n", -EINVAL, 0);
    put(10, "0123456789", 0, 0);
    ASSERT_EQ(rig.server.connections, 1);
    put(12, "01234", 0, -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "5 bytes of a body"));
    ASSERT_ERR(rig_get("/", text, sizeof(text)), 0);
    ASSERT_STR(text, "GET  ");
    ASSERT_EQ(rig.server.connections, 2);
    ASSERT_EQ(rig.server.requests, 3);
    rig_end();
}

TEST_REAL(a_body_that_ends_short_behind_an_early_answer_ends_its_connection)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
    const char *text;
    char raw[1024];
    int fd;
    hr_http_response *response = begin_unread(10, &fd);
    ASSERT_ERR(hr_http_write(response, "01234", 5), 0);
    ASSERT_EQ(write(fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    while (hr_http_status(response) == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_http_finish(response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "yes");
    ssize_t n = recv(fd, raw, sizeof(raw), MSG_DONTWAIT);
    ASSERT_TRUE(n > 9);
    ASSERT_EQ(memcmp(raw + n - 9, "\r\n\r\n01234", 9), 0);
    ASSERT_EQ(recv(fd, raw, sizeof(raw), MSG_DONTWAIT), 0); /* its end, and no next request */
    end_unread(response, fd);
}

/* Elsewhere the body is wanted at another place, after which libcurl 8.14 keeps the connection and
 * 7.88 does not. */
static bool serve_no_body(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/signed"))
        return test_conn_say(conn,
                             "HTTP/1.1 307 There\r\nContent-Length: 0\r\n"
                             "Location: http://user:secret@%s/upload\r\n\r\n",
                             rig.server.url + 7);
    if (test_conn_asks(conn, "/elsewhere"))
        return test_conn_say(conn, "HTTP/1.1 307 There\r\nLocation: /upload?secret=1\r\n"
                                   "Content-Length: 0\r\n\r\n");
    return !test_conn_asks(conn, "/lost") && test_conn_answer(conn, "ok");
}

static int put_in_pieces(const char *path)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    struct hr_http_request request = {.method = "PUT", .url = rig_url(path), .stream = true};
    int r = hr_http_begin(rig.session, &request, &response);
    if (r == 0)
        r = hr_http_write(response, "piece", 5);
    return r < 0 ? r : hr_http_finish(response);
}

TEST_REAL(a_body_in_pieces_that_is_wanted_again_is_lost_and_the_record_says_where)
{
    rig_begin(serve_no_body);
    ASSERT_ERR(put_in_pieces("/elsewhere"), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, "wants the body at "));
    ASSERT_TRUE(strstr(hr_last_error()->message, "/upload instead"));
    ASSERT_FALSE(strstr(hr_last_error()->message, "secret"));
    ASSERT_ERR(put_in_pieces("/signed"), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "another place instead"));
    ASSERT_FALSE(strstr(hr_last_error()->message, "secret"));
    ASSERT_ERR(put_in_pieces("/"), 0);
    ASSERT_ERR(put_in_pieces("/lost"), HR_ELOST); /* a kept connection, so it is tried again */
    ASSERT_TRUE(strstr(hr_last_error()->message, "begin the request anew"));
    rig_end();
}

TEST_REAL(a_body_that_is_given_up_half_way_takes_its_connection_with_it)
{
    char text[32];
    rig_begin(serve_echo);
    ASSERT_ERR(rig_get("/", text, sizeof(text)), 0);
    for (size_t size = 0; size <= 100; size += 100) { /* in chunks, and with a length */
        hr_http_response *response = NULL;
        struct hr_http_request request = {.url = rig_url("/"), .stream = true, .body_size = size};
        ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
        ASSERT_ERR(hr_http_write(response, "half", 4), 0);
        for (int i = 0; i < 5; i++)
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        hr_http_close(response);
        ASSERT_ERR(rig_get("/", text, sizeof(text)), 0);
        ASSERT_STR(text, "GET  ");
    }
    ASSERT_EQ(rig.server.connections, 3);
    ASSERT_EQ(rig.server.requests, 3);
    rig_end();
}
