/* SPDX-License-Identifier: MIT */
/*
 * Values that belong to a task: the id of the request it serves, the user it works for.
 *
 *     static const hr_local request_id = {.free_value = free};
 *
 *     hr_local_set(&request_id, strdup("7f3a"));   in the task that accepts a request
 *     hr_local_get(&request_id);                   in it, and in every task made below it
 *
 * A new task begins with what its creator has at that moment; what either sets later does not show
 * in the other. The values themselves are shared, so nobody writes to them.
 */
#pragma once

#include "core/future.h"

/* A key, known by its address: a static variable. free_value, or NULL, destroys a value when the
 * last task that has it is over or has set another; mostly in the loop's thread, and in one of the
 * pool's when that was the last to need it (hr_to_thread()). */
typedef struct hr_local {
    hr_free_fn *free_value;
} hr_local;

/* Sets the running task's value, which is the task's from now on. 0; HR_ENOTASK, -ENOMEM: the
 * value stays the caller's. Does not suspend. */
HR_PUBLIC int hr_local_set(const hr_local *key, void *value);

/* The running task's value; NULL when it has none, and outside of tasks. Borrowed, and valid until
 * the task sets another or ends. Inside a job of hr_to_thread(): the value of the task that asked.
 */
HR_PUBLIC void *hr_local_get(const hr_local *key);
