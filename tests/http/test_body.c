/* SPDX-License-Identifier: MIT */
/*
 * Bodies of responses, semantics 24.6, 24.12 and 24.15: how they end, compressed ones, streams, and
 * what nobody reads.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

#define MIB ((size_t)1024 * 1024)

static size_t said_so_far; /* by the server, of a long body */

/* "hello hello hello hello hello\n", by gzip. */
static const unsigned char zipped[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
    0x57, 0xc8, 0xc0, 0x4e, 0x72, 0x01, 0x00, 0x68, 0x02, 0x31, 0x66, 0x1e, 0x00, 0x00, 0x00,
};

/* "deflated\n", by zlib, and 300 letters, by gzip. */
static const unsigned char deflated[] = {0x78, 0x9c, 0x4b, 0x49, 0x4d, 0xcb, 0x49, 0x2c, 0x49,
                                         0x4d, 0xe1, 0x02, 0x00, 0x11, 0xbd, 0x03, 0x44};
static const unsigned char long_zipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
                                            0x03, 0x4b, 0x4c, 0x1c, 0x05, 0xc4, 0x02, 0x00, 0x09,
                                            0x19, 0x97, 0x89, 0x2c, 0x01, 0x00, 0x00};

static bool send_encoded(struct test_conn *conn, const char *by, const void *bytes, size_t size)
{
    return test_conn_say(conn,
                         "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         by, size) &&
           test_conn_send(conn, bytes, size);
}

static bool serve_ends(struct test_conn *conn)
{
    const char *ok = "HTTP/1.1 200 OK\r\n", *chunked = "Transfer-Encoding: chunked\r\n\r\n";
    if (test_conn_asks(conn, "/length"))
        return test_conn_say(conn, "%sContent-Length: 4\r\n\r\nbody", ok);
    if (test_conn_asks(conn, "/chunked"))
        return test_conn_say(conn, "%s%s2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nX-Late: 1\r\n\r\n", ok,
                             chunked);
    if (test_conn_asks(conn, "/until-close"))
        return !test_conn_say(conn, "%sConnection: close\r\n\r\nbody", ok);
    if (test_conn_asks(conn, "/empty"))
        return test_conn_say(conn, "%sContent-Length: 0\r\n\r\n", ok);
    if (test_conn_asks(conn, "/short"))
        return !test_conn_say(conn, "%sContent-Length: 10\r\n\r\nbody", ok);
    if (test_conn_asks(conn, "/short-chunk"))
        return !test_conn_say(conn, "%s%sa\r\nbody", ok, chunked);
    if (test_conn_asks(conn, "/no-last-chunk"))
        return !test_conn_say(conn, "%s%s4\r\nbody\r\n", ok, chunked);
    if (test_conn_asks(conn, "/bad-chunk"))
        return !test_conn_say(conn, "%s%sxyz\r\nbody\r\n", ok, chunked);
    if (test_conn_asks(conn, "/bad-gzip"))
        return test_conn_say(conn, "%sContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody", ok);
    if (test_conn_asks(conn, "/cut"))
        return !test_conn_say(conn, "%sX: y\r\n", ok);
    if (test_conn_asks(conn, "/cut-after-hints"))
        return !test_conn_say(conn, "HTTP/1.1 103 Early Hints\r\n\r\n%sX: y", ok);
    if (test_conn_asks(conn, "/garbage"))
        return !test_conn_say(conn, "what?\r\n\r\n");
    if (test_conn_asks(conn, "/gzip")) {
        bool asked = strstr(test_conn_header(conn, "accept-encoding"), "gzip");
        if (!asked)
            return test_conn_answer(conn, "plain");
        return send_encoded(conn, "gzip", zipped, sizeof(zipped));
    }
    if (test_conn_asks(conn, "/deflate"))
        return send_encoded(conn, "deflate", deflated, sizeof(deflated));
    if (test_conn_asks(conn, "/long-gzip"))
        return send_encoded(conn, "gzip", long_zipped, sizeof(long_zipped));
    return false; /* nothing at all */
}

TEST_REAL(s24_6_a_body_ends_by_length_by_chunk_or_by_the_connection)
{
    char text[32];
    rig_begin(serve_ends);
    const char *const whole[] = {"/length", "/chunked", "/until-close", NULL};
    for (const char *const *path = whole; *path; path++) {
        ASSERT_ERR(rig_get(*path, text, sizeof(text)), 0);
        ASSERT_STR(text, "body");
    }
    ASSERT_ERR(rig_get("/empty", text, sizeof(text)), 0);
    ASSERT_STR(text, "");
    rig_end();
}

TEST_REAL(s24_6_a_short_or_garbled_body_is_an_error)
{
    char text[32];
    rig_begin(serve_ends);
    const char *const bad[] = {"/short",     "/short-chunk", "/no-last-chunk",
                               "/bad-chunk", "/bad-gzip",    NULL};
    for (const char *const *path = bad; *path; path++)
        ASSERT_ERR(rig_get(*path, text, sizeof(text)), -EBADMSG);

    /* What came before the end can be read. */
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/short"), &response), 0);
    ASSERT_EQ(hr_http_read(response, text, sizeof(text)), 4);
    ASSERT_EQ(hr_http_read(response, text, sizeof(text)), -EBADMSG);
    hr_http_closep(&response);

    ASSERT_ERR(hr_http_get(rig.session, rig_url("/garbage"), &response), -EBADMSG);
    ASSERT_EQ(hr_last_error()->native, 0);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/nothing"), &response), HR_ELOST);
    rig_end();
}

TEST_REAL(s24_6_half_a_head_is_no_answer)
{
    hr_http_response *response = NULL;
    static const char *const cut[] = {"/cut", "/cut-after-hints"};
    rig_begin(serve_ends);
    for (size_t i = 0; i < HR_ARRAY_LEN(cut); i++) {
        ASSERT_ERR(hr_http_get(rig.session, rig_url(cut[i]), &response), HR_ELOST);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, "amid the headers"));
    }
    rig_end();
}

