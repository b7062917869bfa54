/* SPDX-License-Identifier: MIT */
/*
 * Commands become bytes, straight into the buffer that is sent.
 */
#pragma once

#include <stdarg.h>
#include <string.h>

#include "core/buf.h"
#include "drivers/redis/reply.h"

/* A command in one of its three forms: a format with its arguments, an array, or bytes that were
 * formatted before. Everything is borrowed. */
struct hr__redis_request {
    const char *fmt;
    va_list *args;
    size_t argc;
    const char *const *argv;
    const size_t *lens; /* NULL: argv holds strings */
    const char *data;   /* bytes, and how many */
    size_t len;
    size_t more;      /* replies that come before the last: bytes may hold several commands */
    hr_reply **parts; /* where they go; NULL: there are none */
};

/* A word of a command that is an array. NULL: that is what stands there, and not for an empty
 * one. */
static inline const char *hr__redis_argv_at(const struct hr__redis_request *request, size_t i,
                                            size_t *ret_len)
{
    const char *word = request->argv[i];
    *ret_len = request->lens ? request->lens[i] : word ? strlen(word) : 1;
    return word || *ret_len > 0 ? word : "";
}

/* Appends the command; as often as one likes. 0; -EINVAL (format, no words) or -ENOMEM: nothing was
 * appended. */
int hr__redis_format(struct hr_buf *out, const struct hr__redis_request *request);

#define HR__REDIS_COMMAND_MAX 24

/* What a command is called, for messages, as far as ret has room: the first word. Where bytes hold
 * several, the one that has n before it. Empty where a format has its arguments say it, and where
 * there is none: while it waits for room it has not been looked at. */
void hr__redis_name_command(const struct hr__redis_request *request, size_t n,
                            char ret[HR__REDIS_COMMAND_MAX]);
