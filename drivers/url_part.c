/* SPDX-License-Identifier: MIT */
/*
 * The tools of the URL parser: how a stretch of the text is cut, decoded and read as a number.
 */
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "drivers/url_impl.h"

int hr__url_refuse(struct hr__url_parser *p, const char *at, const char *what)
{
    p->what = what;
    p->offset = (size_t)(at - p->text);
    return -EINVAL;
}

bool hr__url_cut(struct hr__url_part *rest, char c, struct hr__url_part *ret)
{
    const char *found = memchr(rest->at, c, hr__url_len(*rest));
    if (!found)
        return false;
    *ret = (struct hr__url_part){rest->at, found};
    rest->at = found + 1;
    return true;
}

bool hr__url_is(struct hr__url_part part, const char *name)
{
    return hr__url_len(part) == strlen(name) && memcmp(part.at, name, hr__url_len(part)) == 0;
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

int hr__url_decode(struct hr__url_parser *p, struct hr__url_part part, char **ret)
{
    char *copy = malloc(hr__url_len(part) + 1);
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
                return hr__url_refuse(p, at,
                                      high < 0 || low < 0
                                          ? "a % needs two hexadecimal digits after it "
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

int hr__url_number(struct hr__url_parser *p, struct hr__url_part part, unsigned long min,
                   unsigned long max, const char *what, unsigned long *ret)
{
    unsigned long value = 0;
    if (part.at == part.end)
        return hr__url_refuse(p, part.at, what);
    for (const char *at = part.at; at < part.end; at++) {
        if (*at < '0' || *at > '9')
            return hr__url_refuse(p, at, what);
        value = value * 10 + (unsigned long)(*at - '0');
        if (value > max)
            return hr__url_refuse(p, part.at, what);
    }
    if (value < min)
        return hr__url_refuse(p, part.at, what);
    *ret = value;
    return 0;
}

int hr__url_db(struct hr__url_parser *p, struct hr__url_part part, struct hr_url *url)
{
    unsigned long db;
    int r = hr__url_number(p, part, 0, INT_MAX, "the database is not a number", &db);
    if (r == 0)
        url->db = (unsigned)db;
    return r;
}

int hr__url_check_socket(struct hr__url_parser *p, const char *at, const char *path)
{
    if (path[0] != '/')
        return hr__url_refuse(p, at, "the path of the socket does not begin with /");
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return hr__url_refuse(p, at, "the path of the socket is longer than 107 bytes");
    return 0;
}
