/* SPDX-License-Identifier: MIT */
/*
 * What other files of the runtime ask of a queue. Inside core/ only.
 */
#pragma once

#include "core/queue.h"

/* Makes room for n items, so that putting them needs no memory. 0 or -ENOMEM. */
int hr__queue_reserve(hr_queue *queue, size_t n);
