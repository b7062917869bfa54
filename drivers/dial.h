/* SPDX-License-Identifier: MIT */
/*
 * From a URL to a connected socket: its path, or the addresses of its host in turn.
 */
#pragma once

#include "drivers/resolve.h"
#include "drivers/url.h"

/* Connects, within limit from now: *ret is a non-blocking descriptor, the caller's. An address that
 * is silent costs its share of the limit only, so that the next one has its chance; a host of which
 * none answers is asked for anew next time. 0; -ETIMEDOUT; -ECANCELED; else the -errno of the
 * latest address, or what hr_resolve() said. The record says "cannot connect to
 * 10.0.0.1:3306: …" or "cannot resolve …": what was tried, not what the URL has. */
hr_async int hr__dial(const struct hr_url *url, hr_usec limit, int *ret);

/* The same for n > 0 addresses that are known. */
hr_async int hr__dial_addresses(const struct hr_address *addresses, size_t n, hr_usec limit,
                                int *ret);
