/* SPDX-License-Identifier: MIT */
/*
 * Settings as tables: a tree into a struct.
 *
 * A value that has a mistake leaves its default behind, so that rules between fields can run on
 * sane values and one mistake is one line of diagnostics.
 */
#include "config/schema.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/conf.h"
#include "config/keys.h"
#include "config/scalar.h"
#include "config/suggest.h"

#define DEFAULT_FILE "(default)"

static int read_value(struct hr_conf *conf, const struct hr_conf_field *f,
                      const struct hr_conf_node *node, char *object);

/* The first error wins, but no memory beats a mistake. */
static int worse(int a, int b)
{
    return a == -ENOMEM || b == -ENOMEM ? -ENOMEM : a < 0 ? a : b;
}

static bool is_null(const struct hr_conf_node *node)
{
    return node->kind == HR_CONF_SCALAR && node->style == HR_CONF_PLAIN && !node->substituted &&
           (!node->text[0] || strcmp(node->text, "~") == 0 || strcasecmp(node->text, "null") == 0);
}

/* Whether the node is of this kind; reports it when not. */
static int want_kind(struct hr_conf *conf, const struct hr_conf_node *node, enum hr_conf_kind kind)
{
    if (node->kind == kind && !(kind == HR_CONF_SCALAR && is_null(node)))
        return 0;
    if (node->kind == HR_CONF_BAD)
        return -EINVAL;
    if (is_null(node)) {
        return hr_conf_error(conf, node, "is empty (%s)",
                             kind == HR_CONF_MAP    ? "write {} for a map without settings"
                             : kind == HR_CONF_LIST ? "write [] for a list without items"
                                                    : "leave the key out to get the default");
    }
    return hr_conf_error(conf, node, "has to be %s, not %s", hr_conf_kind_name(kind),
                         hr_conf_kind_name(node->kind));
}

/* Reports a scalar that is not of its type: `"30" is not a span of time (it needs a unit)`. */
static int not_a(struct hr_conf *conf, const struct hr_conf_node *node, const char *what,
                 const char *how)
{
    char quoted[HR_CONF_QUOTE_SIZE];
    return hr_conf_error(conf, node, "%s is not %s (%s)",
                         hr_conf_quote(node, quoted, sizeof(quoted)), what, how);
}

static int out_of_range(struct hr_conf *conf, const struct hr_conf_field *f,
                        const struct hr_conf_node *node)
{
    char quoted[HR_CONF_QUOTE_SIZE];
    return hr_conf_error(conf, node, "%s is out of range (%s to %s)",
                         hr_conf_quote(node, quoted, sizeof(quoted)), f->min, f->max);
}

/* The bounds go the way of a value too; with one that cannot be read nothing is in range. */
static int read_number(struct hr_conf *conf, const struct hr_conf_field *f,
                       const struct hr_conf_node *node, const char *what,
                       const char *(*scan)(const char *text, int64_t *ret), int64_t *ret)
{
    int64_t value, min = 0, max = 0;
    const char *how = scan(node->text, &value);
    if (how)
        return not_a(conf, node, what, how);
    if (scan(f->min, &min) || scan(f->max, &max) || value < min || value > max)
        return out_of_range(conf, f, node);
    *ret = value;
    return 0;
}

static int read_factor(struct hr_conf *conf, const struct hr_conf_field *f,
                       const struct hr_conf_node *node, double *ret)
{
    double value, min = 0, max = 0;
    const char *how = hr__conf_scan_factor(node->text, &value);
    if (how)
        return not_a(conf, node, "a factor", how);
    if (hr__conf_scan_factor(f->min, &min) || hr__conf_scan_factor(f->max, &max) || value < min ||
        value > max)
        return out_of_range(conf, f, node);
    *ret = value;
    return 0;
}

static int read_bool(struct hr_conf *conf, const struct hr_conf_node *node, bool *ret)
{
    const char *how =
        node->style == HR_CONF_PLAIN ? hr__conf_scan_bool(node->text, ret) : "without quotes";
    return how ? not_a(conf, node, "true or false", how) : 0;
}

/* Where an empty text comes from the environment or a file, that has to be said. */
static int report_empty(struct hr_conf *conf, const struct hr_conf_node *node)
{
    char quoted[HR_CONF_QUOTE_SIZE];
    if (!node->substituted)
        return hr_conf_error(conf, node, "is an empty text");
    hr_conf_quote(node, quoted, sizeof(quoted));
    return hr_conf_error(conf, node, "%s is an empty text", quoted);
}

