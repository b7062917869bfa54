/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2, which a server offers over TLS: requests of several tasks share one connection. The
 * server is nghttp2's own.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/http/impl.h"
#include "tests/http/rig.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

#define TASKS 20
#define LONG  ((size_t)4 * 1024 * 1024)

static hr_child *server;
static hr_http_session *session;
static char folder[] = "/tmp/hr-http2-XXXXXX";
static char long_file[64];
static char url[64], long_url[64];

static struct sockaddr_in free_address(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return address;
}

static void write_long_file(void)
{
    snprintf(long_file, sizeof(long_file), "%s/long", folder);
    FILE *file = fopen(long_file, "we");
    ASSERT_TRUE(file);
    for (size_t i = 0; i < LONG; i++)
        putc_unlocked(rig_byte(i), file);
    ASSERT_EQ(fclose(file), 0);
}

static void start(void)
{
    char number[8];
    const char *pem = test_certificate("server.pem");
    strcpy(strrchr(folder, '-'), "-XXXXXX");
    ASSERT_TRUE(mkdtemp(folder));
    write_long_file();
    struct sockaddr_in address = free_address();
    snprintf(number, sizeof(number), "%u", ntohs(address.sin_port));
    snprintf(url, sizeof(url), "https://127.0.0.1:%s/echo", number);
    snprintf(long_url, sizeof(long_url), "https://127.0.0.1:%s/long", number);
    /* It goes with the test, also when that fails; nghttpd itself would not hear of it. */
    const char *const argv[] = {"setpriv",       "--pdeathsig", "TERM",      "timeout", "600",
                                "nghttpd",       "-a",          "127.0.0.1", "-d",      folder,
                                "--echo-upload", number,        pem,         pem,       NULL};
    server = hr_child_spawn(&(struct hr_child_options){
        .argv = argv, .streams = {{HR_CHILD_NULL}, {HR_CHILD_NULL}, {HR_CHILD_NULL}}
    });
    ASSERT_TRUE(server);
    int fd, r;
    while ((r = hr_connect((struct sockaddr *)&address, sizeof(address), &fd)) < 0 &&
           !hr_child_over(server))
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_ERR(r, 0);
    close(fd);
}

static void open_session(bool wait_to_share)
{
    hr_http_session_freep(&session);
    session = hr_http_session_new(&(struct hr_http_options){.tls.ca = test_certificate("ca.pem"),
                                                            .wait_to_share = wait_to_share});
    ASSERT_TRUE(session);
}

static void stop(void)
{
    hr_http_session_freep(&session);
    ASSERT_ERR(hr_child_stop(server, hr_seconds(5), NULL), 0);
    server = hr_child_free(server);
    unlink(long_file);
    rmdir(folder);
}

/* Each posts what only it knows, and has that back. */
static int echo(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char own[64];
    const char *text = NULL;
    snprintf(own, sizeof(own), "number %td", (intptr_t)arg);
    int r = hr_http_post(session, url, "text/plain", own, strlen(own), &response);
    if (r == 0)
        r = hr_http_text(response, &text, NULL);
    if (r < 0)
        return r;
    ASSERT_EQ(hr_http_status(response), 200);
    ASSERT_EQ(hr_http_version(response), 20);
    ASSERT_STR(text, own);
    return 0;
}

static uint64_t connections(void)
{
    struct hr_http_stats stats;
    hr_http_get_stats(session, &stats);
    return stats.connections;
}

static void ask_all(hr_task **tasks)
{
    for (intptr_t i = 0; i < TASKS; i++)
        tasks[i] = hr_create_task(NULL, echo, (void *)i);
}

