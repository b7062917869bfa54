/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2, which a server offers over TLS: requests of several tasks share one connection. The
 * server is nghttp2's own.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/http.h"
#include "tests/http/server.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

#define TASKS 20

static hr_child *server;
static hr_http_session *session;
static char folder[] = "/tmp/hr-http2-XXXXXX";
static char url[64];

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

static void start(void)
{
    char number[8];
    const char *pem = test_certificate("server.pem");
    strcpy(strrchr(folder, '-'), "-XXXXXX");
    ASSERT_TRUE(mkdtemp(folder));
    struct sockaddr_in address = free_address();
    snprintf(number, sizeof(number), "%u", ntohs(address.sin_port));
    snprintf(url, sizeof(url), "https://127.0.0.1:%s/echo", number);
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
