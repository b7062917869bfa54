/* SPDX-License-Identifier: MIT */
/*
 * How an item is held against a contract: rule by rule in their order, to the first that it breaks.
 */
#include "daemon/item/expect.h"

#include "daemon/item/moment.h"
#include "daemon/item/plural.h"
#include "daemon/item/rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CLASS        "expect"
#define CONTRACT_MAX ((size_t)4 * 1024 * 1024)

struct expect {
    struct arena *arena; /* holds the rules and their texts */
    struct rule **rules;
    size_t n_rules;
    bool reject_others;
};

struct expect *expect_new(void)
{
    struct expect *e = calloc(1, sizeof *e);
    if (e && !(e->arena = arena_new(CONTRACT_MAX)))
        e = expect_free(e);
    return e;
}

struct expect *expect_free(struct expect *e)
{
    if (e) {
        arena_free(e->arena);
        free(e->rules);
    }
    free(e);
    return NULL;
}

static bool is_inside(const struct rule *inner, const struct rule *outer)
{
    if (outer->n_path >= inner->n_path)
        return false;
    for (size_t i = 0; i < outer->n_path; i++) {
        const struct name *a = &outer->path[i], *b = &inner->path[i];
        if (a->len != b->len || memcmp(a->text, b->text, a->len) != 0)
            return false;
    }
    return true;
}

/* Only objects have fields: no item fulfils `price: int` together with `price.amount: int`. */
static int check_nesting(const struct expect *e, const struct rule *rule,
                         struct expect_error *error)
{
    for (size_t i = 0; i < e->n_rules; i++) {
        const struct rule *other = e->rules[i];
        const struct rule *outer = is_inside(rule, other) ? other : rule;
        const struct rule *inner = outer == rule ? other : rule;
        if (!is_inside(inner, outer) || outer->kind == RULE_OBJECT)
            continue;
        snprintf(error->message, sizeof error->message,
                 "%.48s is %.24s, so there is no %.48s in it; leave one of the two out",
                 outer->field, outer->type, inner->field);
        return -EINVAL;
    }
    return 0;
}

int expect_add(struct expect *e, const char *field, const char *type, struct expect_error *error)
{
    if (strcmp(field, "*") == 0) {
        if (strcmp(type, "reject") != 0) {
            snprintf(error->message, sizeof error->message, "`*` can only be `reject`");
            return -EINVAL;
        }
        e->reject_others = true;
        return 0;
    }
    struct rule *rule;
    int r = rule_new(e->arena, field, type, &rule, error);
    if (r == 0)
        r = check_nesting(e, rule, error);
    if (r < 0)
        return r;
    struct rule **rules = reallocarray(e->rules, e->n_rules + 1, sizeof *rules);
    if (!rules)
        return -ENOMEM;
    e->rules = rules;
    e->rules[e->n_rules++] = rule;
    return 0;
}

/* Fills in what breaks a rule; detail says how, after "must be T". */
static int violated(const struct rule *rule, const struct json_value *v, const char *detail,
                    struct failure *why)
{
    failure_set(why, CLASS, 0, "%s must be %s%s%s", rule->field, rule->type, *detail ? ", " : "",
                detail);
    failure_set_column(why, rule->field);
    if (v)
        failure_set_json(why, v);
    return -EBADMSG;
}

static bool in_range(const struct rule *rule, const struct number *n)
{
    return (!rule->has_min || number_compare(n, &rule->min) >= 0) &&
           (!rule->has_max || number_compare(n, &rule->max) <= 0);
}

static int check_string(const struct rule *rule, const struct json_value *v, struct failure *why)
{
    size_t len;
    const char *text = json_text(v, &len);
    uint64_t n = text_characters(text, len);
    if (n >= rule->min_characters && n <= rule->max_characters)
        return 0;
    char detail[64];
    snprintf(detail, sizeof detail, "but has %llu %s", (unsigned long long)n,
             plural(n, "character", "characters"));
    return violated(rule, v, detail, why);
}

static int check_number(const struct rule *rule, const struct json_value *v, struct failure *why)
{
    size_t len;
    const char *text = json_text(v, &len);
    struct number n;
    if (!number_parse(text, len, &n))
        return violated(rule, v, "but is no number", why);
    if (rule->kind == RULE_INT) {
        if (number_decimals(&n) > 0)
            return violated(rule, v, "but has a fraction", why);
        return in_range(rule, &n) ? 0 : violated(rule, v, "but is out of range", why);
    }
    if (number_decimals(&n) > rule->scale)
        return violated(rule, v, "but has more decimals", why);
    if (number_whole_digits(&n) > rule->precision - rule->scale)
        return violated(rule, v, "but is too large", why);
    return 0;
}

