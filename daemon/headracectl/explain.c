/* SPDX-License-Identifier: MIT */
/*
 * explain: a job's configuration in plain sentences, and its promise.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "daemon/headracectl/files.h"
#include "daemon/headracectl/print.h"
#include "daemon/headracectl/promise.h"
#include "daemon/item/expr.h"
#include "daemon/item/plural.h"

/* Sentences, each a member of a list in JSON, a line with a dash for eyes. */
struct story {
    bool json;
    unsigned n;
};

hr_printf_like(2, 3) static void say(struct story *story, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (!story->json) {
        printf("  - %s\n", text);
        return;
    }
    fputs(story->n++ > 0 ? ",\n" : "\n", stdout);
    print_json_string(stdout, text, strlen(text));
}

/* A span in the unit that people would write. */
static const char *span(hr_usec value, char ret[32])
{
    static const struct {
        hr_usec unit;
        const char *name;
    } units[] = {
        {INT64_C(86400000000), "d"},
        {INT64_C(3600000000),  "h"},
        {INT64_C(60000000),    "m"},
        {INT64_C(1000000),     "s"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(units); i++) {
        if (value > 0 && value % units[i].unit == 0) {
            snprintf(ret, 32, "%" PRId64 "%s", value / units[i].unit, units[i].name);
            return ret;
        }
    }
    snprintf(ret, 32, "%" PRId64 "ms", value / 1000);
    return ret;
}

static const char *size(size_t value, char ret[32])
{
    const char *unit = "B";
    if (value > 0 && value % (1024 * 1024) == 0) {
        value /= 1024 * 1024;
        unit = "MiB";
    } else if (value > 0 && value % 1024 == 0) {
        value /= 1024;
        unit = "KiB";
    }
    snprintf(ret, 32, "%zu %s", value, unit);
    return ret;
}

static void say_source(struct story *story, const struct job_conf *job)
{
    char a[32], b[32];
    const struct source_conf *source = &job->source;
    if (source->kind == SOURCE_LINES) {
        say(story, "Reads each line of %s as an item.",
            strcmp(source->path, "-") == 0 ? "standard input" : source->path);
    } else {
        say(story,
            "Takes items from the %s of the Redis list %s (server %s); producers %s. Any number of "
            "daemons may.",
            source->head_right ? "right" : "left", source->key, source->server->name,
            source->head_right ? "LPUSH" : "RPUSH");
        if (job->delivery != AT_MOST_ONCE)
            say(story, "A claimed batch is ours for %s without a sign of life.",
                span(source->lease, a));
    }
    say(story, "Up to %u %s or %s make a batch; %u %s in flight at once, each for %s at most.",
        job->sink.batch_rows, plural(job->sink.batch_rows, "item", "items"),
        size(job->sink.batch_bytes, a), job->concurrency,
        plural(job->concurrency, "batch is", "batches are"), span(job->timeout, b));
    say(story, "An item longer than %s is a dead letter, unread.", size(source->max_payload, a));
}

static const char *in_a_line(const struct expr *e)
{
    const char *text = expr_text(e);
    return text && !strchr(text, '\n') ? text : "its expression is true";
}

static void say_steps(struct story *story, const struct job_conf *job)
{
    say(story, job->decode == DECODE_JSON ? "An item has to be JSON; what is not is a dead letter."
                                          : "An item is taken as it is, byte for byte.");
    if (job->expect)
        say(story, "An item that breaks the contract (expect) is a dead letter that names field, "
                   "rule and value.");
    for (size_t i = 0; i < job->n_steps; i++) {
        const struct step_conf *step = &job->steps[i];
        if (step->kind == STEP_MAP)
            say(story, "Step %zu replaces the item by the result of an expression.", i + 1);
        else
            say(story, "Step %zu drops items where %s%s%s.", i + 1, in_a_line(step->expr),
                step->reason ? ", counted as " : "", step->reason ? step->reason : "");
    }
}

static void say_sink(struct story *story, const struct job_conf *job)
{
    static const char *const duplicates[] = {
        [DUPLICATE_DEAD_LETTER] = "is a dead letter",
        [DUPLICATE_IGNORE] = "counts as a duplicate and changes nothing",
        [DUPLICATE_UPDATE] = "updates the row that is there",
    };
    const struct sink_conf *sink = &job->sink;
    if (sink->kind == SINK_PRINT) {
        say(story, "Prints each item as one line.");
        return;
    }
    if (sink->table)
        say(story,
            "Inserts each item as a row of %s (server %s), a batch in one statement and one "
            "transaction.",
            sink->table, sink->server->name);
    else
        say(story, "Runs a statement once an item (server %s), a batch in one transaction.",
            sink->server->name);
    say(story,
        "A row with a key that is there already %s; any other bad row is a dead letter, and "
        "its neighbours go in.",
        duplicates[sink->on_duplicate]);
}

static void say_failures(struct story *story, const struct job_conf *job)
{
    char a[32], b[32], c[32];
    const struct retry_conf *retry = &job->retry;
    bool retried = job->source.kind == SOURCE_REDIS_LIST && job->delivery != AT_MOST_ONCE;
    if (retried)
        say(story,
            "An item that fails for a reason of its own that may pass is tried %u %s in "
            "%s, after %s growing to %s%s; it waits in Redis.",
            retry->attempts, plural(retry->attempts, "time", "times"), span(retry->max_age, a),
            span(retry->backoff_first, b), span(retry->backoff_max, c),
            retry->jitter_full ? ", at random" : "");
    if (!job->dead.server)
        say(story, "Dead letters go to standard error.");
    else if (job->dead.limit_items == UINT64_MAX)
        say(story, "Dead letters go to the list %s (server %s).", job->dead.key,
            job->dead.server->name);
    else
        say(story,
            "Dead letters go to the list %s (server %s); with %" PRIu64 " of them nothing "
            "more is claimed and the job is unhealthy.",
            job->dead.key, job->dead.server->name, job->dead.limit_items);
    if (job->delivery == EXACTLY_ONCE)
        say(story,
            "The outcome of a batch is one row of headrace_ledger in the same transaction, "
            "kept for %s.",
            span(job->ledger_keep, a));
}

static void say_promise(const struct promise *promise, void *cookie)
{
    static const char *const words[] = {
        [PROMISE_KEPT] = "nothing lost or doubled",
        [PROMISE_LOST] = "LOST",
        [PROMISE_DOUBLED] = "DOUBLED",
        [PROMISE_WAITS] = "waits",
    };
    struct story *story = cookie;
    if (!story->json) {
        printf("  - If %s: %s. %c%s.\n", promise->when, words[promise->kind],
               promise->then[0] >= 'a' && promise->then[0] <= 'z' ? promise->then[0] - 'a' + 'A'
                                                                  : promise->then[0],
               promise->then + 1);
        return;
    }
    printf("%s\n{\"outcome\":\"%s\",\"when\":", story->n++ > 0 ? "," : "",
           promise_name(promise->kind));
    print_json_string(stdout, promise->when, strlen(promise->when));
    fputs(",\"then\":", stdout);
    print_json_string(stdout, promise->then, strlen(promise->then));
    putchar('}');
}

static const char *summary(const struct job_conf *job)
{
    if (job->source.kind == SOURCE_LINES)
        return "each line goes out once a run; nothing is kept for a second attempt";
    static const char *const texts[] = {
        [EXACTLY_ONCE] = ("each item ends as exactly one row, is dropped by a rule, or is one dead "
                          "letter, whatever dies when"),
        [AT_LEAST_ONCE] = "each item goes out at least once: none is lost, some may come twice",
        [AT_MOST_ONCE] = "each item goes out at most once: none comes twice, some may be lost",
    };
    return texts[job->delivery];
}

int explain_command(struct ctl *ctl)
{
    static const char *const deliveries[] = {[EXACTLY_ONCE] = "exactly_once",
                                             [AT_LEAST_ONCE] = "at_least_once",
                                             [AT_MOST_ONCE] = "at_most_once"};
    hr_auto(settings_freep) struct settings *settings = NULL;
    const struct job_conf *job;
    int status = files_load(ctl, &settings);
    if (status == 0)
        status = files_job(ctl, settings, &job);
    if (status != 0)
        return status;

    struct story story = {.json = ctl->json};
    if (ctl->json)
        printf("{\"job\":\"%s\",\"delivery\":\"%s\",\"promise\":\"%s\",\"does\":[", job->name,
               deliveries[job->delivery], summary(job));
    else
        printf("%s (%s)\n\nWhat it does:\n", job->name, job->origin);
    say_source(&story, job);
    say_steps(&story, job);
    say_sink(&story, job);
    say_failures(&story, job);
    story.n = 0;
    if (ctl->json)
        fputs("],\"failures\":[", stdout);
    else
        printf("\nWhat it promises (delivery: %s): %s. No order is promised.\n",
               deliveries[job->delivery], summary(job));
    promise_each(job, say_promise, &story);
    if (ctl->json)
        puts("]}");
    return EX_OK;
}
