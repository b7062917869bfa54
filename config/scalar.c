/* SPDX-License-Identifier: MIT */
/*
 * The scalar types.
 *
 * Numbers are decimal digits and nothing else: no sign, no leading zero (YAML 1.1 reads 010 as
 * eight), no underscore, no exponent. What does not fit is refused, never cut.
 */
#include "config/scalar.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit span_units[] = {
    {"d",  86400000000},
    {"h",  3600000000 },
    {"m",  60000000   },
    {"s",  1000000    },
    {"ms", 1000       },
    {"us", 1          },
};

static const struct unit size_units[] = {
    {"TiB", (int64_t)1 << 40},
    {"GiB", (int64_t)1 << 30},
    {"MiB", (int64_t)1 << 20},
    {"KiB", (int64_t)1 << 10},
    {"B",   1               },
};

/* Decimal digits; the length of what was read, 0 when there is no such number. */
static size_t scan_digits(const char *text, int64_t *ret)
{
    int64_t n = 0;
    size_t len = 0;
    for (; isdigit((unsigned char)text[len]); len++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, text[len] - '0', &n))
            return 0;
    }
    if (len > 1 && text[0] == '0')
        return 0;
    *ret = n;
    return len;
}

const char *hr__conf_scan_bool(const char *text, bool *ret)
{
    static const char *const others[] = {"yes", "no", "on", "off", "y", "n", "1", "0"};
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *ret = text[0] == 't';
        return NULL;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(others); i++) {
        if (strcasecmp(text, others[i]) == 0)
            return i % 2 == 0 ? "write true" : "write false";
    }
    return "only true and false are";
}

const char *hr__conf_scan_count(const char *text, int64_t *ret)
{
    int64_t n;
    size_t len = scan_digits(text, &n);
    if (len > 0 && !text[len]) {
        *ret = n;
        return NULL;
    }
    if (len > 0 && isalpha((unsigned char)text[len]))
        return "a bare number, without a unit";
    return "digits only, such as 12";
}

const char *hr__conf_scan_factor(const char *text, double *ret)
{
    size_t whole = strspn(text, "0123456789");
    size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    size_t len = whole + (fraction ? 1 + fraction : 0);
    if (whole == 0 || whole > 9 || fraction > 9 || text[len])
        return "a number such as 2 or 1.5";
    /* By hand, since strtod() asks the locale what a decimal point is. */
    double value = 0, scale = 1;
    for (size_t i = 0; i < len; i++) {
        if (i == whole)
            continue;
        value = value * 10 + (text[i] - '0');
        scale *= i > whole ? 10 : 1;
    }
    *ret = value / scale;
    return NULL;
}

/* A whole number with a unit; zero needs one too. */
static bool scan_unit(const char *text, const struct unit *units, size_t n_units, int64_t *ret)
{
    int64_t n;
    size_t len = scan_digits(text, &n);
    for (size_t i = 0; len > 0 && i < n_units; i++) {
        if (strcmp(text + len, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(n, units[i].factor, &n))
            return false;
        *ret = n;
        return true;
    }
    return false;
}

const char *hr__conf_scan_span(const char *text, hr_usec *ret)
{
    if (scan_unit(text, span_units, HR_ARRAY_LEN(span_units), ret))
        return NULL;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && !text[digits])
        return "it needs a unit: 50ms, 30s, 5m, 24h, 14d";
    if (digits > 0 && text[digits] == '.')
        return "whole numbers only, in a smaller unit: 1500ms instead of 1.5s";
    if (digits > 0 && strpbrk(text + digits, "0123456789"))
        return "one number and one unit: 90m instead of 1h30m";
    return "a whole number and a unit: 50ms, 30s, 5m, 24h, 14d";
}

const char *hr__conf_scan_size(const char *text, int64_t *ret)
{
    if (scan_unit(text, size_units, HR_ARRAY_LEN(size_units), ret))
        return NULL;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && !text[digits])
        return "it needs a unit: 512B, 256KiB, 1MiB, 2GiB";
    if (digits > 0 && text[digits] == '.')
        return "whole numbers only, in a smaller unit: 1536KiB instead of 1.5MiB";
    return "a whole number and one of the units B, KiB, MiB, GiB, TiB";
}
