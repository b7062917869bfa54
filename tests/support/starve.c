/* SPDX-License-Identifier: MIT */
/*
 * An allocator that runs dry, put in front of the real one by the linker.
 */
#include "tests/support/starve.h"

static long left = -1; /* negative: no end */
static bool only_once;
static bool failed;

void starve_after(long n, bool once)
{
    left = n;
    only_once = once;
    failed = false;
}

bool starve_end(void)
{
    left = -1;
    return failed;
}

static bool may_allocate(void)
{
    if (left < 0 || (failed && only_once))
        return true;
    if (left > 0) {
        left--;
        return true;
    }
    failed = true;
    return false;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return may_allocate() ? __real_realloc(old, size) : NULL;
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return may_allocate() ? __real_reallocarray(old, n, size) : NULL;
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return may_allocate() ? __real_strdup(text) : NULL;
}

char *__real_strndup(const char *text, size_t len);
char *__wrap_strndup(const char *text, size_t len);
char *__wrap_strndup(const char *text, size_t len)
{
    return may_allocate() ? __real_strndup(text, len) : NULL;
}
