/* SPDX-License-Identifier: MIT */
/*
 * Settings of a job as a whole: promise, retries, dead letters, limits, and the rules between all
 * its parts.
 */
#include <errno.h>
#include <string.h>

#include "daemon/settings_tables.h"

/* Longest name of a list. */
#define KEY_MAX 512

static const struct hr_conf_choice jitter_choices[] = {
    {"full", true},
    {"none",      false},
    {NULL}
};

static const struct hr_conf_choice decode_choices[] = {
    {"json",      DECODE_JSON},
    {"raw",           DECODE_RAW},
    {NULL},
};

static const struct hr_conf_choice delivery_choices[] = {
    {"exactly_once", EXACTLY_ONCE},
    {"at_least_once",              AT_LEAST_ONCE},
    {"at_most_once",AT_MOST_ONCE},
    {NULL},
};

static const struct hr_conf_field backoff_fields[] = {
    HR_CONF_SPAN(struct retry_conf, "first", backoff_first, "1s", "1ms", "1d",
                 "The longest wait before the second attempt."),
    HR_CONF_FACTOR(struct retry_conf, "factor", backoff_factor, "2", "1", "100",
                   "How much longer each further wait may be."),
    HR_CONF_SPAN(struct retry_conf, "max", backoff_max, "10m", "1ms", "7d", "No wait is longer."),
    HR_CONF_SWITCH(struct retry_conf, "jitter", jitter_full, "full", jitter_choices,
                   "full: a wait is drawn between nothing and its longest; none: always the "
                   "longest."),
    HR_CONF_END,
};

static int check_backoff(struct hr_conf *conf, const struct hr_conf_node *map, void *object)
{
    const struct retry_conf *retry = object;
    if (retry->backoff_first <= retry->backoff_max)
        return 0;
    return hr_conf_error(conf, map, "first is longer than max (10m when it is left out)");
}

static const struct hr_conf_section backoff_section = {
    .fields = backoff_fields,
    .check = check_backoff,
};

static const struct hr_conf_field retry_fields[] = {
    HR_CONF_INT(struct retry_conf, "attempts", attempts, "12", "1", "1000000",
                "How often an item is tried for its own failures; outages and clean stops cost "
                "none."),
    HR_CONF_SPAN(struct retry_conf, "max_age", max_age, "24h", "1s", "3650d",
                 "An item that fails and was first seen longer ago is a dead letter."),
    HR_CONF_GROUP("backoff", &backoff_section, "Waiting between attempts."),
    HR_CONF_INT(struct retry_conf, "crash_limit", crash_limit, "3", "1", "1000",
                "Crashes after which a batch is split, and a single item is a dead letter."),
    HR_CONF_END,
};

static const struct hr_conf_section retry_section = {.fields = retry_fields};

static const struct hr_conf_field dead_list_fields[] = {
    {.key = "server",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct dead_letter_conf, server, const struct server_conf *),
     .hook = read_redis_server,
     .doc = "The server, by its name in headrace.yaml."},
    {.key = "key",
     .type = HR_CONF_TYPE_STR,
     .required = true,
     .offset = HR_CONF_AT(struct dead_letter_conf,                             key,         const char *),
     .doc = "The list that dead letters are pushed to."},
    HR_CONF_END,
};

static const struct hr_conf_field dead_limit_fields[] = {
    HR_CONF_COUNT(struct dead_letter_conf, "items", limit_items, "200000", "1", "1000000000000",
                  "With this many dead letters the list is full."),
    HR_CONF_END,
};

static const struct hr_conf_section dead_list_section = {.fields = dead_list_fields};
static const struct hr_conf_section dead_limit_section = {.fields = dead_limit_fields};

/* There is one thing to do so far; the key says in the file what will happen. */
static int read_when_full(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    if (node->kind == HR_CONF_SCALAR && strcmp(node->text, "pause") == 0)
        return 0;
    return hr_conf_error(conf, node, "has to be pause (dead letters are never thrown away)");
}

static const struct hr_conf_field dead_letter_fields[] = {
    HR_CONF_GROUP("redis_list", &dead_list_section,
                  "Where dead letters go. Without it: the list KEY:dead beside the source; for "
                  "lines: standard error."),
    HR_CONF_GROUP("limit", &dead_limit_section, "How many there may be."),
    {.key = "when_full",
                                                              .type = HR_CONF_TYPE_HOOK,
                                                              .fallback = "pause",
                                                              .hook = read_when_full,
                                                              .doc = "pause: nothing more is claimed and the job turns unhealthy."},
    HR_CONF_END,
};

