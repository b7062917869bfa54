/* SPDX-License-Identifier: MIT */
/*
 * The servers of the configuration, each with the client that talks to it.
 */
#pragma once

#include "daemon/settings.h"
#include "drivers/mysql.h"
#include "drivers/redis.h"

/* One of the two clients is NULL. */
struct server {
    const struct server_conf *conf;
    hr_redis *redis;
    hr_mysql_pool *mysql;
};

struct servers {
    struct server *items;
    size_t count;
};

/* Makes the clients; they connect when first used. 0, or a code with its record; close in any case.
 */
int servers_open(struct servers *servers, const struct settings *settings);

/* Says goodbye to each, without waiting long for one that does not answer, and frees the clients.
 */
void servers_close(struct servers *servers);

/* The server of that configuration; NULL for NULL. */
struct server *servers_find(const struct servers *servers, const struct server_conf *conf);
