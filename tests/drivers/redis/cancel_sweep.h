/* SPDX-License-Identifier: MIT */
/*
 * An operation of a client, cancelled at its first wait, then at its second, then at its n-th: it
 * ends with -ECANCELED or as if nothing had happened, and the client works on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "drivers/redis.h"

struct cancel_sweep {
    void *(*open)(const void *options);          /* a client that has not connected yet */
    int (*echo)(void *client, const char *word); /* an error unless it comes back */
    void (*close)(void *client);
    const void *options;
};

struct cancel_operation {
    const char *name;
    int (*run)(void *client);
};

/* Of a client for one server, or for whoever is the master. */
struct cancel_sweep cancel_sweep_of(const struct hr_redis_options *options);

/* With a client that has not connected yet, and with one that has, a new one each time. Fails the
 * test where a cancel does harm, where there was no wait at all, and where no cancel was heeded. */
void cancel_sweep_run(const struct cancel_sweep *sweep, const struct cancel_operation *operation);