static int read_str(struct hr_conf *conf, const struct hr_conf_node *node, const char **ret)
{
    if (!node->text[0])
        return report_empty(conf, node);
    const char *braces = strstr(node->text, "{{");
    if (braces) {
        return hr_conf_error_at(conf, node, (size_t)(braces - node->text),
                                "is the same for all items, {{ }} cannot stand in it");
    }
    *ret = node->text;
    return 0;
}

static int read_choice(struct hr_conf *conf, const struct hr_conf_field *f,
                       const struct hr_conf_node *node, int *ret)
{
    char names[200] = "";
    size_t n = 0, len = 0;
    for (; f->choices[n].name; n++) {
        if (strcmp(node->text, f->choices[n].name) == 0) {
            *ret = f->choices[n].value;
            return 0;
        }
        if (len < sizeof(names))
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", n ? ", " : "",
                                    f->choices[n].name);
    }
    char quoted[HR_CONF_QUOTE_SIZE];
    hr_conf_quote(node, quoted, sizeof(quoted));
    const char *meant =
        node->substituted ? NULL : hr_conf_suggest(node->text, f->choices, n, sizeof(*f->choices));
    if (n == 1)
        return hr_conf_error(conf, node, "%s is not possible here (only %s is)", quoted, names);
    if (meant)
        return hr_conf_error(conf, node, "%s is not one of %s (did you mean %s?)", quoted, names,
                             meant);
    return hr_conf_error(conf, node, "%s is not one of %s", quoted, names);
}

static int read_scalar(struct hr_conf *conf, const struct hr_conf_field *f,
                       const struct hr_conf_node *node, void *target)
{
    int r = want_kind(conf, node, HR_CONF_SCALAR);
    if (r < 0)
        return r;
    int64_t number;
    int choice;
    switch (f->type) {
    case HR_CONF_TYPE_BOOL:
        return read_bool(conf, node, target);
    case HR_CONF_TYPE_INT:
        r = read_number(conf, f, node, "a count", hr__conf_scan_count, &number);
        if (r == 0)
            *(unsigned *)target = (unsigned)number;
        return r;
    case HR_CONF_TYPE_COUNT:
        r = read_number(conf, f, node, "a count", hr__conf_scan_count, &number);
        if (r == 0)
            *(uint64_t *)target = (uint64_t)number;
        return r;
    case HR_CONF_TYPE_FACTOR:
        return read_factor(conf, f, node, target);
    case HR_CONF_TYPE_SPAN:
        return read_number(conf, f, node, "a span of time", hr__conf_scan_span, target);
    case HR_CONF_TYPE_SIZE:
        r = read_number(conf, f, node, "a size", hr__conf_scan_size, &number);
        if (r == 0)
            *(size_t *)target = (size_t)number;
        return r;
    case HR_CONF_TYPE_STR:
        return read_str(conf, node, target);
    case HR_CONF_TYPE_SWITCH:
        r = read_choice(conf, f, node, &choice);
        if (r == 0)
            *(bool *)target = choice;
        return r;
    case HR_CONF_TYPE_SECRET:
        if (!node->text[0])
            return report_empty(conf, node);
        *(const char **)target = node->text;
        return 0;
    default:
        return read_choice(conf, f, node, target);
    }
}

static int read_strings(struct hr_conf *conf, const struct hr_conf_field *f,
                        const struct hr_conf_node *node, char *object)
{
    int r = want_kind(conf, node, HR_CONF_LIST);
    if (r < 0)
        return r;
    const char **strings = hr_conf_alloc(conf->mem, node->n * sizeof(const char *));
    if (!strings)
        return -ENOMEM;
    for (size_t i = 0; i < node->n; i++) {
        int item = want_kind(conf, node->items[i], HR_CONF_SCALAR);
        if (item == 0)
            item = read_str(conf, node->items[i], &strings[i]);
        if (item == 0 && f->hook)
            item = f->hook(conf, node->items[i], &strings[i]);
        r = worse(r, item);
    }
    if (r < 0)
        return r;
    *(const char ***)(object + f->offset) = strings;
    *(size_t *)(object + f->count_offset) = node->n;
    return 0;
}

/* A list or a table: an array of sections. Entries with mistakes stay in it, so that others can
 * still refer to them by name. */
