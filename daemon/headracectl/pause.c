/* SPDX-License-Identifier: MIT */
/*
 * pause and resume: the pause by hand, which lies in Redis.
 */
#include "daemon/headracectl/ask.h"

static int set(struct ctl *ctl, const char *rest, const char *said)
{
    hr_auto(hr_freep) char *path = ask_job_path(ctl->args[0], rest);
    hr_auto(ask_done) struct reply reply = {0};
    int status = ask(ctl, path, "", 0, &reply);
    if (status != 0)
        return status;
    if (ctl->json)
        ask_print(&reply);
    else
        printf("%s: %s\n", ctl->args[0], said);
    return EX_OK;
}

int pause_command(struct ctl *ctl)
{
    return set(ctl, "/pause",
               "paused for all daemons, until resumed; batches that are begun are finished");
}

int resume_command(struct ctl *ctl)
{
    return set(ctl, "/resume", "resumed");
}
