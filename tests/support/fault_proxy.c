/* SPDX-License-Identifier: MIT */
/*
 * A link is two tasks, one for each direction; the first that ends ends the other.
 */
#include "tests/support/fault_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

#define CHUNK     (16 << 10)
#define ONE_IN    6 /* chunks that meet the fault, of those that may */
#define LATE      hr_ms(4)
#define BACKLOG   256
#define ONE_BYTES 512 /* of a chunk that drips: the rest follows as it is */

struct fault_link {
    struct fault_proxy *proxy;
    struct fault_link *next;
    struct fault_way {
        struct fault_link *link;
        hr_io *from, *to;
        hr_task *task;
    } up, down;
    int client, server;
    bool dead; /* half open for good */
    bool over;
};

static uint64_t draw(struct fault_proxy *proxy, uint64_t below)
{
    proxy->dice ^= proxy->dice << 13;
    proxy->dice ^= proxy->dice >> 7;
    proxy->dice ^= proxy->dice << 17;
    return proxy->dice % below;
}

/* Whether this chunk meets the fault. */
static bool strikes(struct fault_proxy *proxy)
{
    if (draw(proxy, ONE_IN) != 0)
        return false;
    proxy->faults++;
    return true;
}

static bool send_all(hr_io *to, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(hr_io_fd(to), bytes, n, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno != EAGAIN || hr_io_wait(to, HR_WRITE) < 0) {
            return false;
        }
    }
    return true;
}

static bool drip(hr_io *to, const char *bytes, size_t n)
{
    size_t slowly = n < ONE_BYTES ? n : ONE_BYTES;
    for (size_t i = 0; i < slowly; i++) {
        if (!send_all(to, bytes + i, 1) || (i % 16 == 15 && hr_yield() < 0))
            return false;
    }
    return send_all(to, bytes + slowly, n - slowly);
}

static void reset(struct fault_link *link)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(link->client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    setsockopt(link->server, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* False: the link is over. */
static bool pass_on(struct fault_way *way, char *bytes, size_t n)
{
    struct fault_link *link = way->link;
    struct fault_proxy *proxy = link->proxy;
    if (link->dead)
        return true;
    switch (proxy->fault) {
    case FAULT_LATENCY:
        if (hr_sleep((hr_usec)draw(proxy, (uint64_t)LATE)) < 0)
            return false;
        break;
    case FAULT_DRIP:
        return drip(way->to, bytes, n);
    case FAULT_RESET:
        if (strikes(proxy)) {
            reset(link);
            return false;
        }
        break;
    case FAULT_TRUNCATE:
        if (strikes(proxy)) {
            (void)send_all(way->to, bytes, draw(proxy, n));
            return false;
        }
        break;
    case FAULT_HALF_OPEN:
        if (strikes(proxy)) {
            link->dead = true;
            return true;
        }
        break;
    case FAULT_FLIP:
        if (strikes(proxy))
            bytes[draw(proxy, n)] ^= (char)(1 << draw(proxy, 8));
        break;
    default:
        break;
    }
    return send_all(way->to, bytes, n);
}

static int run_way(void *arg)
{
    struct fault_way *way = arg;
    struct fault_link *link = way->link;
    char *bytes = malloc(CHUNK);
    ASSERT_TRUE(bytes);
    for (;;) {
        ssize_t n = recv(hr_io_fd(way->from), bytes, CHUNK, 0);
        if (n < 0 && errno == EAGAIN && hr_io_wait(way->from, HR_READ) >= 0)
            continue;
        if (n <= 0 || !pass_on(way, bytes, (size_t)n))
            break;
    }
    free(bytes);
    if (!link->over) {
        link->over = true;
        hr_task_cancel(way == &link->up ? link->down.task : link->up.task, NULL);
    }
    return 0;
}

static void free_link(struct fault_link *link)
{
    hr_io_free(link->up.from);
    hr_io_free(link->up.to);
    close(link->client);
    close(link->server);
    free(link);
}

/* Joins what is over; with all, ends every link. */
static void reap(struct fault_proxy *proxy, bool all)
{
    for (struct fault_link **at = &proxy->first; *at;) {
        struct fault_link *link = *at;
        if (all && !link->over) {
            link->over = true;
            hr_task_cancel(link->up.task, NULL);
            hr_task_cancel(link->down.task, NULL);
        }
        bool done = hr_future_done(link->up.task) && hr_future_done(link->down.task);
        if (!all && !done) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        ASSERT_TRUE(hr_join(link->up.task) <= 0);
        ASSERT_TRUE(hr_join(link->down.task) <= 0);
        free_link(link);
    }
}

/* The descriptor, or why there is none. */
static int dial_server(const struct fault_proxy *proxy)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(proxy->to),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = -1, r;
    if (proxy->path) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", proxy->path);
        r = hr_connect((struct sockaddr *)&un, sizeof(un), &fd);
    } else {
        r = hr_connect((struct sockaddr *)&in, sizeof(in), &fd);
    }
    return r < 0 ? r : fd;
}

