/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log wait here for a thread that writes them, as nobody may be reading: a full pipe
 * or a journal that hangs stops that thread, not the loop.
 *
 * What waits is bounded. Lines beyond that are dropped and counted, and how many were is a line of
 * its own once the log is read again.
 */
#pragma once

#include "core/base.h"
#include "daemon/errors.h"

/* A line, with what the journal keeps beside it. Its texts lie in the same piece of memory. */
struct log_entry {
    struct log_entry *next;
    size_t size;            /* of that piece */
    int level;              /* of syslog(3) */
    enum error_class class; /* of a line about a job */
    const char *job;        /* NULL: about none */
    const char *text;
};

/* Writes one line; may wait for as long as it takes. */
typedef void log_write_fn(const struct log_entry *entry);

/* Starts the thread. Where there can be none, every line is written by whoever has it. */
void log_writer_start(log_write_fn *write);

/* Takes an entry that malloc() made, to be written and freed by the thread; NULL, for want of
 * memory, counts as a dropped line. For any thread; does not wait. False: no thread runs, and the
 * entry is still the caller's. */
bool log_writer_put(struct log_entry *entry);

/* Gives the thread so long to write what waits, and ends it. One that is stuck is left
 * behind; then this may be called again. */
void log_writer_stop(hr_usec patience);
