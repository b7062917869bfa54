/* SPDX-License-Identifier: MIT */
/*
 * Reads arrays of strings, as clients send them, and says whatever the test wants.
 */
#include "tests/drivers/redis/fake_redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

static bool read_more(struct fake_peer *peer)
{
    if (peer->start > 0) {
        memmove(peer->in, peer->in + peer->start, peer->end - peer->start);
        peer->end -= peer->start;
        peer->start = 0;
    }
    ASSERT_TRUE(peer->end < sizeof(peer->in) - 1);
    for (;;) {
        ssize_t n = recv(peer->fd, peer->in + peer->end, sizeof(peer->in) - 1 - peer->end, 0);
        if (n > 0) {
            peer->end += (size_t)n;
            peer->in[peer->end] = '\0';
            return true;
        }
        if (n == 0 || errno != EAGAIN || hr_io_wait(peer->io, HR_READ) < 0)
            return false;
    }
}

/* Steps over "*n\r\n" or "$n\r\n" at *at. False: not all there. */
static bool parse_header(const struct fake_peer *peer, size_t *at, char kind, size_t *ret)
{
    const char *text = peer->in + *at;
    const char *end = memchr(text, '\n', peer->end - *at);
    if (!end)
        return false;
    ASSERT_EQ(text[0], kind);
    *ret = strtoul(text + 1, NULL, 10);
    *at += (size_t)(end + 1 - text);
    return true;
}

static bool parse_command(struct fake_peer *peer, char *words, size_t size)
{
    size_t at = peer->start, count, len, used = 0;
    if (at == peer->end || !parse_header(peer, &at, '*', &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (at == peer->end || !parse_header(peer, &at, '$', &len) || peer->end - at < len + 2)
            return false;
        int n = snprintf(words + used, size - used, "%s%.*s", i > 0 ? " " : "", (int)len,
                         peer->in + at);
        used += (size_t)n;
        ASSERT_TRUE(used < size);
        at += len + 2;
    }
    peer->start = at;
    return true;
}

const char *fake_next(struct fake_peer *peer)
{
    static char words[4096];
    while (!parse_command(peer, words, sizeof(words))) {
        if (!read_more(peer))
            return NULL;
    }
    return words;
}

bool fake_say_bytes(struct fake_peer *peer, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(peer->fd, bytes, n, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno != EAGAIN || hr_io_wait(peer->io, HR_WRITE) < 0) {
            return false;
        }
    }
    return true;
}

bool fake_say(struct fake_peer *peer, const char *bytes)
{
    return fake_say_bytes(peer, bytes, strlen(bytes));
}

bool fake_say_server(struct fake_peer *peer)
{
    char info[64], reply[96];
    int n = snprintf(info, sizeof(info), "# Server\r\nrun_id:%s\r\ntcp_port:1\r\n", peer->run_id);
    snprintf(reply, sizeof(reply), "$%d\r\n%s\r\n", n, info);
    return fake_say(peer, reply);
}

bool fake_introduce(struct fake_peer *peer)
{
    const char *command;
    while ((command = fake_next(peer))) {
        if (strcmp(command, "PING") == 0)
            return fake_say(peer, "+PONG\r\n");
        bool said = strcmp(command, "INFO server") == 0 ? fake_say_server(peer)
                    : strcmp(command, "CLIENT ID") == 0 ? fake_say(peer, ":7\r\n")
                                                        : fake_say(peer, "+OK\r\n");
        if (!said)
            return false;
    }
    return false;
}

void fake_silence(struct fake_peer *peer)
{
    while (fake_next(peer))
        ;
}

static int run_peer(void *arg)
{
    struct fake_peer *peer = arg;
    peer->serve(peer);
    peer->io = hr_io_free(peer->io);
    close(peer->fd);
    peer->fd = -1;
    return 0;
}

static void accept_peer(struct fake_redis *fake, int fd)
{
    ASSERT_TRUE(fake->accepted < FAKE_PEERS_MAX);
    struct fake_peer *peer = calloc(1, sizeof(*peer));
    ASSERT_TRUE(peer);
    fake->peers[fake->accepted++] = peer;
    peer->fd = fd;
    peer->io = hr_io_new(fd);
    peer->number = fake->accepted;
    peer->arg = fake->arg;
    peer->run_id = "fake";
    peer->serve = fake->serve;
    peer->task = hr_create_task("fake-peer", run_peer, peer);
    ASSERT_TRUE(peer->io && peer->task);
}

