/* SPDX-License-Identifier: MIT */
/*
 * check: every mistake of every file, with its place.
 */
#include <errno.h>

#include "daemon/headracectl/files.h"
#include "daemon/item/plural.h"

static void print_json(const struct settings *settings, const struct hr_conf_diags *diags)
{
    printf("{\"ok\":%s,\"jobs\":%zu,\"servers\":%zu,\"errors\":%zu,\"diagnostics\":",
           settings ? "true" : "false", settings ? settings->n_jobs : 0,
           settings ? settings->n_servers : 0, diags->errors);
    files_print_diags(diags);
    puts("}");
}

int check_command(struct ctl *ctl)
{
    hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
    hr_auto(settings_freep) struct settings *settings = NULL;
    int r = settings_load(ctl->config, SETTINGS_WITHOUT_CREDENTIALS, &settings, &diags);
    if (r == -ENOMEM)
        return ctl_fail(ctl, EX_SOFTWARE, "out of memory");
    if (ctl->json)
        print_json(settings, &diags);
    else
        hr_conf_diags_print(&diags, stderr);
    if (!settings)
        return EX_CONFIG;
    if (!ctl->json)
        printf("ok: %zu %s, %zu %s\n", settings->n_jobs, plural(settings->n_jobs, "job", "jobs"),
               settings->n_servers, plural(settings->n_servers, "server", "servers"));
    return EX_OK;
}
