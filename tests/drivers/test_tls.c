/* SPDX-License-Identifier: MIT */
/*
 * TLS by itself: what goes out to whom, sessions, and files that are renewed (T12).
 */
#include "drivers/tls_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/dial.h"
#include "drivers/wire.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

static struct hr__tls_context *context_of(const struct hr_tls_options *options)
{
    static const struct hr_url url = {.scheme = HR_URL_REDISS, .tls = HR_TLS_FULL};
    struct hr__tls_context *context = NULL;
    ASSERT_ERR(hr__tls_context_new(&url, options, &context), 0);
    return context;
}

/* Connects, asks PING, hears PONG, and is gone: how hands were shaken with a server that is to have
 * this name. */
static int visit_host(const struct test_redis *server, struct hr__tls_context *context,
                      const char *host, bool *resumed)
{
    struct hr_url url;
    struct hr__wire wire;
    int fd = -1;
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long a start takes */
    ASSERT_ERR(hr_url_parse(server->tcp_url, &url, NULL, NULL), 0);
    ASSERT_ERR(hr__dial(&url, hr_seconds(5), &fd), 0);
    ASSERT_ERR(hr__wire_open(&wire, fd), 0);
    int r = hr__wire_secure(&wire, context, host);
    if (r == 0) {
        char answer[16];
        ASSERT_EQ(hr__wire_send(&wire, "PING\r\n", 6), 6);
        ssize_t n;
        while ((n = hr__wire_recv(&wire, answer, sizeof(answer))) == -EAGAIN)
            ASSERT_TRUE(hr__wire_wait(&wire) >= 0);
        ASSERT_EQ(n, 7);
        *resumed = hr__tls_resumed(wire.tls);
    }
    hr__wire_close(&wire);
    hr_url_done(&url);
    return r;
}

static int visit(const struct test_redis *server, struct hr__tls_context *context, bool *resumed)
{
    return visit_host(server, context, "localhost", resumed);
}

TEST_REAL(a_connection_takes_up_the_session_of_an_earlier_one)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    struct hr__tls_context *context =
        context_of(&(struct hr_tls_options){.ca = test_certificate("ca.pem")});
    bool resumed = true;
    ASSERT_ERR(visit(&server, context, &resumed), 0);
    ASSERT_FALSE(resumed);
    ASSERT_ERR(visit(&server, context, &resumed), 0);
    ASSERT_TRUE(resumed);
    hr__tls_context_free(context);
}

struct caller {
    struct hr__tls_context *context;
    struct hr__wire wire;
    const char *host;
};

static int call(void *arg)
{
    struct caller *caller = arg;
    return hr__wire_secure(&caller->wire, caller->context, caller->host);
}

/* What a peer hears first that never answers. */
static bool says_in_the_clear(const char *host)
{
    int ends[2];
    char hello[4096];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    struct caller caller = {.host = host};
    caller.context = context_of(&(struct hr_tls_options){.ca = test_certificate("ca.pem")});
    ASSERT_ERR(hr__wire_open(&caller.wire, ends[0]), 0);
    hr_task *task = hr_create_task("caller", call, &caller);
    ASSERT_ERR(hr_wait_fd(ends[1], HR_READ), HR_READ);
    ssize_t n = recv(ends[1], hello, sizeof(hello), 0);
    ASSERT_TRUE(n > 100);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    hr__wire_close(&caller.wire);
    hr__tls_context_free(caller.context);
    close(ends[1]);
    return memmem(hello, (size_t)n, host, strlen(host)) != NULL;
}

TEST_REAL(t12_a_host_s_name_is_sent_and_an_address_is_not)
{
    ASSERT_TRUE(says_in_the_clear("db.example.org"));
    ASSERT_FALSE(says_in_the_clear("127.0.0.1"));
}

/* A file of the test's own, which it lays certificates into. */
static const char *own_file(const char *certificate)
{
    char command[256];
    const char *own = test_certificate("own.pem");
    snprintf(command, sizeof(command), "cp %s %s.new && mv %s.new %s",
             test_certificate(certificate), own, own, own);
    ASSERT_EQ(system(command), 0);
    return own;
}

/* Visits until that is what comes of it; the files are looked at once a second. */
static void visit_until(const struct test_redis *server, struct hr__tls_context *context,
                        int wanted)
{
    bool resumed;
    for (hr_usec start = hr_now(); visit(server, context, &resumed) != wanted;) {
        ASSERT_TRUE(hr_now() - start < hr_seconds(20));
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    }
}

