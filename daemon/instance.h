/* SPDX-License-Identifier: MIT */
/*
 * Who this daemon is: its name, its runtime directory, and the lock that no second one holds.
 *
 * The lock makes it safe to take over at once what a predecessor of the same name left behind.
 */
#pragma once

#include "core/error.h"

struct instance {
    const char *name; /* borrowed from the settings */
    int lock;         /* descriptor that holds the lock, or -1 */
};

/* Locks the name in the runtime directory, which is made if need be. 0; -EBUSY: another daemon has
 * the name; -EPERM: the directory belongs to another user; or -errno. */
int instance_lock(struct instance *ret, const char *name, const char *directory);
void instance_unlock(struct instance *instance);
