/* SPDX-License-Identifier: MIT */
/*
 * Statements cut into pieces: just enough of SQL to step over what may hide a word, a name or a
 * question mark. The session's sql_mode is ours: backslashes escape.
 */
#pragma once

#include "core/base.h"

/* Past whatever begins at p and counts as one piece: a quoted text or name, a comment, a word (with
 * its "@"s), or one character. p is not at the end. */
const char *hr__mysql_skip_piece(const char *p);

/* Past the number, without its sign, that begins at p; p where there is none. */
const char *hr__mysql_skip_number(const char *p);

bool hr__mysql_is_comment(const char *p);

/* Past white space and comments. */
const char *hr__mysql_skip_space(const char *p);

/* Whether the piece [p, end) is that word, in any case. */
bool hr__mysql_is_word(const char *p, const char *end, const char *word);