static int listen_for(void *arg)
{
    struct fake_redis *fake = arg;
    while (hr_wait_fd(fake->fd, HR_READ) >= 0) {
        int fd = accept4(fake->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int on = 1; /* what waits for an acknowledgement would make a virtual clock jump */
        if (fd >= 0 && fake->port != 0)
            ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
        if (fd >= 0)
            accept_peer(fake, fd);
    }
    return 0;
}

/* Serves whoever comes to the socket, which is bound. */
static void listen_at(struct fake_redis *fake, int fd, void (*serve)(struct fake_peer *peer),
                      void *arg)
{
    fake->serve = serve;
    fake->arg = arg;
    fake->fd = fd;
    ASSERT_EQ(listen(fd, 16), 0);
    fake->listener = hr_create_task("fake-listener", listen_for, fake);
    ASSERT_TRUE(fake->listener);
}

void fake_start_at(struct fake_redis *fake, const char *place, uint16_t port,
                   void (*serve)(struct fake_peer *peer), void *arg)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(place), .sin_port = htons(port)};
    socklen_t len = sizeof(address);
    memset(fake, 0, sizeof(*fake));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    fake->port = ntohs(address.sin_port);
    snprintf(fake->url, sizeof(fake->url), "redis://%s:%u", place, fake->port);
    listen_at(fake, fd, serve, arg);
}

void fake_start_tcp(struct fake_redis *fake, void (*serve)(struct fake_peer *peer), void *arg)
{
    fake_start_at(fake, "127.0.0.1", 0, serve, arg);
}

void fake_start(struct fake_redis *fake, void (*serve)(struct fake_peer *peer), void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(fake, 0, sizeof(*fake));
    snprintf(fake->dir, sizeof(fake->dir), "/tmp/hr-fake-XXXXXX");
    ASSERT_TRUE(mkdtemp(fake->dir));
    snprintf(fake->path, sizeof(fake->path), "%s/s", fake->dir);
    snprintf(fake->url, sizeof(fake->url), "unix://%s", fake->path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    listen_at(fake, fd, serve, arg);
}

static void end_task(hr_task *task)
{
    hr_task_cancel(task, "the test ends");
    int r = hr_join(task);
    ASSERT_TRUE(r == 0 || r == -ECANCELED);
}

void fake_end(struct fake_redis *fake)
{
    end_task(fake->listener);
    for (int i = 0; i < fake->accepted; i++) {
        end_task(fake->peers[i]->task);
        if (fake->peers[i]->fd >= 0) {
            hr_io_free(fake->peers[i]->io);
            close(fake->peers[i]->fd);
        }
        free(fake->peers[i]);
    }
    close(fake->fd);
    if (fake->dir[0]) {
        unlink(fake->path);
        rmdir(fake->dir);
    }
}

void fake_refuse(struct fake_redis *fake)
{
    hr_task_cancel(fake->listener, NULL);
    ASSERT_EQ(shutdown(fake->fd, SHUT_RDWR), 0);
}

hr_redis *fake_client(const struct fake_redis *fake, const struct hr_redis_options *options)
{
    struct hr_redis_options with_url = options ? *options : (struct hr_redis_options){0};
    with_url.url = fake->url;
    hr_redis *redis = hr_redis_new(&with_url);
    if (!redis)
        test_fail(__FILE__, __LINE__, "no client: %s", hr_last_error()->message);
    return redis;
}

void fake_client_end(hr_redis *redis, struct fake_redis *fake)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    fake_end(fake);
}

void fake_echo(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    const char *words;
    while ((words = fake_next(peer))) {
        char reply[4200];
        snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(words), words);
        if (!fake_say(peer, reply))
            return;
    }
}

void fake_introduce_only(struct fake_peer *peer)
{
    if (fake_introduce(peer))
        fake_silence(peer);
}

int fake_ask(void *arg)
{
    struct fake_asker *a = arg;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    char want[32];
    snprintf(want, sizeof(want), "GET %d", a->number);
    a->code = hr_redis_command(a->redis, &reply, "GET %d", a->number);
    a->sent = a->code < 0 && hr_last_error()->sent;
    a->matched = a->code == 0 && hr_reply_equals(reply, want);
    return 0;
}
