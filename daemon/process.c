/* SPDX-License-Identifier: MIT */
#include "daemon/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/fault.h"

#include "daemon/item/expect.h"
#include "daemon/item/plural.h"
#include "daemon/log.h"
#include "daemon/retry.h"
#include "drivers/backoff.h"

/* Some 20 s in all. */
#define LOOKS_FOR_MEMORY 8

static int number(struct arena *arena, int64_t value, const struct json_value **ret)
{
    char *text = arena_alloc(arena, 24);
    if (!text)
        return arena_error(arena);
    int len = snprintf(text, 24, "%lld", (long long)value);
    return json_number(arena, text, (size_t)len, ret);
}

static int text(struct arena *arena, const char *value, const struct json_value **ret)
{
    return json_string(arena, value, strlen(value), ret);
}

/* $job and $meta for one item; made only where the job's programs mention them. */
static int make_env(struct job *job, struct batch *batch, size_t i, struct expr_env *ret)
{
    static const char *const names[] = {"id", "attempt", "name", "time", "list"};
    struct arena *arena = batch->arena;
    char *id = arena_alloc(arena, ENVELOPE_ID_MAX);
    if (!id)
        return arena_error(arena);
    batch_item_id(batch, i, id);
    struct json_member members[HR_ARRAY_LEN(names)];
    int r = 0;
    for (size_t k = 0; k < HR_ARRAY_LEN(names) && r >= 0; k++)
        r = text(arena, names[k], &members[k].key);
    if (r >= 0)
        r = text(arena, id, &members[0].value);
    if (r >= 0)
        r = number(arena, batch_attempts(batch, i) + 1, &members[1].value);
    if (r >= 0)
        r = text(arena, job->conf->name, &members[2].value);
    if (r >= 0)
        r = number(arena, batch->seen / 1000, &members[3].value);
    if (r >= 0)
        r = text(arena, job->conf->source.key ? job->conf->source.key : "", &members[4].value);
    if (r >= 0)
        r = json_object(arena, members, 4, &ret->job);
    if (r >= 0)
        r = json_object(arena, members + 4, 1, &ret->meta);
    return r;
}

static int step(struct batch *batch, size_t i, const struct step_conf *step,
                const struct expr_env *env, struct failure *why)
{
    struct item *item = &batch->items[i];
    const struct json_value *result;
    int r = expr_eval(step->expr, batch->arena, item->value, env, &result, why);
    if (r < 0)
        return r;
    if (step->kind == STEP_MAP)
        item->value = result;
    else if (json_is_true(result))
        item->fate = FATE_DROPPED;
    return 0;
}

/* In test builds an item with the word POISON ends the process as a crash of a parser would. */
static void maybe_crash(const struct item *item)
{
    if (memmem(item->payload, item->len, "POISON", 6) && HR_FAULT("poison-item"))
        raise(SIGKILL);
}

/* What a builder, which fails without a word, has met. */
static int built(int r, struct failure *why)
{
    if (r == -E2BIG)
        failure_set(why, error_class_name(CLASS_DECODE), 0, "too large to be processed");
    return r;
}

static int process_item(struct job *job, struct batch *batch, size_t i, struct failure *why)
{
    const struct job_conf *conf = job->conf;
    struct item *item = &batch->items[i];
    maybe_crash(item);
    /* The claim sets these aside by itself, unless dead letters go to another server. */
    if (item->len > conf->source.max_payload && !item->envelope)
        return failure_set(why, error_class_name(CLASS_MAX_PAYLOAD), 0,
                           "the payload is longer than %zu %s", conf->source.max_payload,
                           plural(conf->source.max_payload, "byte", "bytes"));
    int r = conf->decode == DECODE_JSON
                ? json_parse(batch->arena, item->payload, item->len, &item->value, why)
                : built(json_string(batch->arena, item->payload, item->len, &item->value), why);
    if (r >= 0 && conf->expect)
        r = expect_check(conf->expect, item->value, why);
    if (r >= 0 && job->uses_env)
        r = built(make_env(job, batch, i, &item->env), why);
    for (size_t k = 0; k < conf->n_steps && r >= 0 && item->fate == FATE_LIVE; k++)
        r = step(batch, i, &conf->steps[k], &item->env, why);
    return r;
}

/* Takes each live item that has not been through yet on its way; what goes wrong with an item's own
 * data will go wrong again, so it is dead, and what it took is free for the next one. Returns how
 * many found no memory: they are as before; or -E2BIG. */
static int process_rest(struct job *job, struct batch *batch)
{
    int starved = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct item *item = &batch->items[i];
        if (item->fate != FATE_LIVE || item->value)
            continue;
        struct arena_mark before = arena_mark(batch->arena);
        struct failure why;
        int r = process_item(job, batch, i, &why);
        if (r >= 0)
            continue;
        item->value = NULL;
        arena_rewind(batch->arena, before);
        if (r == -E2BIG && batch_is_crowded(batch))
            return hr_fail(r, "batch %s: too large to be processed at once", batch->id);
        if (r == -ENOMEM)
            starved++;
        else
            batch_fail(batch, i, FATE_DEAD, &why);
    }
    return starved;
}

/* For these items there is no memory however long we wait: that may be what they ask for. */
static void use_up_attempt(struct job *job, struct batch *batch)
{
    struct failure why;
    failure_set(&why, error_class_name(CLASS_ENVIRONMENT), 0, "out of memory");
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->items[i].fate == FATE_LIVE && !batch->items[i].value)
            retry_or_bury(job->conf, batch, i, &why);
    }
}

int process_batch(struct job *job, struct batch *batch)
{
    struct hr_backoff pause = {hr_ms(100), hr_seconds(5), 2, false, 0};
    int starved;
    while ((starved = process_rest(job, batch)) > 0 && pause.attempt < LOOKS_FOR_MEMORY) {
        if (pause.attempt == 0)
            log_job(LOG_WARNING, job->conf->name, CLASS_ENVIRONMENT,
                    "out of memory for %d of %zu items; they wait for others to give some back",
                    starved, batch->n);
        int r = job_nap(job, hr_backoff_next(&pause));
        if (r < 0)
            return r == HR_ESHUTDOWN ? SINK_STOPPED : r;
    }
    if (starved > 0)
        use_up_attempt(job, batch);
    return starved < 0 ? starved : 0;
}
