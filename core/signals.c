/* SPDX-License-Identifier: MIT */
/*
 * How it works: the signal handler marks the signal and writes to the owning loop's eventfd, which
 * is all that a handler may do; the loop, woken or not asleep, then queues the callbacks.
 * libevent's own signals are not used: they need a socket pair and cannot be told to fire once.
 */
#include "core/signals.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/fork.h"

#define SIGNALS 65

struct slot {
    struct hr__ready ready;
    hr_callback *fn;
    void *arg;
    struct sigaction before;
    bool set, queued;
    atomic_int pending; /* the process that it came to: a child forked meanwhile is another */
    pid_t process;      /* while queued: the same */
};

static struct slot slots[SIGNALS];
static _Atomic(hr_loop *) owner; /* one loop a process owns signals */
static atomic_int owner_fd;
static size_t slots_set;

static void on_signal(int number)
{
    int saved_errno = errno;
    atomic_store(&slots[number].pending, getpid());
    eventfd_write(atomic_load(&owner_fd), 1);
    errno = saved_errno;
}

static void slot_run(struct hr__ready *entry, bool drop)
{
    struct slot *slot = hr_container_of(entry, struct slot, ready);
    slot->queued = false;
    if (!slot->set || drop || slot->process != getpid())
        return;
    hr__slice_of((const void *)slot->fn);
    slot->fn(slot->arg);
}

void hr__signals_deliver(hr_loop *loop)
{
    if (atomic_load_explicit(&owner, memory_order_relaxed) != loop)
        return;
    for (int number = 1; number < SIGNALS; number++) {
        struct slot *slot = &slots[number];
        if (!atomic_load_explicit(&slot->pending, memory_order_relaxed) || slot->queued)
            continue;
        slot->process = atomic_exchange(&slot->pending, 0);
        slot->queued = true;
        hr__ready_append(&loop->ready, &slot->ready);
    }
}

void hr__signals_wake(hr_loop *loop)
{
    if (atomic_load(&owner) != loop)
        return;
    atomic_store(&owner_fd, loop->wake_fd);
    eventfd_write(loop->wake_fd, 1); /* for what came meanwhile */
}

void hr__signals_forked(void)
{
    atomic_store(&owner_fd, -1);
}

int hr__signal_add(hr_loop *loop, int number, int flags, hr_callback *fn, void *arg)
{
    if (number <= 0 || number >= SIGNALS)
        return hr_fail(-EINVAL, "there is no signal %d", number);
    if (!fn)
        return hr_fail(-EINVAL, "a signal handler without a function");
    int r = hr__poll_own(loop);
    if (r < 0)
        return r;
    hr_loop *nobody = NULL;
    if (!atomic_compare_exchange_strong(&owner, &nobody, loop) && nobody != loop)
        return hr_fail(-EBUSY, "another loop of this process owns signals");
    atomic_store(&owner_fd, loop->wake_fd);

    struct slot *slot = &slots[number];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | flags};
    sigfillset(&action.sa_mask);
    if (sigaction(number, &action, slot->set ? NULL : &slot->before) < 0) {
        int code = -errno;
        if (slots_set == 0)
            atomic_store(&owner, NULL);
        return hr_fail(code, "signal %d cannot be handled: %s", number, hr_error_text(code));
    }
    if (!slot->set) {
        slot->set = true;
        slots_set++;
    }
    slot->ready.run = slot_run;
    slot->fn = fn;
    slot->arg = arg;
    return 0;
}

int hr_add_signal_handler(int number, hr_callback *fn, void *arg)
{
    hr_loop *loop = hr__loop_for(NULL);
    return loop ? hr__signal_add(loop, number, 0, fn, arg) : hr_last_error()->code;
}

bool hr__signal_remove(hr_loop *loop, int number, hr_callback *fn)
{
    if (number <= 0 || number >= SIGNALS || atomic_load(&owner) != loop || !slots[number].set)
        return false;
    struct slot *slot = &slots[number];
    if (fn && slot->fn != fn)
        return false;
    sigaction(number, &slot->before, NULL);
    slot->set = false;
    atomic_store(&slot->pending, 0);
    if (--slots_set == 0)
        atomic_store(&owner, NULL);
    return true;
}

bool hr_remove_signal_handler(int number)
{
    return hr__signal_remove(hr__loop_running, number, NULL);
}

void hr__signals_close(hr_loop *loop)
{
    for (int number = 1; number < SIGNALS; number++)
        hr__signal_remove(loop, number, NULL);
}
