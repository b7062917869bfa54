/* SPDX-License-Identifier: MIT */
/*
 * evhttp brings a request in a callback; a task answers it, so that a handler may ask Redis. A
 * client that leaves in between takes its request with it: the answer is thrown away.
 */
#include "daemon/admin.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/app.h"
#include "daemon/item/failure.h"
#include "daemon/log.h"

#define HEADERS_MAX 8192
#define BODY_MAX    ((ev_ssize_t)8 << 20)
#define IDLE_MAX    30 /* seconds a client may be silent */
#define CALLS_MAX   64 /* requests that are answered at once */

struct admin {
    struct app *app;
    struct evhttp *local, *tcp; /* NULL where nothing listens */
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    unsigned calls;
    struct hr_list requests; /* that are being answered */
    struct hr_event idle;    /* set while there are none */
};

/* A request on its way through its task. */
struct request {
    struct hr_list link;
    struct admin *admin;
    hr_task *task;               /* that answers it, once it has begun */
    struct evhttp_request *http; /* NULL once the client is gone */
    const struct admin_route *route;
    struct admin_call call;
    char *query, *body; /* copies: the client may take its request with it */
};

static const struct admin_route *const tables[] = {
    admin_job_routes,
    admin_dead_routes,
    admin_enqueue_routes,
    admin_health_routes,
};

/* Writes a JSON string of bytes that are UTF-8. */
static void put_utf8(struct evbuffer *to, const char *text, size_t len)
{
    evbuffer_add(to, "\"", 1);
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        evbuffer_add(to, text + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            evbuffer_add_printf(to, "\\%c", c);
        else
            evbuffer_add_printf(to, "\\u%04x", c);
    }
    evbuffer_add(to, text + plain, len - plain);
    evbuffer_add(to, "\"", 1);
}

int admin_refuse(struct admin_call *call, int status, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    evbuffer_drain(call->answer, evbuffer_get_length(call->answer));
    evbuffer_add_printf(call->answer, "{\"error\":");
    admin_put_string(call->answer, text, strlen(text));
    evbuffer_add_printf(call->answer, "}\n");
    return status;
}

void admin_put_string(struct evbuffer *to, const char *text, size_t len)
{
    if (text_is_utf8(text, len)) {
        put_utf8(to, text, len);
        return;
    }
    size_t size = 3 * len + 1; /* U+FFFD takes three bytes */
    hr_auto(hr_freep) char *clean = malloc(size);
    put_utf8(to, clean ? clean : "", clean ? text_excerpt(clean, size, text, len) : 0);
}

char *admin_query_text(const struct admin_call *call, const char *name)
{
    struct evkeyvalq values = {0};
    if (evhttp_parse_query_str(call->query, &values) < 0)
        return NULL;
    const char *found = evhttp_find_header(&values, name);
    char *copy = found ? strdup(found) : NULL;
    evhttp_clear_headers(&values);
    return copy;
}

uint64_t admin_query_number(const struct admin_call *call, const char *name, uint64_t fallback)
{
    hr_auto(hr_freep) char *text = admin_query_text(call, name);
    char *end = NULL;
    uint64_t number = text ? strtoull(text, &end, 10) : 0;
    return text && end != text && *end == '\0' ? number : fallback;
}

/* Does the path fit the route? A job's name in place of NAME goes to *ret_job. */
static bool matches(const struct admin_route *route, const char *path, struct app *app,
                    struct job **ret_job)
{
    const char *name = strstr(route->path, "NAME");
    if (!name)
        return strcmp(route->path, path) == 0;
    size_t before = (size_t)(name - route->path);
    size_t after = strlen(name + 4), len = strlen(path);
    if (len <= before + after || strncmp(route->path, path, before) != 0 ||
        strcmp(path + len - after, name + 4) != 0)
        return false;
    char job[256];
    snprintf(job, sizeof(job), "%.*s", (int)(len - before - after), path + before);
    *ret_job = app_job(app, job);
    return !strchr(job, '/');
}

static const char *method_name(struct evhttp_request *http)
{
    switch (evhttp_request_get_command(http)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    default:
        return "other";
    }
}

static void client_gone(struct evhttp_connection *connection, void *arg)
{
    struct request *request = arg;
    request->http = NULL;
}

