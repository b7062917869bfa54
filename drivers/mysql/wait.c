/* SPDX-License-Identifier: MIT */
/*
 * How libmariadb waits without blocking: its socket functions, replaced for our connections.
 *
 * MARIADB_OPT_IO_WAIT, the hook that the library offers for this, covers less than it seems to: a
 * full unix backlog is slept upon, names are resolved in place, the socket is left in blocking mode
 * (so TLS blocks), and it knows neither its connection nor whether a request has left. One level
 * below, all of that is ours: the built-in plugin "pvio_socket" holds a pointer to its functions
 * (struct st_ma_pvio_methods, <ma_pvio.h>, unchanged from 3.1 to 3.4). We point it to a copy whose
 * connect() first looks whether this thread has just lent a socket of its own; if so, the
 * connection gets the functions below, and if not, those of the library, as if we were not there.
 *
 * TLS beneath that table is ours, and not the library's, which reads its files at each connection,
 * waits for the wrong direction, sends no server name and forgets sessions.
 */
#include "drivers/mysql/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/mysql/library.h"

/* <ma_pvio.h> is written to be included by plugins, which bring these along. */
#define MY_GLOBAL_INCLUDED 1
typedef unsigned char uchar;
#include <ma_pvio.h>

/* From <mysql/client_plugin.h>, which includes a header that is not installed. */
#define PVIO_PLUGIN_TYPE    101
#define PVIO_PLUGIN_VERSION 0x0100
struct pvio_plugin {
    MYSQL_CLIENT_PLUGIN_HEADER
    struct st_ma_pvio_methods *methods;
};

static struct st_ma_pvio_methods *library_methods;
static struct st_ma_pvio_methods choosing_methods;
static _Thread_local struct hr__mysql_wait *lent;

/* errno is what the library quotes in its message. */
static int fail_wait(struct hr__mysql_wait *wait, int code)
{
    wait->failed = code;
    errno = code > -1000 ? -code : EIO;
    return -1;
}

/* 1 when ready; -1 when the task was cancelled, or cannot wait here. One cancel ends everything:
 * the library may well try to go on after a failure, and every further wait has to fail too. */
static int wait_for(struct hr__mysql_wait *wait, enum hr_io_direction direction)
{
    if (wait->failed < 0)
        return fail_wait(wait, wait->failed);
    if (wait->silent || !hr_current_task())
        return fail_wait(wait, HR_ENOTASK);
    int r = hr_io_wait_as(wait->wire.io, direction, "a MySQL server");
    return r < 0 ? fail_wait(wait, r) : 1;
}

/* What the library is told of a code of the wire; what went wrong in TLS only the record says. */
static int fail_wire(struct hr__mysql_wait *wait, int code)
{
    if (code == -EPROTO)
        snprintf(wait->why, sizeof(wait->why), "%s", hr_last_error()->message);
    errno = -code;
    return -1;
}

/* An answer takes its time, so a look at once would mostly be in vain. */
static bool is_too_early(struct hr__mysql_wait *wait)
{
    bool asked = wait->asked;
    wait->asked = false;
    return asked && !wait->silent && hr__wire_drained(&wait->wire) && hr_current_task();
}

static ssize_t task_read(MARIADB_PVIO *pvio, uchar *buffer, size_t length)
{
    struct hr__mysql_wait *wait = pvio->data;
    if (wait->failed < 0)
        return fail_wait(wait, wait->failed);
    wait->heard = true;
    if (is_too_early(wait) && wait_for(wait, HR_READ) < 0)
        return -1;
    for (;;) {
        ssize_t n = hr__wire_recv(&wait->wire, buffer, length);
        if (n >= 0)
            return n;
        if (n != -EAGAIN)
            return fail_wire(wait, (int)n);
        if (wait_for(wait, HR_READ) < 0)
            return -1;
    }
}

/* Returns once all has left, since the library will wait for the answer next. */
static ssize_t send_all(struct hr__mysql_wait *wait, const uchar *data, size_t length)
{
    wait->asked = true;
    for (size_t sent = 0;;) {
        ssize_t n = sent < length ? hr__wire_send(&wait->wire, data + sent, length - sent)
                                  : hr__wire_flush(&wait->wire);
        if (n >= 0)
            sent += (size_t)n;
        if (n == 0 && sent == length)
            return (ssize_t)length;
        if (n < 0 && n != -EAGAIN)
            return fail_wire(wait, (int)n);
        if (n == -EAGAIN && wait_for(wait, HR_WRITE) < 0)
            return -1;
    }
}

