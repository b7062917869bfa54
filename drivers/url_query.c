/* SPDX-License-Identifier: MIT */
/*
 * The parameters of a URL: which there are for whom, and what each may say. Some are words, some
 * one of a few words.
 *
 * A name that is wrong is not quoted: it may be the rest of a password with a question mark in it.
 */
#include <errno.h>
#include <string.h>

#include "drivers/url_impl.h"

struct choice {
    const char *name;
    int value;
};

/* Looks the part up in a table that ends without a name; what says which there are. */
static int read_choice(struct hr__url_parser *p, struct hr__url_part part,
                       const struct choice *choices, const char *what, int *ret)
{
    for (; choices->name; choices++) {
        if (hr__url_is(part, choices->name)) {
            *ret = choices->value;
            return 0;
        }
    }
    return hr__url_refuse(p, part.at, what);
}

static int read_tls(struct hr__url_parser *p, struct hr__url_part value, struct hr_url *url)
{
    static const struct choice verify[] = {
        {"full",   HR_TLS_FULL},
        {"verify", HR_TLS_FULL},
        {"ca",     HR_TLS_CA  },
        {"none",   HR_TLS_NONE},
        {NULL,     0          },
    };
    int choice = 0;
    int r = read_choice(p, value, verify, "tls is full, ca or none", &choice);
    url->tls = (enum hr_tls_verify)choice;
    return r;
}

static int read_role(struct hr__url_parser *p, struct hr__url_part value, struct hr_url *url)
{
    static const struct choice roles[] = {
        {"primary", HR_URL_PRIMARY},
        {"any",     HR_URL_ANY    },
        {NULL,      0             }
    };
    int choice = 0;
    int r = read_choice(p, value, roles, "role is primary or any", &choice);
    url->role = (enum hr_url_role)choice;
    return r;
}

static int read_compress(struct hr__url_parser *p, struct hr__url_part value, struct hr_url *url)
{
    static const struct choice methods[] = {
        {"zlib", true },
        {"none", false},
        {NULL,   0    }
    };
    int choice = 0;
    int r = read_choice(p, value, methods, "compress is zlib or none", &choice);
    url->compress = choice;
    return r;
}

static int read_socket(struct hr__url_parser *p, struct hr__url_part value, struct hr_url *url)
{
    int r = hr__url_decode(p, value, &url->socket);
    return r < 0 ? r : hr__url_check_socket(p, value.at, url->socket);
}

static int read_sentinel_user(struct hr__url_parser *p, struct hr__url_part value,
                              struct hr_url *url)
{
    return hr__url_decode(p, value, &url->sentinel_user);
}

static int read_sentinel_password(struct hr__url_parser *p, struct hr__url_part value,
                                  struct hr_url *url)
{
    return hr__url_decode(p, value, &url->sentinel_password);
}

#define PARAMETER(scheme, name, read)                                                              \
    {                                                                                              \
        HR_URL_##scheme, name, name " is given twice", read                                        \
    }

static const struct parameter {
    enum hr_url_scheme scheme;
    const char *name, *twice;
    int (*read)(struct hr__url_parser *p, struct hr__url_part value, struct hr_url *url);
} parameters[] = {
    PARAMETER(UNIX, "db", hr__url_db),
    PARAMETER(SENTINEL, "sentinel_user", read_sentinel_user),
    PARAMETER(SENTINEL, "sentinel_password", read_sentinel_password),
    PARAMETER(MYSQL, "socket", read_socket),
    PARAMETER(MYSQL, "tls", read_tls),
    PARAMETER(MYSQL, "role", read_role),
    PARAMETER(MYSQL, "compress", read_compress),
};

static const char *which_there_are(enum hr_url_scheme scheme)
{
    switch (scheme) {
    case HR_URL_MYSQL:
        return "there is no such parameter: mysql:// has socket, tls, role and compress";
    case HR_URL_UNIX:
        return "there is no such parameter: unix:// has db";
    case HR_URL_SENTINEL:
        return "there is no such parameter: a sentinel's URL has sentinel_user and "
               "sentinel_password";
    case HR_URL_REDIS:
    case HR_URL_REDISS:
    case HR_URL_CLUSTER:
        break;
    }
    return "there is no such parameter: a URL of this kind has none";
}

static int parse_parameter(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    struct hr__url_part name, value = part;
    if (!hr__url_cut(&value, '=', &name))
        return hr__url_refuse(p, part.at, "a parameter has the form name=value");
    for (size_t i = 0; i < HR_ARRAY_LEN(parameters); i++) {
        const struct parameter *parameter = &parameters[i];
        if (parameter->scheme != url->scheme || !hr__url_is(name, parameter->name))
            continue;
        if (p->given & 1u << i)
            return hr__url_refuse(p, name.at, parameter->twice);
        p->given |= 1u << i;
        return parameter->read(p, value, url);
    }
    return hr__url_refuse(p, name.at, which_there_are(url->scheme));
}

int hr__url_parse_query(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    while (part.at < part.end) {
        struct hr__url_part one = part;
        if (!hr__url_cut(&part, '&', &one))
            part.at = part.end;
        int r = parse_parameter(p, one, url);
        if (r < 0)
            return r;
    }
    return 0;
}
