/* SPDX-License-Identifier: MIT */
/*
 * TLS, semantics 24.9: certificates are verified unless a request says otherwise. The server is
 * OpenSSL's own.
 */
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/http.h"
#include "tests/http/rig.h"
#include "tests/http/secure.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

struct secure {
    hr_child *child;
    unsigned port;
};

/* Starts one on a free port, with that certificate; strict: it wants one of its client's, too. */
static void start_with(struct secure *server, const char *certificate, bool strict)
{
    const char *pem = test_certificate(certificate);
    struct hr_child_options options = {
        .argv = (const char *const[]){"openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
                                      "-cert", pem, "-key", pem, "-CAfile",
                                      test_certificate("ca.pem"), strict ? "-Verify" : "-verify",
                                      "1", "-verify_return_error", NULL},
        .streams = {{HR_CHILD_NULL},   {HR_CHILD_PIPE},               {HR_CHILD_NULL}                    },
    };
    char text[512] = "";
    size_t have = 0;
    const char *place;
    server->child = hr_child_spawn(&options);
    ASSERT_TRUE(server->child);
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(hr_child_get_pipe(server->child, 1));
    while (!(place = strstr(text, "ACCEPT ")) || !strchr(place, '\n')) {
        ssize_t n = hr_io_read(io, text + have, sizeof(text) - 1 - have);
        ASSERT_TRUE(n > 0);
        have += (size_t)n;
        text[have] = '\0';
    }
    ASSERT_EQ(sscanf(place, "ACCEPT 127.0.0.1:%u", &server->port), 1);
}

static void start(struct secure *server, const char *certificate)
{
    start_with(server, certificate, false);
}

static void stop(struct secure *server)
{
    ASSERT_ERR(hr_child_stop(server->child, hr_seconds(5), NULL), 0);
    server->child = hr_child_free(server->child);
}

static int get(hr_http_session *session, const struct secure *server, const char *host,
               enum hr_tls_verify verify)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char url[64];
    const char *text;
    snprintf(url, sizeof(url), "https://%s:%u/", host, server->port);
    struct hr_http_request request = {.url = url, .verify = verify};
    int r = hr_http_send(session, &request, &response);
    if (r == 0)
        r = hr_http_text(response, &text, NULL);
    if (r == 0)
        ASSERT_TRUE(strstr(text, "s_server"));
    return r;
}

TEST_REAL(s24_9_certificates_are_verified_unless_a_request_says_otherwise)
{
    struct secure server;
    start(&server, "server.pem");
    hr_auto(hr_http_session_freep) hr_http_session *plain = hr_http_session_new(NULL);
    hr_auto(hr_http_session_freep) hr_http_session *trusting =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("ca.pem")});
    hr_auto(hr_http_session_freep) hr_http_session *strange =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("stranger.pem")});
    ASSERT_ERR(get(plain, &server, "127.0.0.1", HR_TLS_OFF), -EPROTO);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, "certificate"));
    ASSERT_ERR(get(strange, &server, "127.0.0.1", HR_TLS_OFF), -EPROTO);
    ASSERT_ERR(get(plain, &server, "127.0.0.1", HR_TLS_NONE), 0);
    ASSERT_ERR(get(plain, &server, "127.0.0.1", HR_TLS_OFF), -EPROTO); /* the next one is checked */
    ASSERT_ERR(get(trusting, &server, "127.0.0.1", HR_TLS_OFF), 0);
    ASSERT_ERR(get(trusting, &server, "localhost", HR_TLS_OFF), 0);
    stop(&server);
}

TEST_REAL(s24_9_the_name_in_the_certificate_is_verified_too)
{
    struct secure server;
    start(&server, "wrong.pem");
    hr_auto(hr_http_session_freep) hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("ca.pem")});
    ASSERT_ERR(get(session, &server, "127.0.0.1", HR_TLS_OFF), -EPROTO);
    ASSERT_ERR(get(session, &server, "127.0.0.1", HR_TLS_CA), 0);
    ASSERT_ERR(get(session, &server, "127.0.0.1", HR_TLS_FULL), -EPROTO);

    /* So it is for requests that ask for more than a URL. */
    hr_http_response *response = NULL;
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", server.port);
    ASSERT_ERR(hr_http_post(session, url, NULL, "secret", 6, &response), -EPROTO);
    ASSERT_FALSE(hr_last_error()->sent);
    stop(&server);
}

