/* SPDX-License-Identifier: MIT */
/*
 * Which keys a section knows, and what one that it does not know was meant to be. Inside config/
 * only.
 */
#pragma once

#include "config/schema.h"

struct hr_conf_node;

/* The section's row for this entry of a map, by its key or by what that was meant to be; NULL:
 * unknown. */
const struct hr_conf_field *hr__conf_field(const struct hr_conf_section *section,
                                           const struct hr_conf_node *node);

/* Reports the keys of a map that the section does not know. One that is a mistake for a key which
 * is not given counts as that from now on (node->meant), so that what stands below it is checked as
 * well, and nothing is called missing that is there. 0 or -EINVAL. */
int hr__conf_check_keys(struct hr_conf *conf, const struct hr_conf_node *map,
                        const struct hr_conf_section *section);

/* Which of a one_of section's kinds is given, or NULL after saying what is wrong. */
const struct hr_conf_node *hr__conf_only_kind(struct hr_conf *conf, const struct hr_conf_node *map,
                                              const struct hr_conf_section *section);

/* Writes the section's keys into buf, cut to size: "redis_list, lines". How many it has. */
size_t hr__conf_list_keys(const struct hr_conf_section *section, char *buf, size_t size);
