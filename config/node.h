/* SPDX-License-Identifier: MIT */
/*
 * A configuration file as a tree: maps, lists and scalars, each with the place where it stands.
 *
 * A node knows its place in its own file for good: laid over another tree, its diagnostics still
 * name the file and key path where a person has to look.
 */
#pragma once

#include "core/base.h"

struct hr_conf;

enum hr_conf_kind {
    HR_CONF_SCALAR,
    HR_CONF_MAP,
    HR_CONF_LIST,
    HR_CONF_BAD, /* had a mistake that is reported already; counts as given, is never looked at */
};

enum hr_conf_style {
    HR_CONF_PLAIN,
    HR_CONF_SINGLE_QUOTED,
    HR_CONF_DOUBLE_QUOTED,
    HR_CONF_LITERAL,
    HR_CONF_FOLDED,
};

struct hr_conf_file {
    const char *name;
    const char *text;
    size_t len;
};

struct hr_conf_node {
    enum hr_conf_kind kind;
    const struct hr_conf_file *file;
    unsigned line, column;             /* of the value, from 1 */
    unsigned key_line, key_column;     /* of the key, in a map */
    const struct hr_conf_node *parent; /* in its own file; NULL at the root */
    const char *key;                   /* in a map, else NULL */
    const char *meant;                 /* the key that it is a mistake for; NULL: none */
    size_t index;                      /* in a list */

    /* scalar */
    const char *text;         /* NUL-terminated; holds no other NUL */
    const char *written;      /* the text before substitution */
    enum hr_conf_style style; /* how it was written */
    bool substituted;         /* ${…} was replaced: the text is never shown */

    /* map, list */
    const struct hr_conf_node **items;
    size_t n;
};

/* The entry of a map with this key, else one whose key is a mistake for it, else NULL. */
const struct hr_conf_node *hr_conf_get(const struct hr_conf_node *map, const char *key);

/* Whose place a merged map takes: the one that a person would call "the" map. */
enum hr_conf_place { HR_CONF_PLACE_OVER, HR_CONF_PLACE_UNDER };

/* Lays `over` on `under`: maps merge key by key, everything else replaces. Either may be NULL.
 * The inputs stay as they are. NULL when out of memory, or both are NULL. */
const struct hr_conf_node *hr_conf_merge(struct hr_conf *conf, const struct hr_conf_node *under,
                                         const struct hr_conf_node *over, enum hr_conf_place place);

/* Whether node stands somewhere below ancestor, in the file they come from. */
bool hr_conf_is_under(const struct hr_conf_node *node, const struct hr_conf_node *ancestor);

/* Writes the key path into buf ("jobs.orders.steps[0].drop"), cut to size. Returns buf. */
char *hr_conf_path(const struct hr_conf_node *node, char *buf, size_t size);

/* The value in double quotes as it stands in the file, shortened and with control characters
 * replaced: a substituted value shows its ${…}, never what came from there. Returns buf. */
char *hr_conf_quote(const struct hr_conf_node *node, char *buf, size_t size);
#define HR_CONF_QUOTE_SIZE 80

/* Where byte `offset` of a scalar's text stands in the file; the scalar's start where that cannot
 * be told (folded text, substituted text). */
void hr_conf_locate(const struct hr_conf_node *node, size_t offset, unsigned *ret_line,
                    unsigned *ret_column);

/* "a map", "a list", "a value". */
const char *hr_conf_kind_name(enum hr_conf_kind kind);
