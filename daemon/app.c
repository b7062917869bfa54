/* SPDX-License-Identifier: MIT */
#include "daemon/app.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/admin.h"
#include "daemon/hash.h"
#include "daemon/item/plural.h"
#include "daemon/log.h"
#include "daemon/notify.h"

/* What requests to the admin server may take at the end. */
#define ANSWER_AT_MOST hr_seconds(2)

/* Names the list and its Redis for the ledger. What is only reachable on this host (a socket, a
 * loopback address) is another list on another host. */
static void name_queue(const struct app *app, const struct job_conf *conf, char ret[17])
{
    const char *url = conf->source.server ? conf->source.server->url : "";
    bool local = strstr(url, "unix:") || strstr(url, "127.0.0.") || strstr(url, "localhost") ||
                 strstr(url, "[::1]");
    char text[2048];
    snprintf(text, sizeof(text), "%s %s %s", local ? app->host : "", url,
             conf->source.key ? conf->source.key : "");
    hash_name(text, ret);
}

/* Names where a batch's outcome would be written. */
static void name_sink(const struct job_conf *conf, char ret[17])
{
    char text[2048];
    snprintf(text, sizeof(text), "%s %d headrace_ledger",
             conf->sink.server ? conf->sink.server->url : "print", (int)conf->delivery);
    hash_name(text, ret);
}

static struct queue *make_queue(struct app *app, const struct job_conf *conf)
{
    struct server *source = servers_find(&app->servers, conf->source.server);
    struct server *dead = servers_find(&app->servers, conf->dead.server);
    if (!source && !dead)
        return NULL;
    struct queue *queue =
        queue_new(conf, app->settings->instance, app->host, source ? source->redis : dead->redis,
                  dead ? dead->redis : source->redis);
    if (queue)
        name_sink(conf, queue->print);
    return queue;
}

static int make_job(struct app *app, const struct job_conf *conf, struct app_job *ret)
{
    struct job *job = &ret->job;
    *job = (struct job){
        .conf = conf,
        .instance = app->settings->instance,
        .host = app->host,
        .redact = {app->settings->log_redact, app->settings->n_log_redact},
        .budget = &app->budget,
        .solitude = &app->solitude,
    };
    char name[17];
    name_queue(app, conf, name);
    struct server *server = servers_find(&app->servers, conf->sink.server);
    struct sink *sink = conf->sink.kind == SINK_MYSQL
                            ? sink_mysql_new(conf, server ? server->mysql : NULL, name)
                            : sink_print_new(conf);
    struct queue *queue = make_queue(app, conf);
    struct source *source = conf->source.kind == SOURCE_REDIS_LIST
                                ? source_redis_list_new(job, queue)
                                : source_lines_new(job, queue);
    if (!sink || !source) {
        sink_free(sink);
        if (source)
            source_free(source);
        else
            queue_free(queue);
        return hr_fail_because(-ENOMEM, "job %s: %s", conf->name, hr_last_error()->message);
    }
    job_init(job, conf, source, sink);
    ret->sweep = (struct sweep){.queue = queue, .keep = conf->ledger_keep, .able = &job->able};
    if (server)
        ret->sweep.ledger.pool = server->mysql;
    memcpy(ret->sweep.ledger.queue, name, sizeof(name));
    return 0;
}

