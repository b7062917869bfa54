/* SPDX-License-Identifier: MIT */
/*
 * Load for an echo server: each connection sends a message, waits until all of it is back, and
 * sends the next. Prints one JSON line: requests a second, and the server's CPU time for each.
 *
 *   loadgen PORT CONNECTIONS SIZE SECONDS SERVER-PID
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define WARM_UP_NS 300000000
#define STALLED_MS 5000
#define CONNECT_MS 10000

struct connection {
    int fd;
    size_t out, in; /* bytes of the present message */
    bool checked;
};

static char *message, *reply;
static size_t size;
static uint64_t requests;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_more(struct connection *c)
{
    while (c->out < size) {
        ssize_t sent = send(c->fd, message + c->out, size - c->out, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN)
                die("send");
            return;
        }
        c->out += (size_t)sent;
    }
}

/* The first answer of each connection is compared with what was sent. */
static void check(struct connection *c, size_t got)
{
    if (c->in + got > c->out)
        die("the server sends more than it got");
    if (!c->checked && memcmp(reply, message + c->in, got) != 0)
        die("the server sends something else than it got");
}

static void read_more(struct connection *c)
{
    ssize_t got;
    while (c->in < size && (got = recv(c->fd, reply, size - c->in, 0)) != 0) {
        if (got < 0) {
            if (errno != EAGAIN)
                die("recv");
            return;
        }
        check(c, (size_t)got);
        c->in += (size_t)got;
    }
    if (c->in < size)
        die("the server has closed");
    c->checked = true;
    requests++;
    c->in = c->out = 0;
    send_more(c);
}

/* A server that was just started may not listen yet. */
static int connect_to(int port)
{
    struct sockaddr_in there = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    for (int waited = 0; waited < CONNECT_MS; waited += 10) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
        if (connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return fd;
        }
        close(fd);
        usleep(10000);
    }
    die("connect");
}

static double cpu_of(int pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        die("the server's clock");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void serve_events(int epoll)
{
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, STALLED_MS);
    if (n <= 0)
        die("nothing comes");
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->out < size)
            send_more(c);
        if (events[i].events & EPOLLIN)
            read_more(c);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        die("usage: loadgen PORT CONNECTIONS SIZE SECONDS SERVER-PID");
    int port = (int)strtol(argv[1], NULL, 10), pid = (int)strtol(argv[5], NULL, 10);
    size_t count = strtoull(argv[2], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    size = strtoull(argv[3], NULL, 10);
    message = malloc(size);
    reply = malloc(size);
    struct connection *all = calloc(count, sizeof(*all));
    if (!message || !reply || !all)
        die("memory");
    uint64_t dice = measure_seed(0);
    for (size_t i = 0; i < size; i++)
        message[i] = (char)measure_draw(&dice);

    int epoll = epoll_create1(0);
    for (size_t i = 0; i < count; i++) {
        all[i].fd = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
        send_more(&all[i]);
    }
    uint64_t begun = measure_now() + WARM_UP_NS;
    while (measure_now() < begun)
        serve_events(epoll);

    begun = measure_now();
    uint64_t end = begun + (uint64_t)(seconds * 1e9);
    double server = cpu_of(pid), own = measure_cpu();
    requests = 0;
    while (measure_now() < end)
        serve_events(epoll);
    double n = requests > 0 ? (double)requests : 1, wall = (double)(measure_now() - begun) / 1e9;
    printf("{\"row\": \"echo%zu\", \"n\": %llu, \"rps\": %.0f, \"wall_s\": %.3f, "
           "\"srv_cpu_us\": %.3f, \"cli_cpu_us\": %.3f}\n",
           size, (unsigned long long)requests, (double)requests / wall, wall,
           (cpu_of(pid) - server) / n, (measure_cpu() - own) * 1e6 / n);
    free(all);
    free(message);
    free(reply);
    return 0;
}
