/* SPDX-License-Identifier: MIT */
/*
 * A thread of the runtime's own: signals that are sent are for the program's threads to take.
 * Inside core/ only.
 */
#pragma once

#include <pthread.h>

/* Starts it with every signal blocked but those that a fault of its own raises. 0 and *ret, or
 * -EAGAIN. */
int hr__thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);
