/* SPDX-License-Identifier: MIT */
/*
 * What a YAML syntax error probably means, in the words of somebody who writes jobs.
 */
#pragma once

#include "config/conf.h"

/* A place as the parser counts: characters, and lines and columns from 1. */
struct hr__conf_mark {
    size_t index;
    unsigned line, column;
};

struct hr__conf_syntax_error {
    const char *problem;          /* libyaml's words */
    bool undecodable;             /* the bytes are no text; then only offset tells where */
    size_t offset;                /* in bytes */
    struct hr__conf_mark at;      /* where the parser stopped */
    struct hr__conf_mark context; /* where the construct begins that it was in */
};

/* Reports the error where a person has to look. Yields -EINVAL. */
int hr__conf_report_syntax(struct hr_conf *conf, const struct hr_conf_file *file,
                           const struct hr__conf_syntax_error *error);

/* Whether a plain value inside { } or [ ] was cut at a comma that belonged to it, as decimal(12,2)
 * is: this is its first part, or what is left of it. */
bool hr__conf_is_cut_short(const char *text);
bool hr__conf_is_left_over(const char *text);
