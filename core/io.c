/* SPDX-License-Identifier: MIT */
/*
 * How it works: each direction has a libevent event and at most one waiter. The read event stays
 * armed when its waiter has been woken, since the next wait mostly follows at once; if the
 * descriptor becomes readable while nobody waits, it is disarmed until somebody does. The write
 * event fires once and is armed anew for each wait. A direction of which the loop's world knows
 * better has no event: it stands in the loop's list instead. A loop that closes takes back all that
 * is watched on it, so that to free an hr_io afterwards is to give back memory.
 */
#include "core/io.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/park.h"

struct side {
    struct event *event; /* made at the first wait */
    struct hr__fake fake;
    struct hr__waiter *waiter;
    int direction;
    bool armed;
};

struct hr_io {
    hr_loop *loop;
    struct hr_list link; /* in the loop's list */
    int fd;
    struct side read, write;
};

static bool kernel_watches(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return hr_fail(-errno, "descriptor %d: %s", fd, hr_error_text(-errno)) == 0;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
        return hr_fail(-EPERM, "descriptor %d is a file: the kernel cannot watch it", fd) == 0;
    return true;
}

static void unwatch(hr_loop *loop, struct side *side)
{
    hr_loop_event_free(loop, hr_take(side->event));
    hr_list_remove(&side->fake.link);
    side->armed = false;
}

/* Tasks that were left at the end of the loop never run again. */
static void close_all(hr_loop *loop)
{
    for (struct hr_list *node; (node = hr_list_pop(&loop->ios));) {
        hr_io *io = hr_list_entry(node, hr_io, link);
        unwatch(loop, &io->read);
        unwatch(loop, &io->write);
        io->read.waiter = io->write.waiter = NULL;
    }
}

hr_io *hr_io_new(int fd)
{
    hr_loop *loop = hr__loop_for(NULL);
    if (!loop)
        return NULL;
    if (!hr__world_owns(loop, fd) && !kernel_watches(fd))
        return NULL;
    hr_io *io = malloc(sizeof(*io));
    if (!io) {
        hr_fail(-ENOMEM, "no memory to watch a descriptor");
        return NULL;
    }
    *io = (hr_io){
        .loop = loop,
        .fd = fd,
        .read.direction = HR_READ,
        .write.direction = HR_WRITE,
    };
    hr_list_init(&io->read.fake.link);
    hr_list_init(&io->write.fake.link);
    hr_list_append(&loop->ios, &io->link);
    loop->close_ios = close_all;
    loop->watches++;
    return io;
}

static void side_free(hr_loop *loop, struct side *side)
{
    unwatch(loop, side);
    if (side->waiter) {
        hr__wake(side->waiter, HR_ECLOSED);
        side->waiter->result = HR_ECLOSED; /* also if it was woken before and has not run yet */
    }
}

hr_io *hr_io_free(hr_io *io)
{
    if (!io)
        return NULL;
    hr_loop *loop = io->loop;
    side_free(loop, &io->read);
    side_free(loop, &io->write);
    hr_list_remove(&io->link);
    free(io);
    loop->watches--;
    hr__loop_release(loop);
    return NULL;
}

int hr_io_fd(const hr_io *io)
{
    return io->fd;
}

void hr_io_freep(hr_io **io)
{
    *io = hr_io_free(*io);
}

static void fired(evutil_socket_t fd, short events, void *arg)
{
    struct side *side = arg;
    if (side->direction == HR_WRITE) {
        side->armed = false;
    } else if (!side->waiter) {
        if (side->event)
            event_del(side->event);
        side->armed = false;
    }
    if (!side->armed)
        hr_list_remove(&side->fake.link);
    if (!side->waiter)
        return;
    if (side->waiter->woken && side->waiter->result > 0)
        side->waiter->result |= side->direction; /* both at once */
    else
        hr__wake(side->waiter, side->direction);
}

static void fake_fired(struct hr__fake *fake)
{
    fired(fake->fd, 0, hr_container_of(fake, struct side, fake));
}

