/* SPDX-License-Identifier: MIT */
/*
 * How it works: a line is given out where it lies, its end turned into a NUL, and dropped when the
 * next one is asked for. Bytes are looked at once for their line end.
 */
#include "drivers/process/lines.h"

#include <errno.h>
#include <string.h>

#define PIECE ((size_t)16 * 1024)

void hr__lines_init(struct hr__lines *lines, size_t max)
{
    *lines = (struct hr__lines){.max = max};
    hr_buf_init(&lines->buf, SIZE_MAX);
}

void hr__lines_done(struct hr__lines *lines)
{
    hr_buf_done(&lines->buf);
}

static void drop_shown(struct hr__lines *lines)
{
    hr_buf_consume(&lines->buf, lines->shown);
    lines->shown = 0;
}

int hr__lines_room(struct hr__lines *lines, char **ret, size_t *ret_size)
{
    drop_shown(lines);
    *ret_size = PIECE;
    return hr_buf_reserve(&lines->buf, PIECE, ret);
}

void hr__lines_commit(struct hr__lines *lines, size_t n)
{
    hr_buf_commit(&lines->buf, n);
}

/* Gives out size bytes, and drops one more if they have an end. */
static int show(struct hr__lines *lines, size_t size, bool ended, const char **ret,
                size_t *ret_size)
{
    char *bytes = (char *)hr_buf_data(&lines->buf);
    if (ended)
        bytes[size] = '\0';
    lines->shown = size + ended;
    lines->seen = 0;
    *ret = bytes;
    *ret_size = size;
    return 1;
}

int hr__lines_next(struct hr__lines *lines, const char **ret, size_t *ret_size)
{
    drop_shown(lines);
    const char *bytes = hr_buf_data(&lines->buf);
    size_t held = hr_buf_size(&lines->buf);
    const char *end = memchr(bytes + lines->seen, '\n', held - lines->seen);
    if (!end) {
        lines->seen = held;
        return held > lines->max ? -EMSGSIZE : 0;
    }
    size_t size = (size_t)(end - bytes);
    lines->seen = size; /* if it is too long it stays */
    return size > lines->max ? -EMSGSIZE : show(lines, size, true, ret, ret_size);
}

int hr__lines_rest(struct hr__lines *lines, const char **ret, size_t *ret_size)
{
    drop_shown(lines);
    size_t held = hr_buf_size(&lines->buf);
    lines->seen = 0;
    if (held == 0)
        return 0;
    *ret = hr_buf_data(&lines->buf);
    *ret_size = lines->shown = held < lines->max ? held : lines->max;
    return 1;
}

size_t hr__lines_held(const struct hr__lines *lines)
{
    return hr_buf_size(&lines->buf) - lines->shown;
}

size_t hr__lines_take(struct hr__lines *lines, void *bytes, size_t size)
{
    drop_shown(lines);
    size_t held = hr_buf_size(&lines->buf);
    size = size < held ? size : held;
    memcpy(bytes, hr_buf_data(&lines->buf), size);
    hr_buf_consume(&lines->buf, size);
    lines->seen = 0;
    return size;
}