static int check_time(const struct rule *rule, const struct json_value *v, struct failure *why)
{
    size_t len;
    const char *text = json_text(v, &len);
    struct moment m;
    struct number n;
    bool ok = rule->kind == RULE_TIME_RFC3339
                  ? moment_parse_rfc3339(text, len, &m)
                  : number_parse(text, len, &n) && moment_from_number(&n, &m);
    return ok ? 0 : violated(rule, v, "but is no such time", why);
}

static int check_word(const struct rule *rule, const struct json_value *v, struct failure *why)
{
    struct name word;
    word.text = json_text(v, &word.len);
    for (size_t i = 0; i < rule->n_words; i++) {
        if (word.len == rule->words[i].len && memcmp(word.text, rule->words[i].text, word.len) == 0)
            return 0;
    }
    return violated(rule, v, "but is another word", why);
}

/* The JSON types a rule takes. */
static bool has_type(enum rule_kind kind, enum json_type t)
{
    switch (kind) {
    case RULE_INT:
    case RULE_DECIMAL:
        return t == JSON_NUMBER || t == JSON_STRING;
    case RULE_NUMBER:
    case RULE_TIME_UNIX:
        return t == JSON_NUMBER;
    case RULE_BOOL:
        return t == JSON_FALSE || t == JSON_TRUE;
    case RULE_OBJECT:
        return t == JSON_OBJECT;
    case RULE_ARRAY:
        return t == JSON_ARRAY;
    default:
        return t == JSON_STRING;
    }
}

static int check_value(const struct rule *rule, const struct json_value *v, struct failure *why)
{
    if (!has_type(rule->kind, json_type(v))) {
        char detail[40];
        snprintf(detail, sizeof detail, "but is %s", json_type_name(v));
        return violated(rule, v, detail, why);
    }
    switch (rule->kind) {
    case RULE_STRING:
        return check_string(rule, v, why);
    case RULE_INT:
    case RULE_DECIMAL:
        return check_number(rule, v, why);
    case RULE_TIME_RFC3339:
    case RULE_TIME_UNIX:
        return check_time(rule, v, why);
    case RULE_ENUM:
        return check_word(rule, v, why);
    default:
        return 0;
    }
}

static int check_rule(const struct rule *rule, const struct json_value *item, struct failure *why)
{
    const struct json_value *v = item;
    for (size_t i = 0; i < rule->n_path; i++) {
        if (json_type(v) == JSON_NULL && i > 0) {
            v = NULL;
            break;
        }
        if (json_type(v) != JSON_OBJECT)
            return violated(rule, v, "but what it is in is no object", why);
        v = json_get(v, rule->path[i].text, rule->path[i].len);
        if (!v)
            break;
    }
    if (v && json_type(v) != JSON_NULL)
        return check_value(rule, v, why);
    if (rule->optional)
        return 0;
    return violated(rule, v, v ? "but is null" : "but is missing", why);
}

static bool is_named(const struct expect *e, const char *name, size_t len)
{
    for (size_t i = 0; i < e->n_rules; i++) {
        const struct name *first = e->rules[i]->path;
        if (first->len == len && memcmp(first->text, name, len) == 0)
            return true;
    }
    return false;
}

int expect_check(const struct expect *e, const struct json_value *item, struct failure *why)
{
    if (json_type(item) != JSON_OBJECT) {
        failure_set(why, CLASS, 0, "the item must be an object, but is %s", json_type_name(item));
        failure_set_json(why, item);
        return -EBADMSG;
    }
    for (size_t i = 0; i < e->n_rules; i++) {
        int r = check_rule(e->rules[i], item, why);
        if (r < 0)
            return r;
    }
    if (!e->reject_others)
        return 0;
    struct json_iter i = json_iter(item);
    const struct json_value *key, *v;
    while (json_next(&i, &key, &v)) {
        size_t len;
        const char *name = json_text(key, &len);
        if (is_named(e, name, len))
            continue;
        char shown[FAILURE_COLUMN_MAX];
        text_excerpt(shown, sizeof shown, name, len);
        failure_set(why, CLASS, 0, "%s is not among the fields of `expect`", shown);
        failure_set_column(why, shown);
        failure_set_json(why, v);
        return -EBADMSG;
    }
    return 0;
}
