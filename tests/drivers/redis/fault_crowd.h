/* SPDX-License-Identifier: MIT */
/*
 * 200 tasks on one client while the network does everything a network may do: each call has one
 * outcome, which is true, no reply reaches anybody else, and the client recovers by itself.
 *
 * The client may be of one server, behind sentinels or of a cluster; whoever it connects to, it
 * comes to the proxy that stands in front of that port.
 */
#pragma once

#include "drivers/redis/cluster.h"
#include "tests/support/fault_proxy.h"

#define FAULT_CROWD_PROXIES 8

struct fault_crowd {
    bool damaged;              /* what arrives need not be what was sent */
    hr_redis *redis;           /* the client, */
    hr_redis_cluster *cluster; /* or the client; it is closed and freed in the end */
    size_t n_proxies;
    struct fault_proxy proxies[FAULT_CROWD_PROXIES];
    uint16_t ports[FAULT_CROWD_PROXIES];
};

/* Puts a proxy in the way of every connection that a client opens to this port from now on. It
 * leads to the unix socket at path, or, when that is NULL, to the port on loopback. */
void fault_crowd_add(struct fault_crowd *crowd, const char *path, uint16_t port);

/* The client's options: this URL and limits as short as the test needs them. */
struct hr_redis_options fault_crowd_options(const char *url, const char *ca);

/* What an honest network does, and one whose bits flip. */
extern const enum fault fault_crowd_honest[6], fault_crowd_flipping[7];

/* Lets the crowd suffer n faults, compares what it was told with what was done, and ends client and
 * proxies. */
void fault_crowd_run(struct fault_crowd *crowd, const enum fault *faults, size_t n);
