/* SPDX-License-Identifier: MIT */
/*
 * The scalar types: counts, factors, spans of time, sizes, true and false.
 *
 * A scan yields NULL when the text is one, else a sentence that says how to write one. It never
 * contains the text.
 */
#pragma once

#include "core/base.h"

const char *hr__conf_scan_bool(const char *text, bool *ret);
const char *hr__conf_scan_count(const char *text, int64_t *ret);
const char *hr__conf_scan_factor(const char *text, double *ret);
const char *hr__conf_scan_span(const char *text, hr_usec *ret);
const char *hr__conf_scan_size(const char *text, int64_t *ret);
