/* SPDX-License-Identifier: MIT */
/*
 * Subscriptions, streams and scans from the first call to the last, for tests that cancel or starve
 * each of them anywhere. A code below zero, or how it ended well.
 */
#pragma once

#include "drivers/redis.h"

hr_async int redis_calls_pubsub(hr_redis *redis);
hr_async int redis_calls_stream(hr_redis *redis);
hr_async int redis_calls_scan(hr_redis *redis);