TEST_REAL(s24_12_a_compressed_body_is_decoded)
{
    char text[64];
    rig_begin(serve_ends);
    ASSERT_ERR(rig_get("/gzip", text, sizeof(text)), 0);
    ASSERT_STR(text, "hello hello hello hello hello\n");
    ASSERT_ERR(rig_get("/deflate", text, sizeof(text)), 0);
    ASSERT_STR(text, "deflated\n");
    rig_end();
    rig_begin(serve_ends, .max_body = 100); /* of what is decoded */
    ASSERT_ERR(rig_get("/long-gzip", text, sizeof(text)), -EMSGSIZE);
    rig_end();
    rig_begin(serve_ends, .no_compression = true);
    ASSERT_ERR(rig_get("/gzip", text, sizeof(text)), 0);
    ASSERT_STR(text, "plain");
    rig_end();
}

static bool serve_long(struct test_conn *conn)
{
    static char piece[32768];
    size_t size = strtoul(conn->path + 1, NULL, 10) * MIB;
    bool ok = test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    said_so_far = 0;
    while (ok && said_so_far < size) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = rig_byte(said_so_far + i);
        ok = test_conn_send(conn, piece, sizeof(piece));
        said_so_far += sizeof(piece);
    }
    return ok;
}

TEST_REAL(s24_15_a_body_that_nobody_reads_holds_its_server_back)
{
    rig_begin(serve_long);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    hr_auto(hr_freep) char *bytes = malloc(100000);
    size_t size = 64 * MIB, got = 0, before;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/64"), &response), 0);
    do { /* until the kernel's buffers are full as well */
        before = said_so_far;
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    } while (said_so_far > before);
    ASSERT_TRUE(said_so_far < 16 * MIB);
    for (ssize_t n; (n = hr_http_read(response, bytes, 100000)) != 0; got += (size_t)n) {
        ASSERT_TRUE(n > 0);
        for (size_t i = 0; i < (size_t)n; i += 97)
            ASSERT_EQ(bytes[i], rig_byte(got + i));
    }
    ASSERT_EQ(got, size);
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/1"), &response), 0);
    ASSERT_EQ(rig.server.connections, 1);
    hr_http_closep(&response);
    rig_end();
}

/* libcurl 8.5 asks to hear of what comes for a paused transfer, too, and reads it when it does.
 * Where it would have a socket forgotten, this one has it as it was, once; what it is told is
 * counted. */
static struct greedy {
    bool on, asked;
    CURL *easy;
    curl_socket_t fd;
    unsigned told;
} greedy;
static curl_socket_callback real_callback;

static int ask_for_more(CURL *easy, curl_socket_t fd, int what, void *cookie, void *own)
{
    if (greedy.on && what == CURL_POLL_REMOVE && !greedy.asked) {
        greedy.easy = easy;
        greedy.fd = fd;
        greedy.asked = true;
        return 0;
    }
    return real_callback(easy, fd, what, cookie, own);
}

#undef curl_multi_setopt
__attribute__((visibility("default"))) CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option,
                                                                   ...)
{
    __typeof__(&curl_multi_setopt) real = (__typeof__(real))dlsym(RTLD_NEXT, "curl_multi_setopt");
    va_list args;
    va_start(args, option);
    void *value = va_arg(args, void *); /* or a long, which is as long */
    va_end(args);
    if (option != CURLMOPT_SOCKETFUNCTION)
        return real(multi, option, value);
    real_callback = (curl_socket_callback)value;
    return real(multi, option, ask_for_more);
}

__attribute__((visibility("default"))) CURLMcode
curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int events, int *running)
{
    __typeof__(&curl_multi_socket_action) real =
        (__typeof__(real))dlsym(RTLD_NEXT, "curl_multi_socket_action");
    greedy.told += greedy.asked && fd == greedy.fd && events & CURL_CSELECT_IN;
    return real(multi, fd, events, running);
}

