/* SPDX-License-Identifier: MIT */
/*
 * What a run of a benchmark cost: one JSON line, the same from every program that is compared.
 *
 * CPU time is of the whole process, user and system; bytes are what its memory grew by at most,
 * divided by the count.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct measure {
    uint64_t wall_ns;
    double cpu_s;
    long rss_kb;
};

static inline uint64_t measure_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static inline double measure_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* A line of /proc/self/status, in KiB. */
static inline long measure_status(const char *key)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kb = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtol(line + strlen(key) + 1, NULL, 10);
    }
    if (file)
        fclose(file);
    return kb;
}

static inline struct measure measure_begin(void)
{
    long rss_kb = measure_status("VmRSS");
    double cpu_s = measure_cpu();
    return (struct measure){measure_now(), cpu_s, rss_kb};
}

static inline void measure_end(const struct measure *begun, const char *row, uint64_t n)
{
    double wall_ns = (double)(measure_now() - begun->wall_ns);
    double cpu_s = measure_cpu() - begun->cpu_s;
    long hwm_kb = measure_status("VmHWM");
    printf("{\"row\": \"%s\", \"n\": %llu, \"ns\": %.2f, \"cpu_s\": %.6f, \"wall_s\": %.4f, "
           "\"bytes\": %.0f, \"hwm_kb\": %ld, \"pte_kb\": %ld}\n",
           row, (unsigned long long)n, wall_ns / (double)n, cpu_s, wall_ns / 1e9,
           (double)(hwm_kb - begun->rss_kb) * 1024 / (double)n, hwm_kb, measure_status("VmPTE"));
    fflush(stdout);
}

/* A row's own random numbers: every program draws the same ones for sleeper number i. */
static inline uint64_t measure_seed(uint64_t i)
{
    return (i + 1) * 2654435761U + 88172645463325252U;
}

static inline uint64_t measure_draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