TEST_REAL(s24_14_requests_of_several_tasks_share_one_connection_of_http_2)
{
    hr_task *tasks[TASKS];
    start();
    open_session(true); /* from the first moment on */
    ask_all(tasks);
    for (int i = 0; i < TASKS; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_EQ(connections(), 1);

    open_session(false); /* once one is open */
    ASSERT_ERR(echo(NULL), 0);
    ask_all(tasks);
    for (int i = 0; i < TASKS; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_EQ(connections(), 1);

    ask_all(tasks);
    ASSERT_ERR(hr_yield(), 0);
    for (int i = 0; i < TASKS; i += 2)
        hr_task_cancel(tasks[i], NULL); /* its own stream, and no other's */
    for (int i = 0; i < TASKS; i++)
        ASSERT_ERR(hr_join(tasks[i]), i % 2 ? 0 : -ECANCELED);
    ASSERT_ERR(echo(NULL), 0);
    ASSERT_EQ(connections(), 1);
    stop();
}

/* How many of the session's sockets are in that state. */
static int count_sockets(int state)
{
    int n = 0;
    for (size_t i = 0; i < session->socket_room; i++) {
        struct tcp_info info = {0};
        socklen_t len = sizeof(info);
        if (!session->sockets[i])
            continue;
        ASSERT_EQ(getsockopt((int)i, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        n += info.tcpi_state == state;
    }
    return n;
}

TEST_REAL(s24_14_a_kept_connection_of_http_2_whose_server_closes_it_is_closed_as_well)
{
    start();
    open_session(true);
    ASSERT_ERR(echo(NULL), 0);
    ASSERT_EQ(count_sockets(TCP_ESTABLISHED), 1);
    ASSERT_ERR(hr_child_stop(server, hr_seconds(5), NULL), 0);
    while (count_sockets(TCP_CLOSE) == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    stop();
}

/* A body of that length, from its beginning. */
static int read_long(hr_http_response *response)
{
    char piece[20000];
    size_t got = 0;
    ssize_t n;
    while ((n = hr_http_read(response, piece, sizeof(piece))) > 0) {
        for (size_t i = 0; i < (size_t)n; i++) {
            if (piece[i] != rig_byte(got + i))
                test_fail(__FILE__, __LINE__, "byte %zu is another", got + i);
        }
        got += (size_t)n;
    }
    if (n == 0)
        ASSERT_EQ(got, LONG);
    return (int)n;
}

TEST_REAL(s24_15_over_http_2_a_body_that_nobody_reads_holds_nobody_else_up)
{
    start();
    open_session(true);
    for (int first = 0; first < 2; first++) {
        hr_http_response *held[2];
        for (int i = 0; i < 2; i++)
            ASSERT_ERR(hr_http_get(session, long_url, &held[i]), 0);
        for (int i = 0; i < 2; i++) {
            while (!(held[i]->paused & CURLPAUSE_RECV))
                ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        }
        ASSERT_ERR(read_long(held[first]), 0);
        ASSERT_ERR(echo(NULL), 0);
        ASSERT_ERR(read_long(held[!first]), 0);
        hr_http_closep(&held[0]);
        hr_http_closep(&held[1]);
    }
    ASSERT_EQ(connections(), 1);
    stop();
}

/* What had come for it goes with it, as leak checkers see. */
TEST_REAL(s24_15_over_http_2_a_body_that_is_left_unread_leaves_nothing)
{
    hr_http_response *left = NULL, *other = NULL;
    start();
    open_session(true);
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(hr_http_get(session, long_url, &other), 0);
        ASSERT_ERR(hr_http_get(session, long_url, &left), 0);
        while (!(left->paused & CURLPAUSE_RECV))
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        hr_http_closep(&left);
        ASSERT_ERR(read_long(other), 0);
        hr_http_closep(&other);
    }
    ASSERT_EQ(connections(), 1);
    stop();
}

/* With the size said in advance, and without. */
static int send_in_pieces(void *size)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    struct hr_http_request request = {.url = url, .stream = true, .body_size = *(size_t *)size};
    char piece[LONG / 256];
    int r = hr_http_begin(session, &request, &response);
    for (size_t sent = 0; r == 0 && sent < LONG; sent += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = rig_byte(sent + i);
        r = hr_http_write(response, piece, sizeof(piece));
        ASSERT_TRUE(hr_buf_size(&response->upload) <= response->session->options.window);
    }
    if (r == 0)
        r = hr_http_finish(response);
    return r < 0 ? r : read_long(response);
}

/* libcurl before 8.1 is not trusted with what comes beside it. */
static bool unknown_sizes_go_alone(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num < 0x080100;
}

TEST_REAL(s24_15_over_http_2_bodies_go_in_pieces_as_the_server_takes_them)
{
    size_t sizes[] = {0, LONG, 0, LONG};
    hr_task *tasks[HR_ARRAY_LEN(sizes)];
    start();
    open_session(true);
    for (size_t i = 0; i < HR_ARRAY_LEN(sizes); i++)
        tasks[i] = hr_create_task(NULL, send_in_pieces, &sizes[i]);
    for (size_t i = 0; i < HR_ARRAY_LEN(sizes); i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    if (unknown_sizes_go_alone())
        ASSERT_TRUE(connections() > 2);
    else
        ASSERT_EQ(connections(), 1);
    stop();
}

static int get_long(void *lazy)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_get(session, long_url, &response);
    if (r == 0 && lazy)
        r = hr_sleep(hr_ms(20));
    return r < 0 ? r : read_long(response);
}

/* Requests in whatever state they are, held back or not, on one connection that goes. */
TEST_REAL(s24_1_over_http_2_closing_ends_what_is_under_way)
{
    start();
    for (int wait = 0; wait < 30; wait += 3) {
        hr_task *tasks[6];
        open_session(true);
        if (wait > 10)
            ASSERT_ERR(echo(NULL), 0);
        for (intptr_t i = 0; i < 6; i++)
            tasks[i] = hr_create_task(NULL, get_long, (void *)(i % 2));
        ASSERT_ERR(hr_sleep(hr_ms(wait)), 0);
        hr_http_session_freep(&session);
        for (int i = 0; i < 6; i++) {
            int r = hr_join(tasks[i]);
            if (r != 0) /* it was quick */
                ASSERT_ERR(r, HR_ECLOSED);
        }
    }
    stop();
}

#define LITTLE 30

/* Bodies of unknown size that end while others come. */
static int send_a_little(void *unused)
{
    for (int i = 0; i < LITTLE; i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        struct hr_http_request request = {.url = url, .stream = true};
        int r = hr_http_begin(session, &request, &response);
        if (r == 0)
            r = hr_http_write(response, "a little", 8);
        if (r == 0)
            r = hr_http_finish(response);
        if (r < 0)
            return r;
    }
    return 0;
}

TEST_REAL(s24_15_over_http_2_a_body_that_ends_spoils_none_that_comes)
{
    hr_task *tasks[8];
    start();
    open_session(true);
    for (int i = 0; i < 8; i++)
        tasks[i] = hr_create_task(NULL, i < 4 ? get_long : send_a_little, NULL);
    for (int i = 0; i < 8; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    if (unknown_sizes_go_alone())
        ASSERT_TRUE(connections() > 4 * LITTLE);
    stop();
}
