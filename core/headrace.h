/* SPDX-License-Identifier: MIT */
/*
 * The whole runtime in one include.
 */
#pragma once

#include "core/as_completed.h"
#include "core/base.h"
#include "core/buf.h"
#include "core/cancel_scope.h"
#include "core/clock.h"
#include "core/condition.h"
#include "core/dump.h"
#include "core/error.h"
#include "core/event.h"
#include "core/executor.h"
#include "core/future.h"
#include "core/gather.h"
#include "core/group.h"
#include "core/io.h"
#include "core/list.h"
#include "core/local.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/queue.h"
#include "core/request.h"
#include "core/semaphore.h"
#include "core/signals.h"
#include "core/task.h"
#include "core/timeout.h"
#include "core/timer.h"
