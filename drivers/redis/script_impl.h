/* SPDX-License-Identifier: MIT */
/*
 * What calling a script has in common for a single server (redis/script.c) and for a cluster
 * (redis/cluster.c).
 */
#pragma once

#include "drivers/redis/format.h"
#include "drivers/redis/script.h"

typedef int hr__redis_asker(void *client, hr_reply **ret, const struct hr__redis_request *request);

/* Calls a script by its hash, and with its source when the server does not know it. */
hr_async int hr__redis_eval_by(hr__redis_asker *ask, void *client, hr_reply **ret,
                               const struct hr_redis_script *script, size_t n_keys,
                               const struct hr_redis_arg *keys, size_t n_args,
                               const struct hr_redis_arg *args);
