/* SPDX-License-Identifier: MIT */
/*
 * How a loop asks its world. Inside core/ only.
 */
#pragma once

#include "core/list.h"
#include "core/world.h"

/* One direction of a descriptor that the world, not the kernel, is asked about. */
struct hr__fake {
    struct hr_list link; /* in the loop's list while somebody waits; initialised */
    int fd, direction;
    void (*fired)(struct hr__fake *fake); /* it is ready; may take the link out */
};

/* Whether the loop has a world that answers for this descriptor. */
bool hr__world_owns(const hr_loop *loop, int fd);

/* Lets the world move on, and fires what is ready in it. */
void hr__world_look(hr_loop *loop);

/* Before and after a look: what was held back is ready again; all but the next task is held back,
 * so that a pass has one slice of a task. */
void hr__world_gather(hr_loop *loop);
void hr__world_cut(hr_loop *loop);
