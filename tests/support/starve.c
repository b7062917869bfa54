/* SPDX-License-Identifier: MIT */
/*
 * An allocator that runs dry, put in front of the real one by the linker.
 */
#include "tests/support/starve.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

static atomic_long left = -1; /* calls before the first that fails; negative: none does */
static atomic_long to_fail;
static bool all_calls;
static atomic_bool failed_here, *failed = &failed_here;

static void begin(long n, long count, bool all)
{
    all_calls = all;
    *failed = false;
    to_fail = count;
    left = n;
}

void starve_after(long n, bool once)
{
    begin(n, once ? 1 : LONG_MAX, false);
}

void starve_all_after(long n, long count)
{
    if (failed == &failed_here) { /* what a process fails that a test forks counts as well */
        void *shared =
            mmap(NULL, sizeof(*failed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared != MAP_FAILED)
            failed = shared;
    }
    begin(n, count, true);
}

bool starve_failed(void)
{
    return *failed;
}

const atomic_bool *starve_flag(void)
{
    return failed;
}

bool starve_end(void)
{
    left = -1;
    return *failed;
}

static bool may_allocate(void)
{
    if (left < 0)
        return true;
    long n = left; /* other threads allocate, too */
    while (n > 0 && !atomic_compare_exchange_weak(&left, &n, n - 1))
        ;
    if (n != 0)
        return true;
    if (to_fail <= 0)
        return true;
    to_fail--;
    *failed = true;
    errno = ENOMEM; /* as the real ones say */
    return false;
}

bool starve_permits(void)
{
    return !all_calls || may_allocate();
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
