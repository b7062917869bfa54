/* SPDX-License-Identifier: MIT */
/*
 * From a URL to a connection that is ready for commands: find out where, connect, introduce
 * oneself.
 *
 * Where that is, the URL says, or sentinels do. That is all that tells a single server from one
 * behind sentinels or one of a cluster: the life of the connection is the same.
 */
#pragma once

#include <sys/socket.h>

#include "drivers/redis/conn.h"
#include "drivers/url.h"

struct hr__tls_context;
struct hr__redis_sentinel;

/* Who hangs up on HELLO, as a proxy may that has never heard of it: it is greeted without, so that
 * a connection costs one attempt. Only this address, and only for a while, which grows as it hangs
 * up again: it may learn. */
struct hr__redis_deaf {
    struct sockaddr_storage address;
    socklen_t len; /* 0: nobody */
    hr_usec span, until;
};

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
    struct hr__redis_deaf *deaf; /* the client's, where its connections remember it */
};

#define HR__REDIS_SERVER_MAX 48

/* What a connection is called at its server. */
struct hr__redis_identity {
    int64_t id;                        /* CLIENT ID; 0 when the server does not tell */
    char server[HR__REDIS_SERVER_MAX]; /* which process it is; "" likewise */
};

/* Fills name from url. */
void hr__redis_target_describe(struct hr__redis_target *target);

/* Opens a connection that has answered to PING, so that a server which is still loading is not
 * taken for ready. *ret_who may be NULL: not asked. Behind sentinels it is the master's, by its own
 * word. 0; -ENOTCONN with the reason and, where the server gave one, its kind ("WRONGPASS",
 * "LOADING"); -ECANCELED, -ENOMEM. */
hr_async int hr__redis_open(const struct hr__redis_target *target, struct hr__redis_conn **ret,
                            struct hr__redis_identity *ret_who);

/* Whether another attempt may do better by itself after one that failed so. False: the server has
 * refused who asks or what he asks for (password, user, database), and somebody has to see to
 * it. */
bool hr__redis_may_pass(const struct hr_error *why);
