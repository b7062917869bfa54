/* SPDX-License-Identifier: MIT */
/*
 * What a YAML syntax error probably means, in the words of somebody who writes jobs.
 */
#pragma once

#include <yaml.h>

#include "config/conf.h"

/* Reports the error the parser stopped at, where a person has to look. Yields -EINVAL or
 * -ENOMEM. */
int hr__conf_report_syntax(struct hr_conf *conf, const struct hr_conf_file *file,
                           const yaml_parser_t *parser);

/* Whether a plain value inside { } or [ ] was cut at a comma that belonged to it, as decimal(12,2)
 * is: this is its first part, or what is left of it. */
bool hr__conf_is_cut_short(const char *text);
bool hr__conf_is_left_over(const char *text);
