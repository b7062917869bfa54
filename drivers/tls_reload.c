/* SPDX-License-Identifier: MIT */
/*
 * Certificates that are renewed while a client runs.
 *
 * A disk may be slow, so a thread looks at the files and reads them, and what waits for it waits a
 * second at most. Two files are not replaced in the same instant: a key that does not fit its
 * certificate yet leaves the former pair in use, and is looked at again a second later.
 */
#include "drivers/tls_context.h"

#include <stdio.h>
#include <string.h>

#include "core/executor.h"
#include "core/timeout.h"

#define LOOK_EVERY hr_seconds(1)
#define PATIENCE   hr_seconds(1)

/* What a thread works on. */
struct reading {
    struct hr__tls_files files;
    struct hr__tls_stamp known[HR__TLS_FILES], stamps[HR__TLS_FILES];
    SSL_CTX *ctx; /* NULL: nothing has changed, or trouble */
    char trouble[sizeof(((struct hr__tls_context *)NULL)->trouble)];
};

static void reading_free(void *arg)
{
    struct reading *reading = arg;
    hr__tls_files_done(&reading->files);
    SSL_CTX_free(reading->ctx);
    free(reading);
}

/* In a thread. */
static int read_again(void *arg, void **ret_value)
{
    struct reading *reading = arg;
    *ret_value = reading;
    hr__tls_stat_files(&reading->files, reading->stamps);
    if (memcmp(reading->known, reading->stamps, sizeof(reading->known)) == 0)
        return 0;
    if (hr__tls_read_files(&reading->files, &reading->ctx, reading->stamps) < 0)
        snprintf(reading->trouble, sizeof(reading->trouble), "%s",
                 hr_last_error()->message + strlen("tls: "));
    return 0;
}

static bool has_files(const struct hr__tls_context *context)
{
    for (size_t i = 0; i < HR__TLS_FILES; i++) {
        if (context->files.paths[i])
            return true;
    }
    return false;
}

/* Without memory, or a thread, all stays as it is. */
static void start_reading(struct hr__tls_context *context)
{
    context->look_at = hr_later(hr_now(), LOOK_EVERY);
    struct reading *reading = calloc(1, sizeof(*reading));
    if (!reading || hr__tls_files_copy(&context->files, &reading->files) < 0) {
        free(reading);
        return;
    }
    memcpy(reading->known, context->stamps, sizeof(reading->known));
    const struct hr_job_options options = {.free_value = reading_free, .free_arg = reading_free};
    context->reading = hr_run_in_executor_with(&options, read_again, reading);
    context->patience = hr_later(hr_now(), PATIENCE);
    if (!context->reading)
        reading_free(reading);
}

/* Stamps of files that cannot be used are not kept: they are read again until they can. */
static void adopt(struct hr__tls_context *context, struct reading *reading)
{
    snprintf(context->trouble, sizeof(context->trouble), "%s", reading->trouble);
    if (!reading->ctx)
        return;
    SSL_CTX_free(context->ctx);
    context->ctx = hr_take(reading->ctx);
    memcpy(context->stamps, reading->stamps, sizeof(context->stamps));
    hr__tls_sessions_drop(context);
}

static hr_async int await_reading(struct hr__tls_context *context, hr_future *reading)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter_at(&limit, context->patience);
    if (r == 0)
        r = hr_timeout_leave(&limit, hr_shield(hr_future_ref(reading)));
    if (!hr_future_done(reading)) {
        if (r != -ECANCELED)
            snprintf(context->trouble, sizeof(context->trouble),
                     "its files cannot be looked at: the disk does not answer");
    } else if (context->reading == reading) {
        context->reading = NULL;
        if (hr_future_status(reading) >= 0)
            adopt(context, hr_future_result(reading));
        hr_future_unref(reading);
    }
    return r == -ECANCELED ? r : 0;
}

int hr__tls_reload(struct hr__tls_context *context)
{
    if (!context->reading && (!has_files(context) || hr_now() < context->look_at))
        return 0;
    if (!context->reading)
        start_reading(context);
    if (!context->reading)
        return 0;
    hr__tls_context_ref(context);
    hr_auto(hr_future_unrefp) hr_future *reading = hr_future_ref(context->reading);
    int r = await_reading(context, reading);
    hr__tls_context_free(context);
    return r;
}
