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
    char directory[256];
    int lock; /* descriptor that holds the lock, or -1 */
};

/* Finds the runtime directory ($RUNTIME_DIRECTORY, /run/headrace for root,
 * $XDG_RUNTIME_DIR/headrace for others), makes it if need be, and locks the name there. 0; -EBUSY:
 * another daemon has the name; or -errno. */
int instance_lock(struct instance *ret, const char *name);
void instance_unlock(struct instance *instance);

/* The runtime directory alone, for clients of the admin socket. 0 or -ENAMETOOLONG. */
int instance_directory(char *ret, size_t size);
