/* SPDX-License-Identifier: MIT */
/*
 * Clients are taken one by one: a connection, then its request. When all have been, the answers go
 * out and the connections are closed.
 */
#include "tests/patch/gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

#define CLIENTS_MAX 64
#define TEXT_MAX    256

struct client {
    int fd;
    char asked[TEXT_MAX];
};

static bool receive(int fd, void *bytes, size_t size)
{
    return recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size;
}

static bool send_all(int fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static bool take_http(struct client *client)
{
    char text[1024];
    size_t length = 0;
    while (length < 4 || memcmp(text + length - 4, "\r\n\r\n", 4) != 0) {
        if (length + 1 == sizeof(text) || !receive(client->fd, text + length, 1))
            return false;
        length++;
    }
    text[length] = '\0';
    return sscanf(text, "GET %255s ", client->asked) == 1;
}

static bool answer_http(const struct client *client)
{
    char text[TEXT_MAX + 100];
    int length = snprintf(text, sizeof(text), "HTTP/1.0 200 OK\r\n\r\n%s", client->asked);
    return send_all(client->fd, text, (size_t)length);
}

/* A message of the protocol's third version: its length counts itself. */
static bool receive_message(int fd, char *text, size_t room)
{
    uint32_t length;
    if (!receive(fd, &length, sizeof(length)))
        return false;
    length = ntohl(length) - (uint32_t)sizeof(length);
    if (length >= room || !receive(fd, text, length))
        return false;
    text[length] = '\0';
    return true;
}

static bool take_postgres(struct client *client)
{
    static const char welcome[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I";
    char kind;
    return receive_message(client->fd, client->asked, TEXT_MAX) && /* user and database */
           send_all(client->fd, welcome, sizeof(welcome) - 1) && receive(client->fd, &kind, 1) &&
           kind == 'Q' && receive_message(client->fd, client->asked, TEXT_MAX);
}

static bool answer_postgres(const struct client *client)
{
    static const char one_column[] =
        "T\0\0\0\32\0\1n\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0";
    static const char done[] = "C\0\0\0\15SELECT 1\0Z\0\0\0\5I";
    uint32_t length = (uint32_t)strlen(client->asked);
    uint32_t whole = htonl(4 + 2 + 4 + length), part = htonl(length);
    return send_all(client->fd, one_column, sizeof(one_column) - 1) &&
           send_all(client->fd, "D", 1) && send_all(client->fd, &whole, 4) &&
           send_all(client->fd, "\0\1", 2) && send_all(client->fd, &part, 4) &&
           send_all(client->fd, client->asked, length) &&
           send_all(client->fd, done, sizeof(done) - 1);
}

static void *serve(void *arg)
{
    struct gate *gate = arg;
    struct client clients[CLIENTS_MAX];
    const struct timeval patience = {.tv_sec = 20};
    unsigned came = 0;
    bool fine = true;
    for (; fine && came < gate->clients; came++) {
        clients[came].fd = accept4(gate->listener, NULL, NULL, SOCK_CLOEXEC);
        if (clients[came].fd < 0) {
            fine = false;
            break;
        }
        setsockopt(clients[came].fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        fine =
            gate->protocol == GATE_HTTP ? take_http(&clients[came]) : take_postgres(&clients[came]);
    }
    for (unsigned i = 0; i < came; i++) {
        if (fine)
            fine = gate->protocol == GATE_HTTP ? answer_http(&clients[i])
                                               : answer_postgres(&clients[i]);
        shutdown(clients[i].fd, SHUT_WR);
        close(clients[i].fd);
    }
    return fine ? gate : NULL;
}

void gate_open(struct gate *gate, enum gate_protocol protocol, unsigned clients)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 20};
    socklen_t size = sizeof(address);
    ASSERT_TRUE(clients <= CLIENTS_MAX);
    *gate = (struct gate){.protocol = protocol, .clients = clients};
    gate->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_TRUE(gate->listener >= 0);
    setsockopt(gate->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ASSERT_EQ(bind(gate->listener, (struct sockaddr *)&address, size), 0);
    ASSERT_EQ(getsockname(gate->listener, (struct sockaddr *)&address, &size), 0);
    ASSERT_EQ(listen(gate->listener, CLIENTS_MAX), 0);
    gate->port = ntohs(address.sin_port);
    ASSERT_EQ(pthread_create(&gate->thread, NULL, serve, gate), 0);
}

bool gate_close(struct gate *gate)
{
    void *fine;
    ASSERT_EQ(pthread_join(gate->thread, &fine), 0);
    close(gate->listener);
    return fine != NULL;
}
