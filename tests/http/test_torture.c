/* SPDX-License-Identifier: MIT */
/*
 * The first, then the second, then the n-th allocation of everything the HTTP client does fails, or
 * the n-th event. Each time it says so, leaks nothing and waits for nothing; with memory back it
 * works again. libcurl's own allocations are left alone: 7.88 divides by the size of a table that
 * it got no memory for.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/http.h"
#include "tests/http/secure.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

#define CONNS 32

/* --- a server whose memory is its own: another process, which blocks as it likes */

struct peer {
    struct test_secure *secure; /* NULL: no TLS */
    char bytes[4096];
    size_t have;
};

static bool secure;

static bool ends_with(const struct peer *peer, const char *end)
{
    size_t n = strlen(end);
    return peer->have >= n && memcmp(peer->bytes + peer->have - n, end, n) == 0;
}

/* Whether a whole request has come: a GET has no body, a POST is "x=1", a PUT comes in chunks. */
static bool is_whole(const struct peer *peer)
{
    return ends_with(peer, peer->bytes[0] == 'G'   ? "\r\n\r\n"
                           : peer->bytes[1] == 'O' ? "x=1"
                                                   : "\r\n0\r\n\r\n");
}

static void flush(int fd, struct peer *peer)
{
    char wire[4096];
    for (size_t n; (n = test_secure_take(peer->secure, wire, sizeof(wire))) > 0;)
        (void)send(fd, wire, n, MSG_NOSIGNAL);
}

static void say(int fd, struct peer *peer, const char *text)
{
    if (!peer->secure) {
        (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
        return;
    }
    test_secure_write(peer->secure, text, strlen(text));
    flush(fd, peer);
}

static void answer(int fd, struct peer *peer)
{
    static const char body[] =
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 5\r\n\r\nhello";
    static const char away[] = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    bool elsewhere = strncmp(peer->bytes, "GET /away", 9) == 0;
    say(fd, peer, elsewhere ? away : body);
    peer->have = 0;
}

/* More of what the peer says; as recv(). */
static ssize_t receive(int fd, struct peer *peer)
{
    char wire[4096], *to = peer->bytes + peer->have;
    size_t room = sizeof(peer->bytes) - peer->have;
    if (!peer->secure)
        return recv(fd, to, room, MSG_DONTWAIT);
    ssize_t n = recv(fd, wire, sizeof(wire), MSG_DONTWAIT);
    if (n > 0)
        test_secure_came(peer->secure, wire, (size_t)n);
    else if (n == 0)
        return 0;
    n = test_secure_read(peer->secure, to, room);
    flush(fd, peer);
    errno = n == -EAGAIN ? EAGAIN : EPROTO;
    return n < 0 ? -1 : n;
}

/* Takes what has come, and answers it once it is a request; false: the peer is gone. */
static bool attend(int fd, struct peer *peer)
{
    for (;;) {
        ssize_t n = receive(fd, peer);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        peer->have += (size_t)n;
        if (is_whole(peer))
            answer(fd, peer);
    }
}

static _Noreturn void serve(int listener)
{
    static struct peer peers[CONNS];
    struct pollfd fds[CONNS + 1] = {
        {.fd = listener, .events = POLLIN}
    };
    for (int i = 1; i <= CONNS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (poll(fds, CONNS + 1, -1) > 0) {
        for (int i = 1; i <= CONNS; i++) {
            struct peer *peer = &peers[i - 1];
            if (fds[i].fd < 0 && fds[0].revents) {
                fds[0].revents = 0;
                fds[i].fd = accept(listener, NULL, NULL);
                *peer = (struct peer){.secure = secure ? test_secure_new() : NULL};
            } else if (fds[i].fd >= 0 && fds[i].revents && !attend(fds[i].fd, peer)) {
                peer->secure = test_secure_free(peer->secure);
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    }
    _exit(1);
}

static char url[64], redirect[80];

static pid_t start_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(fd, CONNS), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(url, sizeof(url), "http%s://127.0.0.1:%u/", secure ? "s" : "",
             ntohs(address.sin_port));
    snprintf(redirect, sizeof(redirect), "%saway", url);
    pid_t pid = fork();
    ASSERT_TRUE(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test ends early */
        serve(fd);
    }
    close(fd);
    return pid;
}

static void stop_server(pid_t pid)
{
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

/* --- what is done */

static int expect_hello(hr_http_response *response)
{
    const char *text;
    int r = hr_http_text(response, &text, NULL);
    if (r == 0)
        ASSERT_STR(text, "hello");
    return r;
}

static int get(hr_http_session *session, const char *where)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_get(session, where, &response);
    return r < 0 ? r : expect_hello(response);
}

static int post(hr_http_session *session)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_post(session, url, "text/plain", "x=1", 3, &response);
    return r < 0 ? r : expect_hello(response);
}

static int put_in_pieces(hr_http_session *session)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    static const char *const lines[] = {"X-One: 1", NULL};
    struct hr_http_request request = {
        .method = "PUT", .url = url, .headers = lines, .stream = true};
    int r = hr_http_begin(session, &request, &response);
    if (r == 0)
        r = hr_http_write(response, "piece", 5);
    if (r == 0)
        r = hr_http_finish(response);
    return r < 0 ? r : expect_hello(response);
}

static char saved[] = "/tmp/hr-http-torture-XXXXXX";

static int save(hr_http_session *session)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_get(session, url, &response);
    return r < 0 ? r : hr_http_save(response, saved, NULL);
}

static int use_session(hr_http_session *session)
{
    int r = get(session, url);
    if (r >= 0)
        r = get(session, redirect);
    if (r >= 0)
        r = post(session);
    if (r >= 0)
        r = put_in_pieces(session);
    return r < 0 ? r : save(session);
}

static const char *ca;

/* Everything, from the options to the last byte; running out anywhere in it. */
static int live(long n, bool once, bool *ret_starved)
{
    starve_all_after(n, once ? 1 : LONG_MAX);
    hr_http_session *session = hr_http_session_new(
        &(struct hr_http_options){.limit_per_host = 3, .user_agent = "torture", .tls.ca = ca});
    int r = session ? use_session(session) : hr_last_error()->code;
    *ret_starved = starve_end();
    if (session)
        ASSERT_ERR(use_session(session), 0);
    hr_http_session_free(session);
    return r;
}

static void torture(bool tls, bool once)
{
    secure = tls;
    ca = tls ? test_certificate("ca.pem") : NULL;
    pid_t server = start_server();
    int fd = mkstemp(saved);
    bool starved = true;
    long n = 0;
    for (close(fd); starved; n++) {
        int r = live(n, once, &starved);
        if (!starved)
            ASSERT_ERR(r, 0);
        else if (r < 0 && r != -ENOTCONN) /* a name that no thread could look up */
            ASSERT_ERR(r, -ENOMEM);
    }
    ASSERT_TRUE(n > 30);
    unlink(saved);
    strcpy(strrchr(saved, '-'), "-XXXXXX");
    stop_server(server);
}

TEST_REAL(one_failed_allocation_is_an_error_of_one_request)
{
    torture(false, true);
}

TEST_REAL(memory_that_stays_out_is_an_error_of_requests)
{
    torture(false, false);
}

TEST_REAL(one_failed_allocation_is_an_error_of_one_request_over_tls)
{
    torture(true, true);
}

TEST_REAL(memory_that_stays_out_is_an_error_of_requests_over_tls)
{
    torture(true, false);
}