TEST_REAL(s24_9_a_session_may_verify_less)
{
    struct secure server;
    start(&server, "wrong.pem");
    hr_auto(hr_http_session_freep) hr_http_session *none =
        hr_http_session_new(&(struct hr_http_options){.tls.verify = HR_TLS_NONE});
    hr_auto(hr_http_session_freep) hr_http_session *any_name =
        hr_http_session_new(&(struct hr_http_options){
            .tls = {.verify = HR_TLS_CA, .ca = test_certificate("ca.pem")}
    });
    hr_auto(hr_http_session_freep) hr_http_session *strange =
        hr_http_session_new(&(struct hr_http_options){
            .tls = {HR_TLS_CA, test_certificate("stranger.pem"), NULL, NULL}
    });
    ASSERT_ERR(get(none, &server, "127.0.0.1", HR_TLS_OFF), 0);
    ASSERT_ERR(get(any_name, &server, "127.0.0.1", HR_TLS_OFF), 0);
    ASSERT_ERR(get(strange, &server, "127.0.0.1", HR_TLS_OFF), -EPROTO);
    stop(&server);
}

TEST_REAL(a_session_may_have_a_certificate_of_its_own)
{
    struct secure server;
    start_with(&server, "server.pem", true);
    struct hr_http_options options = {.tls.ca = test_certificate("ca.pem")};
    hr_auto(hr_http_session_freep) hr_http_session *nobody = hr_http_session_new(&options);
    options.tls.cert = test_certificate("client.pem");
    hr_auto(hr_http_session_freep) hr_http_session *client = hr_http_session_new(&options);
    options.tls.key = options.tls.cert;
    hr_auto(hr_http_session_freep) hr_http_session *with_key = hr_http_session_new(&options);
    options.tls.key = test_certificate("wrong.pem");
    hr_auto(hr_http_session_freep) hr_http_session *with_another = hr_http_session_new(&options);
    ASSERT_TRUE(get(nobody, &server, "127.0.0.1", HR_TLS_OFF) < 0);
    ASSERT_ERR(get(client, &server, "127.0.0.1", HR_TLS_OFF), 0);
    ASSERT_ERR(get(with_key, &server, "127.0.0.1", HR_TLS_OFF), 0);
    ASSERT_ERR(get(with_another, &server, "127.0.0.1", HR_TLS_OFF), -EINVAL);
    stop(&server);
}

TEST_REAL(a_plain_server_is_no_tls_server)
{
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    hr_auto(hr_http_session_freep) hr_http_session *bad =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = "/no/such/file.pem"});
    struct secure server;
    hr_http_response *response = NULL;
    char url[64];
    start(&server, "server.pem");
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    int r = hr_http_get(session, url, &response); /* nor the other way round */
    ASSERT_TRUE(r == HR_ELOST || r == -EBADMSG);
    ASSERT_ERR(get(bad, &server, "127.0.0.1", HR_TLS_OFF), -EINVAL);
    stop(&server);
}

/* Which connection it was. */
static bool serve_number(struct test_conn *conn)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", conn->number);
    return test_conn_answer(conn, text);
}

static int get_kept(hr_http_session *session, enum hr_tls_verify verify, const char *number)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    const struct hr_http_request request = {.url = rig_url("/"), .verify = verify};
    int r = hr_http_send(session, &request, &response);
    if (r == 0)
        r = hr_http_text(response, &text, NULL);
    if (r == 0)
        ASSERT_STR(text, number);
    return r;
}

TEST_REAL(s24_9_connections_that_were_verified_less_are_not_lent_to_who_wants_more)
{
    test_https_start(&rig.server, serve_number);
    hr_auto(hr_http_session_freep) hr_http_session *plain = hr_http_session_new(NULL);
    ASSERT_ERR(get_kept(plain, HR_TLS_NONE, "1"), 0);
    ASSERT_ERR(get_kept(plain, HR_TLS_NONE, "1"), 0); /* s24_4: it is kept, */
    ASSERT_ERR(get_kept(plain, HR_TLS_OFF, NULL), -EPROTO);
    ASSERT_ERR(get_kept(plain, HR_TLS_CA, NULL), -EPROTO);
    ASSERT_ERR(get_kept(plain, HR_TLS_NONE, "1"), 0); /* and still is */

    hr_auto(hr_http_session_freep) hr_http_session *trusting =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("ca.pem")});
    unsigned before = rig.server.connections;
    char own[16];
    snprintf(own, sizeof(own), "%u", before + 1);
    ASSERT_ERR(get_kept(trusting, HR_TLS_OFF, own), 0);
    ASSERT_ERR(get_kept(trusting, HR_TLS_OFF, own), 0);
    hr_http_session_freep(&plain);
    hr_http_session_freep(&trusting);
    test_http_stop(&rig.server);
}

