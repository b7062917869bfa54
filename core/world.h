/* SPDX-License-Identifier: MIT */
/*
 * What a loop gets from outside, in one table: time, chance, peers, readiness, whose turn it is.
 *
 * A loop made with a table (hr_loop_options.world) asks it instead of the kernel, so that a program
 * of tasks can be run in a world made up by a test. core/sim.h is such a world, run by a seed; who
 * builds another fills in what differs. Every hook is called in the loop's thread, and all but
 * connect() outside of any task.
 */
#pragma once

#include "core/clock.h"
#include "core/io.h"

struct sockaddr;

struct hr_world {
    /* Time, and how the loop sleeps. Has to be there; the other hooks may be NULL, and then things
     * are as without a table. */
    struct hr_clock clock;

    /* 64 bits for hr_random(). */
    uint64_t (*random)(struct hr_world *world);

    /* Makes hr_connect() in the running task, and may suspend it. 0 and a descriptor of the
     * caller's; -ENOENT when the address belongs to the real world; another code of connect(2). */
    hr_async int (*connect)(struct hr_world *world, const struct sockaddr *address, unsigned len,
                            int *ret);

    /* Called at each look, before ready(): the time to move what is on its way. */
    void (*look)(struct hr_world *world);

    /* For which of the directions (HR_READ, HR_WRITE) the descriptor is ready now; -ENOENT: not one
     * of this world, so the kernel watches it. Asked at each look for those that somebody waits
     * for, and with no direction when a wait begins. */
    int (*ready)(struct hr_world *world, int fd, int directions);

    /* Which of n ready tasks, in order of becoming ready, runs next: 0 to n - 1. Callbacks keep
     * their place before the first of them. NULL: 0, first in, first out. */
    size_t (*pick)(struct hr_world *world, size_t n);

    /* That task is resumed, or begins, when this returns. */
    void (*resume)(struct hr_world *world, hr_task *task);
};

/* 64 random bits: from the running loop's world or, without one, from the kernel. Fit for jitter,
 * choices and hash seeds; not for secrets, since a world may know them beforehand. */
HR_PUBLIC uint64_t hr_random(void);
