/* SPDX-License-Identifier: MIT */
/*
 * How it works: the world's hooks are called at each look of the loop, and each of them draws from
 * one generator, so that what happens is a function of the seed and of the program. Every event is
 * a line of text; the trace is a hash of the lines, and a file that gets them on wish.
 */
#include "core/sim.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "core/loop_impl.h"
#include "core/runner.h"
#include "core/sim_impl.h"

#define SHUTDOWN_LIMIT hr_seconds(3600)

/* splitmix64 */
uint64_t hr__sim_draw(struct hr_sim *sim)
{
    uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t hr__sim_below(struct hr_sim *sim, uint64_t limit)
{
    return hr__sim_draw(sim) % limit;
}

bool hr__sim_chance(struct hr_sim *sim, unsigned of_a_thousand)
{
    return of_a_thousand && hr__sim_below(sim, 1000) < of_a_thousand;
}

hr_usec hr__sim_latency(struct hr_sim *sim)
{
    return (hr_usec)hr__sim_below(sim, (uint64_t)sim->options.latency + 1);
}

static void add_line(struct hr_sim *sim, const char *line)
{
    for (const char *c = line; *c; c++) /* FNV-1a */
        sim->trace = (sim->trace ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    sim->trace = (sim->trace ^ '\n') * UINT64_C(0x100000001b3);
    if (sim->options.trace)
        fprintf(sim->options.trace, "%s\n", line);
}

hr_printf_like(2, 0) static void add_event(struct hr_sim *sim, const char *fmt, va_list args)
{
    char line[256];
    int length = snprintf(line, sizeof(line), "%lld ", (long long)sim->now);
    vsnprintf(line + length, sizeof(line) - (size_t)length, fmt, args);
    add_line(sim, line);
}

void hr__sim_event(struct hr_sim *sim, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_event(sim, fmt, args);
    va_end(args);
}

static struct hr_sim *sim_of(struct hr_world *world)
{
    return hr_container_of(world, struct hr_sim, world);
}

static hr_usec sim_now(struct hr_clock *clock)
{
    return sim_of(hr_container_of(clock, struct hr_world, clock))->now;
}

static void add_waiter(hr_task *handle, void *cookie)
{
    struct hr_sim *sim = cookie;
    size_t length = strlen(sim->who);
    struct hr__task *task = hr__task(handle);
    snprintf(sim->who + length, sizeof(sim->who) - length, "%s%s waits for %s", length ? ", " : "",
             hr__task_name(task), hr__task_waits_for(task));
}

static void get_stuck(struct hr_sim *sim)
{
    if (!sim->stuck) {
        sim->stuck = true;
        hr_all_tasks(hr__loop_running, add_waiter, sim);
        hr__sim_event(sim, "stuck: %s", sim->who);
    }
    hr_loop_stop(hr__loop_running);
}

static bool sim_jump(struct hr_clock *clock, hr_usec until)
{
    struct hr_sim *sim = sim_of(hr_container_of(clock, struct hr_world, clock));
    if (hr__loop_has_jobs(hr__loop_running))
        return false; /* time stands until one comes back */
    hr_usec due = hr__sim_due(sim);
    if (due < until)
        until = due;
    if (until == HR_FOREVER) {
        if (sim->options.threads)
            return false;
        get_stuck(sim);
    } else if (until > sim->now) {
        sim->now = until;
    }
    return true;
}

static uint64_t sim_random(struct hr_world *world)
{
    uint64_t bits = hr__sim_draw(sim_of(world));
    hr__sim_event(sim_of(world), "random %llx", (unsigned long long)bits);
    return bits;
}

static void sim_look(struct hr_world *world)
{
    sim_of(world)->now++; /* whoever is busy until some moment gets there */
    hr__sim_carry(sim_of(world));
}

static size_t sim_pick(struct hr_world *world, size_t n)
{
    struct hr_sim *sim = sim_of(world);
    return sim->options.shuffle && n > 1 ? (size_t)hr__sim_below(sim, n) : 0;
}

/* The unfinished task of that number. No reference is kept: it would delay reports. */
static hr_task *find_task(struct hr_loop *loop, uint64_t number)
{
    hr_list_foreach (node, &loop->tasks) {
        struct hr__task *task = hr_list_entry(node, struct hr__task, all);
        if (task->number == number)
            return &task->future;
    }
    return NULL;
}

static void sim_resume(struct hr_world *world, hr_task *task)
{
    struct hr_sim *sim = sim_of(world);
    sim->steps++;
    if (sim->steps == sim->hook_at) {
        hr__sim_event(sim, "hook");
        sim->hook(find_task(task->loop, sim->last), sim->hook_arg);
    }
    sim->last = hr__task(task)->number;
    hr__sim_event(sim, "step %llu: %s", (unsigned long long)sim->steps, hr_task_name(task));
}

hr_sim *hr_sim_new(const struct hr_sim_options *options)
{
    static const struct hr_sim_options defaults;
    options = options ? options : &defaults;
    hr_sim *sim = calloc(1, sizeof(*sim));
    if (!sim) {
        hr_fail(-ENOMEM, "no memory for a world");
        return NULL;
    }
    *sim = (struct hr_sim){
        .world =
            {
                    .clock = {sim_now, sim_jump},
                    .random = sim_random,
                    .connect = hr__sim_connect,
                    .look = sim_look,
                    .ready = hr__sim_ready,
                    .pick = sim_pick,
                    .resume = sim_resume,
                    },
        .options = *options,
        .random = options->seed,
        .trace = UINT64_C(0xcbf29ce484222325),
    };
    if (sim->options.latency <= 0)
        sim->options.latency = hr_ms(1);
    hr_list_init(&sim->streams);
    hr_list_init(&sim->listeners);
    return sim;
}

hr_sim *hr_sim_free(hr_sim *sim)
{
    if (!sim)
        return NULL;
    hr__sim_streams_done(sim);
    hr__sim_peers_done(sim);
    free(sim);
    return NULL;
}

struct hr_world *hr_sim_world(hr_sim *sim)
{
    return &sim->world;
}

int hr_sim_run(hr_sim *sim, hr_task_fn *fn, void *arg)
{
    struct hr_loop_options options = {.world = &sim->world, .shutdown_limit = SHUTDOWN_LIMIT};
    int r = hr_run_with(&options, fn, arg);
    if (r == HR_EINVALIDSTATE && sim->stuck)
        return hr_fail(-EDEADLK, "stuck at step %llu: %s", (unsigned long long)sim->steps,
                       sim->who);
    return r;
}

uint64_t hr_sim_trace(const hr_sim *sim)
{
    return sim->trace;
}

uint64_t hr_sim_steps(const hr_sim *sim)
{
    return sim->steps;
}

hr_sim *hr_sim_here(void)
{
    struct hr_world *world = hr__loop_running ? hr__loop_running->world : NULL;
    return world && world->look == sim_look ? sim_of(world) : NULL;
}

void hr_sim_note(const char *fmt, ...)
{
    hr_sim *sim = hr_sim_here();
    if (!sim)
        return;
    va_list args;
    va_start(args, fmt);
    add_event(sim, fmt, args);
    va_end(args);
}

void hr_sim_at(hr_sim *sim, uint64_t step, hr_sim_hook *hook, void *arg)
{
    sim->hook_at = hook ? step : 0;
    sim->hook = hook;
    sim->hook_arg = arg;
}

void hr_sim_cancel(hr_task *suspended, void *arg)
{
    if (suspended)
        hr_task_cancel(suspended, "cancelled by the simulation");
}

int hr_sim_everywhere(const struct hr_sim_options *options, hr_task_fn *fn, hr_sim_hook *hook,
                      void *arg, uint64_t *ret_runs)
{
    if (!hook)
        return hr_fail(-EINVAL, "trouble without a function");
    uint64_t step = 0;
    bool reached = true;
    int r = 0;
    while (reached && (r >= 0 || r == -ECANCELED)) {
        hr_sim *sim = hr_sim_new(options);
        if (!sim)
            return -ENOMEM;
        hr_sim_at(sim, ++step, hook, arg);
        r = hr_sim_run(sim, fn, arg);
        reached = sim->steps >= step;
        hr_sim_free(sim);
    }
    if (ret_runs)
        *ret_runs = step;
    return r < 0 && r != -ECANCELED ? r : 0;
}