static int get_it(void *url)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    return hr_http_get(rig.session, url, &response);
}

TEST_REAL(s24_7_a_handshake_has_the_limit_of_connecting)
{
    char url[64];
    rig_begin(serve_number, .connect_timeout = hr_ms(60));
    snprintf(url, sizeof(url), "https%s/", strchr(rig.server.url, ':'));
    ASSERT_ERR(get_it(url), -ETIMEDOUT); /* it waits for a line, which is not to come */
    ASSERT_FALSE(hr_last_error()->sent);
    rig_end();
}

static bool serve_when_told(struct test_conn *conn)
{
    return test_conn_until_gone(conn);
}

/* An answer that comes as another request begins has libcurl begin that at once, and put off when
 * it wants to be called. */
TEST_REAL(s24_7_the_limit_of_connecting_is_kept_while_answers_come)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    char url[64];
    rig_begin(serve_when_told, .connect_timeout = hr_ms(60), .total_timeout = hr_seconds(5));
    snprintf(url, sizeof(url), "https%s/", strchr(rig.server.url, ':'));
    hr_task *task = hr_create_task("get", get_it, rig.server.url);
    while (rig.server.under_way == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    struct test_conn *conn = hr_list_entry(rig.server.conns.next, struct test_conn, link);
    ASSERT_TRUE(test_conn_send(conn, answer, sizeof(answer) - 1));
    ASSERT_ERR(get_it(url), -ETIMEDOUT);
    ASSERT_PTR(strstr(hr_last_error()->message, "in the time that was given"), NULL);
    ASSERT_ERR(hr_join(task), 0);
    rig_end();
}

TEST_REAL(who_answers_a_handshake_with_anything_else_is_no_tls_server)
{
    static const char garbage[] = "HTTP/1.1 400 What?\r\n\r\n";
    char url[64];
    rig_begin(serve_number);
    snprintf(url, sizeof(url), "https%s/", strchr(rig.server.url, ':'));
    hr_task *task = hr_create_task("get", get_it, url);
    while (rig.server.open == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    struct test_conn *conn = hr_list_entry(rig.server.conns.next, struct test_conn, link);
    ASSERT_TRUE(test_conn_send(conn, garbage, sizeof(garbage) - 1));
    ASSERT_ERR(hr_join(task), -EPROTO);
    rig_end();
}

/* A machine whose OpenSSL takes any version and cipher, whatever its configuration says. */
static bool lenient;

__attribute__((visibility("default"))) SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
    __typeof__(&SSL_CTX_new) real = (__typeof__(real))dlsym(RTLD_NEXT, "SSL_CTX_new");
    SSL_CTX *made = real(method);
    if (made && lenient) {
        SSL_CTX_set_security_level(made, 0);
        SSL_CTX_set_min_proto_version(made, TLS1_VERSION);
    }
    return made;
}

TEST_REAL(s24_9_a_server_that_speaks_less_than_tls_1_2_is_refused)
{
    test_https_start(&rig.server, serve_number);
    rig.server.old = true;
    lenient = true;
    hr_auto(hr_http_session_freep) hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("ca.pem")});
    ASSERT_ERR(get_kept(session, HR_TLS_OFF, NULL), -EPROTO);
    ASSERT_ERR(get_kept(session, HR_TLS_NONE, NULL), -EPROTO);
    rig.server.old = false;
    ASSERT_ERR(get_kept(session, HR_TLS_OFF, "3"), 0);
    lenient = false;
    hr_http_session_freep(&session);
    test_http_stop(&rig.server);
}

static bool serve_resumed(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/hold")) {
        test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        return test_conn_until_gone(conn);
    }
    return test_conn_answer(conn, test_secure_resumed(conn->secure) ? "resumed" : "new");
}

TEST_REAL(a_handshake_takes_up_what_another_request_of_the_session_has_learnt)
{
    test_https_start(&rig.server, serve_resumed);
    hr_auto(hr_http_session_freep) hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("ca.pem")});
    hr_auto(hr_http_closep) hr_http_response *held = NULL;
    ASSERT_ERR(get_kept(session, HR_TLS_OFF, "new"), 0);
    ASSERT_ERR(hr_http_get(session, rig_url("/hold"), &held), 0);
    ASSERT_EQ(rig.server.connections, 1); /* it is busy now */
    ASSERT_ERR(get_kept(session, HR_TLS_OFF, "resumed"), 0);
    ASSERT_EQ(rig.server.connections, 2);
    hr_http_closep(&held);
    hr_http_session_freep(&session);
    test_http_stop(&rig.server);
}
