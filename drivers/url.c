/* SPDX-License-Identifier: MIT */
/*
 * How a URL is taken apart: first into its parts by the delimiters as written, then each part is
 * percent-decoded, so that a decoded '@' or '/' never counts as a delimiter.
 */
#include "drivers/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

struct scheme;

/* A stretch of the text, not terminated. */
struct part {
    const char *at, *end;
};

struct parser {
    const char *text;
    const struct scheme *scheme;
    const char *what; /* first mistake; a literal */
    size_t offset;    /* where it is */
};

struct scheme {
    const char *name;
    enum hr_url_scheme scheme;
    uint16_t port;
    enum hr_tls_verify tls;
    bool many; /* takes several hosts */
};

static const struct scheme schemes[] = {
    {"redis",           HR_URL_REDIS,    6379,  HR_TLS_OFF,  false},
    {"rediss",          HR_URL_REDISS,   6379,  HR_TLS_FULL, false},
    {"unix",            HR_URL_UNIX,     0,     HR_TLS_OFF,  false},
    {"mysql",           HR_URL_MYSQL,    3306,  HR_TLS_OFF,  true },
    {"redis+sentinel",  HR_URL_SENTINEL, 26379, HR_TLS_OFF,  true },
    {"rediss+sentinel", HR_URL_SENTINEL, 26379, HR_TLS_FULL, true },
    {"redis+cluster",   HR_URL_CLUSTER,  6379,  HR_TLS_OFF,  true },
    {"rediss+cluster",  HR_URL_CLUSTER,  6379,  HR_TLS_FULL, true },
};

#define HOST_MAX 253 /* RFC 1035, as text */

static size_t part_len(struct part part)
{
    return (size_t)(part.end - part.at);
}

static int refuse(struct parser *p, const char *at, const char *what)
{
    p->what = what;
    p->offset = (size_t)(at - p->text);
    return -EINVAL;
}

