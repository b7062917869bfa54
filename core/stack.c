/* SPDX-License-Identifier: MIT */
/*
 * How it works: address space comes in slabs of many strides, one mapping each, reserved but not
 * backed. A stride is a guard and the stack above it; it gets its guard when it is handed out for
 * the first time, and keeps it. Guards are wide, as code that does not touch each page of a large
 * array steps over a narrow one, into the stack of another task. A guard region
 * (MADV_GUARD_INSTALL, Linux 6.13) leaves the mapping whole, so a million stacks are a few thousand
 * mappings, and several are made by one call; mprotect() cuts it in two, and vm.max_map_count is
 * soon reached. Such guards stop short of it, so that the rest of the program can still map memory.
 *
 * Of slabs that nobody uses one is kept; the address space of others, and the page tables that go
 * with it, are given back after a rush.
 */
#include "core/stack.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/error.h"

#define SLAB_BYTES  (16u << 20)
#define SLAB_MAX    64
#define SMALLEST    (16u << 10)
#define GUARD_MAX   (64u << 10)
#define MAPS_SPARED 1024

#define GUARDS_AT_ONCE 8

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PIDFD_SELF_THREAD
#define PIDFD_SELF_THREAD (-10000)
#endif

struct hr__slab {
    struct hr_list link;
    char *base;
    unsigned strides, carved, free_count; /* carved: handed out once at least */
    unsigned guarded;                     /* have their guard: those carved, and a few more */
    unsigned char free[SLAB_MAX];         /* carved strides not in use, as a stack */
    unsigned mprotected;                  /* guards that cost mappings */
};

/* In the whole process, as the kernel's limit is the process's. */
static atomic_uint mprotected_guards;
static atomic_uint guard_limit; /* 0: not known yet */

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void set_limit(unsigned limit)
{
    atomic_store_explicit(&guard_limit, limit, memory_order_relaxed);
}

void hr__stack_limit_guards(unsigned more)
{
    set_limit(more ? more + atomic_load_explicit(&mprotected_guards, memory_order_relaxed) : 0);
}

static unsigned guards_allowed(void)
{
    unsigned limit = atomic_load_explicit(&guard_limit, memory_order_relaxed);
    if (limit)
        return limit;

    unsigned maps = 65530;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%u", &maps) != 1)
            maps = 65530;
        fclose(file);
    }
    limit = maps / 2 > 2 * MAPS_SPARED ? maps / 2 - MAPS_SPARED : maps / 4;
    if (limit == 0)
        limit = 1;
    set_limit(limit);
    return limit;
}

void hr__stacks_init(struct hr__stacks *stacks, size_t size, enum hr__guard guard)
{
    size_t page = page_size();
    if (size < SMALLEST + page)
        size = SMALLEST + page;
    if (size > SIZE_MAX / 2) /* which is not to be had either, and can be rounded up */
        size = SIZE_MAX / 2;
    size_t width = size / 4 < GUARD_MAX ? size / 4 : GUARD_MAX;
    if (width > size - SMALLEST)
        width = size - SMALLEST;
    *stacks = (struct hr__stacks){
        .stride = (size + page - 1) / page * page,
        .guard = width < page ? page : width / page * page,
        .how = guard,
    };
    hr_list_init(&stacks->slabs);
}

/* Whether none of its stacks is in use. */
static bool slab_idle(const struct hr__slab *slab)
{
    return slab->free_count == slab->carved;
}

static void slab_free(struct hr__stacks *stacks, struct hr__slab *slab)
{
    hr_list_remove(&slab->link);
    munmap(slab->base, slab->strides * stacks->stride);
    atomic_fetch_sub_explicit(&mprotected_guards, slab->mprotected, memory_order_relaxed);
    free(slab);
}

void hr__stacks_done(struct hr__stacks *stacks)
{
    hr_list_foreach_safe (node, &stacks->slabs) {
        struct hr__slab *slab = hr_list_entry(node, struct hr__slab, link);
        hr_assert(slab_idle(slab));
        slab_free(stacks, slab);
    }
}

static int slab_new(struct hr__stacks *stacks)
{
    struct hr__slab *slab = calloc(1, sizeof(*slab));
    if (!slab)
        return hr_fail(-ENOMEM, "no memory for a task's stack");

    slab->strides = (unsigned)(SLAB_BYTES / stacks->stride);
    if (slab->strides > SLAB_MAX)
        slab->strides = SLAB_MAX;
    if (slab->strides == 0)
        slab->strides = 1;
    size_t bytes = slab->strides * stacks->stride;
    slab->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab->base == MAP_FAILED) {
        free(slab);
        return hr_fail(-ENOMEM, "no address space for task stacks of %zu bytes", stacks->stride);
    }
    /* A huge page would back every stack of the slab at the first touch of one. */
    madvise(slab->base, bytes, MADV_NOHUGEPAGE);
    hr_list_prepend(&stacks->slabs, &slab->link);
    stacks->idle_slabs++;
    return 0;
}

