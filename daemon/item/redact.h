/* SPDX-License-Identifier: MIT */
/*
 * Secrets stay out of the log: the values of fields of some names (log.redact) are blanked in a
 * dead letter that is written where the log is, on standard error.
 */
#pragma once

#include "daemon/item/deadletter.h"

/* Names of fields, at whatever depth; case does not matter. */
struct redact {
    const char *const *names;
    size_t n;
};

/* Blanks the payload's fields of these names, and error message and value where they are about one
 * or hold its value; a payload without such fields stays as it is, byte for byte. One that is not
 * JSON although it should be (json) is blanked whole when a name stands in it. New texts lie in the
 * arena. 0, -E2BIG (the arena's limit) or -ENOMEM. */
int redact_letter(const struct redact *redact, struct arena *arena, bool json,
                  struct deadletter *letter);
