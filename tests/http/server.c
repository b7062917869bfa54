/* SPDX-License-Identifier: MIT */
#include "tests/http/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/secure.h"
#include "tests/support/hrtest.h"

#define PIECE 65536

static int flush(struct test_conn *conn)
{
    char bytes[4096];
    int r = 0;
    for (size_t n; r == 0 && (n = test_secure_take(conn->secure, bytes, sizeof(bytes))) > 0;)
        r = hr_io_write(conn->io, bytes, n, NULL);
    return r;
}

static ssize_t read_secure(struct test_conn *conn, void *bytes, size_t size)
{
    char wire[4096];
    for (;;) {
        ssize_t n = test_secure_read(conn->secure, bytes, size);
        int r = flush(conn);
        if (n != -EAGAIN || r < 0)
            return r < 0 ? r : n;
        n = hr_io_read(conn->io, wire, sizeof(wire));
        if (n <= 0)
            return n;
        test_secure_came(conn->secure, wire, (size_t)n);
    }
}

static int receive(struct test_conn *conn)
{
    char *room;
    int r = hr_buf_reserve(&conn->in, PIECE, &room);
    if (r < 0)
        return r;
    ssize_t n = conn->secure ? read_secure(conn, room, PIECE) : hr_io_read(conn->io, room, PIECE);
    if (n <= 0)
        return n == 0 ? HR_EEND : (int)n;
    hr_buf_commit(&conn->in, (size_t)n);
    return 0;
}

/* Takes size bytes out of what comes. */
static int take(struct test_conn *conn, char *to, size_t size)
{
    while (hr_buf_size(&conn->in) < size) {
        int r = receive(conn);
        if (r < 0)
            return r;
    }
    if (to)
        memcpy(to, hr_buf_data(&conn->in), size);
    hr_buf_consume(&conn->in, size);
    return 0;
}

/* A line without its end. */
static int take_line(struct test_conn *conn, char *line, size_t size)
{
    char *end;
    while (!(end = strstr(hr_buf_data(&conn->in), "\r\n"))) {
        int r = receive(conn);
        if (r < 0)
            return r;
    }
    size_t n = (size_t)(end - hr_buf_data(&conn->in));
    ASSERT_TRUE(n < size);
    int r = take(conn, line, n);
    line[n] = '\0';
    return r < 0 ? r : take(conn, NULL, 2);
}

static int take_chunks(struct test_conn *conn)
{
    char line[64];
    for (;;) {
        int r = take_line(conn, line, sizeof(line));
        size_t n = r < 0 ? 0 : strtoul(line, NULL, 16);
        if (r < 0)
            return r;
        char *body = realloc(conn->body, conn->body_size + n + 1);
        conn->body = body;
        r = take(conn, body + conn->body_size, n);
        conn->body_size += n;
        if (r == 0)
            r = take_line(conn, line, sizeof(line));
        if (r < 0 || n == 0)
            return r;
    }
}

static int take_body(struct test_conn *conn)
{
    free(conn->body);
    conn->body = NULL;
    conn->body_size = 0;
    if (strcmp(test_conn_header(conn, "transfer-encoding"), "chunked") == 0)
        return take_chunks(conn);
    size_t size = strtoul(test_conn_header(conn, "content-length"), NULL, 10);
    conn->body = malloc(size + 1);
    conn->body_size = size;
    return take(conn, conn->body, size);
}

static int take_request(struct test_conn *conn)
{
    char line[1024];
    int r = take_line(conn, line, sizeof(line));
    if (r < 0)
        return r;
    ASSERT_EQ(sscanf(line, "%15s %255s", conn->method, conn->path), 2);
    conn->headers[0] = '\0';
    for (size_t have = 0; (r = take_line(conn, line, sizeof(line))) == 0 && line[0];) {
        int n = snprintf(conn->headers + have, sizeof(conn->headers) - have, "%s\n", line);
        have += (size_t)n;
        ASSERT_TRUE(have < sizeof(conn->headers));
    }
    return r < 0 ? r : take_body(conn);
}

