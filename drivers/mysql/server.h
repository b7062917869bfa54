/* SPDX-License-Identifier: MIT */
/*
 * Where a pool connects to, and how: settings, and hosts that stand in for each other.
 *
 * A connection is opened to the first host that takes it. One that has failed lately comes last, so
 * that a host which is down costs its share of the time limit only now and then; this is also the
 * way back: the first host is the first to be tried again ten seconds after it failed last.
 */
#pragma once

#include "drivers/mysql.h"
#include "drivers/url.h"

/* How many statements that were given up may be killed at a time. */
#define HR__MYSQL_KILLS_MAX 4

struct hr__mysql_host {
    const char *host;     /* NULL: the socket */
    char name[128];       /* "db.example.org:3306" or the socket's path, for messages */
    uint16_t port;        /* 0: the socket */
    hr_usec avoided_till; /* it has failed, or takes no writes */
};

/* Shared by a pool and its connections, which may outlive it. */
struct hr__mysql_server {
    unsigned refs;
    struct hr_url url;
    struct hr__mysql_host *hosts;
    size_t n_hosts;
    const struct hr__mysql_host *chosen; /* the latest connection was opened to it, or NULL */
    bool primary;                        /* only a host that takes writes will do */
    char *password;
    struct hr__tls_context *tls; /* NULL: plain */
    hr_usec connect_timeout, query_timeout, wait_timeout, write_timeout, lock_wait, statement_time;
    size_t max_result;
    unsigned statements; /* prepared ones kept with a connection; 0: HR__MYSQL_STMTS */
    bool multi_statements, kill_query;
    struct hr_mysql_counts counts;
    hr_task *killers[HR__MYSQL_KILLS_MAX]; /* under way (mysql/kill.h) */
};

/* NULL: the record says why. */
struct hr__mysql_server *hr__mysql_server_new(const struct hr_mysql_options *options);
struct hr__mysql_server *hr__mysql_server_unref(struct hr__mysql_server *server);

/* Puts the hosts into ret in the order in which they are to be tried now. */
void hr__mysql_server_order(struct hr__mysql_server *server,
                            struct hr__mysql_host *ret[/* n_hosts */]);

/* A host is tried after the others for a while, and asked for by its name anew. */
void hr__mysql_host_avoid(struct hr__mysql_host *host);

/* A connection leads to this host now. True when those before led elsewhere, and all are to lead to
 * one: only a primary will do. */
bool hr__mysql_server_choose(struct hr__mysql_server *server, struct hr__mysql_host *host);
