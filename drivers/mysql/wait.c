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
 */
#include "drivers/mysql/wait.h"

#include <errno.h>
#include <mysql.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* <ma_pvio.h> is written to be included by plugins, which bring these along. */
#define MY_GLOBAL_INCLUDED 1
typedef unsigned char uchar;
#include <ma_pvio.h>

#include "drivers/tls_impl.h"

/* From <mysql/client_plugin.h>, which includes a header that is not installed. */
#define PVIO_PLUGIN_TYPE    101
#define PVIO_PLUGIN_VERSION 0x0100
struct pvio_plugin {
    MYSQL_CLIENT_PLUGIN_HEADER
    struct st_ma_pvio_methods *methods;
};

/* How MARIADB_TLS begins (<ma_tls.h>, 3.1 to 3.4), which is void to who includes <ma_pvio.h>. */
struct library_tls {
    void *data;
    MARIADB_PVIO *pvio;
    void *ssl;
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
    int r = hr_io_wait(wait->io, direction);
    return r < 0 ? fail_wait(wait, r) : 1;
}

static ssize_t task_read(MARIADB_PVIO *pvio, uchar *buffer, size_t length)
{
    struct hr__mysql_wait *wait = pvio->data;
    wait->heard = true;
    for (;;) {
        ssize_t n = recv(wait->fd, buffer, length, MSG_DONTWAIT);
        if (n >= 0)
            return n;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || wait_for(wait, HR_READ) < 0)
            return -1;
    }
}

/* The request for TLS is all that is said before it: its header, and what a login begins with. A
 * library that was asked to enforce TLS may log in all the same where the server offers none. */
#define TLS_REQUEST_LENGTH (4 + 32)

static ssize_t task_write(MARIADB_PVIO *pvio, const uchar *buffer, size_t length)
{
    struct hr__mysql_wait *wait = pvio->data;
    if (wait->tls && !pvio->ctls && length != TLS_REQUEST_LENGTH) {
        wait->plain = true;
        return fail_wait(wait, -EPROTO);
    }
    for (;;) {
        ssize_t n = send(wait->fd, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return n;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || wait_for(wait, HR_WRITE) < 0)
            return -1;
    }
}

/* Of TLS the library says that it reads, whatever it waits for. */
static int task_wait(MARIADB_PVIO *pvio, my_bool is_read, int timeout)
{
    enum hr_io_direction direction = is_read ? HR_READ : HR_WRITE;
    const struct library_tls *tls = (const void *)pvio->ctls;
    if (tls)
        direction = hr__tls_direction(tls->ssl);
    return wait_for(pvio->data, direction);
}

static my_bool task_close(MARIADB_PVIO *pvio)
{
    if (pvio->data)
        hr__mysql_wait_close(pvio->data);
    pvio->data = NULL;
    return 0;
}

static my_bool task_get_handle(MARIADB_PVIO *pvio, void *handle)
{
    const struct hr__mysql_wait *wait = pvio->data;
    if (!wait || wait->fd < 0)
        return 1;
    *(my_socket *)handle = wait->fd;
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
    return pvio->data && hr__mysql_wait_quiet(pvio->data);
}

static int task_shutdown(MARIADB_PVIO *pvio)
{
    const struct hr__mysql_wait *wait = pvio->data;
    return wait ? shutdown(wait->fd, SHUT_RDWR) : -1;
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
    pvio->mysql = cinfo->mysql;
    pvio->type = cinfo->type;
    return 0;
}

/* Called by the library after each read and write, those of TLS included, which go past our
 * functions; write is 1 or 0. */
static void note_read(int write, MYSQL *mysql, const uchar *buffer, size_t length)
{
    const MARIADB_PVIO *pvio = mysql->net.pvio;
    if (!write && pvio && pvio->methods == &task_methods && pvio->data)
        ((struct hr__mysql_wait *)pvio->data)->heard = true;
}

/* Exported by the library, and declared in a header that it does not install. */
int ma_pvio_register_callback(my_bool add, void (*callback)(int write, MYSQL *mysql,
                                                            const uchar *buffer, size_t length));

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
        ma_pvio_register_callback(1, note_read);
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
    *wait = (struct hr__mysql_wait){.fd = fd, .io = hr_io_new(fd)};
    if (wait->io)
        return 0;
    hr__mysql_wait_close(wait);
    return -ENOMEM;
}

void hr__mysql_wait_lend(struct hr__mysql_wait *wait)
{
    lent = wait;
}

void hr__mysql_wait_close(struct hr__mysql_wait *wait)
{
    wait->io = hr_io_free(wait->io);
    if (wait->fd >= 0)
        close(wait->fd);
    wait->fd = -1;
}

bool hr__mysql_wait_quiet(const struct hr__mysql_wait *wait)
{
    struct pollfd p = {.fd = wait->fd, .events = POLLIN | POLLRDHUP};
    return wait->fd >= 0 && poll(&p, 1, 0) == 0;
}
