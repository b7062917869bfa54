/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a URL, for whoever has to write it anew. Nothing of it is shown but its
 * scheme: the rest may hold a password.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "drivers/http/impl.h"

static int no_scheme(void)
{
    return hr_fail(-EINVAL, "http: the URL does not begin with http:// or https://");
}

/* A scheme is a word; what else stands before a colon may be a user's name. */
static bool is_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char small = (char)(text[i] | 0x20);
        if ((small < 'a' || small > 'z') && !(i > 0 && strchr("0123456789+-.", text[i])))
            return false;
    }
    return size > 0 && size <= 20;
}

/* Where nothing better can be said. */
static int refuse_for(const char *reason)
{
    return hr_fail(-EINVAL, "http: this URL is none: %s", reason);
}

static int refuse_port(const char *port, size_t size, const char *reason)
{
    unsigned number = 0;
    for (size_t i = 0; i < size && number <= UINT16_MAX; i++) {
        if (port[i] < '0' || port[i] > '9')
            number = UINT16_MAX;
        number = number * 10 + (unsigned)(port[i] - '0');
    }
    if (number > UINT16_MAX)
        return hr_fail(-EINVAL, "http: the port in the URL is not a number up to 65535");
    return refuse_for(reason);
}

/* An address in brackets, and what stands behind it. */
static int refuse_address(const char *host, size_t size, const char *reason)
{
    const char *end = memchr(host, ']', size);
    if (!end)
        return hr_fail(-EINVAL, "http: the bracket of the IPv6 address in the URL is not closed");
    if (end + 1 < host + size && end[1] != ':')
        return hr_fail(-EINVAL, "http: only a port may follow the bracket in the URL");
    if (end + 2 < host + size)
        return refuse_port(end + 2, (size_t)(host + size - end - 2), reason);
    return hr_fail(-EINVAL, "http: no IPv6 address stands between the brackets of the URL");
}

/* host:port, without user and password. */
static int refuse_host(const char *host, size_t size, const char *reason)
{
    const char *colon = memchr(host, ':', size);
    size_t left = colon ? size - (size_t)(colon + 1 - host) : 0;
    if (size > 0 && *host == '[')
        return refuse_address(host, size, reason);
    if (colon && memchr(colon + 1, ':', left))
        return hr_fail(-EINVAL, "http: an IPv6 address in a URL stands in brackets: http://[::1]/");
    if (size == 0 || colon == host)
        return hr_fail(-EINVAL, "http: the URL names no host: http://host:port/path");
    return colon ? refuse_port(colon + 1, left, reason) : refuse_for(reason);
}

int hr__http_refuse_url(const char *url, const char *reason)
{
    const char *colon = strchr(url, ':');
    size_t scheme = colon ? (size_t)(colon - url) : 0;
    for (const char *p = url; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return hr_fail(
                -EINVAL, "http: blanks and control characters in a URL are written %%XX: byte %zu",
                (size_t)(p - url) + 1);
    }
    if (!is_word(url, scheme) || strncmp(colon, "://", 3) != 0)
        return no_scheme();
    if ((scheme != 4 || strncasecmp(url, "http", 4) != 0) &&
        (scheme != 5 || strncasecmp(url, "https", 5) != 0))
        return hr_fail(-EINVAL, "http: %.*s:// is neither http:// nor https://", (int)scheme, url);
    const char *host = colon + 3;
    size_t size = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', size);
    if (at) {
        size -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    return refuse_host(host, size, reason);
}