/* Emulators take any advice, and do nothing. */
static bool has_guard_regions(char *page)
{
    enum { NO_SUCH_ADVICE = 0x7fffffff };
    return madvise(page, page_size(), NO_SUCH_ADVICE) < 0 &&
           madvise(page, page_size(), MADV_GUARD_INSTALL) == 0;
}

/* Makes guard regions of the next strides; yields how many. */
static unsigned install_guards(struct hr__stacks *stacks, const struct hr__slab *slab)
{
    struct iovec guards[GUARDS_AT_ONCE];
    unsigned count = 0, most = stacks->one_by_one ? 1 : GUARDS_AT_ONCE;
    for (; count < most && slab->guarded + count < slab->strides; count++) {
        guards[count].iov_base = slab->base + (slab->guarded + count) * stacks->stride;
        guards[count].iov_len = stacks->guard;
    }
    if (!stacks->one_by_one) {
        long done =
            syscall(SYS_process_madvise, PIDFD_SELF_THREAD, guards, count, MADV_GUARD_INSTALL, 0);
        if (done >= (long)stacks->guard)
            return (unsigned)((size_t)done / stacks->guard);
        stacks->one_by_one = true;
    }
    char *lowest = slab->base + slab->guarded * stacks->stride;
    return madvise(lowest, stacks->guard, MADV_GUARD_INSTALL) == 0;
}

/* Sees to it that the next stride to be carved has its guard. */
static int set_guard(struct hr__stacks *stacks, struct hr__slab *slab)
{
    if (slab->guarded > slab->carved)
        return 0;
    char *lowest = slab->base + slab->carved * stacks->stride;
    if (stacks->how == HR__GUARD_AUTO)
        stacks->how = has_guard_regions(lowest) ? HR__GUARD_REGIONS : HR__GUARD_MPROTECT;
    if (stacks->how == HR__GUARD_REGIONS) {
        unsigned installed = install_guards(stacks, slab);
        slab->guarded += installed;
        if (installed > 0)
            return 0;
        stacks->how = HR__GUARD_MPROTECT;
    }
    unsigned others = atomic_fetch_add_explicit(&mprotected_guards, 1, memory_order_relaxed);
    if (others >= guards_allowed() || mprotect(lowest, stacks->guard, PROT_NONE) < 0) {
        atomic_fetch_sub_explicit(&mprotected_guards, 1, memory_order_relaxed);
        return hr_fail(-EAGAIN,
                       "no mapping left for the guard of another task's stack after %u: "
                       "raise vm.max_map_count, or run on Linux 6.13 or later",
                       others);
    }
    slab->mprotected++;
    slab->guarded++;
    return 0;
}

static bool slab_full(const struct hr__slab *slab)
{
    return slab->free_count == 0 && slab->carved == slab->strides;
}

int hr__stack_get(struct hr__stacks *stacks, struct hr__stack *ret)
{
    struct hr__slab *slab = hr_list_entry(stacks->slabs.next, struct hr__slab, link);
    if (hr_list_empty(&stacks->slabs) || slab_full(slab)) {
        int r = slab_new(stacks);
        if (r < 0)
            return r;
        slab = hr_list_entry(stacks->slabs.next, struct hr__slab, link);
    }

    unsigned stride;
    bool was_idle = slab_idle(slab);
    if (slab->free_count > 0) {
        stride = slab->free[--slab->free_count];
    } else {
        int r = set_guard(stacks, slab);
        if (r < 0)
            return r;
        stride = slab->carved++;
    }
    stacks->idle_slabs -= was_idle;
    if (slab_full(slab)) {
        hr_list_remove(&slab->link);
        hr_list_append(&stacks->slabs, &slab->link);
    }
    *ret = (struct hr__stack){
        .bottom = slab->base + stride * stacks->stride + stacks->guard,
        .size = stacks->stride - stacks->guard,
        .guard = stacks->guard,
        .slab = slab,
    };
    return 0;
}

void hr__stack_put(struct hr__stacks *stacks, struct hr__stack *stack)
{
    struct hr__slab *slab = stack->slab;
    bool was_full = slab_full(slab);
    size_t offset = (size_t)((char *)stack->bottom - slab->base);
    if (!stacks->closing)
        madvise(stack->bottom, stack->size, MADV_DONTNEED);
    slab->free[slab->free_count++] = (unsigned char)(offset / stacks->stride);
    if (was_full) {
        hr_list_remove(&slab->link);
        hr_list_prepend(&stacks->slabs, &slab->link);
    }
    if (!slab_idle(slab))
        return;
    if (stacks->idle_slabs > 0 && !stacks->closing)
        slab_free(stacks, slab);
    else
        stacks->idle_slabs++;
}

size_t hr__stack_touched(const struct hr__stack *stack)
{
    enum { PAGES = 64 };
    unsigned char resident[PAGES];
    size_t page = page_size();
    for (size_t from = 0; from < stack->size; from += PAGES * page) {
        size_t length = stack->size - from < PAGES * page ? stack->size - from : PAGES * page;
        if (mincore((char *)stack->bottom + from, length, resident) < 0)
            return 0;
        for (size_t i = 0; i * page < length; i++) {
            if (resident[i] & 1)
                return stack->size - from - i * page;
        }
    }
    return 0;
}
