/* SPDX-License-Identifier: MIT */
/*
 * The memory of one loaded configuration.
 *
 * One malloc a piece, in a list: configurations are small, and sanitizers see each piece's bounds.
 */
#include "config/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct piece {
    struct piece *next;
    size_t size; /* of what follows */
    max_align_t data[];
};

struct owned {
    struct owned *next;
    void *object;
    void (*destroy)(void *object);
};

struct hr_conf_mem {
    struct piece *pieces;
    struct owned *owned; /* the latest first */
    bool failed;
};

struct hr_conf_mem *hr_conf_mem_new(void)
{
    return calloc(1, sizeof(struct hr_conf_mem));
}

struct hr_conf_mem *hr_conf_mem_free(struct hr_conf_mem *mem)
{
    if (!mem)
        return NULL;
    for (struct owned *o = mem->owned; o; o = o->next)
        o->destroy(o->object);
    for (struct piece *p = mem->pieces; p;) {
        struct piece *next = p->next;
        explicit_bzero(p->data, p->size);
        free(p);
        p = next;
    }
    free(mem);
    return NULL;
}

bool hr_conf_mem_failed(const struct hr_conf_mem *mem)
{
    return mem->failed;
}

void hr_conf_mem_fail(struct hr_conf_mem *mem)
{
    mem->failed = true;
}

void *hr_conf_alloc(struct hr_conf_mem *mem, size_t size)
{
    struct piece *p = NULL;
    if (size <= SIZE_MAX - sizeof(struct piece))
        p = calloc(1, sizeof(struct piece) + size);
    if (!p) {
        mem->failed = true;
        return NULL;
    }
    p->size = size;
    p->next = mem->pieces;
    mem->pieces = p;
    return p->data;
}

char *hr_conf_strndup(struct hr_conf_mem *mem, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? hr_conf_alloc(mem, len + 1) : NULL;
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

char *hr_conf_printf(struct hr_conf_mem *mem, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len >= 0 ? hr_conf_alloc(mem, (size_t)len + 1) : NULL;
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void *hr_conf_grow(struct hr_conf_mem *mem, void *array, size_t n, size_t size)
{
    /* Room is 0, 4, 8, 16 … elements, so that n alone tells whether it is used up. */
    if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
        return array;
    size_t room = n < 4 ? 4 : 2 * n;
    void *larger = room <= SIZE_MAX / size ? hr_conf_alloc(mem, room * size) : NULL;
    if (!larger) {
        mem->failed = true;
        return NULL;
    }
    if (n != 0)
        memcpy(larger, array, n * size);
    return larger;
}

int hr_conf_own(struct hr_conf_mem *mem, void *object, void (*destroy)(void *object))
{
    struct owned *o = hr_conf_alloc(mem, sizeof(*o));
    if (!o) {
        destroy(object);
        return -ENOMEM;
    }
    o->object = object;
    o->destroy = destroy;
    o->next = mem->owned;
    mem->owned = o;
    return 0;
}