/* A packet begins with its length and its number; a login, with what the client can do. */
#define HEADER        4
#define NUMBER        3
#define REQUEST       (HEADER + 32)
#define WITH_TLS_BYTE (HEADER + 1)
#define WITH_TLS_BIT  (CLIENT_SSL >> 8)

static int refuse(struct hr__mysql_wait *wait, const char *why)
{
    snprintf(wait->why, sizeof(wait->why), "%s", why);
    return fail_wait(wait, -EPROTO);
}

/* The login as the library has written it is kept back; its beginning is the request for TLS, and
 * when hands are shaken it goes out with the next number. The library takes the numbers of the
 * packets after it from what it reads. */
static hr_async ssize_t log_in(MARIADB_PVIO *pvio, const uchar *login, size_t length)
{
    struct hr__mysql_wait *wait = pvio->data;
    if (!(pvio->mysql->server_capabilities & CLIENT_SSL))
        return refuse(wait, "the server offers no TLS");
    /* It would be taken for what comes under TLS: whoever stands in between could say it. */
    if (pvio->cache && pvio->cache_pos < pvio->cache + pvio->cache_size)
        return refuse(wait, "the server said more than its greeting before TLS");
    if (length < REQUEST || login[NUMBER] != 1)
        return refuse(wait, "libmariadb logs in some other way than it used to");
    uchar request[REQUEST];
    memcpy(request, login, sizeof(request));
    memcpy(request, (const uchar[]){REQUEST - HEADER, 0, 0, 1}, HEADER);
    request[WITH_TLS_BYTE] |= WITH_TLS_BIT;
    if (send_all(wait, request, sizeof(request)) < 0)
        return -1;
    if (wait->silent || !hr_current_task())
        return fail_wait(wait, HR_ENOTASK);
    int r = hr__wire_secure(&wait->wire, wait->tls, wait->host);
    if (r < 0 && r != -ECANCELED)
        snprintf(wait->why, sizeof(wait->why), "%s", hr_last_error()->message);
    if (r < 0)
        return fail_wait(wait, r);
    pvio->type = PVIO_TYPE_UNIXSOCKET; /* so plugins know that nobody listens */

    uchar *copy = malloc(length);
    if (!copy)
        return fail_wait(wait, -ENOMEM);
    memcpy(copy, login, length);
    copy[NUMBER] = 2;
    copy[WITH_TLS_BYTE] |= WITH_TLS_BIT;
    ssize_t n = send_all(wait, copy, length);
    free(copy);
    return n;
}

/* caching_sha2_password would have the server send the key to encrypt the password with. Whoever
 * stands in between could send his own. */
static bool asks_for_key(const MARIADB_PVIO *pvio, const uchar *packet, size_t length)
{
    return pvio->type == PVIO_TYPE_SOCKET && length == HEADER + 1 && packet[0] == 1 &&
           packet[NUMBER] > 0 && packet[HEADER] == 2;
}

static ssize_t task_write(MARIADB_PVIO *pvio, const uchar *buffer, size_t length)
{
    struct hr__mysql_wait *wait = pvio->data;
    if (wait->tls && !wait->wire.tls)
        return log_in(pvio, buffer, length);
    if (wait->logging_in && asks_for_key(pvio, buffer, length))
        return refuse(wait, "caching_sha2_password would send the password to whoever answers: "
                            "ask for TLS (?tls=full), or use the unix socket");
    return send_all(wait, buffer, length);
}

static int task_wait(MARIADB_PVIO *pvio, my_bool is_read, int timeout)
{
    return wait_for(pvio->data, is_read ? HR_READ : HR_WRITE);
}

static my_bool task_close(MARIADB_PVIO *pvio)
{
    struct hr__mysql_wait *wait = hr_take(pvio->data);
    if (wait) {
        wait->pvio = NULL;
        hr__mysql_wait_close(wait);
    }
    return 0;
}

static my_bool task_get_handle(MARIADB_PVIO *pvio, void *handle)
{
    const struct hr__mysql_wait *wait = pvio->data;
    if (!wait || wait->wire.fd < 0)
        return 1;
    *(my_socket *)handle = wait->wire.fd;
    return 0;
}

