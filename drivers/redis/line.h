/* SPDX-License-Identifier: MIT */
/*
 * Who stands in line for replies: the n-th command that was asked gets the n-th reply.
 *
 * A place is numbered for good. It knows how many bytes its command has, so that what the kernel
 * took tells which commands have left: that is what separates "never sent" from "sent, and no
 * telling".
 */
#pragma once

#include "core/base.h"

struct hr__redis_call;

struct hr__redis_place {
    struct hr__redis_call *call; /* NULL: nobody wants the reply any more */
    size_t len;                  /* bytes of the command; 0: it was taken back, no reply comes */
    size_t more;                 /* replies to come before the last */
};

/* Starts as { 0 }. head ≤ sent ≤ tail; places before sent have left whole. */
struct hr__redis_line {
    struct hr__redis_place *places;
    size_t capacity; /* a power of two */
    uint64_t head, sent, tail;
    size_t partial; /* bytes of place sent that have left */
};

void hr__redis_line_done(struct hr__redis_line *line);

/* Room for twice as many: 0 or -ENOMEM. */
int hr__redis_line_grow(struct hr__redis_line *line);

/* The kernel took n more bytes. */
void hr__redis_line_written(struct hr__redis_line *line, size_t n);

/* Takes a place back whose command has not begun to leave: returns its bytes and where they stand
 * in what is not written yet; 0 when it is too late. */
size_t hr__redis_line_take_back(struct hr__redis_line *line, uint64_t place, size_t *ret_offset);

/* The reply of this place will be nobody's. */
void hr__redis_line_forget(struct hr__redis_line *line, uint64_t place);

static inline struct hr__redis_place *hr__redis_line_at(const struct hr__redis_line *line,
                                                        uint64_t place)
{
    return &line->places[place & (line->capacity - 1)];
}

static inline bool hr__redis_line_empty(const struct hr__redis_line *line)
{
    return line->head == line->tail;
}

/* A command has left and its reply has not come. */
static inline bool hr__redis_line_due(const struct hr__redis_line *line)
{
    return line->head < line->sent;
}

/* The server has something to do for us: a command has left, at least in part. */
static inline bool hr__redis_line_begun(const struct hr__redis_line *line)
{
    return line->head < line->sent || line->partial > 0;
}

/* Makes sure that one more can join: 0 or -ENOMEM. */
static inline int hr__redis_line_reserve(struct hr__redis_line *line)
{
    return hr_likely(line->tail - line->head < line->capacity) ? 0 : hr__redis_line_grow(line);
}

/* Joins at the end, with a command of len > 0 bytes that gets more replies before its last; there
 * has to be room. Returns the place. */
static inline uint64_t hr__redis_line_join(struct hr__redis_line *line, struct hr__redis_call *call,
                                           size_t len, size_t more)
{
    hr_assert(len > 0 && line->tail - line->head < line->capacity);
    *hr__redis_line_at(line, line->tail) = (struct hr__redis_place){call, len, more};
    return line->tail++;
}

/* Takes the first out of the line; only when replies are due. NULL: nobody wants it. */
static inline struct hr__redis_call *hr__redis_line_pop(struct hr__redis_line *line)
{
    hr_assert(hr__redis_line_due(line));
    struct hr__redis_call *call = hr__redis_line_at(line, line->head)->call;
    do {
        line->head++;
    } while (line->head < line->sent && hr__redis_line_at(line, line->head)->len == 0);
    return call;
}

/* Takes one of several replies of the first in line, not the last: true, and who wants it (NULL:
 * nobody). Only when replies are due. */
static inline bool hr__redis_line_take_part(struct hr__redis_line *line,
                                            struct hr__redis_call **ret)
{
    hr_assert(hr__redis_line_due(line));
    struct hr__redis_place *first = hr__redis_line_at(line, line->head);
    if (hr_likely(first->more == 0))
        return false;
    first->more--;
    *ret = first->call;
    return true;
}
