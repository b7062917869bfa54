/* SPDX-License-Identifier: MIT */
/*
 * The line is a ring that doubles when it is full. Places that were taken back stay in it, so that
 * numbers hold, and are stepped over where they would come first.
 */
#include "drivers/redis/line.h"

#include <errno.h>
#include <string.h>

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

/* Steps over what was taken back, at the head and where writing goes on. */
static void step_over(struct hr__redis_line *line)
{
    while (line->sent < line->tail && hr__redis_line_at(line, line->sent)->len == 0)
        line->sent++;
    while (line->head < line->sent && hr__redis_line_at(line, line->head)->len == 0)
        line->head++;
}

void hr__redis_line_written(struct hr__redis_line *line, size_t n)
{
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
        if (hr_unlikely(line->sent < line->tail && hr__redis_line_at(line, line->sent)->len == 0))
            step_over(line);
    }
}

size_t hr__redis_line_take_back(struct hr__redis_line *line, uint64_t place, size_t *ret_offset)
{
    if (place < line->sent || (place == line->sent && line->partial > 0))
        return 0;
    size_t offset = 0;
    for (uint64_t before = line->sent; before < place; before++)
        offset += hr__redis_line_at(line, before)->len;
    if (place > line->sent)
        offset -= line->partial;

    struct hr__redis_place *slot = hr__redis_line_at(line, place);
    size_t len = slot->len;
    *slot = (struct hr__redis_place){NULL, 0, 0};
    step_over(line);
    *ret_offset = offset;
    return len;
}

void hr__redis_line_forget(struct hr__redis_line *line, uint64_t place)
{
    hr__redis_line_at(line, place)->call = NULL;
}