static int make_jobs(struct app *app)
{
    const struct settings *settings = app->settings;
    app->jobs = calloc(settings->n_jobs + 1, sizeof(*app->jobs));
    if (!app->jobs)
        return hr_fail(-ENOMEM, "making jobs: out of memory");
    for (; app->n_jobs < settings->n_jobs; app->n_jobs++) {
        int r = make_job(app, &settings->jobs[app->n_jobs], &app->jobs[app->n_jobs]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run_job(void *arg)
{
    return job_run(arg);
}

/* When every source has ended there is nothing more to do. */
static void job_ended(hr_future *run, void *cookie)
{
    struct app *app = cookie;
    app->broken |= hr_future_error(run) != NULL; /* the job has said why */
    if (++app->ended == app->n_jobs)
        hr_event_set(&app->stop);
}

static int start_jobs(struct app *app)
{
    for (size_t i = 0; i < app->n_jobs; i++) {
        struct app_job *job = &app->jobs[i];
        job->run = hr_create_task(job->job.conf->name, run_job, &job->job);
        if (!job->run || hr_future_add_done_callback(job->run, job_ended, app) < 0)
            return -ENOMEM;
        if (job->job.conf->delivery == EXACTLY_ONCE)
            job->sweeper = hr_create_task("sweep", sweep_run, &job->sweep);
    }
    return 0;
}

/* All jobs that still run, borrowed from app->jobs by a reference each. */
static void running_jobs(struct app *app, struct hr_futures *ret)
{
    for (size_t i = 0; i < app->n_jobs; i++) {
        if (app->jobs[i].run)
            hr_futures_add(ret, hr_future_ref(app->jobs[i].run));
    }
}

static void drain_jobs(struct app *app, bool hurry)
{
    for (size_t i = 0; i < app->n_jobs; i++)
        job_drain(&app->jobs[i].job, hurry);
}

/* Waits for it, as it may be in the middle of a sweep. Only exactly_once has a ledger to sweep. */
static void end_sweeper(struct app_job *job)
{
    if (!job->sweeper)
        return;
    hr_future_cancel(job->sweeper, NULL);
    int r = hr_join(hr_take(job->sweeper));
    if (r < 0 && r != -ECANCELED)
        log_debug("ending the sweep: %s", hr_error_message(r));
}

/* Lets the jobs finish what is begun, within the grace; then cuts them short. */
static void finish_jobs(struct app *app)
{
    hr_auto(hr_futures_done) struct hr_futures jobs = {0};
    running_jobs(app, &jobs);
    drain_jobs(app, false);
    if (jobs.count > 0) {
        int done = hr_wait(&jobs, HR_ALL_COMPLETED, app->settings->grace);
        if (done >= 0 && (size_t)done < jobs.count) {
            log_warn("the grace of %" PRId64 " s is over", app->settings->grace / 1000000);
            drain_jobs(app, true);
        }
        done = hr_gather(&jobs, HR_RETURN_ERRORS);
        if (done < 0)
            log_warn("ending the jobs: %s", hr_error_message(done));
    }
    for (size_t i = 0; i < app->n_jobs; i++) {
        end_sweeper(&app->jobs[i]);
        app->jobs[i].run = hr_future_unref(app->jobs[i].run);
    }
}

static void take_down(struct app *app)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, ANSWER_AT_MOST);
    r = hr_timeout_leave(&limit, r < 0 ? r : admin_close(app->admin));
    if (r < 0)
        log_debug("admin server: closing: %s", hr_error_message(r));
    app->admin = admin_free(app->admin);
    for (size_t i = 0; i < app->n_jobs; i++)
        job_done(&app->jobs[i].job);
    free(app->jobs);
    servers_close(&app->servers);
    batch_free_spares();
    budget_done(&app->budget);
    solitude_done(&app->solitude);
    hr_event_done(&app->stop);
}

static void stop_asked(void *arg)
{
    struct app *app = arg;
    hr_event_set(&app->stop);
}

static void ignored(void *arg)
{
    struct app *app = arg;
    app->hangups++;
    log_info("SIGHUP: the configuration is read at the start only");
}

static void tell_dead(struct app *app, bool last)
{
    for (size_t i = 0; i < app->n_jobs; i++)
        dead_log_tell(&app->jobs[i].dead_log, &app->jobs[i].job, last);
}

/* Tells systemd that the loop turns, and how the jobs fare; the log, what died. */
static int keep_notified(void *arg)
{
    struct app *app = arg;
    hr_usec watchdog = notify_watchdog_every();
    hr_usec every = watchdog < hr_seconds(1) ? watchdog : hr_seconds(1);
    char shown[256] = "";
    for (;;) {
        char line[sizeof(shown)];
        app_status_line(app, line, sizeof(line));
        notify_watchdog();
        if (strcmp(line, shown) != 0) {
            memcpy(shown, line, sizeof(shown));
            notify_status(line);
        }
        tell_dead(app, false);
        int r = hr_sleep(every);
        if (r < 0)
            return r;
    }
}

int app_run(void *arg)
{
    struct app *app = arg;
    hr_loop_set_report(hr_running_loop(), log_report, NULL);
    app->started = hr_now();
    gethostname(app->host, sizeof(app->host) - 1);
    budget_init(&app->budget, app->settings->memory_limit);
    solitude_init(&app->solitude);
    hr_event_init(&app->stop);
    signal(SIGPIPE, SIG_IGN);

    int r = servers_open(&app->servers, app->settings);
    if (r >= 0)
        r = make_jobs(app);
    if (r >= 0)
        r = admin_new(app, &app->admin);
    if (r >= 0)
        r = hr_add_signal_handler(SIGTERM, stop_asked, app);
    if (r >= 0)
        r = hr_add_signal_handler(SIGINT, stop_asked, app);
    if (r >= 0)
        r = hr_add_signal_handler(SIGHUP, ignored, app);
    if (r >= 0)
        r = start_jobs(app);
    hr_future *notifier = NULL;
    if (r >= 0) {
        log_info("ready: instance %s, %zu %s", app->settings->instance, app->n_jobs,
                 plural(app->n_jobs, "job", "jobs"));
        app->ready = true;
        notify_ready();
        notifier = hr_create_task("notify", keep_notified, app);
        r = hr_event_wait(&app->stop);
    }
    app->stopping = true;
    notify_stopping();
    finish_jobs(app);
    tell_dead(app, true);
    if (notifier)
        hr_future_cancel(notifier, NULL);
    hr_future_unref(notifier);
    take_down(app);
    return r;
}

struct job *app_job(struct app *app, const char *name)
{
    for (size_t i = 0; i < app->n_jobs; i++) {
        if (strcmp(app->jobs[i].job.conf->name, name) == 0)
            return &app->jobs[i].job;
    }
    return NULL;
}

bool app_healthy(const struct app *app)
{
    bool healthy = app->ready && !app->stopping;
    for (size_t i = 0; i < app->n_jobs; i++)
        healthy &= status_healthy(&app->jobs[i].job.status);
    return healthy;
}

void app_status_line(const struct app *app, char *ret, size_t size)
{
    uint64_t ok = 0, dead = 0;
    size_t working = 0;
    for (size_t i = 0; i < app->n_jobs; i++) {
        const struct job *job = &app->jobs[i].job;
        ok += job->stats.ok;
        dead += job->stats.dead;
        working += status_healthy(&job->status);
    }
    snprintf(ret, size, "%zu of %zu %s; %" PRIu64 " %s done, %" PRIu64 " dead %s", working,
             app->n_jobs, plural(app->n_jobs, "job works", "jobs work"), ok,
             plural(ok, "item", "items"), dead, plural(dead, "letter", "letters"));
}
