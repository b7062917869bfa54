/* SPDX-License-Identifier: MIT */
/*
 * How a login goes, and how it does not: a scripted server that stalls, or asks for too much (T2).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/drivers/mysql/mysql_test.h"

/* A server that accepts one connection, says what it is to say, and hears what comes. */
struct script {
    int listener;
    char url[96];
    unsigned capabilities;
    const char *plugin; /* of the greeting */
    const void *answer; /* to the login; NULL: none */
    size_t answer_size;
    size_t heard; /* bytes after the answer, up to the end of what the client says */
};

#define CAPABILITIES 0x000aa209u /* 4.1, transactions, plugins, several results */
#define WITH_TLS     0x00000800u

static void script_open(struct script *script, const char *parameters)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(script->listener, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(script->listener, 4), 0);
    ASSERT_EQ(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(script->url, sizeof(script->url), "mysql://app:s3cret@127.0.0.1:%u/test%s",
             ntohs(address.sin_port), parameters);
}

static size_t greeting(const struct script *script, char *packet)
{
    static const char version[] = "8.0.36", salt[] = "12345678abcdefghijkl";
    unsigned caps = script->capabilities;
    char *at = packet + 4;
    *at++ = 10;
    at = (char *)memcpy(at, version, sizeof(version)) + sizeof(version);
    at = (char *)memcpy(at, "\1\0\0\0", 4) + 4;
    at = (char *)memcpy(at, salt, 8) + 8;
    *at++ = 0;
    *at++ = (char)caps;
    *at++ = (char)(caps >> 8);
    *at++ = 45;
    *at++ = 2;
    *at++ = 0;
    *at++ = (char)(caps >> 16);
    *at++ = (char)(caps >> 24);
    *at++ = 21;
    at = (char *)memset(at, 0, 10) + 10;
    at = (char *)memcpy(at, salt + 8, 13) + 13;
    at = stpcpy(at, script->plugin) + 1;
    memcpy(packet, (const char[]){(char)(at - packet - 4), 0, 0, 0}, 4);
    return (size_t)(at - packet);
}

static hr_async int hear(int fd, char *buffer, size_t size)
{
    int r = hr_wait_fd(fd, HR_READ);
    return r < 0 ? r : (int)recv(fd, buffer, size, MSG_DONTWAIT);
}

static int play(void *arg)
{
    struct script *script = arg;
    char packet[1024];
    int r = hr_wait_fd(script->listener, HR_READ);
    if (r < 0)
        return r;
    int fd = accept(script->listener, NULL, NULL);
    size_t size = greeting(script, packet);
    ASSERT_EQ(send(fd, packet, size, MSG_NOSIGNAL), size);
    r = hear(fd, packet, sizeof(packet));
    if (r > 0 && script->answer)
        ASSERT_EQ(send(fd, script->answer, script->answer_size, MSG_NOSIGNAL), script->answer_size);
    static const char denied[] = "\17\0\0\4\377\25\4#28000denied";
    while (r > 0 && (r = hear(fd, packet, sizeof(packet))) > 0) {
        script->heard += (size_t)r;
        if (script->answer)
            (void)send(fd, denied, sizeof(denied) - 1, MSG_NOSIGNAL);
    }
    close(fd);
    return r;
}

static int tick(void *arg)
{
    for (int *ticks = arg;; ++*ticks) {
        int r = hr_sleep(hr_ms(10));
        if (r < 0)
            return r;
    }
}

/* What becomes of a loan, while a ticker keeps its rate. */
static int try(struct script *script, hr_usec limit)
{
    int ticks = 0;
    hr_mysql_conn *conn = NULL;
    hr_usec start = hr_now();
    hr_task *ticker = hr_create_task("ticker", tick, &ticks);
    hr_task *player = hr_create_task("script", play, script);
    hr_mysql_pool *pool =
        hr_mysql_pool_new(&(struct hr_mysql_options){.url = script->url, .connect_timeout = limit});
    ASSERT_TRUE(pool);
    int code = hr_mysql_acquire(pool, &conn);
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    if (ticks * hr_ms(10) * 2 + hr_ms(40) < hr_now() - start)
        test_fail(__FILE__, __LINE__, "%d ticks in %lld ms", ticks,
                  (long long)(hr_now() - start) / 1000);
    ASSERT_TRUE(hr_now() - start < limit + hr_seconds(2));
    mysql_test_done(pool);
    hr_task_cancel(ticker, NULL);
    ASSERT_ERR(hr_join(ticker), -ECANCELED);
    ASSERT_ERR(hr_join(player), 0);
    close(script->listener);
    (void)hr_error_raise(&error);
    hr_error_done(&error);
    return code;
}

static void expect_said(const char *part)
{
    if (!strstr(hr_last_error()->message, part))
        test_fail(__FILE__, __LINE__, "%s", hr_last_error()->message);
}

TEST_REAL(t2_a_server_that_stalls_after_its_greeting_costs_its_time_limit_only)
{
    struct script script = {.capabilities = CAPABILITIES | WITH_TLS,
                            .plugin = "mysql_native_password"};
    script_open(&script, "?tls=none"); /* it never answers to the client's hello */
    ASSERT_ERR(try(&script, hr_ms(300)), -ENOTCONN);
    expect_said("no answer in time");

    script = (struct script){.capabilities = CAPABILITIES, .plugin = "mysql_native_password"};
    script_open(&script, "");
    ASSERT_ERR(try(&script, hr_ms(300)), -ENOTCONN);
    expect_said("no answer in time");
}

TEST_REAL(a_password_is_not_encrypted_with_a_key_from_whoever_answers)
{
    static const char whole_login[] = "\2\0\0\2\1\4"; /* the server does not know him yet */
    struct script script = {.capabilities = CAPABILITIES,
                            .plugin = "caching_sha2_password",
                            .answer = whole_login,
                            .answer_size = 6};
    script_open(&script, "");
    ASSERT_ERR(try(&script, hr_seconds(5)), -ENOTCONN);
    expect_said("ask for TLS (?tls=full), or use the unix socket");
    ASSERT_EQ(script.heard, 0);
}

TEST_REAL(a_plugin_that_is_not_there_is_named)
{
    static const char other[] = "\24\0\0\2\376auth_gssapi_client";
    struct script script = {.capabilities = CAPABILITIES,
                            .plugin = "mysql_native_password",
                            .answer = other,
                            .answer_size = sizeof(other)};
    script_open(&script, "");
    ASSERT_ERR(try(&script, hr_seconds(5)), HR_EREPLY);
    expect_said("auth_gssapi_client");
}

TEST_REAL(large_packets_go_both_ways_compressed)
{
    char url[96];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test?compress=zlib",
             mariadb_server_shared()->port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    static const char status[] = "SELECT variable_value FROM information_schema.session_status"
                                 " WHERE variable_name = 'compression'";
    ASSERT_STR(mysql_test_value(conn, status, HR_NO_ARGS), "ON");

    const size_t size = (size_t)12 << 20;
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + (i * i >> 7) % 26);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_ERR(hr_mysql_query(conn, &rows, "SELECT ?", HR_ARGS(hr_b(text, size))), 1);
    size_t len = 0;
    const char *got = hr_mysql_text(rows, 0, 0, &len);
    ASSERT_EQ(len, size);
    ASSERT_EQ(memcmp(got, text, size), 0);
    free(text);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
