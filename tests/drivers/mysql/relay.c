/* SPDX-License-Identifier: MIT */
/*
 * How it works: one task a direction, with the client's packets read whole, and of the server's the
 * greeting; what follows is passed on as it comes.
 */
#include "tests/drivers/mysql/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "tests/support/hrtest.h"

#define HEADER       4
#define PACKET_MAX   65536
#define GREETING_MAX 256
#define RECORD       5 /* bytes in front of a record of TLS */
#define BULK_EXECUTE 0xfa

struct link {
    struct relay *relay;
    int client, server;
};

static hr_async int read_exactly(int fd, unsigned char *data, size_t size)
{
    for (size_t n = 0; n < size;) {
        int r = hr_wait_fd(fd, HR_READ);
        if (r < 0)
            return r;
        ssize_t got = recv(fd, data + n, size - n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return -EPIPE;
        n += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static hr_async int write_all(int fd, const unsigned char *data, size_t size)
{
    for (size_t n = 0; n < size;) {
        int r = hr_wait_fd(fd, HR_WRITE);
        if (r < 0)
            return r;
        ssize_t put = send(fd, data + n, size - n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN)
            return -EPIPE;
        n += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* Passes on what comes until an end does; where garbles is set, nonsense instead of it once. */
static hr_async int pass_on(int from, int to, unsigned char *buffer, bool *garbles)
{
    /* A column that has one letter and ends. */
    static const unsigned char nonsense[] = "\1\0\0\1\1\2\0\0\2\1x\5\0\0\3\376\0\0\2\0";
    int r = 0;
    while (r >= 0 && (r = hr_wait_fd(from, HR_READ)) >= 0) {
        ssize_t n = recv(from, buffer, PACKET_MAX, MSG_DONTWAIT);
        if (n > 0 && garbles && *garbles) {
            *garbles = false;
            r = write_all(to, nonsense, sizeof(nonsense) - 1);
        } else if (n > 0) {
            r = write_all(to, buffer, (size_t)n);
        } else if (n == 0 || errno != EAGAIN) {
            r = -EPIPE;
        }
    }
    return r;
}

/* A packet with its header; its size, or a failure. */
static hr_async int read_packet(int fd, unsigned char *packet)
{
    int r = read_exactly(fd, packet, HEADER);
    if (r < 0)
        return r;
    size_t size = packet[0] | (size_t)packet[1] << 8 | (size_t)packet[2] << 16;
    ASSERT_TRUE(size + HEADER <= PACKET_MAX);
    r = read_exactly(fd, packet + HEADER, size);
    return r < 0 ? r : (int)(size + HEADER);
}

/* The greeting of MariaDB as that of MySQL 8: behind the version stand the number of the session,
 * eight bytes of salt and a zero, capabilities in two halves with four bytes in between, a length,
 * six bytes and what MariaDB can do besides. */
static size_t make_elder(unsigned char *packet, size_t size)
{
    static const char version[] = "8.0.36";
    enum { BEFORE_LOW = 4 + 8 + 1, BEFORE_MORE = BEFORE_LOW + 2 + 3 + 2 + 1 + 6 };
    unsigned char *old = packet + HEADER + 1;
    unsigned char *rest = old + strlen((const char *)old) + 1;
    size_t n = (size_t)(packet + size - rest);
    unsigned char behind[GREETING_MAX];
    ASSERT_TRUE(n <= sizeof(behind));
    memcpy(behind, rest, n);
    memcpy(old, version, sizeof(version));
    memcpy(old + sizeof(version), behind, n);
    rest = old + sizeof(version);
    rest[BEFORE_LOW] |= 1; /* "of MySQL" */
    memset(rest + BEFORE_MORE, 0, 4);
    size = (size_t)(rest + n - packet);
    packet[0] = (unsigned char)(size - HEADER);
    return size;
}

/* The variable's name of today, which MariaDB 10.11 does not know. */
static void rename_variable(unsigned char *packet, size_t size)
{
    static const char now[] = "transaction_isolation", then[] = "tx_isolation         ";
    unsigned char *found = memmem(packet, size, now, sizeof(now) - 1);
    if (found)
        memcpy(found, then, sizeof(then) - 1);
}

static int pass_requests(void *arg)
{
    const struct link *link = arg;
    struct relay *relay = link->relay;
    hr_auto(hr_freep) unsigned char *packet = malloc(PACKET_MAX);
    int r = 0;
    while (r >= 0 && !relay->halts_tls) {
        r = read_packet(link->client, packet);
        if (r <= 0)
            break;
        relay->bulks += r > HEADER && packet[3] == 0 && packet[HEADER] == BULK_EXECUTE;
        rename_variable(packet, (size_t)r);
        r = write_all(link->server, packet, (size_t)r);
    }
    if (relay->halts_tls)
        (void)!pass_on(link->client, link->server, packet, NULL);
    shutdown(link->server, SHUT_RDWR);
    return 0;
}

static hr_async int pass_answers(const struct link *link)
{
    hr_auto(hr_freep) unsigned char *packet = malloc(PACKET_MAX);
    int r = read_packet(link->server, packet);
    if (r < 0)
        return r;
    size_t size = (size_t)r;
    if (link->relay->elder)
        size = make_elder(packet, size);
    r = write_all(link->client, packet, size);
    if (r >= 0 && link->relay->halts_tls) {
        r = read_exactly(link->server, packet, RECORD);
        size = packet[3] << 8 | packet[4];
        if (r >= 0)
            r = read_exactly(link->server, packet + RECORD, size);
        if (r >= 0)
            r = write_all(link->client, packet, RECORD + size);
        link->relay->halted = r >= 0;
        return r;
    }
    return r < 0 ? r : pass_on(link->server, link->client, packet, &link->relay->garbles);
}

static int serve(void *arg)
{
    struct relay *relay = arg;
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons(relay->to),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while (!hr_task_cancelling(hr_current_task()) && hr_wait_fd(relay->listener, HR_READ) >= 0) {
        struct link link = {.relay = relay, .client = accept(relay->listener, NULL, NULL)};
        link.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(connect(link.server, (struct sockaddr *)&server, sizeof(server)), 0);
        hr_task *requests = hr_create_task("requests", pass_requests, &link);
        (void)!pass_answers(&link);
        if (!relay->halted) /* or it ends when the client has had enough */
            hr_task_cancel(requests, NULL);
        (void)!hr_join(requests);
        close(link.client);
        close(link.server);
    }
    return 0;
}

void relay_start(struct relay *relay, uint16_t to)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    relay->to = to;
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(relay->listener, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(relay->listener, 4), 0);
    ASSERT_EQ(getsockname(relay->listener, (struct sockaddr *)&address, &len), 0);
    relay->port = ntohs(address.sin_port);
    relay->acceptor = hr_create_task("relay", serve, relay);
}

void relay_end(struct relay *relay)
{
    hr_task_cancel(relay->acceptor, NULL);
    (void)!hr_join(relay->acceptor);
    close(relay->listener);
}
