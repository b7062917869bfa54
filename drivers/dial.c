/* SPDX-License-Identifier: MIT */
/*
 * How the time for connecting is shared: each address in turn may take an equal part of what is
 * left, the last one all of it.
 */
#include "drivers/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "core/io.h"
#include "core/timeout.h"

/* An address as people write it: 10.0.0.1:3306, [::1]:6379, /run/redis.sock. */
static void print_address(const struct hr_address *address, char *text, size_t size)
{
    const struct sockaddr *any = (const struct sockaddr *)&address->addr;
    char host[INET6_ADDRSTRLEN] = "?";
    if (any->sa_family == AF_UNIX) {
        snprintf(text, size, "%s", ((const struct sockaddr_un *)any)->sun_path);
    } else if (any->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)any;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(text, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)any;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static hr_async int connect_within(const struct hr_address *address, hr_usec limit, int *ret)
{
    struct hr_timeout scope = {0};
    int r = hr_timeout_enter(&scope, limit);
    return r < 0 ? r
                 : hr_timeout_leave(&scope, hr_connect((const struct sockaddr *)&address->addr,
                                                       address->len, ret));
}

int hr__dial_addresses(const struct hr_address *addresses, size_t n, hr_usec limit, int *ret)
{
    hr_usec deadline = hr_later(hr_now(), limit);
    int r = -EHOSTUNREACH;
    for (size_t i = 0; i < n; i++) {
        hr_usec left = deadline - hr_now();
        r = connect_within(&addresses[i], left / (hr_usec)(n - i), ret);
        if (r >= 0 || r == -ECANCELED)
            return r;
    }
    char where[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "?";
    if (n > 0)
        print_address(&addresses[n - 1], where, sizeof(where));
    return hr_fail(r, "cannot connect to %s: %s", where, hr_error_text(r));
}

int hr__dial(const struct hr_url *url, hr_usec limit, int *ret)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    hr_usec deadline = hr_later(hr_now(), limit);
    int n = 1, r;
    if (url->socket)
        r = hr_address_unix(url->socket, &addresses[0]);
    else
        r = n = hr_resolve(url->host, url->port, addresses);
    if (r < 0)
        return r;
    r = hr__dial_addresses(addresses, (size_t)n, deadline - hr_now(), ret);
    if (r < 0 && r != -ECANCELED && url->host)
        hr_resolve_forget(url->host);
    return r;
}
