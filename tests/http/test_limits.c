/* SPDX-License-Identifier: MIT */
/*
 * Limits, semantics 24.7, 24.11 and 24.16: of time, of descriptors, and of what is kept. A task
 * that ticks shows that the loop goes on.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/http/impl.h"
#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

#define REQUESTS 600
#define AT_ONCE  500

/* Everything that a request waits for, from the call to the end of the body. */
static int get_whole(const char *path)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const void *bytes;
    int r = hr_http_get(rig.session, rig_url(path), &response);
    return r < 0 ? r : hr_http_bytes(response, &bytes, NULL);
}

static char elsewhere[64];

static bool serve_slowly(struct test_conn *conn)
{
    if (test_conn_asks(conn, "/silent"))
        return test_conn_until_gone(conn);
    if (test_conn_asks(conn, "/silent-body")) {
        test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbo");
        return test_conn_until_gone(conn);
    }
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(
            conn, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", elsewhere);
    if (test_conn_asks(conn, "/trickle")) {
        bool ok = test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while (ok && hr_sleep(hr_ms(10)) == 0)
            ok = test_conn_say(conn, "x");
        return false;
    }
    if (test_conn_asks(conn, "/trickled-head")) {
        const char *head = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n";
        for (const char *p = head; *p; p++) {
            if (*p == '\n' && hr_sleep(hr_ms(20)) < 0)
                return false;
            test_conn_say(conn, "%c", *p);
        }
        return true;
    }
    return test_conn_answer(conn, "ok");
}

TEST_REAL(s24_7_a_silent_server_is_left)
{
    rig_begin(serve_slowly, .read_timeout = hr_ms(60));
    ASSERT_ERR(get_whole("/silent"), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, "said nothing"));
    ASSERT_ERR(get_whole("/silent-body"), -ETIMEDOUT);
    ASSERT_ERR(get_whole("/trickled-head"), 0); /* slow, never silent for so long */
    rig_end();
}

TEST_REAL(s24_7_a_request_has_a_limit_in_total)
{
    rig_begin(serve_slowly, .total_timeout = hr_ms(80), .limit = 1);
    hr_usec start = hr_now();
    ASSERT_ERR(get_whole("/trickle"), -ETIMEDOUT);
    ASSERT_TRUE(hr_now() - start >= hr_ms(80));
    ASSERT_TRUE(strstr(hr_last_error()->message, "time that was given"));

    hr_auto(hr_http_closep) hr_http_response *holder = NULL; /* of the only turn */
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    struct hr_http_request request = {.url = rig_url("/silent-body"),
                                      .total_timeout = hr_seconds(9)};
    ASSERT_ERR(hr_http_send(rig.session, &request, &holder), 0);
    request = (struct hr_http_request){.url = rig_url("/"), .total_timeout = hr_ms(20)};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -ETIMEDOUT);
    ASSERT_FALSE(hr_last_error()->sent);
    hr_http_closep(&holder);
    ASSERT_ERR(get_whole("/"), 0);
    rig_end();
}

TEST_REAL(s24_7_a_request_may_have_a_limit_of_its_own)
{
    rig_begin(serve_slowly, .read_timeout = hr_seconds(3));
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    struct hr_http_request request = {.url = rig_url("/silent"), .total_timeout = hr_ms(20)};
    ASSERT_ERR(hr_http_send(rig.session, &request, &response), -ETIMEDOUT);
    ASSERT_TRUE(strstr(hr_last_error()->message, "time that was given"));
    rig_end();
}

/* What libcurl is told and does not take, it forgets without a word; and what it takes here comes
 * back as the span of a timer. */
static unsigned not_taken;
static long longest;

#undef curl_easy_setopt
__attribute__((visibility("default"))) CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    __typeof__(&curl_easy_setopt) real = (__typeof__(real))dlsym(RTLD_NEXT, "curl_easy_setopt");
    va_list args;
    va_start(args, option);
    void *value = va_arg(args, void *); /* or a long, which is as long */
    va_end(args);
    CURLcode code = real(easy, option, value);
    not_taken += code == CURLE_BAD_FUNCTION_ARGUMENT;
    longest = option == CURLOPT_CONNECTTIMEOUT_MS ? (long)value : longest;
    return code;
}

