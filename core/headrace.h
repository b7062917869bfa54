/* SPDX-License-Identifier: MIT */
/*
 * The whole runtime in one include.
 *
 * What holds wherever a comment does not say otherwise: spans and moments are microseconds. A
 * negative return is a code, with a record of what happened (core/error.h). A call belongs to the
 * thread of its loop. One that is marked hr_async may suspend; where it would have to, outside of a
 * task, it returns HR_ENOTASK. Pointers are not NULL, except for those that are freed or given back
 * and for futures that are awaited. What is handed to a call that fails stays the caller's.
 */
#pragma once

#include "core/as_completed.h"
#include "core/barrier.h"
#include "core/base.h"
#include "core/buf.h"
#include "core/cancel_scope.h"
#include "core/child.h"
#include "core/clock.h"
#include "core/condition.h"
#include "core/dump.h"
#include "core/error.h"
#include "core/event.h"
#include "core/executor.h"
#include "core/exits.h"
#include "core/future.h"
#include "core/gather.h"
#include "core/generator.h"
#include "core/greenlet.h"
#include "core/group.h"
#include "core/io.h"
#include "core/key_limiter.h"
#include "core/limiter.h"
#include "core/line.h"
#include "core/list.h"
#include "core/local.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/loop_thread.h"
#include "core/process_pool.h"
#include "core/queue.h"
#include "core/request.h"
#include "core/runner.h"
#include "core/semaphore.h"
#include "core/signals.h"
#include "core/sim.h"
#include "core/submit.h"
#include "core/task.h"
#include "core/timeout.h"
#include "core/timer.h"
#include "core/transfer.h"
#include "core/watch.h"
#include "core/world.h"
