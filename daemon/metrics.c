/* SPDX-License-Identifier: MIT */
/*
 * /metrics in the text format of Prometheus (exposition format 0.0.4), and what load balancers and
 * orchestrators ask: /livez, /readyz, /healthz.
 *
 * Base units, bounded labels, never ids or keys from data.
 */
#include <dirent.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/admin.h"
#include "daemon/app.h"

static void head(struct evbuffer *to, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One metric with one value a job. */
static void each_job(struct evbuffer *to, const struct app *app, const char *name, const char *type,
                     const char *help, double (*value)(const struct job *))
{
    head(to, name, type, help);
    for (size_t i = 0; i < app->n_jobs; i++) {
        const struct job *job = &app->jobs[i].job;
        evbuffer_add_printf(to, "%s{job=\"%s\"} %.17g\n", name, job->conf->name, value(job));
    }
}

static double claimed(const struct job *job)
{
    return (double)job->stats.claimed;
}

static double recovered(const struct job *job)
{
    return (double)job->stats.recovered;
}

static double ledger_hits(const struct job *job)
{
    return (double)job->stats.ledger_hits;
}

static double batch_rows(const struct job *job)
{
    return job->stats.batch_rows;
}

static double last_progress(const struct job *job)
{
    return job->stats.last_progress;
}

static void put_finished(struct evbuffer *to, const struct app *app)
{
    const char *name = "headrace_items_finished_total";
    head(to, name, "counter", "Items whose outcome is final.");
    for (size_t i = 0; i < app->n_jobs; i++) {
        const struct job *job = &app->jobs[i].job;
        const struct job_stats *stats = &job->stats;
        const struct {
            const char *outcome;
            uint64_t count;
        } rows[] = {
            {"ok",        stats->ok       },
            {"dropped",   stats->dropped  },
            {"duplicate", stats->duplicate},
            {"dead",      stats->dead     },
        };
        for (size_t k = 0; k < HR_ARRAY_LEN(rows); k++)
            evbuffer_add_printf(to, "%s{job=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", name,
                                job->conf->name, rows[k].outcome, rows[k].count);
    }
}

static void put_attempts(struct evbuffer *to, const struct app *app)
{
    const char *name = "headrace_attempts_total";
    head(to, name, "counter", "Attempts at batches, by result and error class.");
    for (size_t i = 0; i < app->n_jobs; i++) {
        const struct job *job = &app->jobs[i].job;
        evbuffer_add_printf(to, "%s{job=\"%s\",result=\"ok\",class=\"\"} %" PRIu64 "\n", name,
                            job->conf->name, job->stats.batches_ok);
        for (int class = 0; class < CLASS_COUNT; class ++) {
            if (job->stats.batches_failed[class])
                evbuffer_add_printf(
                    to, "%s{job=\"%s\",result=\"failed\",class=\"%s\"} %" PRIu64 "\n", name,
                    job->conf->name, error_class_name((enum error_class) class),
                    job->stats.batches_failed[class]);
        }
    }
}

static void put_dead_letters(struct evbuffer *to, const struct app *app)
{
    const char *name = "headrace_dead_letters_total";
    head(to, name, "counter", "Dead letters written, by reason.");
    for (size_t i = 0; i < app->n_jobs; i++) {
        const struct job *job = &app->jobs[i].job;
        for (int class = 0; class < CLASS_COUNT; class ++) {
            if (job->stats.dead_by_class[class])
                evbuffer_add_printf(to, "%s{job=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
                                    job->conf->name, error_class_name((enum error_class) class),
                                    job->stats.dead_by_class[class]);
        }
    }
}

static void put_histogram(struct evbuffer *to, const struct app *app, const char *name,
                          const char *help, size_t offset)
{
    head(to, name, "histogram", help);
    for (size_t i = 0; i < app->n_jobs; i++) {
        const struct job *job = &app->jobs[i].job;
        const struct histogram *h = (const struct histogram *)((const char *)&job->stats + offset);
        uint64_t below = 0;
        for (size_t k = 0; k < HISTOGRAM_BUCKETS; k++) {
            below += h->buckets[k];
            evbuffer_add_printf(to, "%s_bucket{job=\"%s\",le=\"%g\"} %" PRIu64 "\n", name,
                                job->conf->name, histogram_bounds[k], below);
        }
        evbuffer_add_printf(to,
                            "%s_bucket{job=\"%s\",le=\"+Inf\"} %" PRIu64
                            "\n%s_sum{job=\"%s\"} %.9g\n%s_count{job=\"%s\"} %" PRIu64 "\n",
                            name, job->conf->name, h->count, name, job->conf->name, h->sum, name,
                            job->conf->name, h->count);
    }
}

/* What one look at a job's list told. */
struct look {
    struct queue_counts counts;
    hr_usec age;
    bool known;
};

static void put_counts(struct evbuffer *to, const char *name, const struct job *job,
                       const struct queue_counts *counts)
{
    const struct {
        const char *state;
        uint64_t count;
    } rows[] = {
        {"ready",   counts->ready  },
        {"leased",  counts->leased },
        {"delayed", counts->delayed},
        {"dead",    counts->dead   },
    };
    for (size_t k = 0; k < HR_ARRAY_LEN(rows); k++)
        evbuffer_add_printf(to, "%s{job=\"%s\",state=\"%s\"} %" PRIu64 "\n", name, job->conf->name,
                            rows[k].state, rows[k].count);
}

/* Asks Redis for the lists; jobs whose Redis does not answer are left out. */
static int put_queues(struct evbuffer *to, struct app *app)
{
    hr_auto(hr_freep) struct look *looks = calloc(app->n_jobs + 1, sizeof(*looks));
    if (!looks)
        return hr_fail(-ENOMEM, "counting the lists: out of memory");
    for (size_t i = 0; i < app->n_jobs; i++) {
        struct job *job = &app->jobs[i].job;
        if (job->conf->source.kind != SOURCE_REDIS_LIST ||
            queue_count(job->source->queue, &looks[i].counts) < 0)
            continue;
        looks[i].known = true;
        looks[i].age = age_look(&app->jobs[i].age, looks[i].counts.ready,
                                job->stats.taken + job_held(job), hr_now());
    }

    const char *name = "headrace_queue_items";
    head(to, name, "gauge", "Items in Redis, by state.");
    for (size_t i = 0; i < app->n_jobs; i++) {
        if (looks[i].known)
            put_counts(to, name, &app->jobs[i].job, &looks[i].counts);
    }
    name = "headrace_queue_oldest_age_seconds";
    head(to, name, "gauge",
         "How long the oldest item has been in the list at most, as far as scrapes tell: a list "
         "keeps no dates.");
    for (size_t i = 0; i < app->n_jobs; i++) {
        if (looks[i].known)
            evbuffer_add_printf(to, "%s{job=\"%s\"} %.3f\n", name, app->jobs[i].job.conf->name,
                                (double)looks[i].age / 1e6);
    }
    return 0;
}

static void server_stats(const struct server *server, struct hr_pool_stats *ret)
{
    if (server->redis)
        hr_redis_get_stats(server->redis, ret);
    else
        hr_mysql_pool_get_stats(server->mysql, ret);
}

static void put_servers(struct evbuffer *to, const struct app *app)
{
    struct hr_pool_stats stats;
    head(to, "headrace_server_up", "gauge", "1 when the latest attempt to connect worked.");
    for (size_t i = 0; i < app->servers.count; i++) {
        server_stats(&app->servers.items[i], &stats);
        evbuffer_add_printf(to, "headrace_server_up{server=\"%s\"} %d\n",
                            app->servers.items[i].conf->name, stats.up);
    }
    head(to, "headrace_server_connections", "gauge", "Connections, by state.");
    for (size_t i = 0; i < app->servers.count; i++) {
        const char *name = app->servers.items[i].conf->name;
        server_stats(&app->servers.items[i], &stats);
        evbuffer_add_printf(to,
                            "headrace_server_connections{server=\"%s\",state=\"lent\"} %u\n"
                            "headrace_server_connections{server=\"%s\",state=\"idle\"} %u\n",
                            name, stats.lent, name, stats.idle);
    }
    head(to, "headrace_server_reconnects_total", "counter",
         "Connections opened, and attempts that failed.");
    for (size_t i = 0; i < app->servers.count; i++) {
        const char *name = app->servers.items[i].conf->name;
        server_stats(&app->servers.items[i], &stats);
        evbuffer_add_printf(
            to,
            "headrace_server_reconnects_total{server=\"%s\",cause=\"opened\"} %" PRIu64 "\n"
            "headrace_server_reconnects_total{server=\"%s\",cause=\"failed\"} %" PRIu64 "\n",
            name, stats.opened, name, stats.failed);
    }
}

static void put_gauge(struct evbuffer *to, const char *name, const char *help, double value)
{
    head(to, name, "gauge", help);
    evbuffer_add_printf(to, "%s %.17g\n", name, value);
}

/* Resident memory in bytes, from /proc/self/statm; 0 when it cannot be read. */
static double resident_memory(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (statm && fscanf(statm, "%*d %ld", &pages) != 1)
        pages = 0;
    if (statm)
        fclose(statm);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Entries of /proc/self/fd, less the one that reading it takes. */
static double open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    long count = -1;
    for (const struct dirent *entry = NULL; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count > 0 ? (double)count : 0;
}

static void put_process(struct evbuffer *to, const struct app *app)
{
    struct hr_loop_stats loop;
    hr_loop_get_stats(hr_running_loop(), &loop);
    put_gauge(to, "headrace_loop_lag_seconds", "How late the latest timer ran.",
              (double)loop.lag / 1e6);
    put_gauge(to, "headrace_tasks", "Tasks that have not ended.", (double)loop.tasks);
    put_gauge(to, "headrace_memory_bytes", "Charged to limits.memory.", (double)app->budget.used);
    head(to, "headrace_config_reloads_total", "counter",
         "Requests to read the configuration anew, by what came of them.");
    evbuffer_add_printf(to, "headrace_config_reloads_total{result=\"ignored\"} %" PRIu64 "\n",
                        app->hangups);
    head(to, "headrace_build_info", "gauge", "Always 1.");
    evbuffer_add_printf(to, "headrace_build_info{version=\"%s\"} 1\n", HEADRACE_VERSION);

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    head(to, "process_cpu_seconds_total", "counter", "User and system time.");
    evbuffer_add_printf(to, "process_cpu_seconds_total %.6f\n", cpu);
    put_gauge(to, "process_resident_memory_bytes", "Resident memory.", resident_memory());
    put_gauge(to, "process_open_fds", "Open files and sockets.", open_files());
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    put_gauge(to, "process_max_fds", "Open files and sockets at most.", (double)files.rlim_cur);
    put_gauge(to, "process_start_time_seconds", "Start, seconds since 1970.",
              (double)(hr_walltime() - (hr_now() - app->started)) / 1e6);
}

static int get_metrics(struct admin_call *call)
{
    struct evbuffer *to = call->answer;
    const struct app *app = call->app;
    call->type = "text/plain; version=0.0.4";
    each_job(to, app, "headrace_items_claimed_total", "counter", "Items claimed.", claimed);
    put_finished(to, app);
    put_attempts(to, app);
    put_dead_letters(to, app);
    int r = put_queues(to, call->app);
    if (r < 0)
        return r;
    each_job(to, app, "headrace_last_progress_timestamp_seconds", "gauge",
             "When a batch was last decided; 0: not yet.", last_progress);
    put_histogram(
        to, app, "headrace_sink_duration_seconds",
        "From the first attempt to commit a batch to its commit, waits for the server included.",
        offsetof(struct job_stats, sink_duration));
    put_histogram(to, app, "headrace_item_wait_seconds",
                  "From the first claim of an item to its final outcome, over all its attempts.",
                  offsetof(struct job_stats, item_wait));
    each_job(to, app, "headrace_sink_batch_rows", "gauge", "Items of the latest batch.",
             batch_rows);
    each_job(to, app, "headrace_leases_recovered_total", "counter",
             "Batches taken over from an owner that was gone.", recovered);
    each_job(to, app, "headrace_ledger_hits_total", "counter",
             "Batches that turned out to be decided already.", ledger_hits);
    put_servers(to, app);
    put_process(to, app);
    return 200;
}

static int say(struct admin_call *call, bool good)
{
    call->type = "text/plain";
    evbuffer_add_printf(call->answer, good ? "ok\n" : "not ok\n");
    return good ? 200 : 503;
}

static int get_livez(struct admin_call *call)
{
    return say(call, true);
}

static int get_readyz(struct admin_call *call)
{
    return say(call, call->app->ready && !call->app->stopping);
}

static int get_healthz(struct admin_call *call)
{
    hr_auto(hr_freep) char *name = admin_query_text(call, "job");
    if (!name)
        return say(call, app_healthy(call->app));
    const struct job *job = app_job(call->app, name);
    if (!job)
        return admin_refuse(call, 404, "no such job");
    return say(call, status_healthy(&job->status));
}

const struct admin_route admin_health_routes[] = {
    {"GET", "/metrics", get_metrics, true },
    {"GET", "/livez",   get_livez,   true },
    {"GET", "/readyz",  get_readyz,  true },
    {"GET", "/healthz", get_healthz, true },
    {NULL,  NULL,       NULL,        false},
};
