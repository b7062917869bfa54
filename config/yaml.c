/* SPDX-License-Identifier: MIT */
/*
 * libyaml's events into a tree.
 *
 * A mistake inside a file that libyaml can still follow marks one node as bad and goes on; only a
 * syntax error or a bound ends the reading. Aliases become copies, so the tree is a tree and its
 * bounds bound what an alias can grow to.
 */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "config/conf.h"
#include "config/file.h"
#include "config/subst.h"
#include "config/trap.h"

#define MAP_MAX 4096

struct anchor {
    const char *name;
    const struct hr_conf_node *node;
};

struct loader {
    struct hr_conf *conf;
    const struct hr_conf_file *file;
    yaml_parser_t parser;
    struct anchor *anchors;
    size_t n_anchors;
    unsigned depth;
};

/* Where a node hangs: under parent, by key (key_at) or by place in a list. */
struct place {
    const struct hr_conf_node *parent;
    const char *key;
    yaml_mark_t key_at;
    size_t index;
    bool in_flow;
};

static int load_node(struct loader *l, const yaml_event_t *event, const struct place *place,
                     struct hr_conf_node **ret);

static struct hr__conf_mark mark_of(const yaml_mark_t *mark)
{
    return (struct hr__conf_mark){mark->index, (unsigned)mark->line + 1,
                                  (unsigned)mark->column + 1};
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
    const yaml_parser_t *p = &l->parser;
    if (yaml_parser_parse(&l->parser, ret))
        return 0;
    *ret = (yaml_event_t){0};
    if (p->error == YAML_MEMORY_ERROR) {
        hr_conf_mem_fail(l->conf->mem);
        return -ENOMEM;
    }
    struct hr__conf_syntax_error error = {
        .problem = p->problem ? p->problem : "not YAML",
        .undecodable = p->error == YAML_READER_ERROR,
        .offset = p->problem_offset,
        .at = mark_of(&p->problem_mark),
        .context = mark_of(&p->context_mark),
    };
    return hr__conf_report_syntax(l->conf, l->file, &error);
}

static int fail_at(struct loader *l, const yaml_mark_t *mark, const char *text)
{
    hr_conf_diags_add(l->conf->diags, HR_CONF_ERROR, l->file->name, (unsigned)mark->line + 1,
                      (unsigned)mark->column + 1, "", "%s", text);
    return -EINVAL;
}

static int new_node(struct loader *l, const yaml_mark_t *mark, const struct place *place,
                    struct hr_conf_node **ret)
{
    if (++l->conf->nodes > HR_CONF_NODES_MAX)
        return fail_at(l, mark, "the configuration has more than 100000 values");
    struct hr_conf_node *node = hr_conf_alloc(l->conf->mem, sizeof(*node));
    if (!node)
        return -ENOMEM;
    *node = (struct hr_conf_node){
        .file = l->file,
        .line = (unsigned)mark->line + 1,
        .column = (unsigned)mark->column + 1,
        .parent = place->parent,
        .key = place->key,
        .key_line = (unsigned)place->key_at.line + 1,
        .key_column = (unsigned)place->key_at.column + 1,
        .index = place->index,
        .text = "",
        .written = "",
    };
    *ret = node;
    return 0;
}

/* A child goes into its parent's items. */
static int add_item(struct loader *l, struct hr_conf_node *parent, const struct hr_conf_node *item)
{
    void *items = hr_conf_grow(l->conf->mem, parent->items, parent->n, sizeof(*parent->items));
    if (!items)
        return -ENOMEM;
    parent->items = items;
    parent->items[parent->n++] = item;
    return 0;
}

/* One level down, for a node and what is in it; leave with l->depth--. */
static int enter_level(struct loader *l, const yaml_mark_t *mark)
{
    if (++l->depth > HR_CONF_DEPTH_MAX)
        return fail_at(l, mark, "nested more than 32 levels deep");
    return 0;
}

static enum hr_conf_style style_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return HR_CONF_SINGLE_QUOTED;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return HR_CONF_DOUBLE_QUOTED;
    case YAML_LITERAL_SCALAR_STYLE:
        return HR_CONF_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE:
        return HR_CONF_FOLDED;
    case YAML_ANY_SCALAR_STYLE:
    case YAML_PLAIN_SCALAR_STYLE:
        break;
    }
    return HR_CONF_PLAIN;
}

static int load_scalar(struct loader *l, const yaml_event_t *event, const struct place *place,
                       struct hr_conf_node *node)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    node->kind = HR_CONF_SCALAR;
    node->style = style_of(event->data.scalar.style);
    node->written = node->text = hr_conf_strndup(l->conf->mem, text, len);
    if (!node->text)
        return -ENOMEM;

    int r = 0;
    if (strlen(node->text) != len) {
        r = hr_conf_error(l->conf, node, "holds a NUL character");
    } else if (place->in_flow && node->style == HR_CONF_PLAIN && hr__conf_is_cut_short(text)) {
        char quoted[HR_CONF_QUOTE_SIZE];
        r = hr_conf_error(l->conf, node,
                          "%s is cut at the comma (inside { } and [ ] a value with a comma needs "
                          "quotes, as in \"decimal(12,2)\")",
                          hr_conf_quote(node, quoted, sizeof(quoted)));
    } else {
        r = hr__conf_substitute(l->conf, node);
    }
    if (r == -EINVAL)
        node->kind = HR_CONF_BAD;
    return r == -EINVAL ? 0 : r;
}

