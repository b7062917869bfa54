/* SPDX-License-Identifier: MIT */
/*
 * Addresses as servers tell them: those of masters, sentinels, nodes of a cluster.
 */
#pragma once

#include "core/base.h"

struct hr__redis_address {
    char host[254]; /* a name or a literal address */
    uint16_t port;
};

/* False, and nothing is written: that is no address. */
bool hr__redis_address_set(struct hr__redis_address *address, const char *host, int64_t port);

bool hr__redis_address_equals(const struct hr__redis_address *a, const struct hr__redis_address *b);
