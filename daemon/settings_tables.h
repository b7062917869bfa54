/* SPDX-License-Identifier: MIT */
/*
 * What the files that make up settings share: the tables, and the state of one loading.
 */
#pragma once

#include "daemon/settings.h"

/* headrace.yaml while it is read. */
struct main_file {
    struct settings settings;
    int version;
    const struct hr_conf_node *defaults, *jobs; /* read job by job, later */
};

/* struct hr_conf's user. */
struct loading {
    struct settings *settings;
    bool servers_known;                  /* headrace.yaml could be read */
    const struct hr_conf_node *defaults; /* or NULL */
};

extern const struct hr_conf_section server_section; /* struct server_conf */
extern const struct hr_conf_section source_section; /* struct source_conf */
extern const struct hr_conf_section step_section;   /* struct step_conf */
extern const struct hr_conf_section sink_section;   /* struct sink_conf */
extern const struct hr_conf_section batch_section;  /* struct sink_conf; batch_… */
extern const struct hr_conf_section job_section;    /* struct job_conf */

/* Hooks. target: const struct server_conf **. */
int read_redis_server(struct hr_conf *conf, const struct hr_conf_node *node, void *target);
int read_mysql_server(struct hr_conf *conf, const struct hr_conf_node *node, void *target);

/* target: struct expr **. */
int read_expr(struct hr_conf *conf, const struct hr_conf_node *node, void *target);

/* target: struct expect **. */
int read_expect(struct hr_conf *conf, const struct hr_conf_node *node, void *target);
