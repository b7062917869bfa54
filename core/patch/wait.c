/* SPDX-License-Identifier: MIT */
/*
 * How it works: a wait is a future that an event of libevent, the limit's timer, or a close()
 * completes. One descriptor is watched as it is. Several, or events that libevent does not know, go
 * into an epoll descriptor of their own, which is readable when one of them is ready: events are
 * then exactly poll(2)'s.
 *
 * A descriptor that is closed leaves epoll without a word, and its number may be another file a
 * moment later. So this thread's waits are found by descriptor, and close() ends them first.
 */
#include "core/patch/wait.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/list.h"
#include "core/patch/plain.h"

#define BUCKETS 64

struct wait;

/* A descriptor that a task of this thread waits for. */
struct watched {
    struct hr_list link; /* in its bucket */
    int fd;
    struct wait *wait;
};

struct wait {
    hr_future *future;
    struct event *event; /* NULL: only the limit ends it */
    int set;             /* the epoll descriptor, or -1 */
    struct watched *watched, one;
    size_t count;
    hr_loop *loop;
    bool closed;
};

static _Thread_local struct hr_list buckets[BUCKETS];

/* A vfork()ed child, which closes what is its own, has our memory and another number. */
static pid_t process;

static void know_process(void)
{
    process = getpid();
}

__attribute__((constructor)) static void begin_process(void)
{
    know_process();
    pthread_atfork(NULL, NULL, know_process);
}

static struct hr_list *bucket_of(int fd)
{
    struct hr_list *bucket = &buckets[(unsigned)fd % BUCKETS];
    if (!bucket->next)
        hr_list_init(bucket);
    return bucket;
}

static void limit_passed(void *arg)
{
    struct hr__patch_limit *limit = arg;
    limit->timer = NULL;
    limit->passed = true;
    if (limit->waiting)
        hr_future_set_status(limit->waiting, 0);
}

bool hr__patch_limit_start(struct hr__patch_limit *limit, hr_usec span)
{
    if (span == HR_FOREVER)
        return true;
    limit->timer = hr_call_later(span, limit_passed, limit);
    if (!limit->timer)
        errno = ENOMEM;
    return limit->timer;
}

void hr__patch_limit_stop(struct hr__patch_limit *limit)
{
    hr_handle_cancel(hr_take(limit->timer));
}

static void ready(evutil_socket_t fd, short events, void *arg)
{
    hr_future_set_status(arg, 1);
}

/* Sets errno for one of our codes. */
static int failed(int code)
{
    errno = code > -1000 ? -code : EIO;
    return -1;
}

/* Has the loop watch a descriptor. False, and errno. */
static bool watch(struct wait *wait, int fd, short events)
{
    struct event_base *base = hr_loop_event_base(wait->loop);
    wait->event = base ? event_new(base, fd, events, ready, wait->future) : NULL;
    int r = wait->event ? hr_loop_event_add(wait->loop, wait->event) : -ENOMEM;
    if (r == 0)
        return true;
    failed(base ? r : hr_last_error()->code);
    return false;
}

/* What poll(2) and epoll(7) call alike; the rest they report unasked. */
#define EVENTS                                                                                     \
    (POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP)

/* What is asked of a descriptor in all the entries that have it. */
static uint32_t asked_of(int fd, const struct pollfd *fds, size_t count)
{
    uint32_t events = 0;
    for (size_t i = 0; i < count; i++) {
        if (fds[i].fd == fd)
            events |= (uint32_t)fds[i].events & EVENTS;
    }
    return events;
}

/* Makes the epoll descriptor for several. What it does not take is a file, which is ready anyway,
 * or not open: the caller has looked. */
static bool watch_several(struct wait *wait, const struct pollfd *fds, size_t count)
{
    wait->set = epoll_create1(EPOLL_CLOEXEC);
    if (wait->set < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = (uint32_t)fds[i].events & EVENTS};
        if (fds[i].fd < 0 || epoll_ctl(wait->set, EPOLL_CTL_ADD, fds[i].fd, &event) == 0)
            continue;
        if (errno == EEXIST) {
            event.events = asked_of(fds[i].fd, fds, count);
            epoll_ctl(wait->set, EPOLL_CTL_MOD, fds[i].fd, &event);
        } else if (errno != EPERM && errno != EBADF) {
            return false;
        }
    }
    return watch(wait, wait->set, EV_READ);
}

/* The events of libevent for one descriptor; 0 where they do not say the same. */
static short simple_events(const struct pollfd *fd)
{
    if (fd->events & ~(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM))
        return 0;
    short events = 0;
    if (fd->events & (POLLIN | POLLRDNORM))
        events |= EV_READ;
    if (fd->events & (POLLOUT | POLLWRNORM))
        events |= EV_WRITE;
    return events;
}

static bool begin(struct wait *wait, const struct pollfd *fds, size_t count)
{
    wait->watched = &wait->one;
    if (count > 1 && !(wait->watched = calloc(count, sizeof(*wait->watched))))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct watched *watched = &wait->watched[i];
        *watched = (struct watched){.fd = fds[i].fd, .wait = wait};
        hr_list_init(&watched->link);
        if (fds[i].fd >= 0)
            hr_list_append(bucket_of(fds[i].fd), &watched->link);
        wait->count++;
    }
    if (count == 0)
        return true;
    short simple = count == 1 && fds->fd >= 0 ? simple_events(fds) : 0;
    return simple ? watch(wait, fds->fd, simple) : watch_several(wait, fds, count);
}

static void end(struct wait *wait)
{
    hr_loop_event_free(wait->loop, wait->event);
    if (wait->set >= 0)
        hr__plain()->close(wait->set);
    for (size_t i = 0; i < wait->count; i++)
        hr_list_remove(&wait->watched[i].link);
    if (wait->watched != &wait->one)
        free(wait->watched);
    hr_future_unref(wait->future);
}

int hr__patch_wait(const struct pollfd *fds, size_t count, struct hr__patch_limit *limit)
{
    if (limit->passed)
        return 0;
    struct wait wait = {
        .set = -1,
        .loop = hr_running_loop(),
        .future = hr_future_new(NULL),
    };
    if (!wait.future)
        return failed(hr_last_error()->code);
    int r, error;
    if (begin(&wait, fds, count)) {
        limit->waiting = wait.future;
        r = hr_await(wait.future);
        limit->waiting = NULL;
        if (wait.closed && r >= 0)
            r = -EBADF;
        if (r < 0)
            r = failed(r);
        error = errno;
    } else {
        r = -1;
        error = errno;
    }
    end(&wait);
    errno = error;
    return r;
}

/* Ends the waits of this thread's loop for a descriptor that is about to be closed. */
static void end_waits(int fd)
{
    hr_loop *loop = hr_running_loop();
    if (fd < 0 || !loop)
        return;
    hr_list_foreach (node, bucket_of(fd)) {
        struct watched *watched = hr_list_entry(node, struct watched, link);
        struct wait *wait = watched->wait;
        if (watched->fd != fd || wait->closed || wait->loop != loop || getpid() != process)
            continue;
        wait->closed = true;
        hr_loop_event_free(loop, hr_take(wait->event));
        hr_future_set_status(wait->future, 1);
    }
}

HR_PUBLIC int close(int fd)
{
    end_waits(fd);
    return hr__plain()->close(fd);
}
