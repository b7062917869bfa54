/* SPDX-License-Identifier: MIT */
/*
 * The log: to the journal with fields of its own, or to standard error, one line an event.
 *
 * Logged once, where it is decided what happens next. Class, code and column may stand in a line;
 * values of items and server texts that quote them may not. What is no UTF-8 or would move a cursor
 * is replaced.
 */
#pragma once

#include <syslog.h>

#include "core/loop.h"
#include "daemon/errors.h"
#include "daemon/settings.h"

/* Until it is called, everything from level info on goes to standard error. From then on lines are
 * handed to a thread: logging never waits (daemon/log_writer.h). */
void log_open(enum log_to to, int level);

/* Waits a second at most for the lines that are still to be written. */
void log_close(void);

void log_line(int level, const char *fmt, ...) hr_printf_like(2, 3);

/* A line about a job, with the fields HEADRACE_JOB and HEADRACE_CLASS in the journal. */
void log_job(int level, const char *job, enum error_class class, const char *fmt, ...)
    hr_printf_like(4, 5);

/* What a loop reports, as a warning: an error that nobody read, a slice that took long. Server
 * texts that may quote items stay out. For hr_loop_set_report(). */
void log_report(const struct hr_report *report, void *cookie);

#define log_err(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