TEST_REAL(limits_are_what_the_header_says_unless_they_are_set)
{
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    const struct hr_http_options *o = &session->options;
    ASSERT_EQ(o->limit, 100);
    ASSERT_EQ(o->limit_per_host, 0);
    ASSERT_EQ(o->connect_timeout, hr_seconds(30));
    ASSERT_EQ(o->read_timeout, hr_seconds(60));
    ASSERT_EQ(o->total_timeout, hr_seconds(300));
    ASSERT_EQ(o->max_redirects, 10);
    ASSERT_EQ(o->max_body, (size_t)64 * 1024 * 1024);
    ASSERT_EQ(o->window, 64 * 1024);

    const struct hr_http_options wrong[] = {{.limit = UINT_MAX}, {.limit_per_host = UINT_MAX}};
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        ASSERT_PTR(hr_http_session_new(&wrong[i]), NULL);
        ASSERT_ERR(hr_last_error()->code, -EINVAL);
    }
}

TEST_REAL(s24_7_a_limit_may_be_as_long_as_anybody_likes)
{
    rig_begin(serve_slowly, .connect_timeout = INT64_MAX, .read_timeout = INT64_MAX,
              .total_timeout = INT64_MAX, .max_redirects = INT_MAX);
    not_taken = 0;
    ASSERT_ERR(get_whole("/"), 0);
    ASSERT_EQ(not_taken, 0);
    ASSERT_TRUE(longest > 0 && longest <= INT_MAX);
    rig_end();
}

static int get_silent(void *where)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    return hr_http_get(rig.session, where, &response);
}

TEST_REAL(s24_7_connecting_has_a_limit)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char silent[64];
    int fillers[4], fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(fd, 0), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < HR_ARRAY_LEN(fillers);
         i++) { /* until the kernel drops who else knocks */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = connect(fillers[i], (struct sockaddr *)&address, len);
        ASSERT_TRUE(r == 0 || errno == EINPROGRESS);
    }
    rig.session = hr_http_session_new(&(struct hr_http_options){.connect_timeout = hr_ms(60)});
    snprintf(silent, sizeof(silent), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    hr_usec start = hr_now();
    ASSERT_ERR(hr_http_get(rig.session, silent, &response), -ETIMEDOUT);
    ASSERT_TRUE(hr_now() - start >= hr_ms(60));
    ASSERT_FALSE(hr_last_error()->sent);

    /* It is each request's own, also where they could share a connection. */
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    snprintf(silent, sizeof(silent), "https://127.0.0.1:%d/", ntohs(address.sin_port));
    start = hr_now();
    for (int i = 0; i < 50; i++)
        hr_futures_add(&all, hr_create_task(NULL, get_silent, silent));
    ASSERT_ERR(hr_gather(&all, HR_RETURN_ERRORS), 0);
    for (size_t i = 0; i < all.count; i++) {
        ASSERT_ERR(hr_future_status(all.items[i]), -ETIMEDOUT);
        hr_future_error(all.items[i]);
    }
    ASSERT_TRUE(hr_now() - start < 25 * hr_ms(60)); /* not one behind the other */
    hr_http_session_freep(&rig.session);

    /* Nor is it a silence, also where a redirect leads. */
    snprintf(elsewhere, sizeof(elsewhere), "http%s", strchr(silent, ':'));
    rig_begin(serve_slowly, .connect_timeout = hr_ms(80), .read_timeout = hr_ms(30));
    ASSERT_ERR(get_whole("/away"), -ETIMEDOUT);
    ASSERT_FALSE(strstr(hr_last_error()->message, "said nothing"));
    rig_end();
    for (size_t i = 0; i < HR_ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    close(fd);
}

/* --- names */

#define SLOW_NAME "slow.invalid"
#define SLOW_US   1000000

/* libcurl asks here, in threads of its own. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict ret)
{
    __typeof__(&getaddrinfo) real = (__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");
    if (name && strcmp(name, SLOW_NAME) == 0) {
        usleep(SLOW_US);
        return EAI_AGAIN;
    }
    return real(name, service, hints, ret);
}

struct ticker {
    hr_usec worst;
    unsigned ticks;
};

static int tick(void *arg)
{
    struct ticker *ticker = arg;
    for (;;) {
        hr_usec before = hr_now();
        int r = hr_sleep(hr_ms(10));
        if (r < 0)
            return 0;
        hr_usec late = hr_now() - before - hr_ms(10);
        ticker->worst = late > ticker->worst ? late : ticker->worst;
        ticker->ticks++;
    }
}

static int get_slow_name(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    return hr_http_get(rig.session, "http://" SLOW_NAME "/", &response);
}

TEST_REAL(a_name_that_is_not_found_holds_nobody_up)
{
    struct ticker ticker = {0};
    rig_begin(serve_slowly, .connect_timeout = hr_ms(100));
    hr_task *ticks = hr_create_task("tick", tick, &ticker);
    hr_task *cancelled = hr_create_task("get", get_slow_name, NULL);
    ASSERT_ERR(hr_sleep(hr_ms(30)), 0);
    hr_task_cancel(cancelled, NULL);
    ASSERT_ERR(hr_join(cancelled), -ECANCELED);
    ASSERT_ERR(get_slow_name(NULL), -ETIMEDOUT);
    hr_task *closed = hr_create_task("get", get_slow_name, NULL);
    ASSERT_ERR(hr_sleep(hr_ms(30)), 0);
    rig_end();
    ASSERT_ERR(hr_join(closed), HR_ECLOSED);
    hr_task_cancel(ticks, NULL);
    ASSERT_ERR(hr_join(ticks), 0);
    ASSERT_TRUE(ticker.worst < SLOW_US / 4 * 3);
    ASSERT_TRUE(ticker.ticks >= 5);
    usleep(SLOW_US + 100000); /* the threads that were left end by themselves */
}

