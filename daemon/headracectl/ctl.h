/* SPDX-License-Identifier: MIT */
/*
 * What all commands of headracectl share: their table, what was asked for, how they end.
 *
 * A command returns the exit status; whatever went wrong has been said by then: what, where, and
 * what to do. With --json standard output holds one JSON value, also for a failure.
 */
#pragma once

#include <stdio.h>
#include <sysexits.h>

#include "core/base.h"

/* Beside those of sysexits.h. */
#define EX_FOUND 1 /* the command worked and found failures */

/* Options that only some commands take. */
enum takes {
    TAKES_SOCKET = 1 << 0,
    TAKES_CONFIG = 1 << 1,
    TAKES_CHOICE = 1 << 2, /* --all, --dry-run */
    TAKES_CLASS = 1 << 3,
    TAKES_LIMIT = 1 << 4,
    TAKES_ONLINE = 1 << 5,
};

struct ctl;

struct command {
    const char *name; /* "status", "dead ls" */
    int (*run)(struct ctl *ctl);
    const char *args; /* "JOB [FILE|-]", for usage */
    unsigned least, most;
    unsigned takes;
    const char *does; /* one line, for the list of commands */
    const char *more; /* the rest of its help */
};

/* Ends with one without a name. */
extern const struct command commands[];

struct ctl {
    const struct command *command;
    const char *socket; /* NULL: the default */
    const char *config;
    const char *class;
    uint64_t limit; /* 0: not given */
    bool json, all, dry_run;
    const char *const *args; /* behind the command's name */
    size_t n_args;
    char socket_path[256]; /* where the daemon was asked */
};

/* Reads the arguments. -1: run ctl->command; else everything is said, exit with it. */
int options_parse(struct ctl *ctl, int argc, char **argv);

/* Says what is wrong and returns status. */
int ctl_fail(const struct ctl *ctl, int status, const char *fmt, ...) hr_printf_like(3, 4);

int status_command(struct ctl *ctl);
int pause_command(struct ctl *ctl);
int resume_command(struct ctl *ctl);
int dead_ls_command(struct ctl *ctl);
int dead_show_command(struct ctl *ctl);
int dead_retry_command(struct ctl *ctl);
int dead_rm_command(struct ctl *ctl);
int enqueue_command(struct ctl *ctl);
int check_command(struct ctl *ctl);
int explain_command(struct ctl *ctl);
int ledger_command(struct ctl *ctl);
