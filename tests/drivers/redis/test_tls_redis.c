/* SPDX-License-Identifier: MIT */
/*
 * Redis over TLS: who is accepted and who is not, and that nothing blocks or gets lost on the way.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "drivers/redis.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

/* PING with these settings; the outcome. */
static int ping(const char *url, const struct hr_tls_options *tls)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = url, .tls = *tls});
    ASSERT_TRUE(redis);
    int r = hr_redis_command(redis, NULL, "PING");
    client_end(redis);
    return r;
}

#define ASSERT_SAYS(part) ASSERT_TRUE(strstr(hr_last_error()->message, part))

TEST_REAL(rediss_verifies_the_server)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    const char *ca = test_certificate("ca.pem"), *stranger = test_certificate("stranger.pem");

    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){.ca = ca}), 0);
    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){.ca = stranger}), -ENOTCONN);
    ASSERT_SAYS("certificate is not accepted");
    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){0}), -ENOTCONN);
    ASSERT_SAYS("certificate is not accepted");
    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){.verify = HR_TLS_NONE}), 0);
}

TEST_REAL(an_address_is_verified_as_one)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    const char *ca = test_certificate("ca.pem");
    char url[64];
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%u", server.port);
    ASSERT_ERR(ping(url, &(struct hr_tls_options){.ca = ca}), 0);
}

TEST_REAL(another_host_s_certificate_is_refused_unless_only_its_authority_counts)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    const char *ca = test_certificate("ca.pem"), *wrong = test_certificate("wrong.pem");
    char words[256];
    snprintf(words, sizeof(words), "CONFIG SET tls-cert-file %s tls-key-file %s", wrong, wrong);
    ASSERT_TRUE(strstr(test_redis_ask(&server, words), "+OK"));

    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){.ca = ca}), -ENOTCONN);
    ASSERT_SAYS("hostname mismatch");
    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){HR_TLS_CA, .ca = ca}), 0);
}

TEST_REAL(a_client_shows_its_certificate_where_one_is_asked_for)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, true);
    const char *ca = test_certificate("ca.pem"), *client = test_certificate("client.pem");
    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){.ca = ca, .cert = client}), 0);
    ASSERT_ERR(ping(server.tcp_url, &(struct hr_tls_options){.ca = ca}), -ENOTCONN);
    ASSERT_SAYS("certificate required");
}

TEST_PLAIN(wrong_files_are_named)
{
    const char *ca = test_certificate("ca.pem"), *client = test_certificate("client.pem");
    const struct {
        struct hr_redis_options options;
        const char *says;
    } wrong[] = {
        {{.url = "rediss://h", .tls.ca = "/no/such.pem"},           "/no/such.pem: No such file" },
        {{.url = "rediss://h", .tls.ca = "/dev/null"},              "/dev/null"                  },
        {{.url = "redis://h", .tls = {HR_TLS_FULL, .cert = ca}},    "the key"                    },
        {{.url = "redis://h", .tls = {HR_TLS_FULL, .key = client}}, "a key without a certificate"},
        {{.url = "unix:///s", .tls.verify = HR_TLS_FULL},           "not on a unix socket"       },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        ASSERT_TRUE(!hr_redis_new(&wrong[i].options));
        ASSERT_ERR(hr_last_error()->code, -EINVAL);
        ASSERT_SAYS(wrong[i].says);
    }
}

/* Writes a value of its own and reads it back, a few times. */
static int write_and_read(void *arg)
{
    static size_t latest = 100;
    hr_redis *redis = arg;
    size_t size = latest = latest * 9 % 262139;
    char *value = malloc(size);
    memset(value, 'a' + (int)(size % 26), size);
    int r = 0;
    for (int i = 0; r >= 0 && i < 5; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        r = hr_redis_command(redis, NULL, "SET %zu %b", size, value, size);
        if (r >= 0)
            r = hr_redis_command(redis, &reply, "GET %zu", size);
        size_t len = 0;
        const char *got = r >= 0 ? hr_reply_str(reply, &len) : NULL;
        if (r >= 0 && (len != size || memcmp(got, value, size) != 0))
            r = hr_fail(-EBADMSG, "another's reply");
    }
    free(value);
    return r;
}

TEST_REAL(s22_6_fifty_tasks_share_a_connection_through_tls)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    hr_redis *redis =
        hr_redis_new(&(struct hr_redis_options){.url = server.tcp_url,
                                                .tls.ca = test_certificate("ca.pem"),
                                                .connect_timeout = test_patience(hr_seconds(3)),
                                                .command_timeout = test_patience(hr_seconds(5))});
    ASSERT_TRUE(redis);
    hr_task *tasks[50];
    for (size_t i = 0; i < HR_ARRAY_LEN(tasks); i++)
        tasks[i] = hr_create_task("writer", write_and_read, redis);
    for (size_t i = 0; i < HR_ARRAY_LEN(tasks); i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    client_end(redis);
}

TEST_REAL(a_server_that_dies_is_found_again_through_tls)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start_tls(&server, false);
    hr_redis *redis = hr_redis_new(
        &(struct hr_redis_options){.url = server.tcp_url, .tls.ca = test_certificate("ca.pem")});
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), 0);
    test_redis_freeze(&server);
    hr_future *late = hr_redis_command_future(redis, "GET none");
    test_passes(3);
    test_redis_kill(&server);
    int code = hr_join(late);
    ASSERT_TRUE(code == HR_ELOST || code == -ENOTCONN);
    test_redis_restart(&server);
    int r;
    while ((r = hr_redis_command(redis, NULL, "PING")) == -ENOTCONN || r == HR_ELOST)
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(r, 0);
    client_end(redis);
}

/* A peer that accepts, and does with the connection what it is told. */
struct peer {
    int listener;
    char url[64];
};

static struct peer peer_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct peer peer = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(bind(peer.listener, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(peer.listener, 8), 0);
    ASSERT_EQ(getsockname(peer.listener, (struct sockaddr *)&address, &len), 0);
    snprintf(peer.url, sizeof(peer.url), "rediss://127.0.0.1:%u", ntohs(address.sin_port));
    return peer;
}

TEST_TICKING_WITHIN(r6_a_peer_that_stalls_in_the_handshake_costs_its_time_limit_only, hr_ms(60))
{
    struct peer peer = peer_open(); /* the backlog accepts, and nobody answers */
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
        .url = peer.url, .tls.verify = HR_TLS_NONE, .connect_timeout = hr_ms(100)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_SAYS("no connection within 0.1 s: it does not answer to TLS");
    client_end(redis);
    close(peer.listener);
}

static int ping_peer(void *arg)
{
    return ping(arg, &(struct hr_tls_options){.verify = HR_TLS_NONE});
}

TEST_REAL(a_peer_without_tls_is_told_apart)
{
    struct peer peer = peer_open();
    hr_task *task = hr_create_task("pinger", ping_peer, peer.url);
    ASSERT_ERR(hr_wait_fd(peer.listener, HR_READ), HR_READ);
    int fd = accept(peer.listener, NULL, NULL);
    ASSERT_EQ(write(fd, "-ERR who is there\r\n", 19), 19);
    ASSERT_ERR(hr_join(task), -ENOTCONN);
    ASSERT_SAYS("tls: no TLS is spoken at this port (wrong version number)");
    close(fd);
    close(peer.listener);
}
