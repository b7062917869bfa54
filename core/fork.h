/* SPDX-License-Identifier: MIT */
/*
 * What a forked child makes anew, and how the rest knows that it is one. Inside core/ only.
 */
#pragma once

#include "core/loop_impl.h"

/* What touches a parent's things must ask hr__is_here() (core/loop_impl.h) first. At the fork
 * itself, before anything else of the child's: */
void hr__signals_forked(void);        /* core/signals.c: no loop is woken */
void hr__thread_futures_forked(void); /* core/thread_future.c: nobody waits or holds a lock */

/* When it looks around for the first time, in a loop that it has of its parent: */
void hr__children_forked(hr_loop *loop); /* core/child.c: they are the parent's */
void hr__offload_forked(hr_loop *loop);  /* core/offload.c: so are jobs */
