/* SPDX-License-Identifier: MIT */
/*
 * What the files of the URL parser share: stretches of the text, and how a mistake is told.
 */
#pragma once

#include "drivers/url.h"

/* A stretch of the text, not terminated. */
struct hr__url_part {
    const char *at, *end;
};

struct hr__url_scheme {
    const char *name;
    enum hr_url_scheme scheme;
    uint16_t port;
    enum hr_tls_verify tls;
    bool many; /* takes several hosts */
};

struct hr__url_parser {
    const char *text;
    const struct hr__url_scheme *scheme;
    unsigned given;   /* a bit for each parameter that was there */
    const char *what; /* first mistake; a literal */
    size_t offset;    /* where it is */
};

static inline size_t hr__url_len(struct hr__url_part part)
{
    return (size_t)(part.end - part.at);
}

/* Notes a mistake at this place of the text. -EINVAL. */
int hr__url_refuse(struct hr__url_parser *p, const char *at, const char *what);

/* Cuts off what stands before the first c and steps over it. False: no c, nothing changes. */
bool hr__url_cut(struct hr__url_part *rest, char c, struct hr__url_part *ret);

bool hr__url_is(struct hr__url_part part, const char *name);

/* Copies a part with its %XX decoded; the copy is the caller's. */
int hr__url_decode(struct hr__url_parser *p, struct hr__url_part part, char **ret);

/* what: the mistake when it is no number from min to max. */
int hr__url_number(struct hr__url_parser *p, struct hr__url_part part, unsigned long min,
                   unsigned long max, const char *what, unsigned long *ret);

int hr__url_db(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url);
int hr__url_check_socket(struct hr__url_parser *p, const char *at, const char *path);

/* Who: user, user:password, :password; and where: one host, or several (drivers/url_hosts.c). */
int hr__url_parse_user(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url);
int hr__url_parse_hosts(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url);

/* What stands behind the question mark (drivers/url_query.c). */
int hr__url_parse_query(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url);