static void send_answer(struct request *request, int status)
{
    if (!request->http)
        return;
    struct evhttp_connection *connection = evhttp_request_get_connection(request->http);
    if (connection)
        evhttp_connection_set_closecb(connection, NULL, NULL);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request->http);
    evhttp_add_header(headers, "Content-Type", request->call.type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply(request->http, status, NULL, request->call.answer);
}

static void request_free(struct request *request)
{
    struct admin *admin = request->admin;
    if (request->call.answer)
        evbuffer_free(request->call.answer);
    free(request->query);
    free(request->body);
    hr_list_remove(&request->link);
    free(request);
    if (--admin->calls == 0)
        hr_event_set(&admin->idle);
}

static int answer(void *arg)
{
    struct request *request = arg;
    request->task = hr_current_task();
    int status = request->route->handler(&request->call);
    if (status < 0)
        status = admin_refuse(&request->call,
                              error_is_outage(error_classify(status, hr_last_error())) ? 503 : 500,
                              "%s", hr_error_message(status));
    send_answer(request, status);
    request_free(request);
    return 0;
}

/* Starts the task that answers; the route has been found. */
static bool start(struct admin *admin, struct evhttp_request *http, const struct admin_route *route,
                  struct job *job)
{
    struct request *request = calloc(1, sizeof(*request));
    if (!request)
        return false;
    admin->calls++;
    hr_event_clear(&admin->idle);
    hr_list_append(&admin->requests, &request->link);
    request->admin = admin;
    request->http = http;
    request->route = route;
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(http));
    struct evbuffer *body = evhttp_request_get_input_buffer(http);
    size_t len = evbuffer_get_length(body);
    request->query = strdup(query ? query : "");
    request->body = malloc(len + 1);
    if (request->body)
        evbuffer_copyout(body, request->body, len);
    request->call = (struct admin_call){
        .app = admin->app,
        .job = job,
        .query = request->query,
        .body = request->body,
        .body_len = len,
        .answer = evbuffer_new(),
        .type = "application/json",
    };
    if (!request->query || !request->body || !request->call.answer ||
        hr_spawn("admin", answer, request) < 0) {
        request_free(request);
        return false;
    }
    evhttp_connection_set_closecb(evhttp_request_get_connection(http), client_gone, request);
    return true;
}

static void refuse(struct evhttp_request *http, int status, const char *text)
{
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add_printf(body, "{\"error\":\"%s\"}\n", text);
    evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type", "application/json");
    evhttp_send_reply(http, status, NULL, body);
    if (body)
        evbuffer_free(body);
}

static void dispatch(struct admin *admin, struct evhttp_request *http, bool tcp)
{
    const char *method = method_name(http);
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(http));
    bool known = false;
    for (size_t t = 0; t < HR_ARRAY_LEN(tables) && path; t++) {
        for (const struct admin_route *route = tables[t]; route->method; route++) {
            struct job *job = NULL;
            if ((tcp && !route->tcp) || !matches(route, path, admin->app, &job))
                continue;
            known = true;
            if (strcmp(route->method, method) != 0)
                continue;
            if (strstr(route->path, "NAME") && !job)
                refuse(http, 404, "no such job");
            else if (admin->calls >= CALLS_MAX || !start(admin, http, route, job))
                refuse(http, 503, "too many requests at once, or no memory");
            return;
        }
    }
    refuse(http, known ? 405 : 404, known ? "not by this method" : "no such path");
}

static void local_request(struct evhttp_request *http, void *arg)
{
    dispatch(arg, http, false);
}

/* A browser that was led here by a foreign name (DNS rebinding) says that name: only addresses and
 * localhost are answered. */
static bool is_own_host(struct evhttp_request *http)
{
    const char *host = evhttp_request_get_host(http);
    struct in6_addr address;
    if (!host || strcmp(host, "localhost") == 0)
        return true;
    char bare[64];
    size_t len = strlen(host);
    bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
    snprintf(bare, sizeof(bare), "%.*s", (int)(bracketed ? len - 2 : len),
             bracketed ? host + 1 : host);
    return evutil_inet_pton(AF_INET, bare, &address) == 1 ||
           evutil_inet_pton(AF_INET6, bare, &address) == 1;
}

