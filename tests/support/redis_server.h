/* SPDX-License-Identifier: MIT */
/*
 * A real redis-server for a unit test: in a folder of its own, on a unix socket and a free loopback
 * port, gone when the test is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct test_redis {
    pid_t pid;
    uint16_t port;
    char dir[64];
    char socket[96];
    char unix_url[128];
    char tcp_url[64];
    bool tls;                /* on the port; the socket is plain */
    const char *const *args; /* more arguments, up to NULL, or NULL */
};

/* Starts a server and waits until it answers. Fails the test when it does not. */
void test_redis_start(struct test_redis *redis, const char *const *args);

/* The same with TLS on its port, by the certificates of tests/support/certificates.h; tcp_url is
 * that of localhost then. clients: they need a certificate too. */
void test_redis_start_tls(struct test_redis *redis, bool clients);

/* Starts it again in the same folder, at the same addresses. */
void test_redis_restart(struct test_redis *redis);

void test_redis_kill(struct test_redis *redis); /* kill -9 */
void test_redis_freeze(struct test_redis *redis);
void test_redis_thaw(struct test_redis *redis);

/* Ends the server and removes its folder; for hr_auto(). A test that failed before it came here has
 * its server ended by the next start, and at the latest with the test program. */
void test_redis_end(struct test_redis *redis);

/* Sends one command over a connection of its own, blocking, and returns the server's raw answer
 * ("+OK\r\n"); valid until the next call. words are separated by blanks. */
const char *test_redis_ask(const struct test_redis *redis, const char *words);
