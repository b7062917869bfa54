/* SPDX-License-Identifier: MIT */
/*
 * The server of the HTTP rows: the same kilobyte for every request, as fast as one thread can.
 *
 *   http_server PORT      on 127.0.0.1, until it is killed
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY   1024
#define EVENTS 256

static char answer[BODY + 128];
static size_t answer_size;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_at(uint16_t port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 4096) < 0)
        die("http_server");
    return fd;
}

static void accept_all(int epoll, int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
    }
}

/* A client sends its next request when it has the answer, and a request is one segment. */
static void serve(int fd)
{
    char request[4096];
    ssize_t n = recv(fd, request, sizeof(request), 0);
    if (n <= 0 || send(fd, answer, answer_size, MSG_NOSIGNAL) != (ssize_t)answer_size)
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: http_server PORT\n");
        return 64;
    }
    int head =
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(answer + head, 'x', BODY);
    answer_size = (size_t)head + BODY;

    int listener = listen_at((uint16_t)strtoul(argv[1], NULL, 10)), epoll = epoll_create1(0);
    struct epoll_event events[EVENTS], door = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &door) < 0)
        die("epoll");
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