TEST_REAL(files_that_have_changed_are_read_again)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    struct hr__tls_context *context =
        context_of(&(struct hr_tls_options){.ca = own_file("stranger.pem")});
    bool resumed;
    ASSERT_ERR(visit(&server, context, &resumed), -EPROTO);
    own_file("ca.pem");
    visit_until(&server, context, 0);
    own_file("stranger.pem"); /* sessions of the former authority are of no use */
    visit_until(&server, context, -EPROTO);
    hr__tls_context_free(context);
}

TEST_REAL(files_that_cannot_be_read_any_more_leave_the_former_in_use_and_are_told_of)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    struct hr__tls_context *context =
        context_of(&(struct hr_tls_options){.ca = own_file("stranger.pem")});
    bool resumed;
    ASSERT_EQ(unlink(test_certificate("own.pem")), 0);
    for (hr_usec start = hr_now();;) {
        ASSERT_ERR(visit(&server, context, &resumed), -EPROTO);
        if (strstr(hr_last_error()->message, "own.pem: No such file"))
            break;
        ASSERT_TRUE(hr_now() - start < hr_seconds(20));
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    }
    own_file("ca.pem");
    visit_until(&server, context, 0);
    hr__tls_context_free(context);
}

static void present(struct test_redis *server, const char *certificate)
{
    char words[256];
    const char *file = test_certificate(certificate);
    snprintf(words, sizeof(words), "CONFIG SET tls-cert-file %s tls-key-file %s", file, file);
    ASSERT_TRUE(strstr(test_redis_ask(server, words), "+OK"));
}

/* What the client thinks of a server with this certificate. */
static void expect_refusal(struct test_redis *server, const char *certificate, const char *ca,
                           const char *says)
{
    bool resumed;
    present(server, certificate);
    struct hr__tls_context *context =
        context_of(&(struct hr_tls_options){.ca = test_certificate(ca)});
    ASSERT_ERR(visit(server, context, &resumed), -EPROTO);
    if (!strstr(hr_last_error()->message, says))
        test_fail(__FILE__, __LINE__, "%s: %s", certificate, hr_last_error()->message);
    hr__tls_context_free(context);
}

TEST_REAL(t12_what_is_wrong_with_a_certificate_is_said)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    expect_refusal(&server, "expired.pem", "ca.pem", "has expired; it was valid until 20");
    expect_refusal(&server, "wrong.pem", "ca.pem",
                   "hostname mismatch; it is that of other.example");
    expect_refusal(&server, "server.pem", "stranger.pem", "its authority is not in /tmp/");
    expect_refusal(&server, "revoked.pem", "listed.pem", "certificate revoked");
    bool resumed;
    struct hr__tls_context *context =
        context_of(&(struct hr_tls_options){.ca = test_certificate("ca.pem")});
    ASSERT_ERR(visit(&server, context, &resumed), 0); /* without the list nobody knows */
    hr__tls_context_free(context);
}

/* As everybody has it since RFC 6125: a star stands for a whole label, and for one. */
TEST_REAL(t12_a_star_in_a_certificate_is_one_whole_label)
{
    static const struct {
        const char *host;
        int code;
    } hosts[] = {
        {"db1.example.org",   0      },
        {"example.org",       -EPROTO},
        {"a.db1.example.org", -EPROTO},
        {"db1.example.net",   -EPROTO},
    };
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    present(&server, "wild.pem");
    for (size_t i = 0; i < HR_ARRAY_LEN(hosts); i++) {
        bool resumed;
        struct hr__tls_context *context =
            context_of(&(struct hr_tls_options){.ca = test_certificate("ca.pem")});
        ASSERT_ERR(visit_host(&server, context, hosts[i].host, &resumed), hosts[i].code);
        hr__tls_context_free(context);
    }
}

TEST_PLAIN(a_key_that_cannot_be_used_is_named)
{
    static const struct hr_url url = {.scheme = HR_URL_REDISS, .tls = HR_TLS_FULL};
    const char *client = test_certificate("client.pem");
    const struct {
        struct hr_tls_options options;
        const char *says;
    } wrong[] = {
        {{.cert = client, .key = "/no/such.key"},                 "the key /no/such.key: No such file"},
        {{.cert = client, .key = test_certificate("server.pem")},
         "server.pem: key values mismatch"                                                            },
        {{.cert = test_certificate("locked.pem")},                "the key /tmp/"                     },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        struct hr__tls_context *context = NULL;
        ASSERT_ERR(hr__tls_context_new(&url, &wrong[i].options, &context), -EINVAL);
        if (!strstr(hr_last_error()->message, wrong[i].says))
            test_fail(__FILE__, __LINE__, "%s", hr_last_error()->message);
    }
}
