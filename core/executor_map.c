/* SPDX-License-Identifier: MIT */
/*
 * Many short calls as a few jobs of an executor.
 *
 * How it works: each thread of the executor gets one job, which takes chunk after chunk off the
 * array of arguments until none is left. What a call gives stands where its argument stood. Threads
 * know the map, the loop's thread knows the mapping: who waits, and which jobs are not over.
 */
#include <limits.h>
#include <stdatomic.h>

#include "core/executor_impl.h"
#include "core/park.h"

#define CHUNKS_A_THREAD 8 /* so that all threads are busy until the end, more or less */
#define CHUNK_MAX       1024
#define NOT_RUN         INT_MIN

/* Shared: the outcomes, the mapping and each job have a reference. */
struct map {
    atomic_uint refs;
    atomic_bool unwanted; /* nothing more is begun */
    atomic_size_t next;   /* the first argument that no thread has taken */
    atomic_size_t done;
    hr_job_fn *fn;
    hr_free_fn *free_value;
    size_t chunk;
    struct hr_outcomes outcomes; /* of those that were not run, the argument as value */
};

struct worker {
    struct mapping *mapping;
    struct hr__watch watch;
    hr_future *job; /* without a reference; NULL once it is over */
};

struct mapping {
    struct map *map;
    hr_future *future; /* a reference; NULL once nobody waits */
    struct hr__watch watch;
    size_t left;  /* workers that are not over */
    bool dropped; /* some by a shutdown, before their thread came */
    size_t count;
    struct worker workers[];
};

static void map_unref(struct map *map)
{
    if (--map->refs > 0)
        return;
    for (size_t i = 0; map->free_value && i < map->outcomes.count; i++) {
        struct hr_outcome *outcome = &map->outcomes.items[i];
        if (outcome->status != NOT_RUN && outcome->value)
            map->free_value(outcome->value);
    }
    free(map);
}

static void job_never_ran(void *map)
{
    map_unref(map);
}

static void outcomes_free(void *outcomes)
{
    map_unref(hr_container_of(outcomes, struct map, outcomes));
}

static void run_one(const struct map *map, struct hr_outcome *outcome)
{
    void *value = NULL;
    int status = map->fn(outcome->value, &value);
    *outcome = (struct hr_outcome){.status = status, .value = value};
    if (status < 0) /* its record is not the next one's */
        hr_error_raise(&(struct hr_error){0});
}

static int run_chunks(void *arg, void **ret_value)
{
    struct map *map = arg;
    size_t count = map->outcomes.count, from;

    while (!map->unwanted && (from = atomic_fetch_add(&map->next, map->chunk)) < count) {
        size_t to = count - from > map->chunk ? from + map->chunk : count;
        for (size_t i = from; i < to; i++)
            run_one(map, &map->outcomes.items[i]);
        atomic_fetch_add(&map->done, to - from);
    }
    map_unref(map);
    return 0;
}

/* The last worker is over. */
static void finish(struct mapping *mapping)
{
    struct map *map = mapping->map;
    hr_future *future = hr_take(mapping->future);
    if (future) {
        hr_list_remove(&mapping->watch.link);
        if (map->done == map->outcomes.count) {
            map->refs++;
            hr_future_set_result(future, &map->outcomes, outcomes_free);
        } else if (mapping->dropped) {
            hr_future_set_error(future, HR_ESHUTDOWN, "the executor was shut down before the end");
        } else { /* the loop closes, and nobody waits */
            hr_future_cancel(future, NULL);
        }
        hr_future_unref(future);
    }
    map_unref(map);
    free(mapping);
}

static void worker_over(struct hr__watch *watch)
{
    struct worker *worker = hr_container_of(watch, struct worker, watch);
    worker->mapping->dropped |= hr_future_error(worker->job) != NULL;
    worker->job = NULL;
    if (--worker->mapping->left == 0)
        finish(worker->mapping);
}