/* Deadlines are the task's; the library's own timeouts are neither set nor honoured. */
static my_bool task_set_timeout(MARIADB_PVIO *pvio, enum enum_pvio_timeout type, int timeout)
{
    return 0;
}

static int task_get_timeout(MARIADB_PVIO *pvio, enum enum_pvio_timeout type)
{
    return -1;
}

static int task_blocking(MARIADB_PVIO *pvio, my_bool block, my_bool *previous)
{
    if (previous)
        *previous = 0;
    return 0;
}

static my_bool task_is_blocking(MARIADB_PVIO *pvio)
{
    return 0;
}

/* hr_connect() has set TCP_NODELAY and keepalive. */
static int task_tune(MARIADB_PVIO *pvio)
{
    return 0;
}

static my_bool task_is_alive(MARIADB_PVIO *pvio)
{
    const struct hr__mysql_wait *wait = pvio->data;
    return wait && hr__wire_quiet(&wait->wire);
}

static int task_shutdown(MARIADB_PVIO *pvio)
{
    const struct hr__mysql_wait *wait = pvio->data;
    return wait ? shutdown(wait->wire.fd, SHUT_RDWR) : -1;
}

static struct st_ma_pvio_methods task_methods = {
    .set_timeout = task_set_timeout,
    .get_timeout = task_get_timeout,
    .read = task_read,
    .write = task_write,
    .wait_io_or_timeout = task_wait,
    .blocking = task_blocking,
    .close = task_close,
    .fast_send = task_tune,
    .keepalive = task_tune,
    .get_handle = task_get_handle,
    .is_blocking = task_is_blocking,
    .is_alive = task_is_alive,
    .shutdown = task_shutdown,
};

static my_bool choose_connect(MARIADB_PVIO *pvio, MA_PVIO_CINFO *cinfo)
{
    struct hr__mysql_wait *wait = hr_take(lent);
    if (!wait) {
        pvio->methods = library_methods;
        return library_methods->connect(pvio, cinfo);
    }
    pvio->methods = &task_methods;
    pvio->data = wait;
    wait->pvio = pvio;
    pvio->mysql = cinfo->mysql;
    pvio->type = cinfo->type;
    return 0;
}

static int setup_code;

static void setup(void)
{
    MYSQL mysql;
    setup_code = -ENOMEM;
    if (mysql_library_init(0, NULL, NULL) || !mysql_init(&mysql))
        return;
    struct pvio_plugin *plugin =
        (struct pvio_plugin *)mysql_client_find_plugin(&mysql, "pvio_socket", PVIO_PLUGIN_TYPE);
    if (plugin && plugin->interface_version == PVIO_PLUGIN_VERSION) {
        library_methods = plugin->methods;
        choosing_methods = *library_methods;
        choosing_methods.connect = choose_connect;
        plugin->methods = &choosing_methods;
        setup_code = 0;
    } else {
        setup_code = -ENOTSUP;
    }
    mysql_close(&mysql);
}

int hr__mysql_wait_setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, setup);
    return setup_code;
}

int hr__mysql_wait_open(struct hr__mysql_wait *wait, int fd)
{
    *wait = (struct hr__mysql_wait){.logging_in = true};
    return hr__wire_open(&wait->wire, fd);
}

void hr__mysql_wait_lend(struct hr__mysql_wait *wait)
{
    lent = wait;
}

size_t hr__mysql_wait_peek(struct hr__mysql_wait *wait, const unsigned char **ret)
{
    MARIADB_PVIO *pvio = wait->pvio;
    if (!pvio || !pvio->cache || wait->failed < 0)
        return 0;
    size_t left = (size_t)(pvio->cache + pvio->cache_size - pvio->cache_pos);
    if (left == 0) {
        ssize_t n = task_read(pvio, pvio->cache, PVIO_READ_AHEAD_CACHE_SIZE);
        if (n < 0 && wait->failed == 0)
            wait->failed = -errno; /* the socket says it only once */
        if (n <= 0)
            return 0;
        pvio->cache_pos = pvio->cache;
        pvio->cache_size = left = (size_t)n;
    }
    *ret = pvio->cache_pos;
    return left;
}

void hr__mysql_wait_take(struct hr__mysql_wait *wait)
{
    wait->pvio->cache_pos = wait->pvio->cache + wait->pvio->cache_size;
}

void hr__mysql_wait_close(struct hr__mysql_wait *wait)
{
    hr__wire_close(&wait->wire);
}
