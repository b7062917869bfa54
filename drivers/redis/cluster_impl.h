/* SPDX-License-Identifier: MIT */
/*
 * A cluster from the inside: what its nodes (redis/nodes.c), the map of their slots (redis/map.c),
 * a command's way to them (redis/errand.c) and the client (redis/cluster.c) share.
 */
#pragma once

#include "core/event.h"
#include "core/list.h"
#include "drivers/redis/address.h"
#include "drivers/redis/client.h"
#include "drivers/redis/cluster.h"
#include "drivers/redis/slot.h"

/* A node, referenced by the list of nodes while it belongs to the cluster, and by each command that
 * is under way to it. */
struct hr__redis_node {
    struct hr_redis_cluster *cluster;
    struct hr_list link;
    unsigned refs;
    bool known, master; /* as the latest map has it */
    struct hr__redis_address address;
    hr_redis *redis; /* NULL until first needed */
};

struct hr_redis_cluster {
    unsigned refs;
    hr_redis *pattern; /* never connects: it holds the options */
    bool closed;
    size_t late_bytes; /* of commands that are futures */

    struct hr_list nodes;
    struct hr__redis_node *slots[HR__REDIS_SLOTS]; /* borrowed; NULL: nobody's */
    unsigned alive;                                /* nodes, those that are being closed included */
    hr_event none;                                 /* set while there are none */

    hr_task *learner;               /* learns the map; NULL: not now */
    bool wanted;                    /* once more, please */
    unsigned turn;                  /* whom to ask first */
    hr_usec learnt;                 /* when it was asked for last */
    struct hr__redis_address asked; /* who was asked last */
    hr_event told;                  /* pulses when an attempt is over */
    struct hr_error error;
    struct hr_redis_cluster_stats stats;
};

struct hr_redis_cluster *hr__cluster_ref(struct hr_redis_cluster *cluster);
void hr__cluster_unref(struct hr_redis_cluster *cluster);

/* The node that has the slot (HR__REDIS_NO_SLOT: some master), with its client ready to be asked;
 * to be given back. Waits for the first map until a moment on the loop's clock. 0, -ENOTCONN,
 * -ETIMEDOUT, -ECANCELED, -ENOMEM, HR_ECLOSED. */
hr_async int hr__cluster_find(struct hr_redis_cluster *cluster, unsigned slot, hr_usec deadline,
                              struct hr__redis_node **ret);

/* All masters, ready to be asked and to be given back, in an array to be freed. Waits for the first
 * map. Codes as find. */
hr_async int hr__cluster_masters(struct hr_redis_cluster *cluster, hr_usec deadline,
                                 struct hr__redis_node ***ret, size_t *ret_count);

/* The node of that address, in the cluster or new to it. To be given back. 0 or -ENOMEM. */
int hr__cluster_meet(struct hr_redis_cluster *cluster, const struct hr__redis_address *address,
                     struct hr__redis_node **ret);
void hr__cluster_leave(struct hr__redis_node *node);
void hr__cluster_leavep(struct hr__redis_node **node);

/* The one of that address, borrowed; NULL: it is not in the cluster. */
struct hr__redis_node *hr__cluster_node_at(struct hr_redis_cluster *cluster,
                                           const struct hr__redis_address *address);

/* Takes a node out of the cluster. */
void hr__cluster_dismiss(struct hr__redis_node *node);

/* Waits until there is a map, or an attempt to get one has failed. Codes as find. */
hr_async int hr__cluster_await_map(struct hr_redis_cluster *cluster, hr_usec deadline);

/* Has the map learnt anew, soon, and not too often. */
void hr__cluster_want_map(struct hr_redis_cluster *cluster);

/* Asks a command, given in its bytes, until there is an outcome. slot is told, or NULL: to be found
 * in them. Codes as hr_redis_cluster_command(). */
hr_async int hr__cluster_ask(struct hr_redis_cluster *cluster, hr_reply **ret, struct hr_buf *bytes,
                             const unsigned *slot);

/* A moment from which on what begins now has taken too long. */
hr_usec hr__cluster_deadline(const struct hr_redis_cluster *cluster);

/* 0; HR_ENOTASK, and what hr__redis_check_loop() says. */
int hr__cluster_check_loop(struct hr_redis_cluster *cluster);

/* Ends it: commands under way fail with HR_ECLOSED. Twice is fine. */
void hr__cluster_shut(struct hr_redis_cluster *cluster);
