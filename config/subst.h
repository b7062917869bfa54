/* SPDX-License-Identifier: MIT */
/*
 * ${NAME}, ${NAME:-default} and ${cred:NAME} inside scalars, at load.
 *
 * $${ stands for ${ itself. What comes in is text and nothing else: it cannot make a map, a list
 * or a further substitution.
 */
#pragma once

#include "config/conf.h"

#define HR_CONF_CREDENTIAL_MAX (64 * 1024)

/* Expands node->written into node->text. 0, -EINVAL (reported), -ENOMEM. */
int hr__conf_substitute(struct hr_conf *conf, struct hr_conf_node *node);
