/* SPDX-License-Identifier: MIT */
/*
 * Error records from the inside. Inside core/ only.
 */
#pragma once

#include <stdarg.h>

#include "core/error.h"

/* Writes a record of its own, without causes. */
void hr__error_write(struct hr_error *record, int code, const char *fmt, va_list args)
    hr_printf_like(3, 0);

/* Makes these the members of the running task's record, whose code it returns. */
int hr__error_adopt(struct hr_error *members, bool cut);

/* Puts a copy of cause behind the causes of the running task's record, unless one of them has its
 * code; returns the record's code. */
int hr__error_add_cause(const struct hr_error *cause);

/* Notes in the running task's record that a request had been sent. */
void hr__error_note_sent(void);

/* For a call that was handed NULL instead of what another should have made: the code in the
 * caller's record, where that one has left it; -EINVAL, with a record, when nothing has failed.
 * what names the thing. */
int hr__missing(const char *what);

/* Ends the program, as what cannot be undone and has no code was done; how says what, and what to
 * do instead, in the caller's words. */
_Noreturn void hr__misused(const char *how);

/* A copy on the heap, or NULL; frees a record on the heap with those that follow it. */
struct hr_error *hr__error_dup(const struct hr_error *error);
void hr__error_free(struct hr_error *error);
