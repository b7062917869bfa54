/* SPDX-License-Identifier: MIT */
/*
 * select and pselect: sets of descriptors in, those that are ready out.
 *
 * The plain call looks, on copies of the sets, since it clears them. The task waits for the
 * descriptors one by one, in an array as of poll(2).
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "core/loop.h"
#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"
#include "core/patch/poll.h"
#include "core/patch/wait.h"

#define WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

enum { READ, WRITE, EXCEPT, KINDS };
static const short events_of[KINDS] = {POLLIN, POLLOUT, POLLPRI};

/* Sets may be longer than fd_set is: as long as the number of descriptors says. */
struct sets {
    int count;            /* of descriptors */
    size_t bytes;         /* of a set */
    fd_set *asked[KINDS]; /* the caller's; NULL: not wanted */
    char *found[KINDS];   /* NULL likewise */
    struct pollfd *fds;
    size_t fd_count;
    const sigset_t *mask;
    int signals; /* a descriptor, or -1 */
};

static bool asked(const struct sets *sets, int kind, int fd)
{
    const char *set = (const char *)sets->asked[kind];
    unsigned long word;
    if (!set)
        return false;
    memcpy(&word, set + (size_t)fd / WORD_BITS * sizeof(word), sizeof(word));
    return word >> ((size_t)fd % WORD_BITS) & 1;
}

static void add(struct sets *sets, int fd, short events)
{
    if (fd >= 0 && events)
        sets->fds[sets->fd_count++] = (struct pollfd){.fd = fd, .events = events};
}

/* Makes the copies and the array; one block of memory holds them all. NULL: there is none. */
static void *prepare(struct sets *sets)
{
    size_t count = (size_t)sets->count;
    sets->bytes = (count + WORD_BITS - 1) / WORD_BITS * sizeof(unsigned long);
    char *memory = calloc(1, (count + 1) * sizeof(*sets->fds) + KINDS * sets->bytes);
    if (!memory)
        return NULL;
    sets->fds = (struct pollfd *)memory;
    for (int kind = 0; kind < KINDS; kind++) {
        if (sets->asked[kind])
            sets->found[kind] = memory + (count + 1) * sizeof(*sets->fds) + kind * sets->bytes;
    }
    for (int fd = 0; fd < sets->count; fd++) {
        short events = 0;
        for (int kind = 0; kind < KINDS; kind++)
            events = asked(sets, kind, fd) ? (short)(events | events_of[kind]) : events;
        add(sets, fd, events);
    }
    add(sets, sets->signals, POLLIN);
    return memory;
}

static int look(const struct sets *sets)
{
    static const struct timespec at_once;
    for (int kind = 0; kind < KINDS; kind++) {
        if (sets->found[kind])
            memcpy(sets->found[kind], sets->asked[kind], sets->bytes);
    }
    return hr__plain()->pselect(sets->count, (fd_set *)sets->found[READ],
                                (fd_set *)sets->found[WRITE], (fd_set *)sets->found[EXCEPT],
                                &at_once, sets->mask);
}

static int look_waiting(const struct sets *sets, struct hr__patch_limit *limit)
{
    int r = look(sets);
    for (int wakes = 0; r == 0 && !limit->passed; wakes++) {
        /* An end that nobody asked about wakes poll(2) and not select(2). */
        if (wakes > 1 && hr_sleep(hr_ms(1)) < 0) {
            errno = ECANCELED;
            return -1;
        }
        /* What was closed meanwhile shows when the call looks. */
        if (hr__patch_wait(sets->fds, sets->fd_count, limit) < 0 && errno != EBADF)
            return -1;
        r = look(sets);
    }
    return r;
}

/* The caller's sets become what was found. */
static void answer(const struct sets *sets)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (sets->found[kind])
            memcpy(sets->asked[kind], sets->found[kind], sets->bytes);
    }
}

static int select_waiting(struct sets *sets, hr_usec span)
{
    struct hr__patch_limit limit = {0};
    sets->signals = hr__patch_signals(sets->mask);
    void *memory = prepare(sets);
    int r = -1;
    if (memory && hr__patch_limit_start(&limit, span))
        r = look_waiting(sets, &limit);
    int saved = errno;
    hr__patch_limit_stop(&limit);
    if (r >= 0)
        answer(sets);
    if (sets->signals >= 0)
        hr__plain()->close(sets->signals);
    free(memory);
    errno = saved;
    return r;
}

/* The span of a timeval; HR_FOREVER for NULL, negative when it is none. */
static hr_usec span_of(const struct timeval *timeout)
{
    if (!timeout)
        return HR_FOREVER;
    if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
        return -1;
    return hr_later(hr_seconds(timeout->tv_sec), timeout->tv_usec);
}

HR_PUBLIC int select(int count, fd_set *readable, fd_set *writable, fd_set *special,
                     struct timeval *timeout)
{
    hr_usec span = span_of(timeout);
    if (count < 0 || span <= 0 || !hr__patch_on(HR_PATCH_POLL))
        return hr__plain()->select(count, readable, writable, special, timeout);
    struct sets sets = {
        .count = count, .asked = {readable, writable, special}
    };
    hr_usec began = hr_now();
    int r = select_waiting(&sets, span);
    hr_usec gone = hr_now() - began;
    hr_usec left = gone < span ? span - gone : 0;
    if (timeout) /* as Linux does */
        *timeout = (struct timeval){left / 1000000, left % 1000000};
    return r;
}

HR_PUBLIC int pselect(int count, fd_set *readable, fd_set *writable, fd_set *special,
                      const struct timespec *timeout, const sigset_t *mask)
{
    hr_usec span = hr__patch_span(timeout);
    if (count < 0 || span <= 0 || !hr__patch_on(HR_PATCH_POLL))
        return hr__plain()->pselect(count, readable, writable, special, timeout, mask);
    struct sets sets = {
        .count = count, .asked = {readable, writable, special},
             .mask = mask
    };
    return select_waiting(&sets, span);
}
