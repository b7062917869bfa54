/* SPDX-License-Identifier: MIT */
/*
 * Who made the plain calls: a library between the patch and libc, which notes the thread.
 */
#pragma once

#include <pthread.h>

#include "core/base.h"

/* The thread that read, wrote or looked a name up last; false: none since witness_reset(). */
HR_PUBLIC void witness_reset(void);
HR_PUBLIC bool witness_thread(pthread_t *ret);

/* A lookup of WITNESS_SLOW_NAME ends when this is called, with 127.0.0.1. */
#define WITNESS_SLOW_NAME "slow.invalid"
HR_PUBLIC void witness_answer(void);

/* From now on RWF_NOWAIT is refused, as before Linux 6.5; or works again. */
HR_PUBLIC void witness_old_kernel(bool old);
