/* SPDX-License-Identifier: MIT */
#include "daemon/item/expect.h"

#include "daemon/item/moment.h"
#include "daemon/item/number.h"
#include "daemon/item/plural.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CLASS        "expect"
#define CONTRACT_MAX ((size_t)4 * 1024 * 1024)

enum rule_kind {
    RULE_STRING,
    RULE_INT,
    RULE_DECIMAL,
    RULE_NUMBER,
    RULE_BOOL,
    RULE_TIME_RFC3339,
    RULE_TIME_UNIX,
    RULE_ENUM,
    RULE_OBJECT,
    RULE_ARRAY,
};

struct name {
    const char *text;
    size_t len;
};

struct rule {
    const char *field, *type;
    struct name *path; /* the field's name, cut at its dots */
    size_t n_path;
    enum rule_kind kind;
    bool optional;
    bool has_min, has_max;
    struct number min, max; /* int */
    uint64_t min_characters, max_characters;
    unsigned precision, scale; /* decimal */
    struct name *words;        /* enum */
    size_t n_words;
};

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

/* ---- reading a type ---- */

static int refuse(struct expect_error *error, const char *format, ...) hr_printf_like(2, 3);
static int refuse(struct expect_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_format(error->message, sizeof error->message, format, args);
    va_end(args);
    return -EINVAL;
}

static struct name trim(struct name s)
{
    while (s.len > 0 && *s.text == ' ') {
        s.text++;
        s.len--;
    }
    while (s.len > 0 && s.text[s.len - 1] == ' ')
        s.len--;
    return s;
}

static bool name_is(struct name s, const char *text)
{
    return strlen(text) == s.len && memcmp(s.text, text, s.len) == 0;
}

/* Cuts s at each separator; at least one part. The parts lie in the arena. */
static int split(struct arena *a, struct name s, char separator, struct name **ret, size_t *ret_n)
{
    size_t n = 1;
    for (size_t i = 0; i < s.len; i++)
        n += s.text[i] == separator;
    struct name *parts = arena_alloc(a, n * sizeof *parts);
    if (!parts)
        return -ENOMEM;
    const char *p = s.text, *end = s.text + s.len;
    for (size_t i = 0; i < n; i++) {
        const char *stop = memchr(p, separator, (size_t)(end - p));
        if (!stop)
            stop = end;
        parts[i] = (struct name){p, (size_t)(stop - p)};
        p = stop < end ? stop + 1 : end;
    }
    *ret = parts;
    *ret_n = n;
    return 0;
}

/* One bound of min..max; an empty one is open. */
static bool read_bound(struct name s, bool *has, struct number *ret)
{
    s = trim(s);
    *has = s.len > 0;
    return s.len == 0 || (number_parse(s.text, s.len, ret) && number_decimals(ret) == 0);
}

static int read_range(struct rule *rule, struct name args, struct expect_error *error)
{
    const char *dots = memmem(args.text, args.len, "..", 2);
    bool ok;
    if (dots) {
        struct name low = {args.text, (size_t)(dots - args.text)};
        struct name high = {dots + 2, args.len - low.len - 2};
        ok = read_bound(low, &rule->has_min, &rule->min) &&
             read_bound(high, &rule->has_max, &rule->max) && (rule->has_min || rule->has_max);
    } else {
        /* string(36) is the longest it may be; for int one number says nothing. */
        ok = rule->kind == RULE_STRING && read_bound(args, &rule->has_max, &rule->max) &&
             rule->has_max;
    }
    if (ok && rule->kind == RULE_STRING) {
        ok = (!rule->has_min || number_to_uint64(&rule->min, &rule->min_characters)) &&
             (!rule->has_max || number_to_uint64(&rule->max, &rule->max_characters));
    }
    if (!ok)
        return refuse(error, "`%s` needs its bounds as min..max, min.. or ..max", rule->type);
    if (rule->has_min && rule->has_max && number_compare(&rule->min, &rule->max) > 0)
        return refuse(error, "`%s` has its bounds the wrong way round: nothing fits", rule->type);
    return 0;
}

static int read_decimal(struct rule *rule, struct name args, struct expect_error *error)
{
    const char *comma = memchr(args.text, ',', args.len);
    struct number p, s;
    uint64_t precision = 0, scale = 0;
    bool ok = comma != NULL;
    if (ok) {
        struct name left = trim((struct name){args.text, (size_t)(comma - args.text)});
        struct name right =
            trim((struct name){comma + 1, (size_t)(args.text + args.len - comma - 1)});
        ok = number_parse(left.text, left.len, &p) && number_parse(right.text, right.len, &s) &&
             number_to_uint64(&p, &precision) && number_to_uint64(&s, &scale);
    }
    if (!ok)
        return refuse(error, "`%s` needs digits in all and after the point: \"decimal(12,2)\"",
                      rule->type);
    if (precision < 1 || precision > 65 || scale > precision)
        return refuse(error, "`%s`: 1 to 65 digits, and not more of them after the point",
                      rule->type);
    rule->precision = (unsigned)precision;
    rule->scale = (unsigned)scale;
    return 0;
}