/* Cuts off what stands before the first c and steps over it. False: no c, nothing changes. */
static bool cut(struct part *rest, char c, struct part *ret)
{
    const char *found = memchr(rest->at, c, part_len(*rest));
    if (!found)
        return false;
    *ret = (struct part){rest->at, found};
    rest->at = found + 1;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Copies a part with its %XX decoded; the copy is the caller's. */
static int decode(struct parser *p, struct part part, char **ret)
{
    char *copy = malloc(part_len(part) + 1);
    if (!copy)
        return -ENOMEM;

    size_t n = 0;
    for (const char *at = part.at; at < part.end; at++) {
        char c = *at;
        if (c == '%') {
            int high = part.end - at > 2 ? hex_value(at[1]) : -1;
            int low = part.end - at > 2 ? hex_value(at[2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                free(copy);
                return refuse(p, at,
                              high < 0 || low < 0 ? "a % needs two hexadecimal digits after it "
                                                    "(a % itself is written %25)"
                                                  : "%00 cannot stand in a URL");
            }
            c = (char)(high * 16 + low);
            at += 2;
        }
        copy[n++] = c;
    }
    copy[n] = '\0';
    *ret = copy;
    return 0;
}

static int parse_number(struct parser *p, struct part part, unsigned long min, unsigned long max,
                        const char *what, unsigned long *ret)
{
    unsigned long value = 0;
    if (part.at == part.end)
        return refuse(p, part.at, what);
    for (const char *at = part.at; at < part.end; at++) {
        if (*at < '0' || *at > '9')
            return refuse(p, at, what);
        value = value * 10 + (unsigned long)(*at - '0');
        if (value > max)
            return refuse(p, part.at, what);
    }
    if (value < min)
        return refuse(p, part.at, what);
    *ret = value;
    return 0;
}

/* user, user:password, :password */
static int parse_userinfo(struct parser *p, struct part part, struct hr_url *url)
{
    struct part user = part, rest = part;
    if (cut(&rest, ':', &user)) {
        int r = decode(p, rest, &url->password);
        if (r < 0)
            return r;
    }
    return user.at == user.end ? 0 : decode(p, user, &url->user);
}

static int parse_port(struct parser *p, struct part part, struct hr_url_host *ret)
{
    unsigned long port;
    int r = parse_number(p, part, 1, UINT16_MAX, "the port is not a number from 1 to 65535", &port);
    if (r == 0)
        ret->port = (uint16_t)port;
    return r;
}

/* [address]:port. A scope (fe80::1%25eth0) is left to the resolver. */
static int parse_bracketed(struct parser *p, struct part part, struct hr_url_host *ret)
{
    struct part rest = {part.at + 1, part.end}, address;
    if (!cut(&rest, ']', &address))
        return refuse(p, part.at, "the bracket of the IPv6 address is not closed");

    int r = decode(p, address, &ret->host);
    if (r < 0)
        return r;
    char literal[INET6_ADDRSTRLEN];
    size_t len = strcspn(ret->host, "%");
    struct in6_addr binary;
    if (len >= sizeof(literal))
        return refuse(p, address.at, "no IPv6 address stands between the brackets");
    memcpy(literal, ret->host, len);
    literal[len] = '\0';
    if (inet_pton(AF_INET6, literal, &binary) != 1)
        return refuse(p, address.at, "no IPv6 address stands between the brackets");

    if (rest.at == rest.end)
        return 0;
    if (*rest.at != ':')
        return refuse(p, rest.at, "only a port may follow the bracket");
    rest.at++;
    return parse_port(p, rest, ret);
}

/* What can be a name or an IPv4 address: it is shown in messages, so it holds nothing that would
 * spoil a line, and no delimiter that was written as %XX. */
static bool is_host(const char *host)
{
    for (const char *at = host; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f || strchr("/@[]?#,", *at))
            return false;
    }
    return strlen(host) <= HOST_MAX;
}

static int parse_host(struct parser *p, struct part part, struct hr_url_host *ret)
{
    if (part.at == part.end)
        return refuse(p, part.at, "the host is missing");
    if (*part.at == '[')
        return parse_bracketed(p, part, ret);

    struct part host = part, rest = part;
    bool has_port = cut(&rest, ':', &host);
    if (has_port && memchr(rest.at, ':', part_len(rest)))
        return refuse(p, part.at,
                      "an IPv6 address stands in brackets, and a : in a name or "
                      "password is written %3A");
    if (host.at == host.end)
        return refuse(p, host.at, "the host is missing");
    int r = decode(p, host, &ret->host);
    if (r < 0)
        return r;
    if (!is_host(ret->host))
        return refuse(p, host.at, "that is no host name");
    return has_port ? parse_port(p, rest, ret) : 0;
}

static int add_other(struct parser *p, struct part part, struct hr_url *url)
{
    if (url->n_others == HR_URL_HOSTS_MAX - 1)
        return refuse(p, part.at, "these are more than 64 hosts");
    struct hr_url_host *others = reallocarray(url->others, url->n_others + 1, sizeof(*url->others));
    if (!others)
        return -ENOMEM;
    url->others = others;
    struct hr_url_host *other = &others[url->n_others++];
    *other = (struct hr_url_host){.port = p->scheme->port};
    return parse_host(p, part, other);
}

/* One host, or several with commas in between where the scheme takes them. */
static int parse_hosts(struct parser *p, struct part part, struct hr_url *url)
{
    if (part.at == part.end)
        return 0;
    struct part rest = part, one = part;
    bool more = p->scheme->many && cut(&rest, ',', &one);
    struct hr_url_host first = {.port = url->port};
    int r = parse_host(p, one, &first);
    url->host = first.host;
    url->port = first.port;
    while (r == 0 && more) {
        one = rest;
        more = cut(&rest, ',', &one);
        r = add_other(p, one, url);
    }
    return r;
}

static int parse_db(struct parser *p, struct part part, struct hr_url *url)
{
    unsigned long db;
    int r = parse_number(p, part, 0, INT_MAX, "the database is not a number", &db);
    if (r == 0)
        url->db = (unsigned)db;
    return r;
}

static int check_socket(struct parser *p, const char *at, const char *path)
{
    if (path[0] != '/')
        return refuse(p, at, "the path of the socket does not begin with /");
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return refuse(p, at, "the path of the socket is longer than 107 bytes");
    return 0;
}

/* master, master/db */
static int parse_master(struct parser *p, struct part part, struct hr_url *url)
{
    struct part name = part, rest = part;
    bool has_db = cut(&rest, '/', &name);
    if (name.at == name.end)
        return 0;
    int r = decode(p, name, &url->master);
    if (r == 0 && strpbrk(url->master, " \t\r\n"))
        r = refuse(p, name.at, "the name of a master holds no blanks");
    return r == 0 && has_db && rest.at < rest.end ? parse_db(p, rest, url) : r;
}

/* What stands after the host: /db, /master/db, /database, or the socket's path. part includes the
 * slash. */
static int parse_path(struct parser *p, struct part part, struct hr_url *url)
{
    if (url->scheme == HR_URL_UNIX) {
        int r = decode(p, part, &url->socket);
        return r < 0 ? r : check_socket(p, part.at, url->socket);
    }
    if (part_len(part) <= 1)
        return 0;
    part.at++;
    if (url->scheme == HR_URL_SENTINEL)
        return parse_master(p, part, url);
    if (url->scheme == HR_URL_MYSQL) {
        if (memchr(part.at, '/', part_len(part)))
            return refuse(p, part.at, "only the name of a database may follow the host");
        return decode(p, part, &url->database);
    }
    return parse_db(p, part, url);
}

static bool is_named(struct part part, const char *name)
{
    return part_len(part) == strlen(name) && memcmp(part.at, name, part_len(part)) == 0;
}

struct choice {
    const char *name;
    int value;
};

/* Looks the part up in a table that ends without a name; what says which there are. */
static int parse_choice(struct parser *p, struct part part, const struct choice *choices,
                        const char *what, int *ret)
{
    for (; choices->name; choices++) {
        if (is_named(part, choices->name)) {
            *ret = choices->value;
            return 0;
        }
    }
    return refuse(p, part.at, what);
}

/* The parameters of mysql:// that are one of a few words. */
static int parse_mysql_choice(struct parser *p, struct part name, struct part value,
                              struct hr_url *url)
{
    static const struct choice verify[] = {
        {"full",   HR_TLS_FULL},
        {"verify", HR_TLS_FULL},
        {"ca",     HR_TLS_CA  },
        {"none",   HR_TLS_NONE},
        {NULL,     0          },
    };
    static const struct choice roles[] = {
        {"primary", HR_URL_PRIMARY},
        {"any",     HR_URL_ANY    },
        {NULL,      0             }
    };
    static const struct choice methods[] = {
        {"zlib", true },
        {"none", false},
        {NULL,   0    }
    };
    int choice = 0, r = 0;
    if (is_named(name, "tls")) {
        r = parse_choice(p, value, verify, "tls is full, ca or none", &choice);
        url->tls = (enum hr_tls_verify)choice;
    } else if (is_named(name, "role")) {
        r = parse_choice(p, value, roles, "role is primary or any", &choice);
        url->role = (enum hr_url_role)choice;
    } else if (is_named(name, "compress")) {
        r = parse_choice(p, value, methods, "compress is zlib or none", &choice);
        url->compress = choice;
    } else {
        r = refuse(p, name.at, "there is no such parameter");
    }
    return r;
}

/* A word of the query that may stand there once. */
static int parse_word(struct parser *p, struct part name, struct part value, char **ret)
{
    return *ret ? refuse(p, name.at, "the parameter is given twice") : decode(p, value, ret);
}

static int parse_parameter(struct parser *p, struct part part, struct hr_url *url)
{
    struct part name, value = part;
    if (!cut(&value, '=', &name))
        return refuse(p, part.at, "a parameter has the form name=value");

    if (url->scheme == HR_URL_UNIX && is_named(name, "db"))
        return parse_db(p, value, url);
    if (url->scheme == HR_URL_SENTINEL && is_named(name, "sentinel_user"))
        return parse_word(p, name, value, &url->sentinel_user);
    if (url->scheme == HR_URL_SENTINEL && is_named(name, "sentinel_password"))
        return parse_word(p, name, value, &url->sentinel_password);
    if (url->scheme == HR_URL_MYSQL && is_named(name, "socket")) {
        int r = parse_word(p, name, value, &url->socket);
        return r < 0 ? r : check_socket(p, value.at, url->socket);
    }
    if (url->scheme == HR_URL_MYSQL)
        return parse_mysql_choice(p, name, value, url);
    return refuse(p, part.at, "there is no such parameter");
}

static int parse_query(struct parser *p, struct part part, struct hr_url *url)
{
    while (part.at < part.end) {
        struct part one = part;
        if (!cut(&part, '&', &one))
            part.at = part.end;
        int r = parse_parameter(p, one, url);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What the parts have to be together. */
static int check_whole(struct parser *p, const char *host_at, struct hr_url *url)
{
    if (url->scheme == HR_URL_UNIX)
        return url->host ? refuse(p, host_at,
                                  "a unix socket has no host: three slashes, "
                                  "unix:///path")
                         : 0;
    if (url->socket && url->host)
        return refuse(p, host_at, "a host and a socket exclude each other");
    if (!url->socket && !url->host)
        return refuse(p, host_at, "the host is missing");
    if (url->socket && url->tls != HR_TLS_OFF)
        return refuse(p, host_at, "there is no TLS on a unix socket");
    if (url->scheme == HR_URL_SENTINEL && !url->master)
        return refuse(p, host_at, "the name of the master is missing: sentinel:26379/NAME");
    if (url->scheme == HR_URL_CLUSTER && url->db > 0)
        return refuse(p, host_at, "a cluster has only the database 0");
    return 0;
}

static int parse_scheme(struct parser *p, struct part *rest, struct hr_url *url)
{
    const char *colon = strstr(rest->at, "://");
    for (size_t i = 0; colon && i < HR_ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i].name);
        if (len == (size_t)(colon - rest->at) && strncasecmp(rest->at, schemes[i].name, len) == 0) {
            url->scheme = schemes[i].scheme;
            url->port = schemes[i].port;
            url->tls = schemes[i].tls;
            p->scheme = &schemes[i];
            rest->at = colon + 3;
            return 0;
        }
    }
    return refuse(
        p, rest->at,
        "it does not begin with redis://, rediss://, redis+sentinel://, unix:// or mysql://");
}

static int check_characters(struct parser *p)
{
    for (const char *at = p->text; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return refuse(p, at, "blanks and control characters are written %XX");
        if (*at == '#')
            return refuse(p, at, "a # is written %23");
    }
    return 0;
}

static int parse(struct parser *p, struct hr_url *url)
{
    int r = check_characters(p);
    if (r < 0)
        return r;
    struct part rest = {p->text, p->text + strlen(p->text)};
    r = parse_scheme(p, &rest, url);
    if (r < 0)
        return r;

    struct part query = {rest.end, rest.end}, before = rest, path, user;
    if (cut(&rest, '?', &before))
        query = rest;
    struct part authority = before;
    path = (struct part){before.end, before.end};
    const char *slash = memchr(before.at, '/', part_len(before));
    if (slash) {
        authority.end = slash;
        path.at = slash;
    }

    if (cut(&authority, '@', &user)) {
        if (memchr(authority.at, '@', part_len(authority)))
            return refuse(p, authority.at, "an @ in a name or password is written %40");
        r = parse_userinfo(p, user, url);
    }
    if (r == 0)
        r = parse_hosts(p, authority, url);
    if (r == 0)
        r = parse_path(p, path, url);
    if (r == 0)
        r = parse_query(p, query, url);
    return r < 0 ? r : check_whole(p, authority.at, url);
}

int hr_url_parse(const char *text, struct hr_url *ret, const char **ret_what, size_t *ret_offset)
{
    struct parser p = {.text = text};
    struct hr_url url = {0};
    int r = parse(&p, &url);
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
