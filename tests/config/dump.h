/* SPDX-License-Identifier: MIT */
/*
 * Settings as text, for tests to compare: every member, secrets only as given or not.
 */
#pragma once

#include "daemon/settings.h"

void dump_settings(const struct settings *s, FILE *out);
