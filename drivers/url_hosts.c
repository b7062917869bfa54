/* SPDX-License-Identifier: MIT */
/*
 * Who asks, and where the servers are: what stands between the slashes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/url_impl.h"

#define HOST_MAX 253 /* RFC 1035, as text */

int hr__url_parse_user(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    struct hr__url_part user = part, rest = part;
    if (hr__url_cut(&rest, ':', &user)) {
        int r = hr__url_decode(p, rest, &url->password);
        if (r < 0)
            return r;
    }
    return user.at == user.end ? 0 : hr__url_decode(p, user, &url->user);
}

static int parse_port(struct hr__url_parser *p, struct hr__url_part part, struct hr_url_host *ret)
{
    unsigned long port;
    int r =
        hr__url_number(p, part, 1, UINT16_MAX, "the port is not a number from 1 to 65535", &port);
    if (r == 0)
        ret->port = (uint16_t)port;
    return r;
}

/* [address]:port. A scope (fe80::1%25eth0) is left to the resolver. */
static int parse_bracketed(struct hr__url_parser *p, struct hr__url_part part,
                           struct hr_url_host *ret)
{
    struct hr__url_part rest = {part.at + 1, part.end}, address;
    if (!hr__url_cut(&rest, ']', &address))
        return hr__url_refuse(p, part.at, "the bracket of the IPv6 address is not closed");

    int r = hr__url_decode(p, address, &ret->host);
    if (r < 0)
        return r;
    char literal[INET6_ADDRSTRLEN];
    size_t len = strcspn(ret->host, "%");
    struct in6_addr binary;
    if (len >= sizeof(literal))
        return hr__url_refuse(p, address.at, "no IPv6 address stands between the brackets");
    memcpy(literal, ret->host, len);
    literal[len] = '\0';
    if (inet_pton(AF_INET6, literal, &binary) != 1)
        return hr__url_refuse(p, address.at, "no IPv6 address stands between the brackets");

    if (rest.at == rest.end)
        return 0;
    if (*rest.at != ':')
        return hr__url_refuse(p, rest.at, "only a port may follow the bracket");
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

static int parse_host(struct hr__url_parser *p, struct hr__url_part part, struct hr_url_host *ret)
{
    if (part.at == part.end)
        return hr__url_refuse(p, part.at, "the host is missing");
    if (*part.at == '[')
        return parse_bracketed(p, part, ret);

    struct hr__url_part host = part, rest = part;
    bool has_port = hr__url_cut(&rest, ':', &host);
    if (has_port && memchr(rest.at, ':', hr__url_len(rest)))
        return hr__url_refuse(p, part.at,
                              "an IPv6 address stands in brackets, and a : in a name or "
                              "password is written %3A");
    if (host.at == host.end)
        return hr__url_refuse(p, host.at, "the host is missing");
    int r = hr__url_decode(p, host, &ret->host);
    if (r < 0)
        return r;
    if (!is_host(ret->host))
        return hr__url_refuse(p, host.at, "that is no host name");
    return has_port ? parse_port(p, rest, ret) : 0;
}

static int add_other(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    if (url->n_others == HR_URL_HOSTS_MAX - 1)
        return hr__url_refuse(p, part.at, "these are more than 64 hosts");
    struct hr_url_host *others = reallocarray(url->others, url->n_others + 1, sizeof(*url->others));
    if (!others)
        return -ENOMEM;
    url->others = others;
    struct hr_url_host *other = &others[url->n_others++];
    *other = (struct hr_url_host){.port = p->scheme->port};
    return parse_host(p, part, other);
}

/* Several have commas in between, where the scheme takes them. */
int hr__url_parse_hosts(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    if (part.at == part.end)
        return 0;
    struct hr__url_part rest = part, one = part;
    bool more = p->scheme->many && hr__url_cut(&rest, ',', &one);
    struct hr_url_host first = {.port = url->port};
    int r = parse_host(p, one, &first);
    url->host = first.host;
    url->port = first.port;
    while (r == 0 && more) {
        one = rest;
        more = hr__url_cut(&rest, ',', &one);
        r = add_other(p, one, url);
    }
    return r;
}