static const struct hr_conf_section dead_letter_section = {.fields = dead_letter_fields};

static const struct hr_conf_field limits_fields[] = {
    HR_CONF_INT(struct job_conf, "concurrency", concurrency, "4", "1", "1024",
                "Batches in flight."),
    HR_CONF_SPAN(
        struct job_conf, "timeout", timeout, "20s", "10ms", "1d",
        "How long one attempt at a batch may take; running into it rolls back. Rows that take "
        "longer are tried in smaller batches; one that does all alone uses up attempts. Below 2s a "
        "wait for a lock cannot be told from slow rows, as MySQL counts such waits in seconds."),
    HR_CONF_END,
};

static const struct hr_conf_field ledger_fields[] = {
    HR_CONF_SPAN(struct job_conf, "keep", ledger_keep, "24h", "61s", "3650d",
                 "How long the outcomes of batches are remembered in MySQL."),
    HR_CONF_END,
};

static const struct hr_conf_section limits_section = {.fields = limits_fields};
static const struct hr_conf_section ledger_section = {.fields = ledger_fields};

/* The promise: exactly once where rows and ledger share a transaction and a lease can be lost and
 * taken over, that is from a Redis list into MySQL. */
static int check_delivery(struct hr_conf *conf, const struct hr_conf_node *map,
                          struct job_conf *job)
{
    const struct loading *loading = conf->user;
    const struct hr_conf_node *delivery = hr_conf_get(map, "delivery");
    const struct hr_conf_node *ledger = hr_conf_get(map, "ledger");
    bool possible = job->sink.kind == SINK_MYSQL && job->source.kind == SOURCE_REDIS_LIST;
    if (!delivery)
        job->delivery = possible ? EXACTLY_ONCE : AT_LEAST_ONCE;
    if (!hr_conf_get(map, "sink") || !hr_conf_get(map, "source"))
        return 0;
    if (delivery && job->delivery == EXACTLY_ONCE && !possible) {
        return hr_conf_error(conf, delivery,
                             "exactly_once needs source.redis_list and sink.mysql "
                             "(at_least_once is possible here)");
    }
    if (ledger && job->delivery != EXACTLY_ONCE && !hr_conf_is_under(ledger, loading->defaults))
        return hr_conf_error_key(conf, ledger, "is used with delivery: exactly_once only");
    return 0;
}

hr_usec settings_session_wait(hr_usec lease)
{
    return 2 * lease > hr_seconds(60) ? 2 * lease : hr_seconds(60);
}

static const struct hr_conf_node *get2(const struct hr_conf_node *map, const char *first,
                                       const char *second)
{
    const struct hr_conf_node *outer = hr_conf_get(map, first);
    const struct hr_conf_node *inner = hr_conf_get(outer, second);
    return inner ? inner : outer ? outer : map;
}

static int check_spans(struct hr_conf *conf, const struct hr_conf_node *map,
                       const struct job_conf *job)
{
    if (job->source.kind != SOURCE_REDIS_LIST || job->source.lease == 0)
        return 0;
    int r = 0;
    const struct hr_conf_node *keep = hr_conf_get(hr_conf_get(map, "ledger"), "keep");
    if (job->delivery == EXACTLY_ONCE &&
        job->ledger_keep <= settings_session_wait(job->source.lease)) {
        r = hr_conf_error(conf,
                          keep ? keep : get2(hr_conf_get(map, "source"), "redis_list", "lease"),
                          "twice the lease has to be shorter than ledger.keep (a late owner must "
                          "still find its outcome)");
    }
    if (job->sink.batch_wait >= job->source.lease)
        r = hr_conf_error(conf, get2(hr_conf_get(map, "sink"), "mysql", "batch"),
                          "wait has to be shorter than source.redis_list.lease");
    return r;
}

/* Two of the largest claims have to fit, or the budget would stop claiming for good. */
static int check_memory(struct hr_conf *conf, const struct hr_conf_node *map,
                        const struct job_conf *job)
{
    const struct settings *s = ((const struct loading *)conf->user)->settings;
    if (s->memory_limit == 0)
        return 0;
    if (job->sink.batch_bytes > s->memory_limit / 2)
        return hr_conf_error(conf, get2(hr_conf_get(map, "sink"), "mysql", "batch"),
                             "bytes is more than half of limits.memory");
    if (job->source.max_payload > s->memory_limit / 2)
        return hr_conf_error(conf, hr_conf_get(map, "source"),
                             "max_payload is more than half of limits.memory");
    return 0;
}

