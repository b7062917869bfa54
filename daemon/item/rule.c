/* SPDX-License-Identifier: MIT */
/*
 * How a line of a contract is read: the field is cut at its dots, the type at its parentheses, and
 * what is wrong is answered with how to write it.
 */
#include "daemon/item/rule.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

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

int rule_new(struct arena *a, const char *field, const char *type, struct rule **ret,
             struct expect_error *error)
{
    struct rule *rule = arena_alloc(a, sizeof *rule);
    if (!rule)
        return -ENOMEM;
    *rule =
        (struct rule){.field = copy(a, field), .type = copy(a, type), .max_characters = UINT64_MAX};
    if (!rule->field || !rule->type)
        return -ENOMEM;
    struct name whole = {rule->field, strlen(rule->field)};
    int r = split(a, whole, '.', &rule->path, &rule->n_path);
    for (size_t i = 0; r == 0 && i < rule->n_path; i++) {
        if (rule->path[i].len == 0)
            return refuse(error, "`%s` is no field: a name is missing beside a dot", field);
    }
    if (r == 0)
        r = read_type(a, rule, error);
    if (r == 0)
        *ret = rule;
    return r;
}
