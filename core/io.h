/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: a task waits until one is readable or writable.
 *
 * The read side stays registered between waits (adding and deleting costs two system calls), the
 * write side is armed on demand. Free the hr_io before closing its descriptor. To read and write
 * through one: core/transfer.h.
 */
#pragma once

#include "core/loop.h"

typedef struct hr_io hr_io;

enum hr_io_direction { HR_READ = 1, HR_WRITE = 2 };

/* Watches fd, a non-blocking descriptor that stays the caller's, on the running loop. NULL, with a
 * record: -ENOMEM, HR_ENOLOOP, -EPERM (a file or folder, which the kernel does not watch), -EBADF.
 * One that outlives its loop can be freed, no more. */
HR_PUBLIC hr_owned hr_io *hr_io_new(int fd);

/* Stops watching; a task that still waits gets HR_ECLOSED. Returns NULL. */
HR_PUBLIC hr_io *hr_io_free(hr_io *io);
HR_PUBLIC void hr_io_freep(hr_io **io);

/* Waits until the descriptor is ready for one of the directions (OR them), which is returned. One
 * waiter a direction at a time (else -EBUSY). May return when a read or write still gives EAGAIN.
 *   -ECANCELED   the task was cancelled
 *   HR_ECLOSED   hr_io_free() was called meanwhile
 *   -EBADF · -ENOSPC · …   the kernel does not watch it: closed meanwhile, too many are watched
 *   -EMFILE · -ENFILE      in a forked child that gets no epoll of its own (core/loop.h)
 *   HR_ENOTASK · HR_EWRONGLOOP · -EINVAL · -ENOMEM   misuse; no memory */
HR_PUBLIC hr_async int hr_io_wait(hr_io *io, int directions);

/* The same; hr_dump_tasks() says that the task waits for what, as hr_event_wait_as() has it. */
HR_PUBLIC hr_async int hr_io_wait_as(hr_io *io, int directions, const char *what);

/* The descriptor that it watches. */
HR_PUBLIC int hr_io_fd(const hr_io *io);

/* One-off form for a descriptor that is not kept: registers, waits, removes. Codes of both. */
HR_PUBLIC hr_async int hr_wait_fd(int fd, int directions);

/* Connects a fresh non-blocking socket to the address: *ret is the descriptor, with TCP_NODELAY and
 * keepalive on TCP. 0; or -errno of socket(2) or connect(2), -ECANCELED, or HR_ENOTASK; on
 * failure nothing is open. */
struct sockaddr;
HR_PUBLIC hr_async int hr_connect(const struct sockaddr *address, unsigned len, int *ret);
