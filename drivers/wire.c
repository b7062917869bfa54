/* SPDX-License-Identifier: MIT */
#include "drivers/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/timeout.h"

int hr__wire_open(struct hr__wire *wire, int fd)
{
    *wire = (struct hr__wire){.fd = fd, .io = hr_io_new(fd)};
    if (wire->io)
        return 0;
    hr__wire_close(wire);
    return -ENOMEM;
}

int hr__wire_secure(struct hr__wire *wire, struct hr__tls_context *context, const char *host)
{
    return hr__tls_open(context, wire->fd, wire->io, host, &wire->tls);
}

void hr__wire_close(struct hr__wire *wire)
{
    wire->tls = hr__tls_free(wire->tls);
    wire->io = hr_io_free(wire->io);
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
}

ssize_t hr__wire_recv(struct hr__wire *wire, void *buffer, size_t size)
{
    if (wire->tls)
        return hr__tls_recv(wire->tls, buffer, size);
    ssize_t n;
    do {
        n = recv(wire->fd, buffer, size, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t hr__wire_send(struct hr__wire *wire, const void *data, size_t size)
{
    if (wire->tls)
        return hr__tls_send(wire->tls, data, size);
    ssize_t n;
    do {
        n = send(wire->fd, data, size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int hr__wire_flush(struct hr__wire *wire)
{
    return wire->tls ? hr__tls_flush(wire->tls) : 0;
}

bool hr__wire_quiet(const struct hr__wire *wire)
{
    struct pollfd p = {.fd = wire->fd, .events = POLLIN | POLLRDHUP};
    return wire->fd >= 0 && poll(&p, 1, 0) == 0 && (!wire->tls || hr__tls_quiet(wire->tls));
}

bool hr__wire_drained(const struct hr__wire *wire)
{
    return !wire->tls || hr__tls_quiet(wire->tls);
}

int hr__wire_wait(struct hr__wire *wire)
{
    if (wire->tls && hr__tls_pending(wire->tls))
        return hr_sleep(0);
    return hr_io_wait(wire->io, HR_READ);
}