static int read_sections(struct hr_conf *conf, const struct hr_conf_field *f,
                         const struct hr_conf_node *node, char *object)
{
    bool table = f->type == HR_CONF_TYPE_TABLE;
    int r = want_kind(conf, node, table ? HR_CONF_MAP : HR_CONF_LIST);
    if (r < 0)
        return r;
    char *array = hr_conf_alloc(conf->mem, node->n * f->section->size);
    if (!array)
        return -ENOMEM;
    *(void **)(object + f->offset) = array;
    *(size_t *)(object + f->count_offset) = node->n;
    for (size_t i = 0; i < node->n; i++) {
        char *element = array + i * f->section->size;
        if (table) {
            *(const char **)(element + f->section->name_offset) = node->items[i]->key;
            if (!hr_conf_is_name(node->items[i]->key))
                r = hr_conf_error_key(conf, node->items[i], "is not a name (%s)",
                                      HR_CONF_NAME_RULE);
        }
        r = worse(r, hr_conf_fill(conf, node->items[i], f->section, element));
    }
    return r;
}

static int read_value(struct hr_conf *conf, const struct hr_conf_field *f,
                      const struct hr_conf_node *node, char *object)
{
    if (node->kind == HR_CONF_BAD)
        return -EINVAL;
    switch (f->type) {
    case HR_CONF_TYPE_HOOK:
        if (is_null(node))
            return want_kind(conf, node, HR_CONF_SCALAR);
        return f->hook(conf, node, object + f->offset);
    case HR_CONF_TYPE_STRINGS:
        return read_strings(conf, f, node, object);
    case HR_CONF_TYPE_LIST:
    case HR_CONF_TYPE_TABLE:
        return read_sections(conf, f, node, object);
    default:
        return read_scalar(conf, f, node, object + f->offset);
    }
}

/* The default goes the way of a value that somebody wrote: through YAML, substitution, the type. */
static int read_default(struct hr_conf *conf, const struct hr_conf_field *f,
                        const struct hr_conf_node *map, char *object)
{
    if (!f->fallback)
        return 0;
    unsigned nodes = conf->nodes;
    struct hr_conf_node *node;
    int r = hr_conf_read_text(conf, DEFAULT_FILE, f->fallback, strlen(f->fallback), &node);
    conf->nodes = nodes; /* the bound is on what people write */
    if (r < 0)
        return r;
    node->parent = map;
    node->key = f->key;
    node->key_line = node->line;
    node->key_column = node->column;
    return read_value(conf, f, node, object);
}

static int report_missing(struct hr_conf *conf, const struct hr_conf_field *f,
                          const struct hr_conf_node *map)
{
    char keys[200];
    if (f->choices && f->choices[0].name && !f->choices[1].name)
        return hr_conf_error(conf, map, "%s is missing (write %s: %s)", f->key, f->key,
                             f->choices[0].name);
    if (!f->section || !f->section->one_of)
        return hr_conf_error(conf, map, "%s is missing", f->key);
    hr__conf_list_keys(f->section, keys, sizeof(keys));
    return hr_conf_error(conf, map, "%s is missing (one of %s)", f->key, keys);
}

static int fill_field(struct hr_conf *conf, const struct hr_conf_field *f,
                      const struct hr_conf_node *map, const struct hr_conf_node *node, char *object)
{
    if (node && f->tagged)
        *(int *)(object + f->tag_offset) = f->tag;
    int r = 0;
    if (!node && map && f->required)
        r = report_missing(conf, f, map);
    if (f->type == HR_CONF_TYPE_SECTION)
        return worse(r, hr_conf_fill(conf, node, f->section, object + f->offset));
    if (node)
        r = read_value(conf, f, node, object);
    if (!node || r == -EINVAL)
        r = worse(r, read_default(conf, f, map, object));
    return r;
}

int hr_conf_fill(struct hr_conf *conf, const struct hr_conf_node *map,
                 const struct hr_conf_section *section, void *object)
{
    int r = map ? want_kind(conf, map, HR_CONF_MAP) : 0;
    if (r < 0 || (map && is_null(map)))
        map = NULL;
    if (map)
        r = worse(r, hr__conf_check_keys(conf, map, section));
    if (section->one_of) {
        const struct hr_conf_node *given = map ? hr__conf_only_kind(conf, map, section) : NULL;
        const struct hr_conf_field *f = given ? hr__conf_field(section, given) : NULL;
        if (f)
            r = worse(r, fill_field(conf, f, map, given, object));
        else if (map)
            r = worse(r, -EINVAL);
    } else {
        for (const struct hr_conf_field *f = section->fields; f->key && r != -ENOMEM; f++)
            r = worse(r, fill_field(conf, f, map, hr_conf_get(map, f->key), object));
    }
    if (map && section->check && r != -ENOMEM)
        r = worse(r, section->check(conf, map, object));
    return r;
}

bool hr_conf_is_name(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > 64 || text[0] == '.' || text[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("_.-", text[i]))
            return false;
    }
    return true;
}
