/* SPDX-License-Identifier: MIT */
/*
 * Kept connections on which the server speaks unasked: a farewell, or an answer to nobody. None of
 * it is the answer to a request, and no request is lost for it.
 */
#include <string.h>
#include <sys/socket.h>

#include "tests/http/rig.h"
#include "tests/http/secure.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

#define UNASKED "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\ngone"

static bool serve_paths(struct test_conn *conn)
{
    while (test_conn_asks(conn, "/together") && rig.server.requests < 8) {
        if (hr_sleep(hr_ms(1)) < 0)
            return false;
    }
    return test_conn_answer(conn, conn->path);
}

static void begin(bool secure)
{
    (secure ? test_https_start : test_http_start)(&rig.server, serve_paths);
    rig.session = hr_http_session_new(
        &(struct hr_http_options){.tls.ca = secure ? test_certificate("ca.pem") : NULL});
    ASSERT_TRUE(rig.session);
}

/* Every connection that is open. */
static void speak_unasked(void)
{
    hr_list_foreach (node, &rig.server.conns)
        ASSERT_TRUE(test_conn_say(hr_list_entry(node, struct test_conn, link), UNASKED));
}

static void send_in_pieces(void)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    struct hr_http_request request = {.url = rig_url("/pieces"), .stream = true, .body_size = 5};
    const char *text;
    ASSERT_ERR(hr_http_begin(rig.session, &request, &response), 0);
    ASSERT_ERR(hr_http_write(response, "piece", 5), 0);
    ASSERT_ERR(hr_http_finish(response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "/pieces");
}

/* What may not be done twice. */
static void post(void)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    ASSERT_ERR(hr_http_post(rig.session, rig_url("/post"), NULL, "pay", 3, &response), 0);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "/post");
}

static void get(void)
{
    char text[16];
    ASSERT_ERR(rig_get("/get", text, sizeof(text)), 0);
    ASSERT_STR(text, "/get");
}

static void spoil_each(bool secure)
{
    static void (*const asks[])(void) = {get, post, send_in_pieces, get};
    begin(secure);
    get();
    for (unsigned i = 0; i < HR_ARRAY_LEN(asks); i++) {
        speak_unasked();
        asks[i]();
        ASSERT_EQ(rig.server.requests, i + 2); /* none went to where it would be lost */
        ASSERT_EQ(rig.server.connections, i + 2);
        get();
        ASSERT_EQ(rig.server.connections, i + 2); /* the new one is kept */
        rig.server.requests--;
    }
    rig_end();
}

TEST_REAL(s24_4_what_a_server_says_unasked_answers_nobody)
{
    spoil_each(false);
}

TEST_REAL(s24_4_what_a_server_says_unasked_answers_nobody_over_tls)
{
    spoil_each(true);
}

TEST_REAL(s24_4_a_farewell_by_tls_loses_no_request)
{
    char wire[256];
    begin(true);
    get();
    const struct test_conn *conn = hr_list_entry(rig.server.conns.next, struct test_conn, link);
    test_secure_leave(conn->secure);
    size_t n = test_secure_take(conn->secure, wire, sizeof(wire));
    ASSERT_EQ(send(conn->fd, wire, n, MSG_NOSIGNAL), n);
    ASSERT_EQ(shutdown(conn->fd, SHUT_WR), 0);
    post();
    ASSERT_EQ(rig.server.connections, 2);
    rig_end();
}

static int get_together(void *arg)
{
    char text[16];
    return rig_get("/together", text, sizeof(text));
}

TEST_REAL(s24_4_any_number_of_spoilt_connections_loses_no_request)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    begin(false);
    for (int i = 0; i < 8; i++)
        hr_futures_add(&all, hr_create_task(NULL, get_together, NULL));
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_EQ(rig.server.connections, 8);
    speak_unasked();
    post();
    ASSERT_EQ(rig.server.connections, 9);
    rig_end();
}

static void wait_until_the_client_has_closed(void)
{
    while (rig.server.open > 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
}

static struct test_conn *kept_connection(bool secure)
{
    begin(secure);
    get();
    return hr_list_entry(rig.server.conns.next, struct test_conn, link);
}

/* Not only when the next request comes. */
TEST_REAL(s24_4_a_kept_connection_whose_server_closes_it_is_closed_by_a_session_that_idles)
{
    for (int secure = 0; secure < 2; secure++) {
        char wire[256];
        const struct test_conn *conn = kept_connection(secure);
        if (secure) {
            test_secure_leave(conn->secure);
            size_t n = test_secure_take(conn->secure, wire, sizeof(wire));
            ASSERT_EQ(send(conn->fd, wire, n, MSG_NOSIGNAL), n);
        }
        ASSERT_EQ(shutdown(conn->fd, SHUT_WR), 0);
        wait_until_the_client_has_closed();
        post();
        get();
        ASSERT_EQ(rig.server.connections, 2);
        rig_end();
    }
}

TEST_REAL(s24_4_a_kept_connection_on_which_the_server_speaks_unasked_is_closed_at_once)
{
    for (int secure = 0; secure < 2; secure++) {
        kept_connection(secure);
        speak_unasked();
        wait_until_the_client_has_closed();
        post();
        get();
        ASSERT_EQ(rig.server.connections, 2);
        rig_end();
    }
}
