/* SPDX-License-Identifier: MIT */
/*
 * From a URL to a connection that is ready for commands: find out where, connect, introduce
 * oneself.
 *
 * Where that is, the URL says, or sentinels do. That is all that tells a single server from one
 * behind sentinels or one of a cluster: the life of the connection is the same.
 */
#pragma once

#include "drivers/redis/conn.h"
#include "drivers/url.h"

struct hr__tls_context;
struct hr__redis_sentinel;

struct hr__redis_target {
    struct hr_url url;
    char *password;    /* beside the URL, or NULL */
    char *client_name; /* or NULL */
    unsigned protocol; /* 2, 3, or 0 for the best that the server speaks */
    char name[80];     /* for messages: "redis 127.0.0.1:6379", "redis main" behind sentinels */
    hr_usec connect_timeout;
    struct hr__tls_context *tls;         /* NULL: plain */
    struct hr__redis_sentinel *sentinel; /* who knows the address; NULL: it stands in the url */
    struct hr__redis_limits limits;
    struct hr__redis_census *census;
};

/* Fills name from url. */
void hr__redis_target_describe(struct hr__redis_target *target);

/* Opens a connection that has answered to PING, so that a server which is still loading is not
 * taken for ready. *ret_id (may be NULL: not asked) is the connection's CLIENT ID, 0 when the
 * server does not tell. Behind sentinels it is the master's, by its own word. 0; -ENOTCONN with the
 * reason and, where the server gave one, its kind
 * ("WRONGPASS", "LOADING"); -ECANCELED, -ENOMEM. */
hr_async int hr__redis_open(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                            int64_t *ret_id);
