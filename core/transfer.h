/* SPDX-License-Identifier: MIT */
/*
 * Bytes through a watched descriptor: a task reads what comes, and writes all it has.
 *
 * For pipes, sockets and terminals. A peer that is gone is the code -EPIPE, never a SIGPIPE,
 * whatever the program has set for that signal.
 */
#pragma once

#include <sys/types.h>

#include "core/io.h"

/* Reads at most size bytes (> 0), waiting until there are some. How many, 0 at the end; or -errno
 * of read(2), or as hr_io_wait(): then nothing was read. */
HR_PUBLIC hr_async ssize_t hr_io_read(hr_io *io, void *bytes, size_t size);

/* Writes all of them, waiting as often as it takes. 0; or -errno of write(2) (-EPIPE: nobody reads
 * any more), or as hr_io_wait(). How many had gone by then is added to *written in every case; NULL
 * where that does not matter. */
HR_PUBLIC hr_async int hr_io_write(hr_io *io, const void *bytes, size_t size, size_t *written);

/* write(2) for threads and descriptors that nobody watches: how many, or -errno, and no SIGPIPE. */
HR_PUBLIC ssize_t hr_write_quietly(int fd, const void *bytes, size_t size);
