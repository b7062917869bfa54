/* SPDX-License-Identifier: MIT */
/*
 * Who stands in line for replies: the n-th command that was asked gets the n-th reply.
 *
 * A place knows how many bytes its command has, so that what the kernel took tells which commands
 * have left: that is what separates "never sent" from "sent, and no telling". Its number is its own
 * once the command has begun to leave; until then it moves up where others are taken back.
 */
#pragma once

#include "core/base.h"

struct hr__redis_call;

struct hr__redis_place {
    struct hr__redis_call *call; /* NULL: nobody wants the reply any more; where the command has
                                    not begun to leave, it was taken back */
    size_t len;                  /* bytes of the command */
    size_t more;                 /* replies to come before the last */
};

/* Starts as { 0 }. head ≤ sent ≤ tail; places before sent have left whole. */
struct hr__redis_line {
    struct hr__redis_place *places;
    size_t capacity; /* a power of two */
    uint64_t head, sent, tail;
    size_t partial; /* bytes of place sent that have left */
    size_t back;    /* bytes of commands that were taken back: to be tidied up before any is sent */
};

void hr__redis_line_done(struct hr__redis_line *line);

/* Room for twice as many: 0 or -ENOMEM. */
int hr__redis_line_grow(struct hr__redis_line *line);

/* The kernel took n more bytes. */
void hr__redis_line_written(struct hr__redis_line *line, size_t n);

/* Takes a command back that has not begun to leave. False: it is too late. Its bytes and its place
 * stay until the line is tidied up. */
bool hr__redis_line_take_back(struct hr__redis_line *line, uint64_t place);

/* Drops what was taken back from the line and from the bytes that are not written yet; the rest
 * moves up, and the calls learn their new places. Returns how many bytes fewer there are. */
size_t hr__redis_line_tidy(struct hr__redis_line *line, char *bytes);

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
    return hr__redis_line_at(line, line->head++)->call;
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
