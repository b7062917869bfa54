/* SPDX-License-Identifier: MIT */
/*
 * Streams of a simulated world: two socket pairs, and somebody in the middle who carries bytes.
 *
 *     program  fd ═══ far    way 0 ──▸    far ═══ fd  peer
 *                  end 0     ◂── way 1      end 1
 *
 * How it works: at each look, what a side wrote is taken from the far socket of its end, given a
 * moment at which it will arrive, and written to the far socket of the other end once that moment
 * has come, a piece of it at a time. The end of a stream travels behind the bytes. All of it
 * happens between slices, in the order of the streams, so that the kernel has nothing to decide.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/loop_impl.h"
#include "core/sim_impl.h"

#define BUFFER_SIZE 16384

/* From end n to the other. */
struct way {
    size_t length; /* bytes under way */
    bool ends;     /* nothing comes after them */
    bool ended;    /* and whoever reads was told */
    bool full;     /* the reader's socket took no more at the last look */
    hr_usec due;   /* when the next piece, or the end, arrives */
    char bytes[BUFFER_SIZE];
};

struct end {
    int fd;       /* the user's, who closes it */
    ino_t number; /* by which it is told from another descriptor of that number */
    int far;      /* ours */
};

struct stream {
    struct hr_list link;
    struct hr_sim *sim;
    unsigned number;
    bool silent, over;
    struct end ends[2];
    struct way ways[2];
};

static struct stream *stream_of(struct hr_list *node)
{
    return hr_list_entry(node, struct stream, link);
}

static void stream_free(struct stream *stream)
{
    close(stream->ends[0].far);
    close(stream->ends[1].far);
    hr_list_remove(&stream->link);
    free(stream);
}

/* Whether its user has not closed it yet. */
static bool is_open(const struct end *end)
{
    struct stat status;
    return fstat(end->fd, &status) == 0 && status.st_ino == end->number;
}