/* Without a key of its own, a list's dead letters lie beside it. */
static int check_dead_letter(struct hr_conf *conf, const struct hr_conf_node *map,
                             struct job_conf *job)
{
    const struct source_conf *source = &job->source;
    const struct hr_conf_node *given = hr_conf_get(hr_conf_get(map, "dead_letter"), "redis_list");
    if (!given && source->kind == SOURCE_REDIS_LIST && source->key) {
        job->dead.server = source->server;
        job->dead.key = hr_conf_printf(conf->mem, "%s:dead", source->key);
        return job->dead.key ? 0 : -ENOMEM;
    }
    if (given && job->dead.key && source->key && job->dead.server == source->server &&
        strcmp(job->dead.key, source->key) == 0)
        return hr_conf_error(conf, given,
                             "is the list that the job reads: dead letters would come "
                             "again and again");
    return 0;
}

static int check_decode(struct hr_conf *conf, const struct hr_conf_node *map,
                        const struct job_conf *job)
{
    const struct hr_conf_node *expect = hr_conf_get(map, "expect");
    if (job->decode == DECODE_RAW && expect)
        return hr_conf_error_key(conf, expect, "needs decode: json");
    return 0;
}

/* The names of the keys beside the list are made from it, in buffers (QUEUE_BATCH_KEY_MAX). */
static int check_key(struct hr_conf *conf, const struct hr_conf_node *map,
                     const struct job_conf *job)
{
    if (!job->source.key || strlen(job->source.key) <= KEY_MAX)
        return 0;
    return hr_conf_error(conf, get2(hr_conf_get(map, "source"), "redis_list", "key"),
                         "is longer than %d bytes", KEY_MAX);
}

static int check_job(struct hr_conf *conf, const struct hr_conf_node *map, void *object)
{
    struct job_conf *job = object;
    if (job->sink.kind != SINK_MYSQL) {
        int r = hr_conf_fill(conf, NULL, &batch_section, &job->sink);
        if (r < 0)
            return r;
    }
    int results[] = {
        check_delivery(conf, map, job),    check_spans(conf, map, job),
        check_memory(conf, map, job),      check_decode(conf, map, job),
        check_dead_letter(conf, map, job), check_key(conf, map, job),
    };
    int r = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(results); i++)
        r = r < 0 ? r : results[i];
    return r;
}

static const struct hr_conf_field job_fields[] = {
    {.key = "source",
     .type = HR_CONF_TYPE_SECTION,
     .required = true,
     .offset = offsetof(struct job_conf, source),
     .section = &source_section,
     .doc = "Where items come from; one of:"},
    HR_CONF_CHOICE(struct job_conf, "decode", decode, "json", decode_choices,
                   "json: an item is a JSON text; raw: it is a string of bytes."),
    HR_CONF_HOOK(struct job_conf, "expect", expect, NULL, read_expect,
                 "The contract: a type for each field. An item that breaks it is a dead letter "
                 "that names field, rule and value."),
    HR_CONF_LIST_OF(struct job_conf, "steps", steps, n_steps, &step_section,
                    "What is done to an item, in order; each one of:"),
    {.key = "sink",
     .type = HR_CONF_TYPE_SECTION,
     .required = true,
     .offset = offsetof(struct job_conf, sink),
     .section = &sink_section,
     .doc = "Where items go; one of:"       },
    HR_CONF_CHOICE(struct job_conf, "delivery", delivery, NULL, delivery_choices,
                   "The promise. exactly_once is the default from a Redis list into MySQL, "
                   "at_least_once elsewhere."),
    HR_CONF_GROUP("ledger", &ledger_section, "The memory of what was committed; exactly_once."),
    HR_CONF_SECTION(struct job_conf, "retry", retry, &retry_section,
                    "How failed items are tried again."),
    HR_CONF_SECTION(struct job_conf, "dead_letter", dead, &dead_letter_section,
                    "What becomes of items that cannot be rows."),
    HR_CONF_GROUP("limits", &limits_section, "How much the job does at a time."),
    HR_CONF_END,
};

const struct hr_conf_section job_section = {.fields = job_fields, .check = check_job};
