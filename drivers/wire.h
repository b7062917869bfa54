/* SPDX-License-Identifier: MIT */
/*
 * A connected socket for one protocol, plain or through TLS.
 */
#pragma once

#include "drivers/tls_impl.h"

struct hr__wire {
    int fd;
    hr_io *io;
    struct hr__tls *tls; /* NULL: plain */
};

/* Takes a connected, non-blocking socket: 0 or -ENOMEM (then it is closed). */
int hr__wire_open(struct hr__wire *wire, int fd);

/* Goes on through TLS; host is the name that the certificate has to bear. Codes of hr__tls_open();
 * after a failure the wire is to be closed. */
hr_async int hr__wire_secure(struct hr__wire *wire, struct hr__tls_context *context,
                             const char *host);

/* Twice is fine. A task that waits on it gets HR_ECLOSED. */
void hr__wire_close(struct hr__wire *wire);

/* As recv(2) and send(2), interrupted calls excepted: bytes, 0 at the end of what comes, -EAGAIN,
 * -EPROTO with the record, another -errno without. Bytes that are sent count as gone; some of them
 * may wait for hr__wire_flush(). */
ssize_t hr__wire_recv(struct hr__wire *wire, void *buffer, size_t size);
ssize_t hr__wire_send(struct hr__wire *wire, const void *data, size_t size);

/* 0 when all that was sent has left; -EAGAIN; another code of send. */
int hr__wire_flush(struct hr__wire *wire);

/* Without waiting: false when the peer has closed, or has said what was not received yet. */
bool hr__wire_quiet(const struct hr__wire *wire);

/* Whether all that has come so far was received: what comes next, the descriptor announces. */
bool hr__wire_drained(const struct hr__wire *wire);

/* Waits until there may be something to receive, a pass at least. Codes of hr_io_wait(). */
hr_async int hr__wire_wait(struct hr__wire *wire);
