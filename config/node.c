/* SPDX-License-Identifier: MIT */
/*
 * A configuration file as a tree.
 *
 * Merging makes new maps whose entries are the old nodes: a node's parent stays the one in its own
 * file, which is what key paths are made of.
 */
#include "config/node.h"

#include <stdio.h>
#include <string.h>

#include "config/conf.h"

const struct hr_conf_node *hr_conf_get(const struct hr_conf_node *map, const char *key)
{
    if (!map || map->kind != HR_CONF_MAP)
        return NULL;
    const struct hr_conf_node *meant = NULL;
    for (size_t i = 0; i < map->n; i++) {
        const struct hr_conf_node *item = map->items[i];
        if (strcmp(item->key, key) == 0)
            return item;
        if (!meant && item->meant && strcmp(item->meant, key) == 0)
            meant = item;
    }
    return meant;
}

const struct hr_conf_node *hr_conf_merge(struct hr_conf *conf, const struct hr_conf_node *under,
                                         const struct hr_conf_node *over, enum hr_conf_place place)
{
    if (!under || !over)
        return under ? under : over;
    if (under->kind != HR_CONF_MAP || over->kind != HR_CONF_MAP)
        return over;

    struct hr_conf_node *map = hr_conf_alloc(conf->mem, sizeof(*map));
    if (!map)
        return NULL;
    *map = place == HR_CONF_PLACE_OVER ? *over : *under;
    map->n = 0;
    map->items = hr_conf_alloc(conf->mem, (under->n + over->n) * sizeof(*map->items));
    if (!map->items)
        return NULL;
    for (size_t i = 0; i < under->n; i++) {
        const struct hr_conf_node *below = under->items[i];
        const struct hr_conf_node *item =
            hr_conf_merge(conf, below, hr_conf_get(over, below->key), place);
        if (!item)
            return NULL;
        map->items[map->n++] = item;
    }
    for (size_t i = 0; i < over->n; i++) {
        if (!hr_conf_get(under, over->items[i]->key))
            map->items[map->n++] = over->items[i];
    }
    return map;
}

bool hr_conf_is_under(const struct hr_conf_node *node, const struct hr_conf_node *ancestor)
{
    for (; node; node = node->parent) {
        if (node == ancestor)
            return true;
    }
    return false;
}

static size_t put_path(const struct hr_conf_node *node, char *buf, size_t size)
{
    if (!node->parent)
        return 0;
    size_t at = put_path(node->parent, buf, size);
    if (at >= size)
        return at;
    int n = node->key ? snprintf(buf + at, size - at, "%s%.80s", at ? "." : "", node->key)
                      : snprintf(buf + at, size - at, "[%zu]", node->index);
    return n < 0 ? at : at + (size_t)n;
}

char *hr_conf_path(const struct hr_conf_node *node, char *buf, size_t size)
{
    buf[0] = '\0';
    put_path(node, buf, size);
    for (char *c = buf; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return buf;
}

char *hr_conf_quote(const struct hr_conf_node *node, char *buf, size_t size)
{
    const char *text = node->kind == HR_CONF_SCALAR ? node->written : "";
    size_t len = strlen(text);
    size_t most = size - sizeof("\"…\"");
    bool cut = len > most;
    if (cut) {
        len = most;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    size_t at = 0;
    buf[at++] = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        buf[at++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    snprintf(buf + at, size - at, "%s\"", cut ? "…" : "");
    return buf;
}

const char *hr_conf_kind_name(enum hr_conf_kind kind)
{
    switch (kind) {
    case HR_CONF_MAP:
        return "a map";
    case HR_CONF_LIST:
        return "a list";
    case HR_CONF_SCALAR:
    case HR_CONF_BAD:
        break;
    }
    return "a single value";
}
