/* SPDX-License-Identifier: MIT */
#include "daemon/headracectl/http.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/settings.h"

#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

/* How long the daemon may take, in seconds: an action may be about many thousands of letters. */
#define PATIENCE_GET  30
#define PATIENCE_POST 900

/* The socket: as given; else the one in our runtime directory, as the daemon would have it; else
 * the system's. */
static void find_socket(struct ctl *ctl)
{
    static const char fallback[] = "/run/headrace/admin.sock";
    if (ctl->socket) {
        snprintf(ctl->socket_path, sizeof(ctl->socket_path), "%s", ctl->socket);
        return;
    }
    hr_auto(hr_conf_mem_freep) struct hr_conf_mem *mem = hr_conf_mem_new();
    const char *directory = mem ? settings_runtime_dir(mem) : NULL;
    snprintf(ctl->socket_path, sizeof(ctl->socket_path), "%s/admin.sock",
             directory ? directory : "/run/headrace");
    if (access(ctl->socket_path, F_OK) < 0 && access(fallback, F_OK) == 0)
        memcpy(ctl->socket_path, fallback, sizeof(fallback));
}

static int refuse(const struct ctl *ctl, int error)
{
    if (error == EACCES || error == EPERM)
        return ctl_fail(ctl, EX_NOPERM,
                        "%s: %s (be root, or a member of the group that may use it: headrace)",
                        ctl->socket_path, strerror(error));
    return ctl_fail(ctl, EX_UNAVAILABLE,
                    "no daemon answers at %s: %s (is headraced running? --socket names another "
                    "socket)",
                    ctl->socket_path, strerror(error));
}

static int open_socket(struct ctl *ctl, int patience, int *ret)
{
    find_socket(ctl);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(ctl->socket_path) >= sizeof(address.sun_path))
        return ctl_fail(ctl, EX_USAGE, "%s: a socket's path has at most %zu bytes",
                        ctl->socket_path, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, ctl->socket_path, strlen(ctl->socket_path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ctl_fail(ctl, EX_SOFTWARE, "no socket: %s", strerror(errno));
    struct timeval limit = {.tv_sec = patience};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        close(fd);
        return refuse(ctl, error);
    }
    *ret = fd;
    return 0;
}

static int send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Everything until the daemon hangs up. 0 or -errno; *ret is to be freed in any case. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
    size_t capacity = 0;
    for (;;) {
        if (capacity - *ret_len < 2) {
            capacity = capacity ? 2 * capacity : 16384;
            char *larger = capacity <= ANSWER_MAX ? realloc(*ret, capacity) : NULL;
            if (!larger)
                return -ENOBUFS;
            *ret = larger;
        }
        ssize_t n = recv(fd, *ret + *ret_len, capacity - *ret_len - 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        *ret_len += (size_t)n;
    }
    (*ret)[*ret_len] = '\0';
    return 0;
}

/* Status and body of a whole answer. False: it is cut off, or no HTTP. */
static bool parse_answer(const char *text, size_t len, struct http_answer *ret)
{
    char *headers_end = memmem(text, len, "\r\n\r\n", 4);
    int status;
    if (!headers_end || sscanf(text, "HTTP/1.%*1[01] %3d", &status) != 1)
        return false;
    const char *body = headers_end + 4;
    size_t body_len = len - (size_t)(body - text);
    const char *line = strcasestr(text, "\r\nContent-Length:");
    if (!line || line > headers_end || strtoull(line + 17, NULL, 10) != body_len)
        return false;
    ret->body = strndup(body, body_len);
    ret->len = body_len;
    ret->status = status;
    return ret->body != NULL;
}

static int exchange(int fd, const char *head, const char *body, size_t len, char **ret,
                    size_t *ret_len)
{
    int r = send_all(fd, head, strlen(head));
    if (r >= 0)
        r = send_all(fd, body, len);
    /* A daemon that refuses may answer before it has read everything. */
    return r >= 0 || r == -EPIPE || r == -ECONNRESET ? read_all(fd, ret, ret_len) : r;
}

int http_ask(struct ctl *ctl, const char *method, const char *path, const char *body, size_t len,
             struct http_answer *ret)
{
    int patience = strcmp(method, "GET") == 0 ? PATIENCE_GET : PATIENCE_POST;
    int fd = -1;
    int status = open_socket(ctl, patience, &fd);
    if (status != 0)
        return status;
    hr_auto(hr_freep) char *head = NULL, *text = NULL;
    size_t text_len = 0;
    if (asprintf(&head,
                 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 method, path, len) < 0)
        head = NULL;
    int r = head ? exchange(fd, head, body, len, &text, &text_len) : -ENOMEM;
    close(fd);
    if (r == -EAGAIN || r == -EWOULDBLOCK)
        return ctl_fail(ctl, EX_TEMPFAIL,
                        "the daemon at %s has not answered for %d s (it may be stuck, or its "
                        "server is: see its log; try again)",
                        ctl->socket_path, patience);
    if (r == -ENOMEM || r == -ENOBUFS)
        return ctl_fail(ctl, EX_SOFTWARE, "no memory for the daemon's answer");
    if (r < 0)
        return ctl_fail(ctl, EX_UNAVAILABLE, "asking the daemon at %s: %s", ctl->socket_path,
                        strerror(-r));
    if (text_len == 0)
        return ctl_fail(ctl, EX_UNAVAILABLE,
                        "the daemon at %s hung up without an answer (it may be ending; what was "
                        "asked may have been done)",
                        ctl->socket_path);
    if (!parse_answer(text, text_len, ret))
        return ctl_fail(ctl, EX_SOFTWARE, "what answers at %s is not headraced's admin server",
                        ctl->socket_path);
    return 0;
}
