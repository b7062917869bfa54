/* SPDX-License-Identifier: MIT */
/*
 * A ring of items, and two lines: getters who found it empty, putters who found it full.
 *
 * Whoever is called out of a line has an item (or a place) promised to him: until he has run, it
 * does not count as available, so that nobody who comes later takes it from under his nose; and it
 * has not left the ring yet, so that a cancel in that instant loses nothing. While somebody waits
 * in a line, nothing is available there.
 *
 * hr_queue_free() may find tasks in the lines. They are told, and the last one to leave frees the
 * struct.
 */
#include "core/queue.h"

#include "core/heap.h"
#include "core/line_impl.h"
#include "core/queue_impl.h"

struct hr_queue {
    void **ring;
    size_t head, count, capacity; /* capacity: a power of two, or 0 */
    size_t maxsize;
    enum hr_queue_order order;
    bool shut, freed;
    struct hr__heap heap; /* instead of the ring, for HR_QUEUE_PRIORITY */
    hr_free_fn *free_item;
    struct hr__line getters, putters, joiners;
    size_t promised; /* items for getters that were called and have not run yet */
    size_t reserved; /* places for putters, likewise */
    size_t unfinished;
    size_t inside; /* tasks that wait in a line, or are on their way out of it */
};

hr_queue *hr_queue_new(size_t maxsize, hr_free_fn *free_fn)
{
    return hr_queue_new_with(&(struct hr_queue_options){.maxsize = maxsize, .free_fn = free_fn});
}

hr_queue *hr_queue_new_with(const struct hr_queue_options *options)
{
    static const struct hr_queue_options defaults;
    options = options ? options : &defaults;
    if (options->order == HR_QUEUE_PRIORITY && !options->compare) {
        hr_fail(-EINVAL, "queue: no order to tell the smallest by");
        return NULL;
    }
    hr_queue *queue = calloc(1, sizeof *queue);
    if (!queue) {
        hr_fail(-ENOMEM, "queue: out of memory");
        return NULL;
    }
    queue->maxsize = options->maxsize;
    queue->free_item = options->free_fn;
    queue->order = options->order;
    queue->heap.compare = options->compare;
    hr__line_init(&queue->getters);
    hr__line_init(&queue->putters);
    hr__line_init(&queue->joiners);
    return queue;
}

static size_t available(const hr_queue *queue)
{
    return queue->count > queue->promised ? queue->count - queue->promised : 0;
}

static bool has_room(const hr_queue *queue)
{
    return queue->maxsize == 0 || queue->count + queue->reserved < queue->maxsize;
}

/* Mostly nobody waits: that is looked at first, and here. */
static inline void call_getter(hr_queue *queue)
{
    if (hr__line_empty(&queue->getters) || available(queue) == 0)
        return;
    hr__line_call_first(&queue->getters, 0);
    queue->promised++;
}

static inline void call_putter(hr_queue *queue)
{
    if (hr__line_empty(&queue->putters) || !has_room(queue))
        return;
    hr__line_call_first(&queue->putters, 0);
    queue->reserved++;
}

/* Waits in one of the lines. With a turn, the caller gives the promise back: the item or the place
 * is his, and nobody else's before he suspends. The queue may be gone afterwards: with HR_ECLOSED,
 * and with -ECANCELED without a turn. */
static inline int wait_in(hr_queue *queue, struct hr__line *line, const char *what, bool *ret_turn)
{
    queue->inside++;
    int r = hr__line_wait_inline(line, what, ret_turn);
    queue->inside--;
    if (hr_likely(!queue->freed))
        return r;
    if (queue->inside == 0)
        free(queue);
    *ret_turn = false;
    return r == -ECANCELED ? r : HR_ECLOSED;
}

static int grow(hr_queue *queue, size_t capacity)
{
    void **ring = capacity > SIZE_MAX / sizeof *ring ? NULL : malloc(capacity * sizeof *ring);
    if (!ring)
        return hr_fail(-ENOMEM, "queue: out of memory with %zu items", queue->count);

    for (size_t i = 0; i < queue->count; i++)
        ring[i] = queue->ring[(queue->head + i) & (queue->capacity - 1)];
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->head = 0;
    return 0;
}

