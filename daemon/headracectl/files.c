/* SPDX-License-Identifier: MIT */
#include "daemon/headracectl/files.h"

#include <errno.h>
#include <string.h>

#include "config/suggest.h"
#include "daemon/headracectl/print.h"

#define JOB_NAME_ROOM 80

static void print_member(const char *key, const char *text)
{
    printf("\"%s\":", key);
    print_json_string(stdout, text ? text : "", strlen(text ? text : ""));
}

void files_print_diags(const struct hr_conf_diags *diags)
{
    putchar('[');
    for (size_t i = 0; i < diags->n; i++) {
        const struct hr_conf_diag *diag = &diags->items[i];
        fputs(i > 0 ? ",\n{" : "\n{", stdout);
        print_member("severity", diag->severity == HR_CONF_ERROR ? "error" : "note");
        putchar(',');
        print_member("file", diag->file);
        printf(",\"line\":%u,\"column\":%u,", diag->line, diag->column);
        print_member("path", diag->path);
        putchar(',');
        print_member("text", diag->text);
        putchar('}');
    }
    putchar(']');
}

int files_load(const struct ctl *ctl, struct settings **ret)
{
    hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
    int r = settings_load(ctl->config, SETTINGS_WITHOUT_CREDENTIALS, ret, &diags);
    if (r < 0)
        hr_conf_diags_print(&diags, stderr);
    if (r == -ENOMEM)
        return ctl_fail(ctl, EX_SOFTWARE, "out of memory");
    return r < 0 ? ctl_fail(ctl, EX_CONFIG, "the configuration %s has mistakes", ctl->config) : 0;
}

int files_job(const struct ctl *ctl, const struct settings *settings, const struct job_conf **ret)
{
    for (size_t i = 0; i < settings->n_jobs; i++) {
        if (strcmp(settings->jobs[i].name, ctl->args[0]) != 0)
            continue;
        *ret = &settings->jobs[i];
        return 0;
    }
    const char *meant =
        hr_conf_suggest(ctl->args[0], settings->jobs, settings->n_jobs, sizeof(settings->jobs[0]));
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < settings->n_jobs && used < sizeof(names) - JOB_NAME_ROOM; i++) {
        bool last = used > sizeof(names) - 2 * JOB_NAME_ROOM;
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
                                 last ? "…" : settings->jobs[i].name);
    }
    return ctl_fail(ctl, EX_USAGE, "there is no job %.64s in %s (%s%s%s)", ctl->args[0],
                    ctl->config, meant ? "did you mean " : "its jobs: ",
                    meant  ? meant
                    : used ? names
                           : "none",
                    meant ? "?" : "");
}