/* The future was cancelled, or completed by somebody else. */
static void future_over(struct hr__watch *watch)
{
    struct mapping *mapping = hr_container_of(watch, struct mapping, watch);
    mapping->map->unwanted = true;
    mapping->future = hr_future_unref(mapping->future);
    mapping->left++; /* stay here until all were told */
    for (size_t i = 0; i < mapping->count; i++) {
        hr_future *job = hr_future_ref(mapping->workers[i].job);
        if (job)
            hr_future_cancel(job, NULL);
        hr_future_unref(job);
    }
    if (--mapping->left == 0)
        finish(mapping);
}

static struct map *map_new(hr_job_fn *fn, void *const *args, size_t count, hr_free_fn *free_value)
{
    struct map *map = NULL;
    size_t most = (SIZE_MAX - sizeof(*map)) / sizeof(map->outcomes.items[0]);
    if (count < most)
        map = malloc(sizeof(*map) + count * sizeof(map->outcomes.items[0]));
    if (!map) {
        hr_fail(-ENOMEM, "executor: no memory for a map");
        return NULL;
    }
    *map = (struct map){.refs = 1, .fn = fn, .free_value = free_value, .outcomes.count = count};
    for (size_t i = 0; i < count; i++)
        map->outcomes.items[i] = (struct hr_outcome){.status = NOT_RUN, .value = args[i]};
    return map;
}

/* A mapping with room for so many workers; takes the map's reference. */
static struct mapping *mapping_new(struct map *map, size_t workers)
{
    hr_future *future = hr_future_new(NULL);
    if (!future)
        return NULL;
    struct mapping *mapping = calloc(1, sizeof(*mapping) + workers * sizeof(mapping->workers[0]));
    if (!mapping) {
        hr_fail(-ENOMEM, "executor: no memory for a map");
        hr_future_unref(future);
        return NULL;
    }
    mapping->map = map;
    mapping->future = future;
    mapping->watch.done = future_over;
    hr__future_watch(future, &mapping->watch);
    mapping->left = 1; /* whoever starts the workers */
    return mapping;
}

/* False when no worker could be started. */
static bool start_workers(struct mapping *mapping, hr_executor *executor, size_t workers)
{
    struct map *map = mapping->map;
    struct hr_job_options options = {.executor = executor, .free_arg = job_never_ran};
    while (mapping->count < workers) {
        map->refs++;
        hr_future *job = hr_run_in_executor_with(&options, run_chunks, map);
        if (!job) {
            map->refs--;
            break;
        }
        struct worker *worker = &mapping->workers[mapping->count++];
        *worker = (struct worker){.mapping = mapping, .watch.done = worker_over, .job = job};
        hr__future_watch(job, &worker->watch);
        mapping->left++;
        hr_future_unref(job); /* it is pending: the executor has a reference */
    }
    return mapping->count > 0 || workers == 0;
}

hr_future *hr_executor_map_chunks(hr_executor *executor, hr_job_fn *fn, void *const *args,
                                  size_t count, size_t chunk, hr_free_fn *free_value)
{
    if (!fn) {
        hr_fail(-EINVAL, "a job without a function");
        return NULL;
    }
    size_t threads = executor ? hr__executor_threads(executor) : HR__POOL_MAX;
    if (chunk == 0)
        chunk = count / threads / CHUNKS_A_THREAD;
    chunk = chunk == 0 ? 1 : chunk > CHUNK_MAX ? CHUNK_MAX : chunk;
    size_t chunks = count / chunk + (count % chunk > 0);

    struct map *map = map_new(fn, args, count, free_value);
    struct mapping *mapping = map ? mapping_new(map, threads < chunks ? threads : chunks) : NULL;
    if (!mapping) {
        if (map)
            map_unref(map);
        return NULL;
    }
    map->chunk = chunk;
    hr_future *future = hr_future_ref(mapping->future);
    if (!start_workers(mapping, executor, threads < chunks ? threads : chunks)) {
        hr_list_remove(&mapping->watch.link);
        mapping->future = hr_future_unref(mapping->future);
        future = hr_future_unref(future);
    }
    if (--mapping->left == 0)
        finish(mapping);
    return future;
}
