/* SPDX-License-Identifier: MIT */
/*
 * The daemon as a whole: servers, jobs and the admin server, built from the settings and taken down
 * in reverse.
 */
#pragma once

#include "daemon/age.h"
#include "daemon/dead_log.h"
#include "daemon/instance.h"
#include "daemon/job.h"
#include "daemon/servers.h"
#include "daemon/settings.h"
#include "daemon/sweep.h"

struct admin;

/* A job and what keeps it company. */
struct app_job {
    struct job job;
    struct sweep sweep;
    struct dead_log dead_log;
    struct age age; /* as /metrics is asked for */
    hr_future *run, *sweeper;
};

struct app {
    const struct settings *settings;
    struct instance instance;
    char host[256];
    struct budget budget;
    struct solitude solitude;
    struct servers servers;
    struct app_job *jobs;
    size_t n_jobs, ended;
    struct admin *admin;
    hr_usec started;
    struct hr_event stop; /* set by SIGTERM or SIGINT */
    uint64_t hangups;     /* SIGHUPs, which read nothing anew */
    bool ready, stopping;
    bool broken; /* a job ended that could not go on */
};

/* The body of the main task: runs until SIGTERM or SIGINT, or until all sources have ended. arg is
 * a zeroed struct app whose settings and instance are set. 0, or a code with its record. */
hr_async int app_run(void *arg);

/* The job of that name, or NULL. */
struct job *app_job(struct app *app, const char *name);

/* All jobs work: what /healthz says. */
bool app_healthy(const struct app *app);

/* One line of live numbers, for systemd and logs. */
void app_status_line(const struct app *app, char *ret, size_t size);
