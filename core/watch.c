/* SPDX-License-Identifier: MIT */
/*
 * How it works: libevent tells that a descriptor is ready, and the callback stands in the ready
 * queue then, once. A watch that is removed meanwhile leaves its entry there, without a callback.
 * Watches are found by descriptor, in a table that doubles when it gets full; without memory for
 * that it only gets slower.
 */
#include "core/watch.h"

#include <errno.h>
#include <event2/event.h>

#include "core/loop_impl.h"

#define FIRST_BUCKETS 16

struct hr__watches {
    size_t count, bucket_count; /* a power of two */
    struct hr_list *buckets;
};

struct watch {
    struct hr_list link; /* in its bucket */
    struct hr__ready ready;
    hr_loop *loop;
    struct event *event; /* NULL: the loop's world is asked */
    struct hr__fake fake;
    bool removed;
    int fd, direction;
    bool queued;
    hr_callback *fn;
    void *arg;
};

static void watch_run(struct hr__ready *entry, bool drop)
{
    struct watch *watch = hr_container_of(entry, struct watch, ready);
    watch->queued = false;
    if (watch->removed) {
        free(watch);
    } else if (!drop) {
        hr__slice_of((const void *)watch->fn);
        watch->fn(watch->arg);
    }
}

static void fired(evutil_socket_t fd, short events, void *arg)
{
    struct watch *watch = arg;
    if (watch->queued)
        return;
    watch->queued = true;
    hr__ready_append(&watch->loop->ready, &watch->ready);
}

static void fake_fired(struct hr__fake *fake)
{
    fired(fake->fd, 0, hr_container_of(fake, struct watch, fake));
}

static struct hr_list *buckets_new(size_t count)
{
    struct hr_list *buckets = reallocarray(NULL, count, sizeof(*buckets));
    for (size_t i = 0; buckets && i < count; i++)
        hr_list_init(&buckets[i]);
    return buckets;
}

static struct hr_list *bucket_of(const struct hr__watches *watches, int fd)
{
    return &watches->buckets[(unsigned)fd & (watches->bucket_count - 1)];
}

static void grow(struct hr__watches *watches)
{
    struct hr__watches old = *watches;
    struct hr_list *buckets = buckets_new(old.bucket_count * 2);
    if (!buckets)
        return;
    watches->buckets = buckets;
    watches->bucket_count *= 2;
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct hr_list *node; (node = hr_list_pop(&old.buckets[i]));)
            hr_list_append(bucket_of(watches, hr_list_entry(node, struct watch, link)->fd), node);
    }
    free(old.buckets);
}

/* Makes the table with the first watch. */
static int make_table(hr_loop *loop)
{
    if (loop->watched)
        return 0;
    struct hr__watches *watches = malloc(sizeof(*watches));
    struct hr_list *buckets = watches ? buckets_new(FIRST_BUCKETS) : NULL;
    if (!buckets) {
        free(watches);
        return hr_fail(-ENOMEM, "no memory to watch a descriptor");
    }
    *watches = (struct hr__watches){0, FIRST_BUCKETS, buckets};
    loop->watched = watches;
    return 0;
}

static struct watch *find(hr_loop *loop, int fd, int direction)
{
    if (!loop->watched)
        return NULL;
    hr_list_foreach (node, bucket_of(loop->watched, fd)) {
        struct watch *watch = hr_list_entry(node, struct watch, link);
        if (watch->fd == fd && watch->direction == direction)
            return watch;
    }
    return NULL;
}

static void give_up(struct watch *watch)
{
    hr_loop_event_free(watch->loop, watch->event);
    hr_list_remove(&watch->fake.link);
    hr_list_remove(&watch->link);
    watch->removed = true;
    watch->loop->watched->count--;
    watch->loop->watches--;
    if (!watch->queued)
        free(watch);
}

static void close_all(hr_loop *loop)
{
    struct hr__watches *watches = loop->watched;
    for (size_t i = 0; i < watches->bucket_count; i++) {
        while (!hr_list_empty(&watches->buckets[i]))
            give_up(hr_list_entry(watches->buckets[i].next, struct watch, link));
    }
    free(watches->buckets);
    free(watches);
    loop->watched = NULL;
}

/* Has the kernel watch it. */
static int add_event(struct watch *watch)
{
    int r = hr__poll_own(watch->loop);
    if (r < 0)
        return r;
    short events = watch->direction == HR_READ ? EV_READ | EV_PERSIST : EV_WRITE | EV_PERSIST;
    watch->event = event_new(watch->loop->base, watch->fd, events, fired, watch);
    if (!watch->event)
        return hr_fail(-ENOMEM, "no memory to watch a descriptor");
    r = hr_loop_event_add(watch->loop, watch->event);
    if (r < 0)
        event_free(watch->event);
    return r;
}

static int add(hr_loop *loop, int fd, int direction, hr_callback *fn, void *arg)
{
    int r = make_table(loop);
    if (r < 0)
        return r;
    loop->close_watched = close_all;
    struct watch *watch = malloc(sizeof(*watch));
    if (!watch)
        return hr_fail(-ENOMEM, "no memory to watch a descriptor");
    *watch = (struct watch){
        .ready.run = watch_run,
        .loop = loop,
        .fake = {.fd = fd, .direction = direction, .fired = fake_fired},
        .fd = fd,
        .direction = direction,
        .fn = fn,
        .arg = arg,
    };
    hr_list_init(&watch->fake.link);
    if (hr__world_owns(loop, fd)) {
        hr_list_append(&loop->faked, &watch->fake.link);
    } else {
        r = add_event(watch);
        if (r < 0) {
            free(watch);
            return r;
        }
    }
    struct hr__watches *watches = loop->watched;
    hr_list_append(bucket_of(watches, fd), &watch->link);
    if (++watches->count > watches->bucket_count)
        grow(watches);
    loop->watches++;
    return 0;
}

int hr_watch_add(int fd, int direction, hr_callback *fn, void *arg)
{
    hr_loop *loop = hr__loop_for(NULL);
    if (!loop)
        return hr_last_error()->code;
    if (direction != HR_READ && direction != HR_WRITE)
        return hr_fail(-EINVAL, "no such direction: %d", direction);
    if (!fn)
        return hr_fail(-EINVAL, "a watch without a function");
    struct watch *watch = find(loop, fd, direction);
    if (!watch)
        return add(loop, fd, direction, fn, arg);
    watch->fn = fn;
    watch->arg = arg;
    return 0;
}

bool hr_watch_remove(int fd, int direction)
{
    struct watch *watch = hr__loop_running ? find(hr__loop_running, fd, direction) : NULL;
    if (watch)
        give_up(watch);
    return watch;
}
