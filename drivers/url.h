/* SPDX-License-Identifier: MIT */
/*
 * The one parser for the URLs that name servers.
 *
 *   redis://user:password@host:port/db      rediss://…
 *   unix://user:password@/path?db=0
 *   redis+sentinel://user:password@host:port,host:port/master/db?sentinel_user=…
 *   redis+cluster://user:password@host:port,host:port
 *   mysql://user:password@host:port/database?tls=full      mysql://user@/database?socket=/path
 *   mysql://user@host,host:port/database?role=primary&compress=zlib
 *
 * rediss+sentinel:// and rediss+cluster:// are the same with TLS. In front of the hosts stand the
 * user and password of the servers; those of the sentinels are parameters of the URL, sentinel_user
 * and sentinel_password.
 *
 * Names and passwords are percent-decoded; IPv6 addresses stand in brackets.
 */
#pragma once

#include "drivers/tls.h"

enum hr_url_scheme {
    HR_URL_REDIS,
    HR_URL_REDISS,
    HR_URL_UNIX,
    HR_URL_MYSQL,
    HR_URL_SENTINEL, /* with TLS or without */
    HR_URL_CLUSTER,  /* likewise */
};

/* Which servers will do: those that take writes, or any. */
enum hr_url_role { HR_URL_ROLE_UNSAID, HR_URL_PRIMARY, HR_URL_ANY };

#define HR_URL_HOSTS_MAX 64

struct hr_url_host {
    char *host;
    uint16_t port;
};

struct hr_url {
    enum hr_url_scheme scheme;
    char *user, *password;      /* NULL when absent */
    char *host;                 /* the first one; NULL for a unix socket */
    uint16_t port;              /* 6379, 26379 or 3306 when absent */
    struct hr_url_host *others; /* the hosts behind the first */
    size_t n_others;
    char *socket; /* path of a unix socket, or NULL */
    unsigned db;  /* redis: the database number */
    char *master; /* sentinel: the name under which the sentinels know it */
    char *sentinel_user, *sentinel_password; /* NULL when absent */
    char *database;                          /* mysql: the schema, or NULL */
    enum hr_tls_verify tls; /* rediss, rediss+…: HR_TLS_FULL; mysql: tls=full, verify (the same), ca
                               or none */
    enum hr_url_role role; /* mysql: role=primary or any */
    bool compress;         /* mysql: compress=zlib or none */
};

/* Fills *ret. 0, or -EINVAL with *ret_what saying what is wrong (a literal without any part of the
 * text, which may hold a password) and *ret_offset where, or -ENOMEM. Either out-pointer may be
 * NULL. */
HR_PUBLIC int hr_url_parse(const char *text, struct hr_url *ret, const char **ret_what,
                           size_t *ret_offset);

/* The same for a client of these servers only, so that a mistake does not offer the others'. */
enum hr_url_servers {
    HR_URL_ALL,
    HR_URL_REDISES,
    HR_URL_NO_CLUSTER, /* of Redis: one server, or one behind sentinels */
    HR_URL_MYSQLS,
};
HR_PUBLIC int hr_url_parse_for(enum hr_url_servers servers, const char *text, struct hr_url *ret,
                               const char **ret_what, size_t *ret_offset);

HR_PUBLIC void hr_url_done(struct hr_url *url);

/* Puts a user that is given beside the URL in the place of the URL's own; NULL changes nothing. 0
 * or -ENOMEM. */
HR_PUBLIC int hr_url_set_user(struct hr_url *url, const char *user);