static int read_words(struct arena *a, struct rule *rule, struct name args,
                      struct expect_error *error)
{
    int r = split(a, args, '|', &rule->words, &rule->n_words);
    for (size_t i = 0; r == 0 && i < rule->n_words; i++) {
        rule->words[i] = trim(rule->words[i]);
        if (rule->words[i].len == 0)
            return refuse(error, "`%s` has an empty word: enum(new|paid)", rule->type);
    }
    return r;
}

/* One row a type: whether it takes, and whether it needs, something in parentheses. */
static const struct type_name {
    const char *name;
    enum rule_kind kind;
    bool may_have_args, needs_args;
} types[] = {
    {"string",  RULE_STRING,       true,  false},
    {"int",     RULE_INT,          true,  false},
    {"decimal", RULE_DECIMAL,      true,  true },
    {"number",  RULE_NUMBER,       false, false},
    {"bool",    RULE_BOOL,         false, false},
    {"time",    RULE_TIME_RFC3339, true,  true },
    {"enum",    RULE_ENUM,         true,  true },
    {"object",  RULE_OBJECT,       false, false},
    {"array",   RULE_ARRAY,        false, false},
};

static int read_args(struct arena *a, struct rule *rule, struct name args,
                     struct expect_error *error)
{
    switch (rule->kind) {
    case RULE_STRING:
    case RULE_INT:
        return read_range(rule, args, error);
    case RULE_DECIMAL:
        return read_decimal(rule, args, error);
    case RULE_ENUM:
        return read_words(a, rule, args, error);
    default:
        if (!name_is(args, "rfc3339") && !name_is(args, "unix"))
            return refuse(error, "`%s`: time(rfc3339) and time(unix) are known", rule->type);
        rule->kind = name_is(args, "unix") ? RULE_TIME_UNIX : RULE_TIME_RFC3339;
        return 0;
    }
}

static int read_type(struct arena *a, struct rule *rule, struct expect_error *error)
{
    struct name rest = trim((struct name){rule->type, strlen(rule->type)});
    if (rest.len > 0 && rest.text[rest.len - 1] == '?') {
        rule->optional = true;
        rest.len--;
        rest = trim(rest);
    }
    const char *open = memchr(rest.text, '(', rest.len);
    struct name name = trim((struct name){rest.text, open ? (size_t)(open - rest.text) : rest.len});
    struct name args = {NULL, 0};
    if (open) {
        if (rest.text[rest.len - 1] != ')')
            return refuse(error, "`%s` has no `)` at its end", rule->type);
        args = trim((struct name){open + 1, (size_t)(rest.text + rest.len - open - 2)});
    }

    for (size_t i = 0; i < HR_ARRAY_LEN(types); i++) {
        if (!name_is(name, types[i].name))
            continue;
        rule->kind = types[i].kind;
        if (open && !types[i].may_have_args)
            return refuse(error, "`%s` takes nothing in parentheses", types[i].name);
        if (!open && types[i].needs_args)
            return refuse(error, "`%s` needs more: %s", types[i].name,
                          rule->kind == RULE_DECIMAL ? "\"decimal(12,2)\""
                          : rule->kind == RULE_ENUM  ? "enum(new|paid)"
                                                     : "time(rfc3339) or time(unix)");
        return open ? read_args(a, rule, args, error) : 0;
    }
    return refuse(error,
                  "unknown type `%s`; there are string, int, decimal(p,s), number, bool, "
                  "time(rfc3339), time(unix), enum(a|b), object, array",
                  rule->type);
}

static char *copy(struct arena *a, const char *text)
{
    size_t size = strlen(text) + 1;
    char *p = arena_alloc(a, size);
    return p ? memcpy(p, text, size) : NULL;
}

int expect_add(struct expect *e, const char *field, const char *type, struct expect_error *error)
{
    if (strcmp(field, "*") == 0) {
        if (strcmp(type, "reject") != 0)
            return refuse(error, "`*` can only be `reject`");
        e->reject_others = true;
        return 0;
    }
    struct rule *rule = arena_alloc(e->arena, sizeof *rule);
    if (!rule)
        return -ENOMEM;
    *rule = (struct rule){
        .field = copy(e->arena, field), .type = copy(e->arena, type), .max_characters = UINT64_MAX};
    if (!rule->field || !rule->type)
        return -ENOMEM;
    struct name whole = {rule->field, strlen(rule->field)};
    int r = split(e->arena, whole, '.', &rule->path, &rule->n_path);
    for (size_t i = 0; r == 0 && i < rule->n_path; i++) {
        if (rule->path[i].len == 0)
            return refuse(error, "`%s` is no field: a name is missing beside a dot", field);
    }
    if (r == 0)
        r = read_type(e->arena, rule, error);
    if (r < 0)
        return r;

    struct rule **rules = reallocarray(e->rules, e->n_rules + 1, sizeof *rules);
    if (!rules)
        return -ENOMEM;
    e->rules = rules;
    e->rules[e->n_rules++] = rule;
    return 0;
}

/* ---- checking ---- */

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
