/* SPDX-License-Identifier: MIT */
/*
 * A simulated world from the inside. Inside core/ only.
 */
#pragma once

#include "core/list.h"
#include "core/sim.h"

struct hr_sim {
    struct hr_world world;
    struct hr_sim_options options;
    hr_usec now;
    uint64_t random, trace, steps;
    struct hr_list streams, listeners; /* in order of making */
    unsigned streams_made;
    uint64_t last; /* number of the task that ran last, counted from 1 */
    uint64_t hook_at;
    hr_sim_hook *hook;
    void *hook_arg;
    bool stuck;
    char who[256]; /* waits for what, once it is stuck */
};

/* Draws: 64 bits; a number below limit, which is not 0; whether a chance of a thousand came true.
 */
uint64_t hr__sim_draw(struct hr_sim *sim);
uint64_t hr__sim_below(struct hr_sim *sim, uint64_t limit);
bool hr__sim_chance(struct hr_sim *sim, unsigned of_a_thousand);

/* How long something takes. */
hr_usec hr__sim_latency(struct hr_sim *sim);

/* One event. */
void hr__sim_event(struct hr_sim *sim, const char *fmt, ...) hr_printf_like(2, 3);

/* core/sim_stream.c: carries what is due; when something will be due next; gives everything up. */
void hr__sim_carry(struct hr_sim *sim);
hr_usec hr__sim_due(const struct hr_sim *sim);
void hr__sim_streams_done(struct hr_sim *sim);
int hr__sim_ready(struct hr_world *world, int fd, int directions); /* the world's hook */

/* core/sim_peer.c: the world's hook; forgets who listens. */
hr_async int hr__sim_connect(struct hr_world *world, const struct sockaddr *address, unsigned len,
                             int *ret);
void hr__sim_peers_done(struct hr_sim *sim);
