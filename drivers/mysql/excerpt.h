/* SPDX-License-Identifier: MIT */
/*
 * A statement as messages name it: enough of it to be recognized, and nothing that may be a value.
 */
#pragma once

#include "core/base.h"

#define HR__MYSQL_EXCERPT_MAX 80

/* Writes one line of it: comments and line breaks are spaces, a quoted text is '…', a number "…", a
 * byte that cannot be shown "?"; what is too long ends in "…", between characters. */
void hr__mysql_excerpt(const char *sql, char ret[HR__MYSQL_EXCERPT_MAX]);
