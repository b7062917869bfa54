/* SPDX-License-Identifier: MIT */
/*
 * Settings as text: one line a member.
 */
#include "tests/config/dump.h"

#include <inttypes.h>

static const char *or_none(const char *text)
{
    return text ? text : "(none)";
}

static const char *given(const void *object)
{
    return object ? "given" : "none";
}

static void dump_server(const struct server_conf *s, FILE *out)
{
    static const char *const kinds[] = {"redis", "mysql"};
    fprintf(out, "server %s: %s\n", s->name, kinds[s->kind]);
    fprintf(out, "  user %s, password %s, connections %u\n", or_none(s->user), given(s->password),
            s->connections);
    fprintf(out, "  timeouts %" PRId64 " us, %" PRId64 " us\n", s->connect_timeout,
            s->command_timeout);
    static const char *const verifications[] = {
        [HR_TLS_FULL] = "full", [HR_TLS_CA] = "ca", [HR_TLS_NONE] = "none"};
    if (s->tls.verify != HR_TLS_OFF)
        fprintf(out, "  tls: verify %s, ca %s, cert %s, key %s\n", verifications[s->tls.verify],
                or_none(s->tls.ca), or_none(s->tls.cert), or_none(s->tls.key));
}

static void dump_source(const struct source_conf *s, FILE *out)
{
    if (s->kind == SOURCE_LINES) {
        fprintf(out, "  source lines: path %s, max_payload %zu\n", s->path, s->max_payload);
        return;
    }
    fprintf(out, "  source redis_list: server %s, key %s, head %s\n", s->server->name, s->key,
            s->head_right ? "right" : "left");
    fprintf(out, "    lease %" PRId64 " us, max_payload %zu\n", s->lease, s->max_payload);
}

static void dump_steps(const struct job_conf *job, FILE *out)
{
    for (size_t i = 0; i < job->n_steps; i++) {
        const struct step_conf *step = &job->steps[i];
        fprintf(out, "  step %s, expression %s%s%s\n", step->kind == STEP_DROP ? "drop" : "map",
                given(step->expr), step->reason ? ", reason " : "",
                step->reason ? step->reason : "");
    }
}

static void dump_sink(const struct sink_conf *s, FILE *out)
{
    static const char *const as[] = {"auto", "text", "int", "decimal", "time", "json", "bytes"};
    static const char *const on_duplicate[] = {"dead_letter", "ignore", "update"};
    if (s->kind == SINK_PRINT) {
        fprintf(out, "  sink print\n");
    } else {
        fprintf(out, "  sink mysql: server %s, table %s, on_duplicate %s\n", s->server->name,
                or_none(s->table), on_duplicate[s->on_duplicate]);
        fprintf(out, "    %s\n", s->sql);
    }
    for (size_t i = 0; i < s->n_params; i++) {
        const struct param_conf *p = &s->params[i];
        fprintf(out, "    param %s, column %s, as %s, expression %s\n", p->name, or_none(p->column),
                as[p->as], given(p->expr));
    }
    fprintf(out, "    batch %u rows, %zu bytes, wait %" PRId64 " us\n", s->batch_rows,
            s->batch_bytes, s->batch_wait);
}

static void dump_job(const struct job_conf *job, FILE *out)
{
    static const char *const delivery[] = {"exactly_once", "at_least_once", "at_most_once"};
    fprintf(out, "job %s from %s\n", job->name, job->origin);
    dump_source(&job->source, out);
    fprintf(out, "  decode %s, expect %s\n", job->decode == DECODE_JSON ? "json" : "raw",
            given(job->expect));
    dump_steps(job, out);
    dump_sink(&job->sink, out);
    fprintf(out, "  delivery %s, ledger %" PRId64 " us\n", delivery[job->delivery],
            job->ledger_keep);
    const struct retry_conf *retry = &job->retry;
    fprintf(out, "  retry %u attempts, max_age %" PRId64 " us, crash_limit %u\n", retry->attempts,
            retry->max_age, retry->crash_limit);
    fprintf(out, "    backoff %" PRId64 " us x %g to %" PRId64 " us, jitter %s\n",
            retry->backoff_first, retry->backoff_factor, retry->backoff_max,
            retry->jitter_full ? "full" : "none");
    fprintf(out, "  dead letters: server %s, key %s, limit %" PRIu64 "\n",
            job->dead.server ? job->dead.server->name : "(none)", or_none(job->dead.key),
            job->dead.limit_items);
    fprintf(out, "  limits: concurrency %u, timeout %" PRId64 " us\n", job->concurrency,
            job->timeout);
}

void dump_settings(const struct settings *s, FILE *out)
{
    static const char *const log_to[] = {"auto", "journal", "stderr"};
    fprintf(out, "runtime_dir %s\n", s->runtime_dir);
    fprintf(out, "memory %zu\n", s->memory_limit);
    for (size_t i = 0; i < s->n_listen; i++)
        fprintf(out, "listen %s\n", s->listen[i]);
    fprintf(out, "log to %s, level %d\n", log_to[s->log_to], s->log_level);
    for (size_t i = 0; i < s->n_log_redact; i++)
        fprintf(out, "redact %s\n", s->log_redact[i]);
    fprintf(out, "grace %" PRId64 " us\n", s->grace);
    for (size_t i = 0; i < s->n_servers; i++)
        dump_server(&s->servers[i], out);
    for (size_t i = 0; i < s->n_jobs; i++)
        dump_job(&s->jobs[i], out);
}