static int arm(hr_io *io, struct side *side)
{
    if (side->armed)
        return 0;
    if (!side->event && hr__world_owns(io->loop, io->fd)) {
        side->fake.fd = io->fd;
        side->fake.direction = side->direction;
        side->fake.fired = fake_fired;
        hr_list_append(&io->loop->faked, &side->fake.link);
        side->armed = true;
        return 0;
    }
    int r = hr__poll_own(io->loop);
    if (r < 0)
        return r;
    if (!side->event) {
        short events = side->direction == HR_READ ? EV_READ | EV_PERSIST : EV_WRITE;
        side->event = event_new(io->loop->base, io->fd, events, fired, side);
        if (!side->event)
            return hr_fail(-ENOMEM, "no memory to watch a descriptor");
    }
    r = hr_loop_event_add(io->loop, side->event);
    side->armed = r == 0;
    return r;
}

int hr__io_check_loop(const hr_io *io)
{
    if (hr_likely(io->loop == hr__loop_running))
        return 0;
    return hr_fail(HR_EWRONGLOOP, "the descriptor is watched by another loop");
}

static int check(hr_io *io, int directions)
{
    int r = hr__io_check_loop(io);
    if (r < 0)
        return r;
    if (!directions || (directions & ~(HR_READ | HR_WRITE)))
        return hr_fail(-EINVAL, "no such direction: %d", directions);
    if ((directions & HR_READ && io->read.waiter) || (directions & HR_WRITE && io->write.waiter))
        return hr_fail(-EBUSY, "another task waits for descriptor %d already", io->fd);
    return 0;
}

int hr_io_wait_as(hr_io *io, int directions, const char *what)
{
    struct hr__waiter waiter;
    int r = hr__waiter_init(&waiter);
    if (r == 0)
        r = check(io, directions);
    if (r == 0 && directions & HR_READ)
        r = arm(io, &io->read);
    if (r == 0 && directions & HR_WRITE)
        r = arm(io, &io->write);
    if (r < 0)
        return r;

    if (directions & HR_READ)
        io->read.waiter = &waiter;
    if (directions & HR_WRITE)
        io->write.waiter = &waiter;
    r = hr__park(&waiter, what);
    if (waiter.woken && waiter.result == HR_ECLOSED) { /* io is gone */
        if (r == HR_ECLOSED)
            hr_fail(r, "the descriptor's watch was freed");
        return r;
    }
    if (directions & HR_READ)
        io->read.waiter = NULL;
    if (directions & HR_WRITE)
        io->write.waiter = NULL;
    return r;
}

int hr_io_wait(hr_io *io, int directions)
{
    static const char *const names[] = {"", "a readable fd", "a writable fd", "a ready fd"};
    return hr_io_wait_as(io, directions, names[directions & (HR_READ | HR_WRITE)]);
}

int hr_wait_fd(int fd, int directions)
{
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(fd);
    return io ? hr_io_wait(io, directions) : hr_last_error()->code;
}

static void closep(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* The descriptor is the caller's from now on: closep() leaves it alone. */
static int take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* A unix socket whose listener is behind gives EAGAIN, and no descriptor ever becomes ready. */
static int connect_retrying(int fd, const struct sockaddr *address, socklen_t len)
{
    for (hr_usec pause = hr_ms(1);; pause = pause < hr_ms(32) ? pause * 2 : pause) {
        if (connect(fd, address, len) == 0)
            return 0;
        if (errno != EAGAIN || address->sa_family != AF_UNIX)
            return -errno;
        int r = hr_sleep(pause);
        if (r < 0)
            return r;
    }
}

static int finish_connect(int fd)
{
    int r = hr_wait_fd(fd, HR_WRITE);
    if (r < 0)
        return r;
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

int hr_connect(const struct sockaddr *address, unsigned len, int *ret)
{
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "only a task can wait");
    struct hr_world *world = hr__loop_running->world;
    if (world && world->connect) {
        int r = world->connect(world, address, len, ret);
        if (r != -ENOENT)
            return r;
    }
    hr_auto(closep) int fd =
        socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return hr_fail(-errno, "socket: %s", hr_error_text(-errno));
    if (address->sa_family != AF_UNIX) {
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    }
    int r = connect_retrying(fd, address, len);
    if (r == -EINPROGRESS || r == -EINTR)
        r = finish_connect(fd);
    if (r < 0)
        return r == -ECANCELED ? r : hr_fail(r, "connect: %s", hr_error_text(r));
    *ret = take(&fd);
    return 0;
}