static void conn_free(struct test_conn *conn)
{
    test_secure_free(conn->secure);
    hr_io_free(conn->io);
    close(conn->fd);
    hr_buf_done(&conn->in);
    hr_list_remove(&conn->link);
    conn->server->open--;
    free(conn->body);
    free(conn);
}

static int talk(void *arg)
{
    struct test_conn *conn = arg;
    struct test_http *server = conn->server;
    bool more = true;
    conn->task = hr_current_task();
    while (more && take_request(conn) == 0) {
        server->requests++;
        conn->request++;
        if (++server->under_way > server->most_under_way)
            server->most_under_way = server->under_way;
        more = server->serve(conn);
        server->under_way--;
    }
    conn_free(conn);
    return 0;
}

static void take_in(struct test_http *server, int fd)
{
    struct test_conn *conn = calloc(1, sizeof(*conn));
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn->server = server;
    conn->fd = fd;
    conn->io = hr_io_new(fd);
    conn->secure = server->secure ? test_secure_new() : NULL;
    if (server->old)
        test_secure_is_old(conn->secure);
    conn->number = ++server->connections;
    hr_buf_init(&conn->in, SIZE_MAX);
    hr_list_append(&server->conns, &conn->link);
    if (++server->open > server->most)
        server->most = server->open;
    hr_future_unref(hr_start_task("connection", talk, conn));
}

static int accept_all(void *arg)
{
    struct test_http *server = arg;
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(server->fd);
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_in(server, fd);
            continue;
        }
        int r = errno == EAGAIN ? hr_io_wait(io, HR_READ) : hr_sleep(hr_ms(5));
        if (r < 0)
            return 0;
    }
}

static void start(struct test_http *server, bool (*serve)(struct test_conn *conn), bool secure)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *server = (struct test_http){.serve = serve, .secure = secure};
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_EQ(bind(server->fd, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(server->fd, 1024), 0);
    ASSERT_EQ(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    snprintf(server->url, sizeof(server->url), "http%s://127.0.0.1:%d", secure ? "s" : "",
             ntohs(address.sin_port));
    hr_list_init(&server->conns);
    server->acceptor = hr_create_task("acceptor", accept_all, server);
}

void test_http_start(struct test_http *server, bool (*serve)(struct test_conn *conn))
{
    start(server, serve, false);
}

void test_https_start(struct test_http *server, bool (*serve)(struct test_conn *conn))
{
    start(server, serve, true);
}

void test_http_stop(struct test_http *server)
{
    hr_task_cancel(server->acceptor, NULL);
    ASSERT_ERR(hr_join(server->acceptor), 0);
    while (!hr_list_empty(&server->conns)) {
        hr_list_foreach (node, &server->conns)
            hr_task_cancel(hr_list_entry(node, struct test_conn, link)->task, NULL);
        ASSERT_ERR(hr_yield(), 0);
    }
    close(server->fd);
}

bool test_conn_asks(const struct test_conn *conn, const char *path)
{
    return strcmp(conn->path, path) == 0;
}

const char *test_conn_header(const struct test_conn *conn, const char *name)
{
    static char value[1024];
    size_t n = strlen(name);
    for (const char *line = conn->headers; *line; line = strchr(line, '\n') + 1) {
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        const char *from = line + n + 1 + strspn(line + n + 1, " ");
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(from, "\n"), from);
        return value;
    }
    return "";
}

bool test_conn_send(struct test_conn *conn, const void *bytes, size_t size)
{
    if (!conn->secure)
        return hr_io_write(conn->io, bytes, size, NULL) == 0;
    test_secure_write(conn->secure, bytes, size);
    return flush(conn) == 0;
}

bool test_conn_say(struct test_conn *conn, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ASSERT_TRUE(n >= 0 && (size_t)n < sizeof(text));
    return test_conn_send(conn, text, (size_t)n);
}

bool test_conn_answer(struct test_conn *conn, const char *text)
{
    return test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text),
                         text);
}

bool test_conn_until_gone(struct test_conn *conn)
{
    while (receive(conn) == 0)
        ;
    return false;
}
