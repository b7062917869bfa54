/* SPDX-License-Identifier: MIT */
/*
 * Which files a configuration is made of, and each job put together from its own: what stands in
 * headrace.yaml or jobs.d/NAME.yaml, the drop-ins in jobs.d/NAME.yaml.d over it, defaults under it.
 */
#pragma once

#include "config/conf.h"

struct paths {
    const char *main;    /* headrace.yaml */
    const char *job_dir; /* jobs.d beside it; need not exist */
};

struct job_file {
    const char *name;
    const char *origin;              /* the file it stands in */
    const struct hr_conf_node *node; /* merged */
};

/* path is the main file, or the folder that holds headrace.yaml. */
int settings_find_files(struct hr_conf *conf, const char *path, struct paths *ret);

/* All jobs, those of the main file first, then those of jobs.d by name. Files that cannot be read
 * are reported and left out. jobs and defaults may be NULL. 0 or -ENOMEM. */
int settings_collect_jobs(struct hr_conf *conf, const struct paths *paths,
                          const struct hr_conf_node *jobs, const struct hr_conf_node *defaults,
                          struct job_file **ret, size_t *ret_n);