static void tcp_request(struct evhttp_request *http, void *arg)
{
    if (is_own_host(http))
        dispatch(arg, http, true);
    else
        refuse(http, 421, "ask for this server by its address or as localhost");
}

static struct evhttp *make_server(struct admin *admin,
                                  void (*handler)(struct evhttp_request *, void *))
{
    struct evhttp *http = evhttp_new(hr_loop_event_base(hr_running_loop()));
    if (!http)
        return NULL;
    evhttp_set_max_headers_size(http, HEADERS_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_timeout(http, IDLE_MAX);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
    evhttp_set_gencb(http, handler, admin);
    return http;
}

/* Accepts on a bound socket, which is taken over in any case. */
static int serve(struct evhttp *http, int fd, const char *where)
{
    evutil_make_socket_nonblocking(fd);
    if (listen(fd, SOMAXCONN) < 0 || evhttp_accept_socket(http, fd) < 0) {
        int r = hr_fail(-errno, "http.listen %s: %s", where, strerror(errno));
        close(fd);
        return r;
    }
    return 0;
}

/* True when a daemon answers at the path. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (fd >= 0)
        close(fd);
    return served;
}

static int listen_local(struct admin *admin, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return hr_fail(-ENAMETOOLONG, "http.listen unix:%s: the path is longer than %zu bytes",
                       path, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (is_served(&address))
        return hr_fail(-EADDRINUSE, "http.listen unix:%s: another daemon listens there", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return hr_fail(-errno, "http.listen unix:%s: %s", path, strerror(errno));
    mode_t before = umask(0117);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
    int error = errno;
    umask(before);
    if (bound < 0) {
        close(fd);
        return hr_fail(-error, "http.listen unix:%s: %s", path, strerror(error));
    }
    memcpy(admin->socket, path, strlen(path) + 1);
    if (!admin->local)
        admin->local = make_server(admin, local_request);
    if (!admin->local) {
        close(fd);
        return hr_fail(-ENOMEM, "http.listen: out of memory");
    }
    return serve(admin->local, fd, path);
}

static int listen_tcp(struct admin *admin, const char *where)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&address, &len) < 0)
        return hr_fail(-EINVAL, "http.listen %s: not an address with a port", where);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, (socklen_t)len) < 0) {
        int r = hr_fail(-errno, "http.listen %s: %s", where, strerror(errno));
        if (fd >= 0)
            close(fd);
        return r;
    }
    if (!admin->tcp)
        admin->tcp = make_server(admin, tcp_request);
    if (!admin->tcp) {
        close(fd);
        return hr_fail(-ENOMEM, "http.listen: out of memory");
    }
    return serve(admin->tcp, fd, where);
}

int admin_new(struct app *app, struct admin **ret)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin)
        return hr_fail(-ENOMEM, "admin server: out of memory");
    admin->app = app;
    hr_list_init(&admin->requests);
    hr_event_init(&admin->idle);
    hr_event_set(&admin->idle);
    int r = 0;
    for (size_t i = 0; i < app->settings->n_listen && r >= 0; i++) {
        const char *where = app->settings->listen[i];
        bool local = strncmp(where, "unix:", 5) == 0;
        r = local ? listen_local(admin, where + 5) : listen_tcp(admin, where);
    }
    if (r < 0)
        admin_free(admin);
    else
        *ret = admin;
    return r;
}

int admin_close(struct admin *admin)
{
    int result = admin ? hr_event_wait(&admin->idle) : 0;
    /* The caller's patience is over. One cancel interrupts one wait, and a handler has several. */
    for (int r = 0; r >= 0 && admin && admin->calls > 0;) {
        hr_list_foreach (node, &admin->requests) {
            hr_task *task = hr_list_entry(node, struct request, link)->task;
            if (task)
                hr_task_cancel(task, "the daemon is ending");
        }
        r = hr_sleep(hr_ms(5));
    }
    return result;
}

struct admin *admin_free(struct admin *admin)
{
    if (!admin)
        return NULL;
    hr_assert(admin->calls == 0);
    if (admin->local)
        evhttp_free(admin->local);
    if (admin->tcp)
        evhttp_free(admin->tcp);
    if (admin->socket[0])
        unlink(admin->socket);
    hr_event_done(&admin->idle);
    free(admin);
    return NULL;
}
