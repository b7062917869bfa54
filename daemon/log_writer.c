/* SPDX-License-Identifier: MIT */
#include "daemon/log_writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include "daemon/item/plural.h"

/* About a thousand usual lines. */
#define WAITING_MAX ((size_t)128 * 1024)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    log_write_fn *write;
    struct log_entry *first, **end;
    size_t waiting; /* bytes */
    uint64_t dropped;
    bool runs, ending;
    bool idle; /* everything is written */
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void tell_dropped(uint64_t n)
{
    char text[96];
    snprintf(text, sizeof(text), "%" PRIu64 " %s not logged: nobody read the log in time", n,
             plural(n, "line was", "lines were"));
    writer.write(&(struct log_entry){.level = LOG_WARNING, .text = text});
}

/* Under the lock: the next line, or NULL. */
static struct log_entry *take_entry(void)
{
    struct log_entry *entry = writer.first;
    if (!entry)
        return NULL;
    writer.first = entry->next;
    if (!writer.first)
        writer.end = &writer.first;
    writer.waiting -= entry->size;
    return entry;
}

/* Under the lock: waits for something to write. False: nothing more will come. */
static bool wait_for_work(void)
{
    while (!writer.first && writer.dropped == 0) {
        writer.idle = true;
        pthread_cond_broadcast(&writer.changed);
        if (writer.ending)
            return false;
        pthread_cond_wait(&writer.changed, &writer.lock);
    }
    writer.idle = false;
    return true;
}

static void *write_lines(void *arg)
{
    pthread_mutex_lock(&writer.lock);
    while (wait_for_work()) {
        struct log_entry *entry = take_entry();
        uint64_t dropped = writer.dropped;
        if (!entry)
            writer.dropped = 0;
        pthread_mutex_unlock(&writer.lock);
        if (entry)
            writer.write(entry);
        else
            tell_dropped(dropped);
        free(entry);
        pthread_mutex_lock(&writer.lock);
    }
    pthread_mutex_unlock(&writer.lock);
    return arg;
}

void log_writer_start(log_write_fn *write)
{
    writer.write = write;
    writer.end = &writer.first;
    writer.ending = writer.idle = false;
    /* Signals are the loop's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    writer.runs = pthread_create(&writer.thread, NULL, write_lines, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (writer.runs)
        pthread_setname_np(writer.thread, "log");
}

bool log_writer_put(struct log_entry *entry)
{
    if (!writer.runs)
        return false;
    pthread_mutex_lock(&writer.lock);
    writer.idle = false;
    if (entry && writer.waiting + entry->size <= WAITING_MAX) {
        entry->next = NULL;
        writer.waiting += entry->size;
        *writer.end = entry;
        writer.end = &entry->next;
        entry = NULL;
    } else {
        writer.dropped++;
    }
    pthread_cond_broadcast(&writer.changed);
    pthread_mutex_unlock(&writer.lock);
    free(entry);
    return true;
}

static struct timespec moment_after(hr_usec span)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    long nsec = at.tv_nsec + (long)(span % 1000000) * 1000;
    return (struct timespec){at.tv_sec + span / 1000000 + nsec / 1000000000, nsec % 1000000000};
}

void log_writer_stop(hr_usec patience)
{
    if (!writer.runs)
        return;
    struct timespec until = moment_after(patience);
    int r = 0;
    pthread_mutex_lock(&writer.lock);
    writer.ending = true;
    pthread_cond_broadcast(&writer.changed);
    while (r == 0 && !writer.idle)
        r = pthread_cond_clockwait(&writer.changed, &writer.lock, CLOCK_MONOTONIC, &until);
    bool idle = writer.idle;
    pthread_mutex_unlock(&writer.lock);
    if (!idle)
        return;
    pthread_join(writer.thread, NULL);
    writer.runs = false;
}