/* --- descriptors */

static struct rlimit limit_descriptors(rlim_t n)
{
    struct rlimit before, now;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = n < before.rlim_max ? n : before.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static hr_semaphore at_once;

static int get_in_turn(void *arg)
{
    hr_auto(hr_semaphore_releasep) hr_semaphore *held = NULL;
    int r = hr_semaphore_hold(&at_once, &held);
    return r < 0 ? r : get_whole("/");
}

/* Answers once AT_ONCE requests are there: so many connections are open at the same time. */
static bool serve_together(struct test_conn *conn)
{
    while (rig.server.requests < AT_ONCE) {
        if (hr_sleep(hr_ms(1)) < 0)
            return false;
    }
    return test_conn_answer(conn, "ok");
}

TEST_REAL(s24_11_a_semaphore_of_500_around_600_requests_works_with_1024_descriptors)
{
    struct ticker ticker = {0};
    struct rlimit before = limit_descriptors(1024); /* for both sides together */
    rig_begin(serve_together, .limit = 1000);
    hr_semaphore_init(&at_once, AT_ONCE, true);
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    hr_task *ticks = hr_create_task("tick", tick, &ticker);
    for (int i = 0; i < REQUESTS; i++)
        hr_futures_add(&tasks, hr_create_task(NULL, get_in_turn, NULL));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    hr_task_cancel(ticks, NULL);
    ASSERT_ERR(hr_join(ticks), 0);
    ASSERT_EQ(rig.server.requests, REQUESTS);
    ASSERT_EQ(rig.server.most, AT_ONCE);
    hr_semaphore_done(&at_once);
    rig_end();
    setrlimit(RLIMIT_NOFILE, &before);
}

/* A server whose descriptors are its own; leaves its address in rig.server.url. */
static hr_child *start_elsewhere(void)
{
    struct hr_child_options options = {
        .argv = (const char *const[]){"/usr/bin/python3", "-u", "-m", "http.server", "0", "--bind",
                                      "127.0.0.1", "--directory", "/proc/self/net", NULL},
        .streams = {{HR_CHILD_NULL},               {HR_CHILD_PIPE},           {HR_CHILD_NULL}                   },
    };
    char text[256] = "";
    size_t have = 0;
    unsigned port;
    hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(hr_child_get_pipe(child, 1));
    while (!strchr(text, '\n')) {
        ssize_t n = hr_io_read(io, text + have, sizeof(text) - 1 - have);
        ASSERT_TRUE(n > 0);
        have += (size_t)n;
    }
    ASSERT_EQ(sscanf(text, "Serving HTTP on 127.0.0.1 port %u", &port), 1);
    snprintf(rig.server.url, sizeof(rig.server.url), "http://127.0.0.1:%u", port);
    return child;
}

static int get_any(void *arg)
{
    return get_whole("/");
}

TEST_REAL(s24_11_running_out_of_descriptors_is_the_error_of_one_request)
{
    hr_child *child = start_elsewhere();
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    int good = 0, refused = 0, lowest = dup(0);
    close(lowest);
    rig.session = hr_http_session_new(NULL);
    ASSERT_ERR(get_whole("/"), 0);
    struct rlimit before = limit_descriptors((rlim_t)lowest + 10);
    for (int i = 0; i < 30; i++)
        hr_futures_add(&tasks, hr_create_task(NULL, get_any, NULL));
    ASSERT_ERR(hr_gather(&tasks, HR_RETURN_ERRORS), 0);
    setrlimit(RLIMIT_NOFILE, &before);
    for (size_t i = 0; i < tasks.count; i++) {
        good += hr_future_status(tasks.items[i]) == 0;
        refused += hr_future_status(tasks.items[i]) == -EMFILE;
        hr_future_error(tasks.items[i]);
    }
    ASSERT_EQ(good + refused, 30);
    ASSERT_TRUE(good > 0 && refused > 0);
    ASSERT_ERR(get_whole("/"), 0);
    hr_http_session_freep(&rig.session);
    ASSERT_ERR(hr_child_stop(child, hr_seconds(5), NULL), 0);
    hr_child_free(child);
}

TEST_REAL(s24_11_descriptors_above_1023_work)
{
    static int fillers[1100];
    struct rlimit before = limit_descriptors(4096);
    for (size_t i = 0; i < HR_ARRAY_LEN(fillers); i++)
        ASSERT_TRUE((fillers[i] = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0);
    rig_begin(serve_slowly);
    ASSERT_TRUE(rig.server.fd > 1023);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(get_whole("/"), 0);
    ASSERT_EQ(rig.server.connections, 1);
    rig_end();
    for (size_t i = 0; i < HR_ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* --- handles */

#define TOGETHER 80

static void get_together(void)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int i = 0; i < TOGETHER; i++)
        hr_futures_add(&tasks, hr_create_task(NULL, get_any, NULL));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
}

TEST_REAL(s24_16_handles_are_kept_for_as_long_as_somebody_wants_them)
{
    rig_begin(serve_slowly);
    get_together();
    ASSERT_EQ(rig.session->handles.count, TOGETHER);
    get_together();
    ASSERT_EQ(rig.session->handles.count, TOGETHER);
    rig_end();

    rig_begin(serve_slowly);
    rig.session->kept_life = hr_ms(5);
    get_together();
    hr_usec until = hr_now() + test_patience(hr_seconds(10));
    for (size_t before; (before = rig.session->handles.count) > 16 && hr_now() < until;) {
        ASSERT_ERR(hr_yield(), 0);
        ASSERT_TRUE(before - rig.session->handles.count <= 64); /* the loop is not held up */
    }
    do
        ASSERT_ERR(get_whole("/"), 0);
    while (rig.session->handles.count > 1 && hr_now() < until);
    ASSERT_TRUE(rig.session->handles.count <= 1);
    while (rig.session->handles.count > 0 && hr_now() < until)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(rig.session->handles.count, 0);
    while (rig.session->responses.count > 0 && hr_now() < until)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(rig.session->responses.count, 0);
    while (rig.session->sweeper && hr_now() < until)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_PTR(rig.session->sweeper, NULL); /* an idle session wakes nobody */
    ASSERT_ERR(get_whole("/"), 0);
    rig_end();
}

/* However many answers somebody holds, he leaves no more behind than may be under way. */
TEST_REAL(s24_16_as_many_responses_are_kept_as_may_be_under_way)
{
    hr_http_response *held[9];
    rig_begin(serve_slowly, .limit = 3);
    for (size_t i = 0; i < HR_ARRAY_LEN(held); i++)
        ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &held[i]), 0);
    for (size_t i = 0; i < HR_ARRAY_LEN(held); i++)
        hr_http_closep(&held[i]);
    ASSERT_EQ(rig.session->responses.count, hr_memory_watched() ? 0 : 3);
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/"), &held[0]), 0);
    ASSERT_EQ(rig.session->responses.count, hr_memory_watched() ? 0 : 2);
    hr_http_closep(&held[0]);
    rig_end();
}

