/* SPDX-License-Identifier: MIT */
/*
 * Several real redis-servers for a unit test, on free loopback ports: a master behind sentinels, or
 * a cluster; with TLS on wish, by the certificates of tests/support/certificates.h. All are gone
 * when the test is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TEST_SET_MAX 8

struct test_set_server {
    pid_t pid; /* 0: it does not run */
    uint16_t port, bus;
    uint16_t tls; /* with TLS: where clients go, and the servers among themselves */
    char dir[80];
    char conf[96]; /* of a sentinel; "" */
};

struct test_set {
    char dir[32];
    size_t count;
    bool cluster, tls;
    bool steady;          /* no master is replaced but by order, however busy the machine is */
    const char *password; /* of the servers, or NULL */
    struct test_set_server servers[TEST_SET_MAX];
};

/* Servers 0 (the master) and 1 (its replica), and three sentinels, 2 to 4, that know each other and
 * both; the master is called "main". password: of the servers, or NULL. */
#define TEST_SET_SENTINEL 2
void test_set_start_sentinels(struct test_set *set, const char *password);
void test_set_start_sentinels_steady(struct test_set *set);
void test_set_start_sentinels_tls(struct test_set *set); /* steady */

/* Masters 0 to 2, with a third of the slots each, and their replicas 3 to 5. */
void test_set_start_cluster(struct test_set *set);
void test_set_start_cluster_tls(struct test_set *set); /* steady */

/* Where its clients go; the plain port serves test_set_ask() in every case. */
uint16_t test_set_port(const struct test_set *set, size_t i);

/* kill -9; SIGSTOP and SIGCONT. Twice is fine. */
void test_set_kill(struct test_set *set, size_t i);
void test_set_freeze(struct test_set *set, size_t i);
void test_set_thaw(struct test_set *set, size_t i);

/* Ends the servers and removes their folder; for hr_auto(). A test that failed before it came here
 * has them ended by the next start, and at the latest with the test program. */
void test_set_end(struct test_set *set);

/* Sends one command over a connection of its own, blocking, and returns the raw answer; "" when
 * there is none within seconds. Valid until the next call. words are separated by blanks. */
const char *test_set_ask(const struct test_set *set, size_t i, const char *words);

/* Whether the answer to such a command holds text. */
bool test_set_says(const struct test_set *set, size_t i, const char *words, const char *text);

/* Waits until it does, blocking; fails the test when that takes too long. */
void test_set_wait(const struct test_set *set, size_t i, const char *words, const char *text);

/* The server's node id in its cluster: 40 digits. Valid until the next call. */
const char *test_set_id(const struct test_set *set, size_t i);
