/* SPDX-License-Identifier: MIT */
/*
 * The list of what is wrong with a configuration: each mistake once, with its place.
 *
 * A line reads `file:line:column: error: key path: what is wrong (hint)`, the form editors jump to.
 * The list is bounded: what exceeds it is only counted.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "core/base.h"

#define HR_CONF_DIAGS_MAX 100

struct hr_conf;
struct hr_conf_node;

enum hr_conf_severity { HR_CONF_ERROR, HR_CONF_NOTE };

struct hr_conf_diag {
    enum hr_conf_severity severity;
    char *file;
    unsigned line, column; /* from 1, in characters; 0: the file as a whole */
    char *path;            /* "jobs.orders.steps[0].drop"; "" for the file as a whole */
    char *text;            /* what is wrong (hint) */
};

/* { 0 } is an empty list. */
struct hr_conf_diags {
    struct hr_conf_diag *items; /* in the order they were found; see hr_conf_diags_sort() */
    size_t n;
    size_t errors;  /* how many errors there were, those beyond the bound included */
    size_t dropped; /* how many entries there was no room for */
};

void hr_conf_diags_done(struct hr_conf_diags *diags);

/* Brings each file's entries into the order of their lines; files stay in the order in which they
 * first appear. */
void hr_conf_diags_sort(struct hr_conf_diags *diags);

/* One line an entry, and a last one when some were dropped. */
void hr_conf_diags_print(const struct hr_conf_diags *diags, FILE *out);

/* Adds an entry with its place given. The same entry a second time is not added. */
void hr_conf_diags_add(struct hr_conf_diags *diags, enum hr_conf_severity severity,
                       const char *file, unsigned line, unsigned column, const char *path,
                       const char *format, ...) hr_printf_like(7, 8);
void hr_conf_diags_vadd(struct hr_conf_diags *diags, enum hr_conf_severity severity,
                        const char *file, unsigned line, unsigned column, const char *path,
                        const char *format, va_list args) hr_printf_like(7, 0);

/* Adds an error about a node: its value, its key, or the byte at offset of its text. The text must
 * not quote a value itself: hr_conf_quote() knows which may be shown. Yields -EINVAL. */
int hr_conf_error(struct hr_conf *conf, const struct hr_conf_node *node, const char *format, ...)
    hr_printf_like(3, 4);
int hr_conf_error_key(struct hr_conf *conf, const struct hr_conf_node *node, const char *format,
                      ...) hr_printf_like(3, 4);
int hr_conf_error_at(struct hr_conf *conf, const struct hr_conf_node *node, size_t offset,
                     const char *format, ...) hr_printf_like(4, 5);
