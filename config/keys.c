/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/conf.h"
#include "config/suggest.h"

#define KEYS_SIZE 300

const struct hr_conf_field *hr__conf_field(const struct hr_conf_section *section,
                                           const struct hr_conf_node *node)
{
    const char *key = node->meant ? node->meant : node->key;
    for (const struct hr_conf_field *f = section->fields; f->key; f++) {
        if (strcmp(f->key, key) == 0)
            return f;
    }
    return NULL;
}

size_t hr__conf_list_keys(const struct hr_conf_section *section, char *buf, size_t size)
{
    size_t n = 0, len = 0;
    buf[0] = '\0';
    for (const struct hr_conf_field *f = section->fields; f->key; f++, n++) {
        if (len < size)
            len += (size_t)snprintf(buf + len, size - len, "%s%s", n ? ", " : "", f->key);
    }
    return n;
}

static int report_unknown(struct hr_conf *conf, const struct hr_conf_section *section,
                          const struct hr_conf_node *node, const char **ret_meant)
{
    char keys[KEYS_SIZE];
    size_t n = hr__conf_list_keys(section, keys, sizeof(keys));
    *ret_meant = NULL;
    if (strcmp(node->key, "<<") == 0)
        return hr_conf_error_key(conf, node,
                                 "merge keys are not used here (defaults and drop-ins are merged)");
    *ret_meant = hr_conf_suggest(node->key, section->fields, n, sizeof(*section->fields));
    if (*ret_meant)
        return hr_conf_error_key(conf, node, "unknown key (did you mean %s?)", *ret_meant);
    return hr_conf_error_key(conf, node, "unknown key (known here: %s)", keys);
}

int hr__conf_check_keys(struct hr_conf *conf, const struct hr_conf_node *map,
                        const struct hr_conf_section *section)
{
    int r = 0;
    for (size_t i = 0; i < map->n; i++) {
        if (hr__conf_field(section, map->items[i]) && !map->items[i]->meant)
            continue;
        const char *meant;
        int unknown = report_unknown(conf, section, map->items[i], &meant);
        r = r == -ENOMEM ? r : unknown;
        bool taken = section->one_of ? map->n > 1 : meant && hr_conf_get(map, meant);
        if (meant && !taken) {
            struct hr_conf_node *node = (struct hr_conf_node *)map->items[i];
            node->meant = meant;
        }
    }
    return r;
}

const struct hr_conf_node *hr__conf_only_kind(struct hr_conf *conf, const struct hr_conf_node *map,
                                              const struct hr_conf_section *section)
{
    const struct hr_conf_node *given = NULL;
    char keys[KEYS_SIZE];
    hr__conf_list_keys(section, keys, sizeof(keys));
    for (size_t i = 0; i < map->n; i++) {
        if (!hr__conf_field(section, map->items[i]))
            continue;
        if (given) {
            hr_conf_error_key(conf, map->items[i], "only one of %s may be given, and %s is", keys,
                              given->key);
            return NULL;
        }
        given = map->items[i];
    }
    if (!given && map->n == 0)
        hr_conf_error(conf, map, "one of %s is missing", keys);
    return given;
}
