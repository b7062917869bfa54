/* SPDX-License-Identifier: MIT */
/*
 * A million tasks parked at once: each on a stack of its own with a guard below it, within the
 * memory that docs/semantics.md states (2.22), all woken, all ended, and the memory given back.
 *
 *     million [TASKS]
 *
 * Ends with 77 (skipped) where the kernel has no guard regions, since elsewhere guards cost
 * mappings and vm.max_map_count ends that earlier, or where there is too little memory.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/headrace.h"

#define BYTES_PER_TASK 4608 /* 4.5 KiB */
#define SKIPPED        77

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static struct {
    long tasks, begun, ended;
    hr_event gate;
    size_t parked; /* bytes with all of them parked */
} million;

/* What the process has in memory now, and what the machine could give; bytes. */
static size_t resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t available(void)
{
    char line[128];
    size_t kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof(line), file) && sscanf(line, "MemAvailable: %zu", &kib) != 1)
        continue;
    if (file)
        fclose(file);
    return kib * 1024;
}

static bool guard_regions(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool there = memory != MAP_FAILED && madvise(memory, page, MADV_GUARD_INSTALL) == 0;
    if (memory != MAP_FAILED)
        munmap(memory, page);
    return there;
}

static int park(void *arg)
{
    million.begun++;
    int r = hr_event_wait(&million.gate);
    million.ended++;
    return r;
}

static int spawn_and_wake(void *arg)
{
    hr_event_init(&million.gate);
    for (long i = 0; i < million.tasks; i++) {
        int r = hr_spawn(NULL, park, NULL);
        if (r < 0)
            return r;
        if (i % 10000 == 0 && (r = hr_yield()) < 0)
            return r;
    }
    while (million.begun < million.tasks) {
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    struct hr_loop_stats stats;
    hr_loop_get_stats(hr_running_loop(), &stats);
    if (stats.tasks != (size_t)million.tasks + 1)
        return hr_fail(-EINVAL, "%zu tasks are there", stats.tasks);
    million.parked = resident();

    hr_event_set(&million.gate);
    while (million.ended < million.tasks) {
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    hr_event_done(&million.gate);
    return 0;
}

int main(int argc, char **argv)
{
    million.tasks = argc > 1 ? atol(argv[1]) : 1000000;
    size_t allowed = (size_t)million.tasks * BYTES_PER_TASK;
    if (!guard_regions() || available() < allowed + allowed / 8) {
        printf("skipped: no guard regions, or less than %zu MiB of memory\n", allowed >> 20);
        return SKIPPED;
    }
    size_t before = resident();
    int r = hr_run(spawn_and_wake, NULL);
    malloc_trim(0); /* one freed chunk in a thread's cache, at the heap's end, keeps all below it */
    size_t after = resident();
    size_t each = (million.parked - before) / (size_t)million.tasks;
    printf("%ld tasks: %zu bytes each while they are parked, %zu MiB left afterwards: %s\n",
           million.tasks, each, (after - before) >> 20, hr_error_name(r));
    return r < 0 || each > BYTES_PER_TASK || after - before > allowed / 20;
}
