/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server for tests that says what a test tells it to, byte by byte: tasks of the test's own
 * loop, so that nothing has to be waited for but the client.
 */
#pragma once

#include "core/headrace.h"

struct test_conn;

struct test_http {
    char url[64]; /* "http://127.0.0.1:PORT", or https */
    /* Answers a request; false: then hang up. */
    bool (*serve)(struct test_conn *conn);
    unsigned connections; /* that came, in all */
    unsigned open, most;  /* now, and at most at a time */
    unsigned requests;
    unsigned under_way, most_under_way;

    int fd;
    bool secure;
    bool old; /* TLS 1.1 at most */
    hr_task *acceptor;
    struct hr_list conns;
};

struct test_conn {
    struct hr_list link;
    struct test_http *server;
    hr_task *task; /* borrowed */
    hr_io *io;
    int fd;
    struct test_secure *secure; /* NULL: no TLS */
    struct hr_buf in;           /* what has come and is not used */
    char method[16];
    char path[256];
    char headers[4096]; /* all lines, each ended by \n */
    char *body;
    size_t body_size;
    unsigned number;  /* of the connection, from 1 */
    unsigned request; /* of this connection, from 1 */
};

/* Listens on a free port of loopback. */
void test_http_start(struct test_http *server, bool (*serve)(struct test_conn *conn));

/* The same with TLS, and server.pem of tests/support/certificates.h. */
void test_https_start(struct test_http *server, bool (*serve)(struct test_conn *conn));

/* Hangs up on everybody, waits until it is gone. */
void test_http_stop(struct test_http *server);

/* Whether the request's path is that one. */
bool test_conn_asks(const struct test_conn *conn, const char *path);

/* The value of a header, "" when there is none; valid until the next call. */
const char *test_conn_header(const struct test_conn *conn, const char *name);

/* Says something; false when nobody listens any more. */
bool test_conn_say(struct test_conn *conn, const char *fmt, ...) hr_printf_like(2, 3);
bool test_conn_send(struct test_conn *conn, const void *bytes, size_t size);

/* Answers 200 with that text. */
bool test_conn_answer(struct test_conn *conn, const char *text);

/* Waits until the client has hung up, or the test is over. */
bool test_conn_until_gone(struct test_conn *conn);
