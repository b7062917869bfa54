/* SPDX-License-Identifier: MIT */
/*
 * A new thread inherits the mask of the one that makes it, so that it never runs with another.
 *
 * A fault that is blocked ends the process without asking any handler: neither ours, which names
 * the task that ran out of stack, nor the program's.
 */
#include "core/thread.h"

#include <signal.h>

#include "core/base.h"

int hr__thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t mask, before;
    sigfillset(&mask);
    for (size_t i = 0; i < HR_ARRAY_LEN(faults); i++)
        sigdelset(&mask, faults[i]);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int r = pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}
