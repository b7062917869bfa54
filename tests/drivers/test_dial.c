/* SPDX-License-Identifier: MIT */
/*
 * From a URL to a connected socket: addresses in turn, one of which may be silent.
 */
#include "drivers/dial.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

static struct hr_address ipv4(uint32_t host, uint16_t port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host)};
    struct hr_address address = {.len = sizeof(in)};
    memcpy(&address.addr, &in, sizeof(in));
    return address;
}

/* A listener at a free port of host, which is put into *ret. */
static int listen_at(uint32_t host, int backlog, struct hr_address *ret)
{
    *ret = ipv4(host, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&ret->addr, ret->len), 0);
    ASSERT_EQ(listen(fd, backlog), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)&ret->addr, &ret->len), 0);
    return fd;
}

#define FILLERS 4

/* Connects until the kernel drops what else knocks at this listener. */
static void fill(const struct hr_address *address, int fillers[FILLERS])
{
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = connect(fillers[i], (const struct sockaddr *)&address->addr, address->len);
        ASSERT_TRUE(r == 0 || errno == EINPROGRESS);
    }
}

TEST_REAL(an_address_that_is_silent_leaves_time_for_the_next_one)
{
    struct hr_address addresses[3];
    int fillers[FILLERS], fd = -1;
    int silent = listen_at(INADDR_LOOPBACK, 0, &addresses[0]);
    int listener = listen_at(INADDR_LOOPBACK, 8, &addresses[1]);
    addresses[2] = addresses[0];
    fill(&addresses[0], fillers);

    hr_usec start = hr_now();
    ASSERT_ERR(hr__dial_addresses(addresses, 3, hr_ms(300), &fd), 0);
    ASSERT_TRUE(hr_now() - start >= hr_ms(100) && hr_now() - start < hr_ms(290));
    close(fd);

    start = hr_now();
    ASSERT_ERR(hr__dial_addresses(addresses, 1, hr_ms(50), &fd), -ETIMEDOUT);
    ASSERT_TRUE(hr_now() - start >= hr_ms(50));
    ASSERT_TRUE(strstr(hr_last_error()->message, "cannot connect to 127.0.0.1:"));
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(silent);
    close(listener);
}

TEST_REAL(of_addresses_that_refuse_the_last_one_is_told)
{
    struct hr_address addresses[2];
    int fd = -1;
    close(listen_at(INADDR_LOOPBACK, 1, &addresses[0]));
    addresses[1] = addresses[0];
    ASSERT_ERR(hr__dial_addresses(addresses, 2, hr_seconds(5), &fd), -ECONNREFUSED);
    char says[80];
    snprintf(says, sizeof(says), "cannot connect to 127.0.0.1:%u: Connection refused",
             ntohs(((struct sockaddr_in *)&addresses[1].addr)->sin_port));
    ASSERT_STR(hr_last_error()->message, says);
    ASSERT_EQ(fd, -1);
}

static int dial_silent(void *arg)
{
    int fd = -1;
    return hr__dial_addresses(arg, 2, hr_seconds(60), &fd);
}

TEST_REAL(dialling_can_be_cancelled_and_tries_no_other_address_then)
{
    struct hr_address addresses[2];
    int fillers[FILLERS];
    int silent = listen_at(INADDR_LOOPBACK, 0, &addresses[0]);
    int listener = listen_at(INADDR_LOOPBACK, 8, &addresses[1]);
    fill(&addresses[0], fillers);
    hr_task *task = hr_create_task("dial", dial_silent, addresses);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(accept(listener, NULL, NULL), -1);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(silent);
    close(listener);
}
