/* SPDX-License-Identifier: MIT */
/*
 * The headers of an answer: one text that holds them all, and where each begins.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "drivers/http/impl.h"

#define HEADERS_USUAL ((size_t)512)
#define HEADERS_KEPT  ((size_t)2048)
#define ITEMS_KEPT    64

void hr__http_headers_init(struct hr__http_headers *headers)
{
    *headers = (struct hr__http_headers){0};
    hr_buf_init(&headers->text, HR__HTTP_HEADERS_MAX);
}

void hr__http_headers_done(struct hr__http_headers *headers)
{
    hr_buf_done(&headers->text);
    free(hr_take(headers->items));
    headers->count = headers->capacity = 0;
}

void hr__http_headers_clear(struct hr__http_headers *headers)
{
    hr_buf_consume(&headers->text, SIZE_MAX);
    headers->count = 0;
}

void hr__http_headers_trim(struct hr__http_headers *headers)
{
    hr__http_headers_clear(headers);
    if (headers->text.capacity > HEADERS_KEPT || headers->capacity > ITEMS_KEPT)
        hr__http_headers_done(headers);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int make_room(struct hr__http_headers *headers)
{
    if (headers->count < headers->capacity)
        return 0;
    size_t capacity = headers->capacity ? headers->capacity * 2 : 16;
    void *items = reallocarray(headers->items, capacity, sizeof(headers->items[0]));
    if (!items)
        return -ENOMEM;
    headers->items = items;
    headers->capacity = capacity;
    return 0;
}

/* Room for some bytes at the end of the text. */
static int reserve(struct hr_buf *text, size_t size, char **ret)
{
    bool first = hr_buf_size(text) == 0 && size < HEADERS_USUAL;
    int r = hr_buf_reserve(text, first ? HEADERS_USUAL : size, ret);
    return r == -ENOBUFS ? -EMSGSIZE : r;
}

/* A NUL inside ends a text. */
static char *put(char *to, const char *bytes, size_t size)
{
    size = strnlen(bytes, size);
    memcpy(to, bytes, size);
    to[size] = '\0';
    return to + size + 1;
}

/* An old way to write long values: a line that begins with a blank belongs to the one before. */
static int continue_value(struct hr__http_headers *headers, const char *line, size_t size)
{
    char *to;
    if (headers->count == 0)
        return 0;
    int r = reserve(&headers->text, size + 1, &to);
    if (r < 0)
        return r;
    to[-1] = ' '; /* in the place of the NUL */
    hr_buf_commit(&headers->text, (size_t)(put(to, line, size) - to));
    return 0;
}

int hr__http_headers_add(struct hr__http_headers *headers, const char *line, size_t size)
{
    const char *end = line + size;
    bool continues = size > 0 && is_blank(*line);
    while (end > line && is_blank(end[-1]))
        end--;
    while (continues && line < end && is_blank(*line))
        line++;
    if (continues)
        return continue_value(headers, line, (size_t)(end - line));

    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (!colon)
        return 0;
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    char *to;
    int r = make_room(headers);
    if (r == 0)
        r = reserve(&headers->text, (size_t)(end - line) + 2, &to);
    if (r < 0)
        return r;
    size_t at = hr_buf_size(&headers->text);
    char *from = to, *middle = put(to, line, (size_t)(colon - line));
    to = put(middle, value, (size_t)(end - value));
    headers->items[headers->count++] =
        (struct hr__http_header){.name = at, .value = at + (size_t)(middle - from)};
    hr_buf_commit(&headers->text, (size_t)(to - from));
    return 0;
}

const char *hr__http_headers_get(const struct hr__http_headers *headers, const char *name)
{
    const char *text = hr_buf_data(&headers->text);
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(text + headers->items[i].name, name) == 0)
            return text + headers->items[i].value;
    }
    return NULL;
}