/* Reads a key. *ret is NULL when it was a mistake: its value is read and thrown away. */
static int load_key(struct loader *l, const yaml_event_t *event, const struct hr_conf_node *map,
                    const char **ret)
{
    *ret = NULL;
    if (event->type != YAML_SCALAR_EVENT) {
        hr_conf_diags_add(l->conf->diags, HR_CONF_ERROR, l->file->name,
                          (unsigned)event->start_mark.line + 1,
                          (unsigned)event->start_mark.column + 1, "", "%s",
                          event->type == YAML_ALIAS_EVENT ? "an alias cannot be a key (a key that "
                                                            "begins with * needs quotes)"
                                                          : "a key has to be a word");
        struct hr_conf_node *ignored;
        struct place nowhere = {.parent = map, .key = "?", .key_at = event->start_mark};
        return event->type == YAML_ALIAS_EVENT ? 0 : load_node(l, event, &nowhere, &ignored);
    }
    const char *text = (const char *)event->data.scalar.value;
    if (event->data.scalar.tag)
        return fail_at(l, &event->start_mark, "tags are not used here");
    if (strlen(text) != event->data.scalar.length)
        return fail_at(l, &event->start_mark, "the key holds a NUL character");
    char *key = hr_conf_strndup(l->conf->mem, text, event->data.scalar.length);
    if (!key)
        return -ENOMEM;
    *ret = key;
    return 0;
}

/* Whether this is what was left of a value cut at its comma: `2)` with nothing behind it. */
static bool is_leftover(const struct hr_conf_node *item, const struct hr_conf_node *before)
{
    return before && before->kind == HR_CONF_BAD && item->kind == HR_CONF_SCALAR &&
           hr__conf_is_cut_short(before->written) && item->style == HR_CONF_PLAIN &&
           !item->written[0] && hr__conf_is_left_over(item->key);
}

static int load_map(struct loader *l, const yaml_event_t *start, struct hr_conf_node *map)
{
    map->kind = HR_CONF_MAP;
    struct place place = {
        .parent = map,
        .in_flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
    };
    for (;;) {
        hr_auto(yaml_event_delete) yaml_event_t event;
        int r = next_event(l, &event);
        if (r < 0)
            return r;
        if (event.type == YAML_MAPPING_END_EVENT)
            return 0;
        r = load_key(l, &event, map, &place.key);
        if (r < 0)
            return r;
        bool known = place.key;
        if (!known)
            place.key = "?";
        place.key_at = event.start_mark;

        hr_auto(yaml_event_delete) yaml_event_t value;
        r = next_event(l, &value);
        if (r < 0)
            return r;
        struct hr_conf_node *item;
        r = load_node(l, &value, &place, &item);
        if (r < 0)
            return r;
        if (!known || is_leftover(item, map->n ? map->items[map->n - 1] : NULL))
            continue;
        const struct hr_conf_node *first = hr_conf_get(map, item->key);
        if (first)
            hr_conf_error_key(l->conf, item, "is given twice (first in line %u)", first->key_line);
        else
            r = add_item(l, map, item);
        if (r < 0)
            return r;
        if (map->n > MAP_MAX)
            return fail_at(l, &event.start_mark, "a map with more than 4096 keys");
    }
}

static int load_list(struct loader *l, const yaml_event_t *start, struct hr_conf_node *list)
{
    list->kind = HR_CONF_LIST;
    struct place place = {
        .parent = list,
        .in_flow = start->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
    };
    for (;; place.index++) {
        hr_auto(yaml_event_delete) yaml_event_t event;
        int r = next_event(l, &event);
        if (r < 0)
            return r;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        struct hr_conf_node *item;
        r = load_node(l, &event, &place, &item);
        if (r == 0)
            r = add_item(l, list, item);
        if (r < 0)
            return r;
    }
}

/* A copy of what the anchor names, at the alias' place in the tree. */
static int copy_node(struct loader *l, const struct hr_conf_node *from, const struct place *place,
                     const yaml_mark_t *mark, struct hr_conf_node **ret)
{
    struct hr_conf_node *node;
    int r = new_node(l, mark, place, &node);
    if (r == 0)
        r = enter_level(l, mark);
    if (r < 0)
        return r;
    node->kind = from->kind;
    node->line = from->line;
    node->column = from->column;
    node->text = from->text;
    node->written = from->written;
    node->style = from->style;
    node->substituted = from->substituted;
    for (size_t i = 0; i < from->n; i++) {
        const struct hr_conf_node *item = from->items[i];
        struct place below = {.parent = node, .key = item->key, .index = i};
        below.key_at.line = item->key_line - 1;
        below.key_at.column = item->key_column - 1;
        struct hr_conf_node *copy;
        r = copy_node(l, item, &below, mark, &copy);
        if (r == 0)
            r = add_item(l, node, copy);
        if (r < 0)
            return r;
    }
    l->depth--;
    *ret = node;
    return 0;
}