TEST_REAL(s24_15_libcurl_is_not_told_what_comes_for_a_body_that_nobody_reads)
{
    rig_begin(serve_long);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    static char bytes[100000];
    size_t got = 0, before;
    greedy = (struct greedy){.on = true};
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/8"), &response), 0);
    do {
        before = said_so_far;
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    } while (said_so_far > before);
    ASSERT_EQ(greedy.told, 0);
    greedy.on = false;
    if (greedy.asked) /* it is forgotten after all, where libcurl is not 8.5 itself */
        real_callback(greedy.easy, greedy.fd, CURL_POLL_REMOVE, rig.session, NULL);
    greedy.asked = false;
    for (ssize_t n; (n = hr_http_read(response, bytes, sizeof(bytes))) != 0; got += (size_t)n)
        ASSERT_TRUE(n > 0);
    ASSERT_EQ(got, 8 * MIB);
    hr_http_closep(&response);
    rig_end();
}

TEST_REAL(a_body_larger_than_wanted_is_an_error)
{
    rig_begin(serve_long, .max_body = MIB);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const void *bytes;
    size_t size;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/1"), &response), 0);
    ASSERT_ERR(hr_http_bytes(response, &bytes, &size), 0);
    ASSERT_EQ(size, MIB);
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/2"), &response), 0);
    ASSERT_ERR(hr_http_bytes(response, &bytes, &size), -EMSGSIZE);
    hr_http_closep(&response);
    rig_end();
}

/* Says so many headers of a kilobyte, one of as many, or interim answers without an end. */
static bool serve_headers(struct test_conn *conn)
{
    static char line[256 * 1024];
    if (strncmp(conn->path, "/line/", 6) == 0) {
        size_t size = strtoul(conn->path + 6, NULL, 10) * 1024;
        memset(line, 'x', sizeof(line));
        return test_conn_say(conn, "HTTP/1.1 200 OK\r\nX-Line: ") &&
               test_conn_send(conn, line, size) &&
               test_conn_say(conn, "\r\nContent-Length: 0\r\n\r\n");
    }
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(conn, "HTTP/1.1 302 Found\r\nX-Line: ") &&
               test_conn_send(conn, memset(line, 'x', 90000), 90000) &&
               test_conn_say(conn, "\r\nLocation: /200\r\nContent-Length: 0\r\n\r\n");
    if (test_conn_asks(conn, "/interim")) {
        while (test_conn_say(conn, "HTTP/1.1 103 Early Hints\r\nX: %01000d\r\n\r\n", 1) &&
               hr_yield() == 0)
            ;
        return false;
    }
    bool ok = test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (int i = atoi(conn->path + 1); i > 0 && ok; i--)
        ok = test_conn_say(conn, "X-%04d: %01015d\r\n", i, i);
    return ok && test_conn_say(conn, "\r\n");
}

TEST_REAL(more_headers_than_anybody_needs_are_an_error)
{
    rig_begin(serve_headers);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/200"), &response), 0);
    ASSERT_EQ(strlen(hr_http_header(response, "x-0200")), 1015);
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/away"), &response), 0); /* each for itself */
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/270"), &response), -EMSGSIZE);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/line/90"), &response), 0);
    ASSERT_EQ(strlen(hr_http_header(response, "x-line")), (size_t)90 * 1024);
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/line/250"), &response), -EMSGSIZE);
    ASSERT_TRUE(strstr(hr_last_error()->message, "headers are too long"));
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/interim"), &response), -EMSGSIZE);
    rig_end();
}

/* 256 MiB by zstd: a frame of blocks that each say a byte 128 KiB times. */
static bool serve_bomb(struct test_conn *conn)
{
    enum { BLOCKS = 2048, BLOCK = 128 * 1024 };
    static unsigned char bytes[6 + 4 * BLOCKS] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (17 - 10) << 3};
    if (!strstr(test_conn_header(conn, "accept-encoding"), "zstd"))
        return test_conn_answer(conn, "none");
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned head = BLOCK << 3 | 1 << 1 | (i == BLOCKS - 1);
        unsigned char *to = bytes + 6 + 4 * (size_t)i;
        to[0] = (unsigned char)head;
        to[1] = (unsigned char)(head >> 8);
        to[2] = (unsigned char)(head >> 16);
        to[3] = 'b';
    }
    return send_encoded(conn, "zstd", bytes, sizeof(bytes));
}

TEST_REAL(a_small_body_that_would_be_a_huge_one_is_too_long)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char text[8];
    const void *bytes;
    size_t size;
    ssize_t n;
    rig_begin(serve_bomb, .max_body = MIB);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), 0);
    int r = hr_http_bytes(response, &bytes, &size);
    if (r < 0 || size != 4) /* libcurl knows zstd */
        ASSERT_ERR(r, -EMSGSIZE);
    hr_http_closep(&response);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &response), 0);
    while ((n = hr_http_read(response, text, sizeof(text))) > 0)
        ;
    ASSERT_ERR((int)n, r);
    hr_http_closep(&response);
    rig_end();
}
