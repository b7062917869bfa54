/* SPDX-License-Identifier: MIT */
/*
 * headraced: carries items from Redis lists into MySQL rows, each once.
 */
#include <stdio.h>
#include <sysexits.h>

#include "daemon/app.h"
#include "daemon/log.h"
#include "daemon/options.h"

/* A task that keeps the loop for longer is a bug of ours; it is logged. */
#define SLOW_SLICE hr_ms(200)

/* The exit status. */
static int run(const struct settings *settings)
{
    struct app app = {.settings = settings};
    int r = instance_lock(&app.instance, settings->instance, settings->runtime_dir);
    if (r == -EBUSY) {
        log_err("%s", hr_error_message(r));
        return EX_TEMPFAIL;
    }
    if (r >= 0)
        r = hr_run_with(&(struct hr_loop_options){.slow_slice = SLOW_SLICE}, app_run, &app);
    if (r < 0)
        log_err("giving up: %s", hr_error_message(r));
    instance_unlock(&app.instance);
    return r < 0 || app.broken ? EX_SOFTWARE : EX_OK;
}

int main(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    if (options.exit_status >= 0)
        return options.exit_status;

    hr_auto(settings_freep) struct settings *settings = NULL;
    hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
    unsigned flags = options.check_only ? SETTINGS_WITHOUT_CREDENTIALS : 0;
    int r = settings_load(options.config, flags, &settings, &diags);
    hr_conf_diags_print(&diags, stderr);
    if (r < 0)
        return EX_CONFIG;
    if (options.check_only)
        return EX_OK;

    log_open(settings->log_to, settings->log_level);
    int status = run(settings);
    log_close();
    return status;
}
