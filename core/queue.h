/* SPDX-License-Identifier: MIT */
/*
 * A queue between tasks of one loop: first in, first out, bounded if wanted.
 *
 * Items are pointers; the queue owns them between put and get and destroys what is left.
 */
#pragma once

#include "core/list.h"
#include "core/loop.h"

typedef struct hr_queue hr_queue;

/* maxsize 0 is unlimited; free_fn (or NULL) destroys items that nobody got. NULL, with a record:
 * -ENOMEM. Tasks that still wait when the queue is freed get HR_ECLOSED. */
HR_PUBLIC hr_owned hr_queue *hr_queue_new(size_t maxsize, hr_free_fn *free_fn);

/* As hr_queue_new(), with another order of coming out; -EINVAL for a priority without compare. NULL
 * options mean the defaults. */
enum hr_queue_order {
    HR_QUEUE_FIFO,     /* the oldest first */
    HR_QUEUE_LIFO,     /* the newest first */
    HR_QUEUE_PRIORITY, /* the smallest first by compare, equal ones in the order of putting */
};
struct hr_queue_options {
    enum hr_queue_order order;
    size_t maxsize;
    hr_free_fn *free_fn;
    /* For HR_QUEUE_PRIORITY: negative when a comes before b, 0 when they are equal. */
    int (*compare)(const void *a, const void *b);
};
HR_PUBLIC hr_owned hr_queue *hr_queue_new_with(const struct hr_queue_options *options);

/* Destroys what is left in it. NULL is fine; returns NULL. */
HR_PUBLIC hr_queue *hr_queue_free(hr_queue *queue);
HR_PUBLIC void hr_queue_freep(hr_queue **queue);

/* Puts an item, waiting for room; put_nowait says -ENOBUFS instead. 0; or, and the item stays the
 * caller's: -ECANCELED, HR_ESHUTDOWN, HR_ECLOSED (freed meanwhile), -ENOMEM, HR_ENOTASK,
 * HR_EWRONGLOOP. */
HR_PUBLIC hr_async int hr_queue_put(hr_queue *queue, void *item);
HR_PUBLIC int hr_queue_put_nowait(hr_queue *queue, void *item);

/* Puts an item from a thread that is not the loop's, blocking it until there is room. 0; or, and
 * the item stays the caller's: HR_ESHUTDOWN, HR_ECLOSED (also when the loop or the queue ends
 * meanwhile), -ECANCELED (the loop closes), -ENOMEM, HR_EWRONGTHREAD; -EDEADLK, seen in debug mode
 * only, by a thread that runs another loop. */
HR_PUBLIC int hr_queue_put_threadsafe(hr_loop *loop, hr_queue *queue, void *item);

/* Takes the item whose turn it is, waiting for one; get_nowait says -ENODATA instead. 0 and *ret;
 * or, and none was taken: -ECANCELED, HR_ESHUTDOWN (shut down and empty), HR_ECLOSED (freed
 * meanwhile), HR_ENOTASK, HR_EWRONGLOOP. */
HR_PUBLIC hr_async int hr_queue_get(hr_queue *queue, void **ret);
HR_PUBLIC int hr_queue_get_nowait(hr_queue *queue, void **ret);

/* Items in it; how many there may be (0: no limit); whether a put, or a get, would have to wait for
 * others. */
HR_PUBLIC size_t hr_queue_size(const hr_queue *queue);
HR_PUBLIC size_t hr_queue_maxsize(const hr_queue *queue);
HR_PUBLIC bool hr_queue_full(const hr_queue *queue);
HR_PUBLIC bool hr_queue_empty(const hr_queue *queue);

/* Every put raises the count of unfinished items; task_done lowers it (-EINVAL below zero); join
 * waits until it is zero: 0, or -ECANCELED, HR_ECLOSED, HR_ENOTASK, HR_EWRONGLOOP. */
HR_PUBLIC int hr_queue_task_done(hr_queue *queue);
HR_PUBLIC hr_async int hr_queue_join(hr_queue *queue);

/* Refuses puts from now on; gets go on until it is empty. immediate drops the items too. A queue
 * does not count its producers: the last of them calls this. Twice is fine. */
HR_PUBLIC void hr_queue_shutdown(hr_queue *queue, bool immediate);

/* The same from a thread that is not the loop's. 0; HR_ECLOSED, -ECANCELED (the loop closes),
 * -ENOMEM, HR_EWRONGTHREAD, -EDEADLK as above. */
HR_PUBLIC int hr_queue_shutdown_threadsafe(hr_loop *loop, hr_queue *queue, bool immediate);
