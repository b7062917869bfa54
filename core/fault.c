/* SPDX-License-Identifier: MIT */
/*
 * A short table of armed points. A program that none was armed in pays a load a hit.
 */
#include "core/fault.h"

#ifdef HR_FAULT_POINTS

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define POINTS_MAX 32
#define NAME_SIZE  48

static struct point {
    char name[NAME_SIZE];
    unsigned left; /* hits until it fires; 0: it has */
} points[POINTS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t environment_read = PTHREAD_ONCE_INIT;
static atomic_size_t armed;

static int arm(const char *name, size_t length, unsigned n)
{
    if (n == 0 || length == 0 || length >= NAME_SIZE)
        return -EINVAL;

    size_t i = 0;
    pthread_mutex_lock(&lock);
    while (i < armed && (strncmp(points[i].name, name, length) != 0 || points[i].name[length]))
        i++;
    bool fits = i < POINTS_MAX;
    if (fits) {
        memcpy(points[i].name, name, length);
        points[i].name[length] = '\0';
        points[i].left = n;
        if (i == armed)
            armed++;
    }
    pthread_mutex_unlock(&lock);
    return fits ? 0 : -ENOBUFS;
}

static int arm_all(const char *text)
{
    static const char separators[] = " ,";

    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        size_t word = strcspn(text, separators);
        size_t name = strcspn(text, " ,:");
        unsigned n = 1;
        if (name < word) {
            char *end;
            unsigned long number = strtoul(text + name + 1, &end, 10);
            if (end != text + word || number > UINT_MAX)
                return -EINVAL;
            n = (unsigned)number;
        }
        int r = arm(text, name, n);
        if (r < 0)
            return r;
        text += word;
    }
    return 0;
}

static void read_environment(void)
{
    const char *text = getenv("HEADRACE_FAULT");

    /* A test that misspells its fault would pass for the wrong reason. */
    if (text && arm_all(text) < 0) {
        fprintf(stderr, "headrace: HEADRACE_FAULT: cannot read \"%s\"\n", text);
        abort();
    }
}

int hr_fault_arm(const char *name, unsigned n)
{
    pthread_once(&environment_read, read_environment);
    return arm(name, strlen(name), n);
}

int hr_fault_arm_all(const char *text)
{
    pthread_once(&environment_read, read_environment);
    return arm_all(text);
}

void hr_fault_reset(void)
{
    pthread_once(&environment_read, read_environment);
    pthread_mutex_lock(&lock);
    armed = 0;
    pthread_mutex_unlock(&lock);
}

bool hr_fault_hit(const char *name)
{
    pthread_once(&environment_read, read_environment);
    if (armed == 0)
        return false;

    bool fires = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < armed; i++) {
        if (strcmp(points[i].name, name) == 0 && points[i].left > 0)
            fires = --points[i].left == 0;
    }
    pthread_mutex_unlock(&lock);
    return fires;
}

#else

_Static_assert(!HR_FAULT("any"), "a release build has no fault points");

#endif