/* A unix socket gets -ECONNRESET when its peer is closed with something unread: so there is. */
static void reset(struct stream *stream)
{
    for (int n = 0; n < 2; n++) {
        if (is_open(&stream->ends[n]))
            (void)!send(stream->ends[n].fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    hr__sim_event(stream->sim, "stream %u is reset", stream->number);
    stream->over = true;
}

static void silence(struct stream *stream)
{
    hr__sim_event(stream->sim, "stream %u falls silent", stream->number);
    stream->silent = true;
}

/* Takes up what was written at that end. */
static void take_up(struct stream *stream, int from)
{
    struct way *way = &stream->ways[from];
    if (way->ends || way->length == BUFFER_SIZE)
        return;
    ssize_t n = recv(stream->ends[from].far, way->bytes + way->length, BUFFER_SIZE - way->length,
                     MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (way->length == 0)
        way->due = stream->sim->now + hr__sim_latency(stream->sim);
    if (n > 0)
        way->length += (size_t)n;
    else
        way->ends = true; /* closed, with or without something unread */
}

/* Puts a piece, or the end, down at the other end. */
static void put_down(struct stream *stream, int from)
{
    struct hr_sim *sim = stream->sim;
    struct way *way = &stream->ways[from];
    int far = stream->ends[!from].far;
    if (way->length == 0) {
        hr__sim_event(sim, "stream %u: way %d ends", stream->number, from);
        shutdown(far, SHUT_WR);
        way->ended = true;
        return;
    }
    size_t piece = sim->options.whole ? way->length : 1 + hr__sim_below(sim, way->length);
    ssize_t n = send(far, way->bytes, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
    way->full = n < 0 && errno == EAGAIN;
    if (way->full)
        return;
    size_t gone = n < 0 ? way->length : (size_t)n; /* nobody reads any more: like a closed port */
    hr__sim_event(sim, "stream %u: way %d brings %zd of %zu", stream->number, from, n, way->length);
    way->length -= gone;
    memmove(way->bytes, way->bytes + gone, way->length);
    way->due = sim->now + hr__sim_latency(sim);
    if (n < 0 && stream->ways[!from].ends)
        stream->over = true;
    else if (hr__sim_chance(sim, sim->options.resets))
        reset(stream);
    else if (hr__sim_chance(sim, sim->options.silences))
        silence(stream);
}

/* Whether something will arrive on that way by itself. */
static bool under_way(const struct stream *stream, int from)
{
    const struct way *way = &stream->ways[from];
    return !stream->silent && !way->full && (way->length > 0 || (way->ends && !way->ended));
}

void hr__sim_carry(struct hr_sim *sim)
{
    struct hr_list *next;
    for (struct hr_list *node = sim->streams.next; node != &sim->streams; node = next) {
        struct stream *stream = stream_of(node);
        next = node->next;
        for (int from = 0; from < 2 && !stream->silent && !stream->over; from++) {
            take_up(stream, from);
            stream->ways[from].full = false;
            if (under_way(stream, from) && stream->ways[from].due <= sim->now)
                put_down(stream, from);
        }
        if (stream->over || (stream->ways[0].ended && stream->ways[1].ended))
            stream_free(stream);
    }
}

hr_usec hr__sim_due(const struct hr_sim *sim)
{
    hr_usec due = HR_FOREVER;
    hr_list_foreach (node, &sim->streams) {
        struct stream *stream = stream_of(node);
        for (int from = 0; from < 2; from++) {
            if (under_way(stream, from) && stream->ways[from].due < due)
                due = stream->ways[from].due;
        }
    }
    return due;
}

static struct stream *find_stream(struct hr_sim *sim, int fd)
{
    for (struct hr_list *node = sim->streams.prev; node != &sim->streams; node = node->prev) {
        struct stream *stream = stream_of(node);
        for (int n = 0; n < 2; n++) {
            if (stream->ends[n].fd == fd && is_open(&stream->ends[n]))
                return stream;
        }
    }
    return NULL;
}

int hr__sim_ready(struct hr_world *world, int fd, int directions)
{
    struct hr_sim *sim = hr_container_of(world, struct hr_sim, world);
    struct pollfd one = {.fd = fd};
    if (directions == 0)
        return find_stream(sim, fd) ? 0 : -ENOENT;
    if (hr__sim_chance(sim, sim->options.spurious))
        return directions;
    one.events =
        (short)((directions & HR_READ ? POLLIN : 0) | (directions & HR_WRITE ? POLLOUT : 0));
    if (poll(&one, 1, 0) <= 0)
        return 0;
    if (one.revents & (POLLERR | POLLHUP | POLLNVAL))
        return directions;
    return (one.revents & POLLIN ? HR_READ : 0) | (one.revents & POLLOUT ? HR_WRITE : 0);
}

int hr_sim_stream(int ret[2])
{
    struct hr_sim *sim = hr_sim_here();
    if (!sim)
        return hr_fail(-EINVAL, "not in a simulated world");
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return hr_fail(-ENOMEM, "no memory for a stream");
    int pairs[2][2];
    for (int n = 0; n < 2; n++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pairs[n]) < 0) {
            int code = -errno;
            if (n > 0) {
                close(pairs[0][0]);
                close(pairs[0][1]);
            }
            free(stream);
            return hr_fail(code, "socketpair: %s", hr_error_text(code));
        }
    }
    for (int n = 0; n < 2; n++) {
        struct stat status = {0};
        fstat(pairs[n][0], &status);
        stream->ends[n] = (struct end){pairs[n][0], status.st_ino, pairs[n][1]};
        ret[n] = pairs[n][0];
    }
    stream->sim = sim;
    stream->number = ++sim->streams_made;
    hr_list_append(&sim->streams, &stream->link);
    return 0;
}

void hr_sim_reset(int fd)
{
    struct hr_sim *sim = hr_sim_here();
    struct stream *stream = sim ? find_stream(sim, fd) : NULL;
    if (!stream)
        return;
    reset(stream);
    stream_free(stream);
}

void hr_sim_silence(int fd)
{
    struct hr_sim *sim = hr_sim_here();
    struct stream *stream = sim ? find_stream(sim, fd) : NULL;
    if (stream)
        silence(stream);
}

void hr__sim_streams_done(struct hr_sim *sim)
{
    while (!hr_list_empty(&sim->streams))
        stream_free(stream_of(sim->streams.next));
}
