/* SPDX-License-Identifier: MIT */
/*
 * Settings of what happens to an item on its way: source, expressions, contract, steps.
 */
#include <errno.h>
#include <string.h>

#include "daemon/item/expect.h"
#include "daemon/item/expr.h"
#include "daemon/settings_tables.h"

static const struct hr_conf_choice head_choices[] = {
    {"left", false},
    {"right",      true},
    {NULL}
};

static void destroy_expr(void *expr)
{
    expr_free(expr);
}

int read_expr(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    if (node->kind != HR_CONF_SCALAR)
        return hr_conf_error(conf, node,
                             "has to be an expression (in quotes when it begins with a bracket)");
    if (!node->text[0])
        return hr_conf_error(conf, node, "is an empty expression");
    struct expr *expr;
    struct expr_error err;
    int r = expr_compile(node->text, &expr, &err);
    if (r == -EINVAL && node->substituted)
        return hr_conf_error(conf, node, "is not an expression that can be run");
    if (r == -EINVAL)
        return hr_conf_error_at(conf, node, err.offset, "%s", err.message);
    if (r < 0)
        return r;
    if (node->substituted)
        expr_make_secret(expr);
    r = hr_conf_own(conf->mem, expr, destroy_expr);
    if (r == 0)
        *(struct expr **)target = expr;
    return r;
}

static int read_condition(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    int r = read_expr(conf, node, target);
    if (r == 0 && expr_is_always_true(*(struct expr **)target))
        r = hr_conf_error(conf, node,
                          "is true for every item, since it makes a value and compares none (= "
                          "sets, == compares)");
    return r;
}

static void destroy_expect(void *expect)
{
    expect_free(expect);
}

int read_expect(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    if (node->kind != HR_CONF_MAP)
        return hr_conf_error(conf, node, "has to be a map of fields and their types");
    struct expect *expect = expect_new();
    if (!expect)
        return -ENOMEM;
    int r = hr_conf_own(conf->mem, expect, destroy_expect);
    for (size_t i = 0; i < node->n && r != -ENOMEM; i++) {
        const struct hr_conf_node *item = node->items[i];
        if (item->kind == HR_CONF_BAD)
            continue;
        if (item->kind != HR_CONF_SCALAR || !item->text[0]) {
            r = hr_conf_error(conf, item, "has to be a type such as string(1..36) or int?");
            continue;
        }
        struct expect_error err;
        int added = expect_add(expect, item->key, item->text, &err);
        if (added == -EINVAL)
            added =
                hr_conf_error(conf, item, "%s", item->substituted ? "is not a type" : err.message);
        if (added < 0)
            r = added;
    }
    if (r == 0)
        *(struct expect **)target = expect;
    return r;
}

static const struct hr_conf_field redis_list_fields[] = {
    {.key = "server",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct source_conf, server, const struct server_conf *),
     .hook = read_redis_server,
     .doc = "The server, by its name in headrace.yaml."},
    {.key = "key",
     .type = HR_CONF_TYPE_STR,
     .required = true,
     .offset = HR_CONF_AT(struct source_conf,                        key,         const char *),
     .doc = "The list: any list that anyone writes to. Items are bytes, without an envelope."},
    HR_CONF_SWITCH(struct source_conf, "head", head_right, "left", head_choices,
                   "The end that items are taken from: left where producers RPUSH, right where "
                   "they LPUSH."),
    HR_CONF_SPAN(struct source_conf, "lease", lease, "30s", "100ms", "1d",
                 "How long a claimed batch stays ours without a sign of life."),
    HR_CONF_SIZE(struct source_conf, "max_payload", max_payload, "256KiB", "1B", "64MiB",
                 "Longer items go to the dead letters unread."),
    HR_CONF_END,
};

static const struct hr_conf_field lines_fields[] = {
    {.key = "path",
     .type = HR_CONF_TYPE_STR,
     .required = true,
     .offset = HR_CONF_AT(struct source_conf, path, const char *),
     .doc = "A file, or - for standard input."},
    HR_CONF_SIZE(struct source_conf, "max_payload", max_payload, "256KiB", "1B", "64MiB",
                 "Longer lines are dead letters."),
    HR_CONF_END,
};

static const struct hr_conf_section redis_list_section = {.fields = redis_list_fields};
static const struct hr_conf_section lines_section = {.fields = lines_fields};

static const struct hr_conf_field source_kinds[] = {
    HR_CONF_KIND_OF(struct source_conf, "redis_list", kind, SOURCE_REDIS_LIST, &redis_list_section,
                    "A list in Redis."),
    HR_CONF_KIND_OF(struct source_conf, "lines", kind, SOURCE_LINES, &lines_section,
                    "The lines of a file or of standard input; for tests and backfills."),
    HR_CONF_END,
};

const struct hr_conf_section source_section = {.fields = source_kinds, .one_of = true};

static const struct hr_conf_field drop_fields[] = {
    {.key = "when",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct step_conf, expr, struct expr *),
     .hook = read_condition,
     .doc = "Items for which this is true end here; null and false are not, anything else is. == "
            "compares."},
    HR_CONF_STR(struct step_conf, "reason", reason, "dropped", "The name they are counted under."),
    HR_CONF_END,
};

static const struct hr_conf_section drop_section = {.fields = drop_fields};

static const struct hr_conf_field step_kinds[] = {
    HR_CONF_KIND_OF(struct step_conf, "drop", kind, STEP_DROP, &drop_section,
                    "Ends some items without an effect."),
    {.key = "map",
       .type = HR_CONF_TYPE_HOOK,
       .offset = HR_CONF_AT(struct step_conf, expr, struct expr *),
       .hook = read_expr,
       .tagged = true,
       .tag_offset = HR_CONF_AT_ENUM(struct step_conf, kind),
       .tag = STEP_MAP,
       .doc = "Replaces the item by the result of a program in jq's language."},
    HR_CONF_END,
};

const struct hr_conf_section step_section = {
    .fields = step_kinds,
    .one_of = true,
    .size = sizeof(struct step_conf),
};
