/* SPDX-License-Identifier: MIT */
/*
 * Lines out of bytes that come in pieces, none longer than a bound.
 */
#pragma once

#include "core/buf.h"

struct hr__lines {
    struct hr_buf buf;
    size_t max;   /* bytes of a line, its end not counted */
    size_t shown; /* of the line that was given out last, with its end */
    size_t seen;  /* bytes behind it without a line end */
};

void hr__lines_init(struct hr__lines *lines, size_t max);
void hr__lines_done(struct hr__lines *lines);

/* Room for at least one byte, to receive into; *ret_size of it may be used and are then committed.
 * 0 or -ENOMEM. With lines taken out as they come no more than max and a piece is ever held. */
int hr__lines_room(struct hr__lines *lines, char **ret, size_t *ret_size);
void hr__lines_commit(struct hr__lines *lines, size_t n);

/* The next line without its end, NUL-terminated, valid until the next call: 1; 0 when its end has
 * not come yet; -EMSGSIZE when it is longer than max, again and again until the rest is taken. */
int hr__lines_next(struct hr__lines *lines, const char **ret, size_t *ret_size);

/* What is there whatever it ends with, max bytes at most: 1, or 0 when there is nothing. */
int hr__lines_rest(struct hr__lines *lines, const char **ret, size_t *ret_size);

/* How much is held that was not given out. */
size_t hr__lines_held(const struct hr__lines *lines);

/* Moves up to size bytes out, whatever lines they are. */
size_t hr__lines_take(struct hr__lines *lines, void *bytes, size_t size);
