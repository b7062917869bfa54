/* SPDX-License-Identifier: MIT */
#include "drivers/redis/address.h"

#include <string.h>

bool hr__redis_address_set(struct hr__redis_address *address, const char *host, int64_t port)
{
    struct hr__redis_address is = {.port = (uint16_t)port};
    size_t len = host ? strlen(host) : 0;
    if (len == 0 || len >= sizeof(is.host) || port <= 0 || port > UINT16_MAX)
        return false;
    for (size_t i = 0; i < len; i++) { /* it is shown in messages */
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f)
            return false;
    }
    memcpy(is.host, host, len + 1);
    *address = is;
    return true;
}

bool hr__redis_address_equals(const struct hr__redis_address *a, const struct hr__redis_address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}