/* A body, and headers, that are longer than most. */
static bool serve_much(struct test_conn *conn)
{
    static const char bytes[100000];
    bool ok = test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n", sizeof(bytes));
    for (int i = 0; i < 100 && ok; i++)
        ok = test_conn_say(conn, "X-%d: %0100d\r\n", i, i);
    return ok && test_conn_say(conn, "\r\n") && test_conn_send(conn, bytes, sizeof(bytes));
}

TEST_REAL(s24_16_what_is_kept_of_a_response_is_small)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const void *bytes;
    char url[900];
    rig_begin(serve_much);
    snprintf(url, sizeof(url), "%s/%0800d", rig.server.url, 0);
    ASSERT_ERR(hr_http_get(rig.session, url, &response), 0);
    ASSERT_ERR(hr_http_bytes(response, &bytes, NULL), 0);
    hr_http_closep(&response);
    ASSERT_EQ(rig.session->responses.count, !hr_memory_watched());
    for (size_t i = 0; i < rig.session->responses.count; i++) {
        const hr_http_response *kept = rig.session->responses.things[i];
        ASSERT_TRUE(kept->body.capacity <= 4096);
        ASSERT_TRUE(kept->asked.capacity <= 512);
        ASSERT_TRUE(kept->headers.text.capacity <= 2048);
        ASSERT_TRUE(kept->headers.capacity <= 64);
    }
    rig_end();
}

