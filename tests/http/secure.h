/* SPDX-License-Identifier: MIT */
/*
 * The server's side of TLS without a transport: what comes is given to it, what is to leave is
 * taken from it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct test_secure;

/* A conversation that shows server.pem of tests/support/certificates.h. */
struct test_secure *test_secure_new(void);
struct test_secure *test_secure_free(struct test_secure *secure);

/* From now on speaks TLS 1.1 at most, which no machine of today would. */
void test_secure_is_old(struct test_secure *secure);

/* Whether the client has taken up an earlier conversation. */
bool test_secure_resumed(const struct test_secure *secure);

/* Says farewell. */
void test_secure_leave(struct test_secure *secure);

/* Between it and the wire. take gives 0 when nothing is to leave. */
void test_secure_came(struct test_secure *secure, const void *bytes, size_t size);
size_t test_secure_take(struct test_secure *secure, void *bytes, size_t size);

/* What the client said: bytes, 0 at its end, -EAGAIN: more has to come, -EPROTO. */
ssize_t test_secure_read(struct test_secure *secure, void *bytes, size_t size);

/* Says something, once the client has. */
void test_secure_write(struct test_secure *secure, const void *bytes, size_t size);
