/* SPDX-License-Identifier: MIT */
/*
 * A stream proxy, of tasks on the test's own loop, that does what networks do on bad days.
 *
 * It listens on loopback and passes bytes on to a server. What goes wrong is set for all its links
 * and may change at any time; chance has a seed.
 */
#pragma once

#include <stdint.h>

#include "core/headrace.h"

enum fault {
    FAULT_NONE,
    FAULT_LATENCY,   /* chunks come late, each by its own time */
    FAULT_DRIP,      /* a segment has one byte */
    FAULT_RESET,     /* some links end with a reset */
    FAULT_TRUNCATE,  /* some end in the middle of a chunk, in order */
    FAULT_HALF_OPEN, /* some pass on nothing any more, and stay open */
    FAULT_REFUSE,    /* nobody listens, and all links end */
    FAULT_FLIP,      /* a bit of some chunks is another one */
    FAULTS
};

struct fault_link;
struct fault_proxy {
    uint16_t port;          /* of 127.0.0.1, where clients connect */
    uint64_t links, faults; /* so far: accepted; that did anything to a link */

    const char *path; /* the server's socket, or NULL */
    uint16_t to;      /* its port on loopback */
    enum fault fault;
    uint64_t dice;
    int fd;
    hr_task *acceptor;
    struct fault_link *first;
};

/* Starts to pass on what comes; path is borrowed. Fails the test when it cannot. */
void fault_proxy_start(struct fault_proxy *proxy, const char *path, uint16_t to, uint64_t seed);

/* Sets what goes wrong from now on. */
void fault_proxy_set(struct fault_proxy *proxy, enum fault fault);

/* The fault, until it has struck so often or, where it always does, for a moment; a second at most.
 */
void fault_proxy_suffer(struct fault_proxy *proxy, enum fault fault, unsigned often);

/* The same for n at once; it may strike at any of them. */
void fault_proxies_suffer(struct fault_proxy *proxies, size_t n, enum fault fault, unsigned often);

/* What became of a call by its code, the error record looked at as well. */
enum fault_outcome { FAULT_NEVER_SENT, FAULT_DONE, FAULT_UNKNOWN, FAULT_OUTCOMES };

/* Fails the test where code and record contradict each other or are none of those that a client
 * may give. damaged: what arrives need not be what was sent, so any code may come. */
enum fault_outcome fault_outcome_of(int code, bool damaged);

/* Ends all links. */
void fault_proxy_end(struct fault_proxy *proxy);
