/* SPDX-License-Identifier: MIT */
/*
 * The line is a ring that doubles when it is full. What is taken back is only marked, and dropped
 * together later, so that to take back many commands is not to move the others as many times.
 */
#include "drivers/redis/line.h"

#include <errno.h>
#include <string.h>

#include "drivers/redis/conn.h"

#define CAPACITY_MIN 16

void hr__redis_line_done(struct hr__redis_line *line)
{
    free(line->places);
    *line = (struct hr__redis_line){0};
}

int hr__redis_line_grow(struct hr__redis_line *line)
{
    struct hr__redis_line wider = *line;
    wider.capacity = line->capacity > 0 ? line->capacity * 2 : CAPACITY_MIN;
    wider.places = calloc(wider.capacity, sizeof(*wider.places));
    if (!wider.places)
        return -ENOMEM;
    for (uint64_t place = line->head; place < line->tail; place++)
        *hr__redis_line_at(&wider, place) = *hr__redis_line_at(line, place);
    free(line->places);
    *line = wider;
    return 0;
}

void hr__redis_line_written(struct hr__redis_line *line, size_t n)
{
    hr_assert(line->back == 0);
    while (n > 0) {
        hr_assert(line->sent < line->tail);
        size_t left = hr__redis_line_at(line, line->sent)->len - line->partial;
        if (n < left) {
            line->partial += n;
            return;
        }
        n -= left;
        line->partial = 0;
        line->sent++;
    }
}

bool hr__redis_line_take_back(struct hr__redis_line *line, uint64_t place)
{
    if (place < line->sent || (place == line->sent && line->partial > 0))
        return false;
    struct hr__redis_place *slot = hr__redis_line_at(line, place);
    slot->call = NULL;
    line->back += slot->len;
    return true;
}

size_t hr__redis_line_tidy(struct hr__redis_line *line, char *bytes)
{
    uint64_t from = line->sent, to = line->sent;
    size_t seen = 0, kept = 0;
    if (line->partial > 0) { /* nobody takes that one back */
        seen = kept = hr__redis_line_at(line, from)->len - line->partial;
        from++;
        to++;
    }
    for (; from < line->tail; from++) {
        struct hr__redis_place place = *hr__redis_line_at(line, from);
        if (place.call) {
            memmove(bytes + kept, bytes + seen, place.len);
            place.call->place = to;
            *hr__redis_line_at(line, to++) = place;
            kept += place.len;
        }
        seen += place.len;
    }
    line->tail = to;
    line->back = 0;
    return seen - kept;
}

void hr__redis_line_forget(struct hr__redis_line *line, uint64_t place)
{
    hr__redis_line_at(line, place)->call = NULL;
}
