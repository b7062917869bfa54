/* SPDX-License-Identifier: MIT */
/*
 * TLS on a connected socket, for all drivers.
 */
#pragma once

#include <sys/types.h>

#include "core/io.h"
#include "drivers/url.h"

/* How a server is to be verified: as the options say, else as the URL. Files without a word about
 * it mean HR_TLS_FULL. 0, or -EINVAL: there is no TLS on a unix socket. */
int hr__tls_choose(const struct hr_url *url, const struct hr_tls_options *options,
                   enum hr_tls_verify *ret);

/* What all connections of a client share. */
struct hr__tls_context;

/* Reads the files (this blocks: at start, not in between). *ret is NULL when there is to be no TLS.
 * 0, -EINVAL with the record naming the file and what is wrong with it, -ENOMEM. Connections hold a
 * reference, so it may be freed before them. */
int hr__tls_context_new(const struct hr_url *url, const struct hr_tls_options *options,
                        struct hr__tls_context **ret);
struct hr__tls_context *hr__tls_context_free(struct hr__tls_context *context);

/* Another owner of it, who frees it as well. NULL gives NULL. */
struct hr__tls_context *hr__tls_context_ref(struct hr__tls_context *context);

/* One connection. */
struct hr__tls;

/* Reads the files again where they have changed, in a thread and for a second at most, then shakes
 * hands over fd, a connected non-blocking socket that io watches; both stay the caller's.
 * host is the name that the certificate has to bear. 0; -EPROTO when the two cannot agree or the
 * certificate is not accepted, and the record says why; -ECONNRESET; another -errno; -ECANCELED;
 * -ENOMEM. */
hr_async int hr__tls_open(struct hr__tls_context *context, int fd, hr_io *io, const char *host,
                          struct hr__tls **ret);

/* Frees it; says goodbye to the peer if the socket takes it at once. NULL is fine. Returns NULL. */
struct hr__tls *hr__tls_free(struct hr__tls *tls);

/* As recv(2) on a non-blocking socket: bytes, or 0 at the end of what the peer sends. -EAGAIN;
 * -EPROTO with the record; another -errno without. */
ssize_t hr__tls_recv(struct hr__tls *tls, void *buffer, size_t size);

/* Takes some of the bytes and sends them as far as the socket goes; what was taken counts as sent,
 * and the rest of it leaves with the next call of either. -EAGAIN: the socket takes nothing, and so
 * nothing was taken here. Other codes as recv. */
ssize_t hr__tls_send(struct hr__tls *tls, const void *data, size_t size);

/* Sends what was taken before. 0 when nothing is left; codes as send. */
int hr__tls_flush(struct hr__tls *tls);

/* Whether there may be bytes that the socket will not announce again: recv gave some the last time.
 */
bool hr__tls_pending(const struct hr__tls *tls);

/* Whether nothing that has come is left unread in here. */
bool hr__tls_quiet(const struct hr__tls *tls);

/* Whether it began with what an earlier connection had left. */
bool hr__tls_resumed(const struct hr__tls *tls);