static int load_alias(struct loader *l, const yaml_event_t *event, const struct place *place,
                      struct hr_conf_node **ret)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = l->n_anchors; i > 0; i--) {
        if (strcmp(l->anchors[i - 1].name, name) == 0)
            return copy_node(l, l->anchors[i - 1].node, place, &event->start_mark, ret);
    }
    struct hr_conf_node *node;
    int r = new_node(l, &event->start_mark, place, &node);
    if (r < 0)
        return r;
    node->kind = HR_CONF_BAD;
    hr_conf_error(l->conf, node,
                  "no anchor &%.40s stands before this alias in this file (a value that begins "
                  "with * needs quotes)",
                  name);
    *ret = node;
    return 0;
}

static int remember_anchor(struct loader *l, const yaml_char_t *anchor,
                           const struct hr_conf_node *node)
{
    if (!anchor)
        return 0;
    void *anchors = hr_conf_grow(l->conf->mem, l->anchors, l->n_anchors, sizeof(*l->anchors));
    const char *name =
        hr_conf_strndup(l->conf->mem, (const char *)anchor, strlen((const char *)anchor));
    if (!anchors || !name)
        return -ENOMEM;
    l->anchors = anchors;
    l->anchors[l->n_anchors++] = (struct anchor){name, node};
    return 0;
}

static int load_node(struct loader *l, const yaml_event_t *event, const struct place *place,
                     struct hr_conf_node **ret)
{
    if (event->type == YAML_ALIAS_EVENT)
        return load_alias(l, event, place, ret);

    struct hr_conf_node *node;
    int r = new_node(l, &event->start_mark, place, &node);
    if (r < 0)
        return r;
    r = enter_level(l, &event->start_mark);
    if (r < 0)
        return r;
    const yaml_char_t *anchor, *tag;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        r = load_scalar(l, event, place, node);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        r = load_map(l, event, node);
    } else {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        r = load_list(l, event, node);
    }
    l->depth--;
    if (r < 0)
        return r;
    if (tag) {
        hr_conf_error(l->conf, node,
                      "tags are not used here (a value that begins with ! needs quotes)");
        node->kind = HR_CONF_BAD;
    }
    r = remember_anchor(l, anchor, node);
    if (r == 0)
        *ret = node;
    return r;
}

/* The one document of a file: nothing at all counts as an empty map. */
static int load_document(struct loader *l, struct hr_conf_node **ret)
{
    struct hr_conf_node *root = NULL;
    struct place top = {0};
    for (;;) {
        hr_auto(yaml_event_delete) yaml_event_t event;
        int r = next_event(l, &event);
        if (r < 0)
            return r;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (root)
                return fail_at(l, &event.start_mark, "a second document begins here (one a file)");
            break;
        case YAML_STREAM_END_EVENT:
            if (!root)
                r = new_node(l, &event.start_mark, &top, &root);
            if (r < 0)
                return r;
            if (root->kind == HR_CONF_SCALAR && root->style == HR_CONF_PLAIN && !root->written[0])
                root->kind = HR_CONF_MAP;
            *ret = root;
            return 0;
        default:
            r = load_node(l, &event, &top, &root);
            if (r < 0)
                return r;
        }
    }
}

int hr_conf_read_text(struct hr_conf *conf, const char *name, const char *text, size_t len,
                      struct hr_conf_node **ret)
{
    struct hr_conf_file *file = hr_conf_alloc(conf->mem, sizeof(*file));
    if (!file)
        return -ENOMEM;
    file->name = hr_conf_strndup(conf->mem, name, strlen(name));
    file->text = hr_conf_strndup(conf->mem, text, len);
    file->len = len;
    if (!file->name || !file->text)
        return -ENOMEM;

    struct loader l = {.conf = conf, .file = file};
    if (!yaml_parser_initialize(&l.parser)) {
        hr_conf_mem_fail(conf->mem);
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)file->text, len);
    int r = load_document(&l, ret);
    yaml_parser_delete(&l.parser);
    return r;
}

int hr_conf_read(struct hr_conf *conf, const char *path, struct hr_conf_node **ret)
{
    char *text;
    size_t len;
    int r = hr__conf_read_file(conf->mem, path, HR_CONF_FILE_MAX, &text, &len);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        hr_conf_diags_add(conf->diags, HR_CONF_ERROR, path, 0, 0, "", "cannot be read: %s",
                          r == -EFBIG ? "it has more than 1 MiB" : strerror(-r));
        return -EINVAL;
    }
    return hr_conf_read_text(conf, path, text, len, ret);
}

int hr_conf_result(const struct hr_conf *conf)
{
    if (hr_conf_mem_failed(conf->mem))
        return -ENOMEM;
    return conf->diags->errors ? -EINVAL : 0;
}