/* --- connections */

#define BURST 20

/* Answers once all of a burst are there. */
static bool serve_burst(struct test_conn *conn)
{
    while (rig.server.requests % BURST != 0) {
        if (hr_sleep(hr_ms(1)) < 0)
            return false;
    }
    return test_conn_answer(conn, "ok");
}

static void get_burst(void)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int i = 0; i < BURST; i++)
        hr_futures_add(&tasks, hr_create_task(NULL, get_any, NULL));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
}

TEST_REAL(s24_4_the_connections_of_a_burst_are_kept_and_watched_by_the_kernel)
{
    rig_begin(serve_burst);
    for (int i = 0; i < 3; i++)
        get_burst();
    ASSERT_EQ(rig.server.connections, BURST);
    unsigned watched = 0;
    for (size_t fd = 0; fd < rig.session->socket_room; fd++) {
        int on = 0;
        socklen_t len = sizeof(on);
        if (!rig.session->sockets[fd])
            continue;
        ASSERT_EQ(getsockopt((int)fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
        watched += on != 0;
    }
    ASSERT_EQ(watched, BURST);
    rig_end();
}

/* Without TLS no connection can be shared, so there is nothing to wait for. */
TEST_REAL(s24_3_who_waits_to_share_waits_for_nobody_without_tls)
{
    rig_begin(serve_burst, .wait_to_share = true, .read_timeout = hr_seconds(10));
    get_burst();
    ASSERT_EQ(rig.server.connections, BURST);
    rig_end();
}
