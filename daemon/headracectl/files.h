/* SPDX-License-Identifier: MIT */
/*
 * The configuration for commands that only read it.
 */
#pragma once

#include "daemon/headracectl/ctl.h"
#include "daemon/settings.h"

/* Reads it; mistakes and notes are printed to standard error. 0, or an exit status. */
int files_load(const struct ctl *ctl, struct settings **ret);

/* The job that the first argument names. 0, or an exit status. */
int files_job(const struct ctl *ctl, const struct settings *settings, const struct job_conf **ret);

/* Prints the list of diagnostics as JSON. */
void files_print_diags(const struct hr_conf_diags *diags);
