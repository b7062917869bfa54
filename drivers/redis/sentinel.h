/* SPDX-License-Identifier: MIT */
/*
 * Where the master is: asked of sentinels in turn, and heard from them when it moves.
 *
 * What a sentinel says may be old. So who connects to the address verifies by ROLE that a master
 * answers there (redis/open.c), and tells when none does.
 */
#pragma once

#include "drivers/redis/address.h"
#include "drivers/redis/open.h"

struct hr__redis_sentinel;
struct hr_redis_options;

/* The sentinels of a URL redis+sentinel://. client is how the master itself is reached: its limits
 * and census are used here as well, and outlive the sentinels. 0; -EINVAL, -ENOMEM with the record.
 */
int hr__redis_sentinel_new(const struct hr_redis_options *options,
                           const struct hr__redis_target *client, struct hr__redis_sentinel **ret);
struct hr__redis_sentinel *hr__redis_sentinel_free(struct hr__redis_sentinel *sentinel);

/* Asks one sentinel after the other until one knows. A silent one costs its share of limit, and a
 * share is left for connecting to the master. 0; -ENOTCONN: none of them knew, and why the last one
 * did not; -ECANCELED, -ENOMEM. */
hr_async int hr__redis_sentinel_find(struct hr__redis_sentinel *sentinel, hr_usec limit,
                                     struct hr__redis_address *ret);

/* No master answers where the sentinels say: another one of them is asked first from now on. */
void hr__redis_sentinel_doubt(struct hr__redis_sentinel *sentinel);

/* Listens to one of the sentinels, to another when it is lost, until the task is cancelled:
 * -ECANCELED. Takes in sentinels that it is told of, and calls moved() when the master is not where
 * it was found the last time; that must not wait. */
hr_async int hr__redis_sentinel_follow(struct hr__redis_sentinel *sentinel,
                                       void (*moved)(void *cookie), void *cookie);
