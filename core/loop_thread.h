/* SPDX-License-Identifier: MIT */
/*
 * A thread with a loop of its own, that other threads feed.
 *
 *     hr_loop_thread *worker = hr_loop_thread_new("worker", NULL);
 *     hr_submit(hr_loop_thread_loop(worker), "job", job, &j);   from any thread
 *     hr_loop_thread_free(worker);
 */
#pragma once

#include "core/submit.h"

typedef struct hr_loop_thread hr_loop_thread;

/* Starts a thread that runs a loop until it is stopped, also when a task ends with HR_EFATAL: that
 * is its handle's to tell. No signal is delivered to the thread. The name is
 * the kernel's, at most 15 bytes. NULL, with a record: as hr_loop_new(), or -EAGAIN (no thread). */
HR_PUBLIC hr_owned hr_loop_thread *hr_loop_thread_new(const char *name,
                                                      const struct hr_loop_options *options);

/* The loop, for hr_submit() and hr_call_soon_threadsafe(). Borrowed. */
HR_PUBLIC hr_loop *hr_loop_thread_loop(hr_loop_thread *thread);

/* Stops the loop, which cancels and awaits its tasks and closes; joins the thread and frees both.
 * Not by the thread itself. A program may also end without this. NULL is fine; returns NULL. */
HR_PUBLIC hr_loop_thread *hr_loop_thread_free(hr_loop_thread *thread);
HR_PUBLIC void hr_loop_thread_freep(hr_loop_thread **thread);
