/* SPDX-License-Identifier: MIT */
/*
 * How the shortest digits are found: printf() is asked for 15, 16 and 17, of which the last always
 * read back as the same double; a number that is denormal has fewer, so it is asked for from one
 * on. Only digits are taken from what it prints, so the locale's point does not matter.
 */
#include "drivers/mysql/real.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/number.h"

#define DIGITS_MAX   17
#define FLOAT_DIGITS 6
#define PLACES_ANY   31 /* of a column: as many as it takes */
#define PLAIN_MAX    15 /* digits before the point, if none are behind it, or zeros behind it */
#define PRINTED_MAX  64
#define ROOM_ANY     48  /* "-0.", 14 zeros, 17 digits */
#define WHOLE_MAX    309 /* digits of the largest double before its point */

struct decimal {
    bool negative;
    char digits[DIGITS_MAX + 1]; /* without zeros at the end, but for 0 itself */
    int len, point;              /* the point stands before digits[point], which may not be there */
};

static double value_of(const unsigned char *at, unsigned bytes)
{
    double d;
    float f;
    if (bytes == sizeof(d)) {
        memcpy(&d, at, sizeof(d));
        return d;
    }
    memcpy(&f, at, sizeof(f));
    return (double)f;
}

bool hr__mysql_real_is_known(const unsigned char *at, unsigned bytes)
{
    return isfinite(value_of(at, bytes));
}

/* How many digits its whole part has at most, also when it is rounded up: 13 bits are not quite
 * four of them. */
static int whole_digits(double value)
{
    int exponent;
    (void)frexp(value, &exponent);
    return exponent > 0 ? exponent * 4 / 13 + 2 : 1;
}

size_t hr__mysql_real_room(const unsigned char *at, unsigned bytes, unsigned places)
{
    if (places >= PLACES_ANY)
        return ROOM_ANY;
    return sizeof("-.") + (size_t)whole_digits(value_of(at, bytes)) + places;
}

/* Takes apart what printf() made of a number with %e. */
static void read_printed(const char *printed, struct decimal *ret)
{
    const char *p = printed;
    int len = 0;
    for (; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9' && len < DIGITS_MAX)
            ret->digits[len++] = *p;
    }
    while (len > 1 && ret->digits[len - 1] == '0')
        len--;
    ret->len = len;
    ret->point = 1 + (int)strtol(p + 1, NULL, 10);
    ret->negative = *printed == '-';
}

/* Makes the last digit one more; false where all of them are nines. */
static bool step_up(char *printed)
{
    for (char *p = strchr(printed, 'e'); p-- > printed;) {
        if (*p >= '0' && *p < '9') {
            ++*p;
            return true;
        }
        if (*p == '9')
            *p = '0';
    }
    return false;
}

static bool is_power_of_two(double value)
{
    int exponent;
    return fabs(frexp(value, &exponent)) == 0.5;
}

/* Rounded to so many digits. Above a power of two doubles lie twice as far from each other as below
 * it, so that the next decimal above may read back as the value where the nearest does not. */
static struct decimal with_digits(double value, int digits, bool *ret_same)
{
    char printed[PRINTED_MAX], above[PRINTED_MAX];
    struct decimal decimal = {0};
    snprintf(printed, sizeof(printed), "%.*e", digits - 1, value);
    *ret_same = strtod(printed, NULL) == value;
    if (!*ret_same && is_power_of_two(value)) {
        memcpy(above, printed, sizeof(above));
        *ret_same = step_up(above) && strtod(above, NULL) == value;
        if (*ret_same)
            memcpy(printed, above, sizeof(printed));
    }
    read_printed(printed, &decimal);
    return decimal;
}

static struct decimal shortest(double value, int most)
{
    int digits = fabs(value) < DBL_MIN && value != 0 ? 1 : 15;
    bool same;
    struct decimal decimal = with_digits(value, digits < most ? digits : most, &same);
    while (!same && ++digits <= most)
        decimal = with_digits(value, digits, &same);
    return decimal;
}

static char *put_zeros(char *p, int n)
{
    if (n <= 0)
        return p;
    memset(p, '0', (size_t)n);
    return p + n;
}

/* Digits with a point among them, and zeros up to it or from it where there are no digits. */
static char *put_plain(char *p, const struct decimal *d)
{
    int before = d->point < d->len ? d->point : d->len;
    if (d->point <= 0) {
        *p++ = '0';
        before = 0;
    }
    memcpy(p, d->digits, (size_t)before);
    p = put_zeros(p + before, d->point - d->len);
    if (before == d->len)
        return p;
    *p++ = '.';
    p = put_zeros(p, -d->point);
    memcpy(p, d->digits + before, (size_t)(d->len - before));
    return p + d->len - before;
}

static char *put_with_exponent(char *p, const struct decimal *d)
{
    *p++ = d->digits[0];
    if (d->len > 1) {
        *p++ = '.';
        memcpy(p, d->digits + 1, (size_t)d->len - 1);
        p += d->len - 1;
    }
    return p + sprintf(p, "e%d", d->point - 1);
}

static size_t put_any(const struct decimal *d, char *to)
{
    char *p = to;
    if (d->negative)
        *p++ = '-';
    bool plain = d->point > -PLAIN_MAX && (d->point <= PLAIN_MAX || d->point < d->len);
    p = plain ? put_plain(p, d) : put_with_exponent(p, d);
    *p = '\0';
    return (size_t)(p - to);
}

/* Zeros take the place of digits that would tell nothing. */
static size_t put_places(const struct decimal *d, int places, char *to)
{
    char *p = to;
    int behind = d->len > d->point ? d->len - d->point : 0;
    if (d->negative)
        *p++ = '-';
    p = put_plain(p, d);
    if (behind == 0 && places > 0)
        *p++ = '.';
    p = put_zeros(p, places - behind);
    *p = '\0';
    return (size_t)(p - to);
}

size_t hr__mysql_real_text(const unsigned char *at, unsigned bytes, unsigned places, char *to)
{
    double value = value_of(at, bytes);
    struct decimal decimal =
        shortest(value, bytes == sizeof(float) && places >= PLACES_ANY ? FLOAT_DIGITS : DIGITS_MAX);
    if (places >= PLACES_ANY)
        return put_any(&decimal, to);
    if (decimal.len - decimal.point <= (int)places)
        return put_places(&decimal, (int)places, to);
    char printed[1 + WHOLE_MAX + MB_LEN_MAX + PLACES_ANY + 1];
    snprintf(printed, sizeof(printed), "%.*f", (int)places, value);
    hr__put_point(printed); /* until then it may be longer than there is room */
    size_t len = strlen(printed);
    memcpy(to, printed, len + 1);
    return len;
}