/* False: the acceptor was cancelled. */
static bool add_link(struct fault_proxy *proxy, int client)
{
    int server = dial_server(proxy), one = 1;
    if (server < 0) {
        close(client);
        return server != -ECANCELED;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct fault_link *link = calloc(1, sizeof(*link));
    ASSERT_TRUE(link);
    *link = (struct fault_link){
        .proxy = proxy, .next = proxy->first, .client = client, .server = server};
    link->up = (struct fault_way){link, hr_io_new(client), hr_io_new(server), NULL};
    link->down = (struct fault_way){link, link->up.to, link->up.from, NULL};
    ASSERT_TRUE(link->up.from && link->up.to);
    link->up.task = hr_create_task("up", run_way, &link->up);
    link->down.task = hr_create_task("down", run_way, &link->down);
    proxy->first = link;
    proxy->links++;
    return true;
}

static int accept_links(void *arg)
{
    struct fault_proxy *proxy = arg;
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(proxy->fd);
    ASSERT_TRUE(io);
    for (;;) {
        int client = accept4(proxy->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        bool on =
            client >= 0 ? add_link(proxy, client) : errno == EAGAIN && hr_io_wait(io, HR_READ) >= 0;
        if (!on)
            return 0;
        reap(proxy, false);
    }
}

static void open_door(struct fault_proxy *proxy)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(proxy->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int one = 1;
    proxy->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_TRUE(proxy->fd >= 0);
    setsockopt(proxy->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    ASSERT_EQ(bind(proxy->fd, (struct sockaddr *)&in, len), 0);
    ASSERT_EQ(listen(proxy->fd, BACKLOG), 0);
    ASSERT_EQ(getsockname(proxy->fd, (struct sockaddr *)&in, &len), 0);
    proxy->port = ntohs(in.sin_port);
    proxy->acceptor = hr_create_task("proxy", accept_links, proxy);
}

static void close_door(struct fault_proxy *proxy)
{
    if (proxy->fd < 0)
        return;
    hr_task_cancel(proxy->acceptor, NULL);
    ASSERT_TRUE(hr_join(proxy->acceptor) <= 0);
    close(proxy->fd);
    proxy->fd = -1;
}

void fault_proxy_start(struct fault_proxy *proxy, const char *path, uint16_t to, uint64_t seed)
{
    *proxy = (struct fault_proxy){
        .path = path, .to = to, .dice = seed * 2654435761U + 88172645463325252U, .fd = -1};
    open_door(proxy);
}

void fault_proxy_set(struct fault_proxy *proxy, enum fault fault)
{
    proxy->fault = fault;
    if (fault == FAULT_REFUSE) {
        proxy->faults++;
        close_door(proxy);
        reap(proxy, true);
    } else if (proxy->fd < 0) {
        open_door(proxy);
    }
}

static uint64_t sum_of_faults(const struct fault_proxy *proxies, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += proxies[i].faults;
    return sum;
}

void fault_proxies_suffer(struct fault_proxy *proxies, size_t n, enum fault fault, unsigned often)
{
    bool always = fault < FAULT_RESET || fault == FAULT_REFUSE;
    uint64_t enough = sum_of_faults(proxies, n) + often;
    for (size_t i = 0; i < n; i++)
        fault_proxy_set(&proxies[i], fault);
    hr_usec until = hr_now() + (always ? hr_ms(30) : test_patience(hr_seconds(10)));
    while (hr_now() < until && (always || sum_of_faults(proxies, n) < enough))
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    for (size_t i = 0; i < n; i++)
        fault_proxy_set(&proxies[i], FAULT_NONE);
}

void fault_proxy_suffer(struct fault_proxy *proxy, enum fault fault, unsigned often)
{
    fault_proxies_suffer(proxy, 1, fault, often);
}

enum fault_outcome fault_outcome_of(int code, bool damaged)
{
    if (code >= 0)
        return FAULT_DONE;
    const struct hr_error *error = hr_last_error();
    ASSERT_ERR(error->code, code);
    if (!damaged)
        ASSERT_TRUE(code == -ENOTCONN || code == HR_ELOST || code == -ETIMEDOUT);
    ASSERT_TRUE(code != HR_ELOST || error->sent);
    ASSERT_TRUE(code != -ENOTCONN || !error->sent);
    return error->sent ? FAULT_UNKNOWN : FAULT_NEVER_SENT;
}

void fault_proxy_end(struct fault_proxy *proxy)
{
    close_door(proxy);
    reap(proxy, true);
}
