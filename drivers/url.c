/* SPDX-License-Identifier: MIT */
/*
 * How a URL is taken apart: first into its parts by the delimiters as written, then each part is
 * percent-decoded, so that a decoded '@' or '/' never counts as a delimiter.
 */
#include "drivers/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "drivers/url_impl.h"

static const struct hr__url_scheme schemes[] = {
    {"redis",           HR_URL_REDIS,    6379,  HR_TLS_OFF,  false},
    {"rediss",          HR_URL_REDISS,   6379,  HR_TLS_FULL, false},
    {"unix",            HR_URL_UNIX,     0,     HR_TLS_OFF,  false},
    {"mysql",           HR_URL_MYSQL,    3306,  HR_TLS_OFF,  true },
    {"redis+sentinel",  HR_URL_SENTINEL, 26379, HR_TLS_OFF,  true },
    {"rediss+sentinel", HR_URL_SENTINEL, 26379, HR_TLS_FULL, true },
    {"redis+cluster",   HR_URL_CLUSTER,  6379,  HR_TLS_OFF,  true },
    {"rediss+cluster",  HR_URL_CLUSTER,  6379,  HR_TLS_FULL, true },
};

/* master, master/db */
static int parse_master(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    struct hr__url_part name = part, rest = part;
    bool has_db = hr__url_cut(&rest, '/', &name);
    if (name.at == name.end)
        return 0;
    int r = hr__url_decode(p, name, &url->master);
    if (r == 0 && strpbrk(url->master, " \t\r\n"))
        r = hr__url_refuse(p, name.at, "the name of a master holds no blanks");
    return r == 0 && has_db && rest.at < rest.end ? hr__url_db(p, rest, url) : r;
}

/* What stands after the host: /db, /master/db, /database, or the socket's path. part includes the
 * slash. */
static int parse_path(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    if (url->scheme == HR_URL_UNIX) {
        int r = hr__url_decode(p, part, &url->socket);
        return r < 0 ? r : hr__url_check_socket(p, part.at, url->socket);
    }
    if (hr__url_len(part) <= 1)
        return 0;
    part.at++;
    if (url->scheme == HR_URL_SENTINEL)
        return parse_master(p, part, url);
    if (url->scheme == HR_URL_MYSQL) {
        if (memchr(part.at, '/', hr__url_len(part)))
            return hr__url_refuse(p, part.at, "only the name of a database may follow the host");
        return hr__url_decode(p, part, &url->database);
    }
    return hr__url_db(p, part, url);
}

/* What the parts have to be together. */
static int check_whole(struct hr__url_parser *p, const char *host_at, struct hr_url *url)
{
    if (url->scheme == HR_URL_UNIX)
        return url->host ? hr__url_refuse(p, host_at,
                                          "a unix socket has no host: three slashes, unix:///path")
                         : 0;
    if (url->socket && url->host)
        return hr__url_refuse(p, host_at, "a host and a socket exclude each other");
    if (!url->socket && !url->host)
        return hr__url_refuse(p, host_at, "the host is missing");
    if (url->socket && url->tls != HR_TLS_OFF)
        return hr__url_refuse(p, host_at, "there is no TLS on a unix socket");
    if (url->scheme == HR_URL_SENTINEL && !url->master)
        return hr__url_refuse(p, host_at, "the name of the master is missing: sentinel:26379/NAME");
    if (url->scheme == HR_URL_CLUSTER && url->db > 0)
        return hr__url_refuse(p, host_at, "a cluster has only the database 0");
    return 0;
}

static bool is_of(const struct hr__url_scheme *scheme, enum hr_url_servers servers)
{
    if (servers == HR_URL_NO_CLUSTER && scheme->scheme == HR_URL_CLUSTER)
        return false;
    return servers == HR_URL_ALL || (servers == HR_URL_MYSQLS) == (scheme->scheme == HR_URL_MYSQL);
}

/* Of a URL that is none of these servers'. */
static int refuse_scheme(struct hr__url_parser *p, enum hr_url_servers servers)
{
    switch (servers) {
    case HR_URL_MYSQLS:
        return hr__url_refuse(p, p->text, "it does not begin with mysql://");
    case HR_URL_REDISES:
        return hr__url_refuse(p, p->text,
                              "it does not begin with redis://, rediss://, unix://, "
                              "redis+sentinel://, rediss+sentinel://, redis+cluster:// or "
                              "rediss+cluster://");
    case HR_URL_NO_CLUSTER:
        return hr__url_refuse(p, p->text,
                              "it does not begin with redis://, rediss://, unix://, "
                              "redis+sentinel:// or rediss+sentinel://");
    case HR_URL_ALL:
        break;
    }
    return hr__url_refuse(p, p->text,
                          "it does not begin with redis://, rediss://, unix://, "
                          "redis+sentinel://, rediss+sentinel://, redis+cluster://, "
                          "rediss+cluster:// or mysql://");
}

