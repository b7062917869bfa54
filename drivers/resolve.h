/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses without blocking the loop: getaddrinfo in threads, with a small cache.
 */
#pragma once

#include <sys/socket.h>

#include "core/loop.h"

struct hr_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

#define HR_ADDRESSES_MAX 8

/* Resolves host (a literal address is returned at once) for TCP to port. Returns how many addresses
 * were stored in ret, in the resolver's order; -ENOENT (no such name), -EAGAIN (the resolver could
 * not tell), -ECANCELED, -ENOMEM. Answers are kept for 30 s, failures for 1 s. */
HR_PUBLIC hr_async int hr_resolve(const char *host, uint16_t port,
                                  struct hr_address ret[HR_ADDRESSES_MAX]);

/* The address of a unix socket; -ENAMETOOLONG when the path does not fit. */
HR_PUBLIC int hr_address_unix(const char *path, struct hr_address *ret);

/* Forgets a cached name: after a failover the old address is of no use. */
HR_PUBLIC void hr_resolve_forget(const char *host);
