/* SPDX-License-Identifier: MIT */
/*
 * What is in a pipeline: commands are formatted when they are added, and the first that cannot be
 * is remembered for the run.
 */
#include "drivers/redis/pipeline.h"

#include <errno.h>
#include <string.h>

#include "drivers/redis/manners.h"
#include "drivers/redis/pipeline_impl.h"
#include "drivers/redis/words.h"

hr_redis_pipeline *hr_redis_pipeline_new(void)
{
    hr_redis_pipeline *p = calloc(1, sizeof(*p));
    if (!p) {
        (void)hr__pipeline_fail_memory();
        return NULL;
    }
    hr_buf_init(&p->bytes, SIZE_MAX);
    return p;
}

void hr__pipeline_drop_outcomes(hr_redis_pipeline *p)
{
    for (size_t i = 0; i < p->n_replies; i++)
        (void)hr_reply_free(p->replies[i]);
    free(p->replies);
    free(p->outcomes);
    p->replies = NULL;
    p->outcomes = NULL;
    p->n_replies = 0;
}

void hr_redis_pipeline_clear(hr_redis_pipeline *p)
{
    if (!p)
        return;
    hr__pipeline_drop_outcomes(p);
    hr_buf_consume(&p->bytes, hr_buf_size(&p->bytes));
    p->count = p->n_scripts = 0;
    hr_error_done(&p->failed);
    p->failed = (struct hr_error){0};
}

hr_redis_pipeline *hr_redis_pipeline_free(hr_redis_pipeline *p)
{
    if (!p)
        return NULL;
    hr__pipeline_drop_outcomes(p);
    hr_error_done(&p->failed);
    hr_buf_done(&p->bytes);
    free(p->lens);
    free(p->scripts);
    free(p);
    return NULL;
}

void hr_redis_pipeline_freep(hr_redis_pipeline **pipeline)
{
    *pipeline = hr_redis_pipeline_free(*pipeline);
}

size_t hr_redis_pipeline_len(const hr_redis_pipeline *p)
{
    return p ? p->count : 0;
}

const struct hr_redis_outcome *hr_redis_pipeline_at(const hr_redis_pipeline *p, size_t i)
{
    return p && p->outcomes && i < p->count ? &p->outcomes[i] : NULL;
}

static int reserve(hr_redis_pipeline *p)
{
    if (p->count < p->capacity)
        return 0;
    size_t capacity = p->capacity > 0 ? p->capacity * 2 : 16;
    size_t *lens = reallocarray(p->lens, capacity, sizeof(*lens));
    if (!lens)
        return hr__pipeline_fail_memory();
    p->lens = lens;
    p->capacity = capacity;
    return 0;
}

/* The first that failed is what a run says. */
static int fail_add(hr_redis_pipeline *p, int code)
{
    if (p && p->failed.code == 0)
        hr_error_copy(&p->failed, hr_last_error());
    return code;
}

static int add(hr_redis_pipeline *p, const struct hr__redis_request *request)
{
    if (!p)
        return hr__pipeline_fail_memory();
    hr__pipeline_drop_outcomes(p);
    size_t before = hr_buf_size(&p->bytes);
    int r = reserve(p);
    if (r == 0)
        r = hr__redis_check_manners(request);
    if (r == 0)
        r = hr__redis_format(&p->bytes, request);
    if (r < 0)
        return fail_add(p, r);
    p->lens[p->count++] = hr_buf_size(&p->bytes) - before;
    return 0;
}

int hr_redis_pipeline_add(hr_redis_pipeline *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r = add(p, &request);
    va_end(args);
    return r;
}

static int add_words(hr_redis_pipeline *p, const struct hr__words *words)
{
    struct hr__redis_request request = hr__words_request(words);
    return add(p, &request);
}

int hr_redis_pipeline_add_args(hr_redis_pipeline *p, size_t n, const struct hr_redis_arg *args)
{
    hr_auto(hr__words_done) struct hr__words words;
    int r = hr__words_init(&words, n);
    if (r < 0)
        return fail_add(p, r);
    hr__words_add_args(&words, n, args);
    return add_words(p, &words);
}

static int need_script(hr_redis_pipeline *p, const struct hr_redis_script *script)
{
    for (size_t i = 0; i < p->n_scripts; i++) {
        if (strcmp(p->scripts[i]->sha1, script->sha1) == 0)
            return 0;
    }
    const struct hr_redis_script **scripts =
        reallocarray(p->scripts, p->n_scripts + 1, sizeof(*scripts));
    if (!scripts)
        return hr__pipeline_fail_memory();
    p->scripts = scripts;
    p->scripts[p->n_scripts++] = script;
    return 0;
}

int hr_redis_pipeline_add_script(hr_redis_pipeline *p, const struct hr_redis_script *script,
                                 size_t n_keys, const struct hr_redis_arg *keys, size_t n_args,
                                 const struct hr_redis_arg *args)
{
    hr_auto(hr__words_done) struct hr__words words;
    int r = hr__words_init_call(&words, "EVALSHA", script->sha1, n_keys, keys, n_args, args);
    if (r == 0)
        r = p ? need_script(p, script) : hr__pipeline_fail_memory();
    if (r < 0)
        return fail_add(p, r);
    return add_words(p, &words);
}
