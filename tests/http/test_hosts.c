/* SPDX-License-Identifier: MIT */
/*
 * Requests that go to more than one host, semantics 24.5 and 24.8: whose turns are whose, which
 * connections stay, and what a redirect takes along. A port is another host, and so is a name for
 * the same address.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

static unsigned here, most_here; /* requests under way at localhost */

/* The server's URL by that name. */
static const char *url_of(const char *name, const char *path)
{
    static char texts[4][256];
    static unsigned next;
    char *text = texts[next++ % HR_ARRAY_LEN(texts)];
    snprintf(text, sizeof(texts[0]), "http://%s%s%s", name, strrchr(rig.server.url, ':'), path);
    return text;
}

static bool serve_hosts(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/long")) {
        test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst");
        return test_conn_until_gone(conn);
    }
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(conn,
                             "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                             url_of("localhost", "/slow"));
    if (test_conn_asks(conn, "/slow")) {
        if (++here > most_here)
            most_here = here;
        int r = hr_sleep(hr_ms(20));
        here--;
        if (r < 0)
            return false;
    }
    if (test_conn_asks(conn, "/crowd")) { /* for as many as come together */
        while (rig.server.requests < 100) {
            if (hr_sleep(hr_ms(1)) < 0)
                return false;
        }
    }
    char said[512];
    snprintf(said, sizeof(said), "%s|", test_conn_header(conn, "authorization"));
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%s", test_conn_header(conn, "cookie"));
    return test_conn_answer(conn, said);
}

static int get_whole(void *url)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const void *bytes;
    int r = hr_http_get(rig.session, url, &response);
    return r < 0 ? r : hr_http_bytes(response, &bytes, NULL);
}

TEST_REAL(s24_5_the_limit_a_host_holds_for_redirects_too)
{
    rig_begin(serve_hosts, .limit_per_host = 1);
    here = most_here = 0;
    char urls[2][256];
    snprintf(urls[0], sizeof(urls[0]), "%s", url_of("localhost", "/slow"));
    snprintf(urls[1], sizeof(urls[1]), "%s", rig_url("/away"));
    hr_task *first = hr_create_task("first", get_whole, urls[0]);
    hr_task *second = hr_create_task("second", get_whole, urls[1]);
    ASSERT_ERR(hr_join(first), 0);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_EQ(rig.server.requests, 3);
    ASSERT_EQ(most_here, 1);
    rig_end();
}

TEST_REAL(s24_5_a_host_is_a_name_and_a_port)
{
    struct test_http other;
    char at_other[128];
    rig_begin(serve_hosts, .limit_per_host = 1, .total_timeout = hr_seconds(9));
    test_http_start(&other, serve_hosts);
    snprintf(at_other, sizeof(at_other), "%s/", other.url);
    hr_auto(hr_http_closep) hr_http_response *held = NULL;
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, url_of("localhost", "/long"), &held), 0);
    ASSERT_ERR(get_whole((char *)url_of("127.0.0.1", "/")), 0);
    ASSERT_ERR(get_whole(at_other), 0);
    struct hr_http_request request = {.url = url_of("LocalHost", "/"), .total_timeout = hr_ms(20)};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -ETIMEDOUT);
    ASSERT_TRUE(strstr(hr_last_error()->message, "no turn"));
    hr_http_closep(&held);
    request.total_timeout = 0;
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), 0);
    hr_http_closep(&response);
    hr_http_session_freep(&rig.session);
    test_http_stop(&other);
    test_http_stop(&rig.server);
}

TEST_REAL(s24_5_connections_that_wait_count_as_well)
{
    rig_begin(serve_hosts, .limit = 1);
    for (int i = 0; i < 6; i++) {
        ASSERT_ERR(get_whole((char *)url_of(i % 2 ? "localhost" : "127.0.0.1", "/")), 0);
        for (int k = 0; rig.server.open > 1; k++) {
            ASSERT_TRUE(k < 1000);
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        }
    }
    rig_end();
}

TEST_REAL(s24_5_a_session_has_a_hundred_turns_unless_it_says_otherwise)
{
    rig_begin(serve_hosts);
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    char url[128];
    snprintf(url, sizeof(url), "%s", rig_url("/crowd"));
    for (int i = 0; i < 110; i++)
        hr_futures_add(&tasks, hr_create_task(NULL, get_whole, url));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    ASSERT_EQ(rig.server.requests, 110);
    ASSERT_EQ(rig.server.most_under_way, 100);
    rig_end();
}

static int sockets_left = -1; /* before there are none; < 0: as many as anybody wants */

__attribute__((visibility("default"))) int socket(int domain, int type, int protocol)
{
    __typeof__(&socket) real = (__typeof__(real))dlsym(RTLD_NEXT, "socket");
    if (sockets_left == 0) {
        errno = EMFILE;
        return -1;
    }
    sockets_left -= sockets_left > 0;
    return real(domain, type, protocol);
}

TEST_REAL(s24_11_no_descriptor_to_follow_a_redirect_is_no_request_that_never_left)
{
    rig_begin(serve_hosts);
    hr_http_response *response = NULL;
    sockets_left = 1;
    int r = hr_http_get(rig.session, rig_url("/away"), &response);
    sockets_left = -1;
    ASSERT_ERR(r, HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(hr_last_error()->native, EMFILE);
    rig_end();
}

TEST_REAL(s24_8_a_redirect_shows_no_secrets_to_another_host)
{
    static const char *const lines[] = {"Authorization: Bearer secret", "Cookie: a=secret", NULL};
    rig_begin(serve_hosts);
    const struct hr_http_request asked[] = {
        {.url = rig_url("/"),                   .headers = lines},
        {.url = rig_url("/away"),               .headers = lines},
        {.url = url_of("user:secret@127.0.0.1", "/away")        },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(asked); i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        const char *text;
        ASSERT_ERR(hr_http_send(rig.session, &asked[i], &response), 0);
        ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
        ASSERT_STR(text, i == 0 ? "Bearer secret|a=secret" : "|");
    }
    rig_end();
}

TEST_REAL(messages_show_no_user_password_or_query)
{
    static const char *const urls[] = {
        "http://127.0.0.1:1/path?secret=1",
        "http://127.0.0.1:1/path#secret",
        "http://secret:secret@127.0.0.1:1/path?secret=1",
    };
    hr_auto(hr_http_session_freep) hr_http_session *plain = hr_http_session_new(NULL);
    hr_auto(hr_http_session_freep) hr_http_session *counting =
        hr_http_session_new(&(struct hr_http_options){.limit_per_host = 1});
    for (size_t i = 0; i < 2 * HR_ARRAY_LEN(urls); i++) {
        hr_http_response *response = NULL;
        ASSERT_ERR(hr_http_get(i % 2 ? plain : counting, urls[i / 2], &response), -ENOTCONN);
        ASSERT_TRUE(strstr(hr_last_error()->message, "GET http://127.0.0.1:1/path: "));
        ASSERT_FALSE(strstr(hr_last_error()->message, "secret"));
    }
}
