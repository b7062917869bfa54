/* SPDX-License-Identifier: MIT */
/*
 * Proxies: only those that are asked for, and what they say is no part of the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/http/rig.h"
#include "tests/http/secure.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

/* The server itself, or a proxy in front of whoever is asked for. */
static bool serve_any(struct test_conn *conn)
{
    if (strcmp(conn->path, "http://elsewhere.invalid/away") == 0)
        return test_conn_say(conn, "HTTP/1.1 302 Found\r\nLocation: https://localhost:9/path\r\n"
                                   "Content-Length: 0\r\n\r\n");
    if (strcmp(conn->method, "CONNECT") != 0)
        return test_conn_answer(conn, conn->path);
    if (strncmp(conn->path, "closed", 6) == 0)
        return test_conn_say(conn, "HTTP/1.1 407 Who are you?\r\nContent-Length: 3\r\n\r\nno!");
    bool ok = test_conn_say(conn, "HTTP/1.1 200 Connected\r\nX-Proxy: 1\r\n\r\n");
    conn->secure = test_secure_new();
    return ok;
}

TEST_REAL(the_environment_names_no_proxy)
{
    static const char *const names[] = {"http_proxy", "all_proxy", "no_proxy"};
    static const char *const values[] = {"http://127.0.0.1:1", "http://127.0.0.1:1", "*"};
    char text[64];
    rig_begin(serve_any);
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++)
        setenv(names[i], values[i], 1);
    ASSERT_ERR(rig_get("/direct", text, sizeof(text)), 0);
    ASSERT_STR(text, "/direct");

    hr_auto(hr_http_session_freep) hr_http_session *through =
        hr_http_session_new(&(struct hr_http_options){.proxy = rig.server.url});
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *said;
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    ASSERT_ERR(hr_http_get(through, "http://elsewhere.invalid/", &response), 0);
    ASSERT_ERR(hr_http_text(response, &said, NULL), 0);
    ASSERT_STR(said, "http://elsewhere.invalid/");
    unsetenv("no_proxy");
    hr_http_closep(&response);
    hr_http_session_freep(&through);
    rig_end();
}

TEST_REAL(https_goes_through_a_proxy_unseen)
{
    test_http_start(&rig.server, serve_any);
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(
        &(struct hr_http_options){.proxy = rig.server.url, .tls.ca = test_certificate("ca.pem")});
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_http_get(session, "https://localhost:9/path", &response), 0);
        ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
        ASSERT_STR(text, "/path");
        ASSERT_PTR(hr_http_header(response, "x-proxy"), NULL);
        hr_http_closep(&response);
    }
    ASSERT_EQ(rig.server.requests, 3); /* one tunnel, and what went through it */

    ASSERT_ERR(hr_http_get(session, "https://closed.invalid/", &response), -ENOTCONN);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_ERR(hr_http_get(session, "https://another.invalid/", &response), -EPROTO); /* its name */
    hr_http_session_freep(&session);
    test_http_stop(&rig.server);
}

TEST_REAL(a_proxy_whose_url_is_none_is_refused)
{
    static const char *const proxies[] = {"http://a b:1", "http://secret:x@:1", "http://a:x"};
    for (size_t i = 0; i < HR_ARRAY_LEN(proxies); i++) {
        ASSERT_PTR(hr_http_session_new(&(struct hr_http_options){.proxy = proxies[i]}), NULL);
        ASSERT_ERR(hr_last_error()->code, -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, "the proxy is not of the form"));
        ASSERT_FALSE(strstr(hr_last_error()->message, "secret"));
    }
}

TEST_REAL(what_a_proxy_says_to_connect_is_no_answer_behind_a_redirect_either)
{
    test_http_start(&rig.server, serve_any);
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(
        &(struct hr_http_options){.proxy = rig.server.url, .tls.ca = test_certificate("ca.pem")});
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    ASSERT_ERR(hr_http_get(session, "http://elsewhere.invalid/away", &response), 0);
    ASSERT_EQ(hr_http_status(response), 200);
    ASSERT_EQ(hr_http_redirects(response), 1);
    ASSERT_PTR(hr_http_header(response, "x-proxy"), NULL);
    ASSERT_ERR(hr_http_text(response, &text, NULL), 0);
    ASSERT_STR(text, "/path");
    hr_http_closep(&response);
    hr_http_session_freep(&session);
    test_http_stop(&rig.server);
}
