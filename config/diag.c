/* SPDX-License-Identifier: MIT */
/*
 * The list of what is wrong with a configuration.
 *
 * Entries own their texts, since they outlive the configuration that was refused. When memory is
 * short an entry is only counted: the errors stay errors.
 */
#include "config/diag.h"

#include <errno.h>
#include <string.h>

#include "config/conf.h"

#define PATH_SIZE 512

static const char *severity_name(enum hr_conf_severity severity)
{
    return severity == HR_CONF_ERROR ? "error" : "note";
}

static void entry_done(struct hr_conf_diag *d)
{
    free(d->file);
    free(d->path);
    free(d->text);
}

void hr_conf_diags_done(struct hr_conf_diags *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        entry_done(&diags->items[i]);
    free(diags->items);
    *diags = (struct hr_conf_diags){0};
}

static bool same(const struct hr_conf_diag *a, const struct hr_conf_diag *b)
{
    return a->severity == b->severity && a->line == b->line && a->column == b->column &&
           strcmp(a->file, b->file) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->text, b->text) == 0;
}

/* Takes the entry's texts. */
static void add(struct hr_conf_diags *diags, struct hr_conf_diag d)
{
    bool made = d.file && d.path && d.text;
    for (size_t i = 0; made && i < diags->n; i++) {
        if (same(&diags->items[i], &d)) {
            entry_done(&d);
            return;
        }
    }
    if (d.severity == HR_CONF_ERROR)
        diags->errors++;
    if (made && !diags->items)
        diags->items = calloc(HR_CONF_DIAGS_MAX, sizeof(*diags->items));
    if (made && diags->items && diags->n < HR_CONF_DIAGS_MAX) {
        diags->items[diags->n++] = d;
        return;
    }
    diags->dropped++;
    entry_done(&d);
}

void hr_conf_diags_vadd(struct hr_conf_diags *diags, enum hr_conf_severity severity,
                        const char *file, unsigned line, unsigned column, const char *path,
                        const char *format, va_list args)
{
    struct hr_conf_diag d = {.severity = severity, .line = line, .column = column};
    d.file = strdup(file);
    d.path = strdup(path);
    if (vasprintf(&d.text, format, args) < 0)
        d.text = NULL;
    add(diags, d);
}

void hr_conf_diags_add(struct hr_conf_diags *diags, enum hr_conf_severity severity,
                       const char *file, unsigned line, unsigned column, const char *path,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hr_conf_diags_vadd(diags, severity, file, line, column, path, format, args);
    va_end(args);
}

/* Insertion keeps equals in their order; the list is short. A file's rank is its first entry. */
void hr_conf_diags_sort(struct hr_conf_diags *diags)
{
    for (size_t i = 1; i < diags->n; i++) {
        struct hr_conf_diag d = diags->items[i];
        size_t first = 0;
        while (first < i && strcmp(diags->items[first].file, d.file) != 0)
            first++;
        size_t at = i;
        if (first < i) {
            at = first;
            while (at < i && strcmp(diags->items[at].file, d.file) == 0 &&
                   (diags->items[at].line < d.line ||
                    (diags->items[at].line == d.line && diags->items[at].column <= d.column)))
                at++;
        }
        memmove(&diags->items[at + 1], &diags->items[at], (i - at) * sizeof(d));
        diags->items[at] = d;
    }
}

void hr_conf_diags_print(const struct hr_conf_diags *diags, FILE *out)
{
    for (size_t i = 0; i < diags->n; i++) {
        const struct hr_conf_diag *d = &diags->items[i];
        fputs(d->file, out);
        if (d->line)
            fprintf(out, ":%u:%u", d->line, d->column);
        fprintf(out, ": %s: ", severity_name(d->severity));
        if (d->path[0])
            fprintf(out, "%s: ", d->path);
        fprintf(out, "%s\n", d->text);
    }
    if (diags->dropped)
        fprintf(out, "… and %zu more\n", diags->dropped);
}

int hr_conf_error(struct hr_conf *conf, const struct hr_conf_node *node, const char *format, ...)
{
    char path[PATH_SIZE];
    va_list args;
    va_start(args, format);
    hr_conf_diags_vadd(conf->diags, HR_CONF_ERROR, node->file->name, node->line, node->column,
                       hr_conf_path(node, path, sizeof(path)), format, args);
    va_end(args);
    return -EINVAL;
}

int hr_conf_error_key(struct hr_conf *conf, const struct hr_conf_node *node, const char *format,
                      ...)
{
    char path[PATH_SIZE];
    bool keyed = node->key;
    va_list args;
    va_start(args, format);
    hr_conf_diags_vadd(conf->diags, HR_CONF_ERROR, node->file->name,
                       keyed ? node->key_line : node->line, keyed ? node->key_column : node->column,
                       hr_conf_path(node, path, sizeof(path)), format, args);
    va_end(args);
    return -EINVAL;
}

int hr_conf_error_at(struct hr_conf *conf, const struct hr_conf_node *node, size_t offset,
                     const char *format, ...)
{
    char path[PATH_SIZE];
    unsigned line, column;
    hr_conf_locate(node, offset, &line, &column);
    va_list args;
    va_start(args, format);
    hr_conf_diags_vadd(conf->diags, HR_CONF_ERROR, node->file->name, line, column,
                       hr_conf_path(node, path, sizeof(path)), format, args);
    va_end(args);
    return -EINVAL;
}
