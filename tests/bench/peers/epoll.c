/* SPDX-License-Identifier: MIT */
/*
 * Echo by epoll alone: what the kernel takes for it, and the least around it.
 *
 *   epoll echo PORT      serves 127.0.0.1 until it is killed
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd;
    char *rest; /* what could not be sent at once */
    size_t len, at;
};

static char shared[256 * 1024];
static int epoll;

static void watch(struct client *client, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    epoll_ctl(epoll, how, client->fd, &event);
}

static void leave(struct client *client)
{
    close(client->fd);
    free(client->rest);
    free(client);
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), yes = 1;
    struct client *client = fd < 0 ? NULL : calloc(1, sizeof(*client));
    if (!client)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    client->fd = fd;
    watch(client, EPOLLIN, EPOLL_CTL_ADD);
}

static void readable(struct client *client)
{
    ssize_t got = recv(client->fd, shared, sizeof(shared), 0);
    ssize_t sent = got > 0 ? send(client->fd, shared, (size_t)got, MSG_NOSIGNAL) : 0;
    if (got == 0 || ((got < 0 || sent < 0) && errno != EAGAIN)) {
        leave(client);
        return;
    }
    if (got < 0 || sent == got)
        return;
    client->at = 0;
    client->len = (size_t)(got - (sent > 0 ? sent : 0));
    client->rest = malloc(client->len);
    if (!client->rest) {
        leave(client);
        return;
    }
    memcpy(client->rest, shared + got - client->len, client->len);
    watch(client, EPOLLOUT, EPOLL_CTL_MOD);
}

static void writable(struct client *client)
{
    ssize_t sent =
        send(client->fd, client->rest + client->at, client->len - client->at, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        leave(client);
        return;
    }
    client->at += sent < 0 ? 0 : (size_t)sent;
    if (client->at < client->len)
        return;
    free(client->rest);
    client->rest = NULL;
    watch(client, EPOLLIN, EPOLL_CTL_MOD);
}

int main(int argc, char **argv)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in here = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(argc > 2 ? strtoul(argv[2], NULL, 10) : 0)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(listener, 128) < 0) {
        perror("epoll: listen");
        return 1;
    }
    epoll = epoll_create1(0);
    struct client accepting = {.fd = listener};
    watch(&accepting, EPOLLIN, EPOLL_CTL_ADD);
    struct epoll_event events[64];
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            if (client == &accepting)
                accept_one(listener);
            else if (events[i].events & EPOLLOUT)
                writable(client);
            else
                readable(client);
        }
    }
}