int hr__queue_reserve(hr_queue *queue, size_t n)
{
    size_t capacity = 8;
    while (capacity < n && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    return capacity > queue->capacity ? grow(queue, capacity) : 0;
}

static __attribute__((noinline)) void *take_in_order(hr_queue *queue)
{
    queue->count--;
    return queue->order == HR_QUEUE_PRIORITY
               ? hr__heap_pop(&queue->heap)
               : queue->ring[(queue->head + queue->count) & (queue->capacity - 1)];
}

static inline void *take(hr_queue *queue)
{
    if (hr_unlikely(queue->order != HR_QUEUE_FIFO))
        return take_in_order(queue);
    void *item = queue->ring[queue->head];
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
    return item;
}

static int push(hr_queue *queue, void *item)
{
    int r = hr__heap_reserve(&queue->heap, queue->count + 1);
    if (r < 0)
        return r;
    hr__heap_push(&queue->heap, item);
    queue->count++;
    return 0;
}

static int append(hr_queue *queue, void *item)
{
    if (queue->order == HR_QUEUE_PRIORITY)
        return push(queue, item);
    if (queue->count == queue->capacity) {
        int r = grow(queue, queue->capacity ? 2 * queue->capacity : 8);
        if (r < 0)
            return r;
    }
    queue->ring[(queue->head + queue->count) & (queue->capacity - 1)] = item;
    queue->count++;
    return 0;
}

/* Puts an item where nothing stands in the way; false: put_now() finds out what. */
static inline bool put_at_once(hr_queue *queue, void *item)
{
    bool simple = queue->order != HR_QUEUE_PRIORITY && !queue->shut &&
                  queue->count < queue->capacity && has_room(queue);
    if (hr_unlikely(!simple))
        return false;
    queue->ring[(queue->head + queue->count++) & (queue->capacity - 1)] = item;
    queue->unfinished++;
    call_getter(queue);
    return true;
}

static int put_now(hr_queue *queue, void *item)
{
    if (queue->shut)
        return HR_ESHUTDOWN;
    if (!has_room(queue))
        return -ENOBUFS;
    int r = append(queue, item);
    if (r < 0)
        return r;
    queue->unfinished++;
    call_getter(queue);
    return 0;
}

/* Whether another thread runs its loop, as far as debug mode knows. */
static __attribute__((noinline)) bool is_foreign(const hr_queue *queue)
{
    return hr__debug_foreign(&queue->getters) || hr__debug_foreign(&queue->putters);
}

static inline bool foreign(const hr_queue *queue)
{
    return hr__debugging() && is_foreign(queue);
}

int hr_queue_put_nowait(hr_queue *queue, void *item)
{
    if (foreign(queue))
        return hr__debug_refuse("hr_queue_put_nowait()", queue);
    return put_at_once(queue, item) ? 0 : put_now(queue, item);
}

static __attribute__((noinline)) int put_later(hr_queue *queue, void *item)
{
    int r = put_now(queue, item);
    if (r != -ENOBUFS)
        return r;
    bool turn;
    r = wait_in(queue, &queue->putters, "room in a queue", &turn);
    if (turn)
        queue->reserved--;
    if (r == 0)
        r = put_now(queue, item);
    if (r < 0 && turn)
        call_putter(queue);
    return r;
}

int hr_queue_put(hr_queue *queue, void *item)
{
    return put_at_once(queue, item) ? 0 : put_later(queue, item);
}

static inline int get_now(hr_queue *queue, void **ret)
{
    if (available(queue) == 0)
        return queue->shut ? HR_ESHUTDOWN : -ENODATA;
    *ret = take(queue);
    call_putter(queue);
    return 0;
}

int hr_queue_get_nowait(hr_queue *queue, void **ret)
{
    if (foreign(queue))
        return hr__debug_refuse("hr_queue_get_nowait()", queue);
    return get_now(queue, ret);
}

static __attribute__((noinline)) int get_later(hr_queue *queue, void **ret)
{
    bool turn;
    int r = wait_in(queue, &queue->getters, "an item in a queue", &turn);
    if (turn)
        queue->promised--;
    /* Called for an item, or for the end: then one that a cancelled getter gave back may be left.
     */
    if (hr_likely(r == 0) || r == HR_ESHUTDOWN)
        return get_now(queue, ret);
    if (turn)
        call_getter(queue);
    return r;
}

int hr_queue_get(hr_queue *queue, void **ret)
{
    int r = get_now(queue, ret);
    return hr_likely(r != -ENODATA) ? r : get_later(queue, ret);
}

size_t hr_queue_size(const hr_queue *queue)
{
    return queue->count;
}

size_t hr_queue_maxsize(const hr_queue *queue)
{
    return queue->maxsize;
}

bool hr_queue_full(const hr_queue *queue)
{
    return !has_room(queue);
}

bool hr_queue_empty(const hr_queue *queue)
{
    return available(queue) == 0;
}

static void finish(hr_queue *queue, size_t n)
{
    queue->unfinished -= n;
    if (queue->unfinished == 0)
        hr__line_call_all(&queue->joiners, 0);
}

int hr_queue_task_done(hr_queue *queue)
{
    if (foreign(queue))
        return hr__debug_refuse("hr_queue_task_done()", queue);
    if (queue->unfinished == 0)
        return hr_fail(-EINVAL, "queue: more items finished than were put");
    finish(queue, 1);
    return 0;
}

int hr_queue_join(hr_queue *queue)
{
    bool called;
    return queue->unfinished > 0
               ? wait_in(queue, &queue->joiners, "a queue to be finished", &called)
               : 0;
}

static size_t drop_items(hr_queue *queue)
{
    size_t dropped = 0;
    while (queue->count > 0) {
        void *item = take(queue);
        if (queue->free_item)
            queue->free_item(item);
        dropped++;
    }
    return dropped;
}

void hr_queue_shutdown(hr_queue *queue, bool immediate)
{
    if (foreign(queue))
        hr__debug_end("hr_queue_shutdown()", queue);
    queue->shut = true;
    if (immediate) {
        size_t dropped = drop_items(queue);
        finish(queue, dropped < queue->unfinished ? dropped : queue->unfinished);
    }
    hr__line_call_all(&queue->putters, HR_ESHUTDOWN);
    hr__line_call_all(&queue->getters, HR_ESHUTDOWN);
}

hr_queue *hr_queue_free(hr_queue *queue)
{
    if (!queue)
        return NULL;
    queue->shut = queue->freed = true;
    drop_items(queue);
    free(queue->ring);
    hr__heap_done(&queue->heap);
    hr__line_call_all(&queue->putters, HR_ECLOSED);
    hr__line_call_all(&queue->getters, HR_ECLOSED);
    hr__line_call_all(&queue->joiners, HR_ECLOSED);
    if (queue->inside == 0)
        free(queue);
    return NULL;
}

void hr_queue_freep(hr_queue **queue)
{
    *queue = hr_queue_free(*queue);
}
