/* SPDX-License-Identifier: MIT */
/*
 * A generator: a function that gives values one by one, and stands still in between.
 *
 *     static int count(hr_generator *self, void *arg)
 *     {
 *         for (intptr_t i = 1; i < 100; i++) {
 *             int r = hr_generator_yield(self, (void *)i, NULL);
 *             if (r < 0)
 *                 return r;
 *         }
 *         return 0;
 *     }
 *
 * Its body runs as part of whoever asks for the next value. Inside a task it may wait, and so may
 * next() then: that is all there is to an async generator, or an async iterator. Outside of tasks
 * it is a plain one. It has one consumer at a time and belongs to its thread.
 */
#pragma once

#include "core/loop.h"

typedef struct hr_generator hr_generator;

/* The body. ≥ 0 is the end, negative an error that comes out of next(). It gets arg as given to
 * hr_generator_new(), and yields by its first argument. Where it waits, so does who asked. */
typedef int hr_generator_fn(hr_generator *self, void *arg);

/* Runs nothing yet. NULL, with a record: -ENOMEM, -EAGAIN (no guard, see core/task.h),
 * -EINVAL (no fn). */
HR_PUBLIC hr_owned hr_generator *hr_generator_new(hr_generator_fn *fn, void *arg);

/* With a stack of that many bytes of address space (memory as touched) instead of 256 KiB. Up to
 * 1,024 stacks of a size are kept warm in each thread. */
HR_PUBLIC hr_owned hr_generator *hr_generator_new_sized(hr_generator_fn *fn, void *arg,
                                                        size_t stack_size);

/* Closes it if need be, and frees it: a cleanup that waits does so here. What close returns is not
 * looked at, but for a yield in answer to it, which is asked to end once more and is lost if it
 * does not. NULL is fine; returns NULL. */
HR_PUBLIC hr_generator *hr_generator_free(hr_generator *generator);
HR_PUBLIC void hr_generator_freep(hr_generator **generator);

/* Runs the body to its next yield: 0 and *ret, what it yielded. Or
 *   HR_EEND          the body is over; *ret is what hr_generator_return() gave, once, then NULL
 *   -EBUSY           it runs: another task waits in it, or it asks itself
 *   HR_EWRONGTHREAD  it was made in another thread
 * and what the body failed with, once; HR_EEND afterwards. */
HR_PUBLIC hr_async int hr_generator_next(hr_generator *generator, void **ret);

/* As next, with a value that the yield returns. Before the first yield there is nobody to take one:
 * -EINVAL unless it is NULL. Codes as hr_generator_next(). */
HR_PUBLIC hr_async int hr_generator_send(hr_generator *generator, void *value, void **ret);

/* As next, with an error (code < 0) that the yield returns; the record goes along. From a generator
 * that has not started, or is over, the error comes out again, and the first is over then. */
HR_PUBLIC hr_async int hr_generator_throw(hr_generator *generator, int code, void **ret);

/* Has the yield return HR_EEXIT and expects the end: 0 when the body returns that, or success, and
 * when it was over already; HR_EBROKEN when it yields instead, -EBUSY, HR_EWRONGTHREAD; else its
 * error. */
HR_PUBLIC hr_async int hr_generator_close(hr_generator *generator);

/* In the body: gives a value, and stands still until it is asked for the next. 0 with what was sent
 * in *ret_sent (NULL: not wanted), or the code that was thrown: HR_EEXIT asks it to end. */
HR_PUBLIC hr_async int hr_generator_yield(hr_generator *self, void *value, void **ret_sent);

/* In the body: lets another generator go on in its place until that one is over: next, send, throw
 * and close go to the inner one. 0 with the value that the inner returned in *ret_value (NULL: not
 * wanted), or its error. The inner stays the caller's. */
HR_PUBLIC hr_async int hr_generator_delegate(hr_generator *self, hr_generator *inner,
                                             void **ret_value);

/* In the body: the value that comes with the end; it goes to whoever meets that, uncopied. */
HR_PUBLIC void hr_generator_return(hr_generator *self, void *value);