static int parse_scheme(struct hr__url_parser *p, enum hr_url_servers servers,
                        struct hr__url_part *rest, struct hr_url *url)
{
    const char *colon = strstr(rest->at, "://");
    for (size_t i = 0; colon && i < HR_ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i].name);
        if (len != (size_t)(colon - rest->at) || strncasecmp(rest->at, schemes[i].name, len) != 0)
            continue;
        if (is_of(&schemes[i], servers)) {
            url->scheme = schemes[i].scheme;
            url->port = schemes[i].port;
            url->tls = schemes[i].tls;
            p->scheme = &schemes[i];
            rest->at = colon + 3;
            return 0;
        }
        if (servers == HR_URL_NO_CLUSTER && schemes[i].scheme == HR_URL_CLUSTER)
            return hr__url_refuse(p, p->text,
                                  "it is the URL of a cluster, which is of no use here");
    }
    return refuse_scheme(p, servers);
}

static int check_characters(struct hr__url_parser *p)
{
    for (const char *at = p->text; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return hr__url_refuse(p, at, "blanks and control characters are written %XX");
        if (*at == '#')
            return hr__url_refuse(p, at, "a # is written %23");
    }
    return 0;
}

static int parse(struct hr__url_parser *p, enum hr_url_servers servers, struct hr_url *url)
{
    int r = check_characters(p);
    if (r < 0)
        return r;
    struct hr__url_part rest = {p->text, p->text + strlen(p->text)};
    r = parse_scheme(p, servers, &rest, url);
    if (r < 0)
        return r;

    struct hr__url_part query = {rest.end, rest.end}, before = rest, path, user;
    if (hr__url_cut(&rest, '?', &before))
        query = rest;
    struct hr__url_part authority = before;
    path = (struct hr__url_part){before.end, before.end};
    const char *slash = memchr(before.at, '/', hr__url_len(before));
    if (slash) {
        authority.end = slash;
        path.at = slash;
    }

    if (hr__url_cut(&authority, '@', &user)) {
        if (memchr(authority.at, '@', hr__url_len(authority)))
            return hr__url_refuse(p, authority.at, "an @ in a name or password is written %40");
        r = hr__url_parse_user(p, user, url);
    }
    if (r == 0)
        r = hr__url_parse_hosts(p, authority, url);
    if (r == 0)
        r = parse_path(p, path, url);
    if (r == 0)
        r = hr__url_parse_query(p, query, url);
    return r < 0 ? r : check_whole(p, authority.at, url);
}

int hr_url_parse_for(enum hr_url_servers servers, const char *text, struct hr_url *ret,
                     const char **ret_what, size_t *ret_offset)
{
    struct hr__url_parser p = {.text = text};
    struct hr_url url = {0};
    int r = parse(&p, servers, &url);
    if (r < 0) {
        hr_url_done(&url);
        if (ret_what && p.what)
            *ret_what = p.what;
        if (ret_offset && p.what)
            *ret_offset = p.offset;
        return r;
    }
    *ret = url;
    return 0;
}

int hr_url_parse(const char *text, struct hr_url *ret, const char **ret_what, size_t *ret_offset)
{
    return hr_url_parse_for(HR_URL_ALL, text, ret, ret_what, ret_offset);
}

static void free_secret(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void hr_url_done(struct hr_url *url)
{
    free(url->user);
    free_secret(url->password);
    free(url->host);
    for (size_t i = 0; i < url->n_others; i++)
        free(url->others[i].host);
    free(url->others);
    free(url->master);
    free(url->sentinel_user);
    free_secret(url->sentinel_password);
    free(url->socket);
    free(url->database);
    *url = (struct hr_url){0};
}

int hr_url_set_user(struct hr_url *url, const char *user)
{
    if (!user)
        return 0;
    char *copy = strdup(user);
    if (!copy)
        return -ENOMEM;
    free(url->user);
    url->user = copy;
    return 0;
}
