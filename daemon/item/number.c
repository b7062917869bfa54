/* SPDX-License-Identifier: MIT */
#include "daemon/item/number.h"

/* Exponents beyond this are alike: such numbers are too large or too fine for anything. */
#define EXPONENT_MAX ((int64_t)1 << 40)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the exponent after its e; false when it is not one. */
static bool read_exponent(const char *p, const char *end, int64_t *ret)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    int64_t e = 0;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        if (e < EXPONENT_MAX)
            e = e * 10 + (*p - '0');
    }
    *ret = negative ? -e : e;
    return true;
}

bool number_parse(const char *text, size_t len, struct number *ret)
{
    const char *p = text, *end = text + len;
    struct number n = {.plain = true};
    n.negative = p < end && *p == '-';
    p += n.negative;

    const char *whole = p;
    while (p < end && is_digit(*p))
        p++;
    const char *whole_end = p;
    if (p == whole)
        return false;
    if (p < end && *p == '.') {
        n.point = p++;
        while (p < end && is_digit(*p))
            p++;
        if (p == n.point + 1)
            return false;
    }
    const char *last = p;
    int64_t exponent = 0;
    if (p < end) {
        if ((*p != 'e' && *p != 'E') || !read_exponent(p + 1, end, &exponent))
            return false;
        n.plain = false;
    }

    n.first = whole;
    while (n.first < last && (*n.first == '0' || *n.first == '.'))
        n.first++;
    if (n.first == last) {
        *ret = (struct number){.plain = n.plain, .first = whole};
        return true;
    }
    while (last[-1] == '0' || last[-1] == '.')
        last--;
    if (n.point && (n.point < n.first || n.point >= last))
        n.point = NULL;
    n.n_digits = (size_t)(last - n.first) - (n.point != NULL);
    /* Digits between first and the point, or minus the zeros between the point and first. */
    n.magnitude = n.first < whole_end ? whole_end - n.first : whole_end + 1 - n.first;
    n.magnitude += exponent;
    *ret = n;
    return true;
}

static char digit(const struct number *n, size_t i)
{
    const char *p = n->first + i;
    return n->point && p >= n->point ? p[1] : *p;
}

static int compare_magnitudes(const struct number *x, const struct number *y)
{
    if (x->n_digits == 0 || y->n_digits == 0)
        return (x->n_digits > 0) - (y->n_digits > 0);
    if (x->magnitude != y->magnitude)
        return x->magnitude < y->magnitude ? -1 : 1;
    for (size_t i = 0; i < x->n_digits && i < y->n_digits; i++) {
        if (digit(x, i) != digit(y, i))
            return digit(x, i) < digit(y, i) ? -1 : 1;
    }
    return (x->n_digits > y->n_digits) - (x->n_digits < y->n_digits);
}

int number_compare(const struct number *x, const struct number *y)
{
    if (x->negative != y->negative)
        return x->negative ? -1 : 1;
    return x->negative ? compare_magnitudes(y, x) : compare_magnitudes(x, y);
}

static unsigned capped(int64_t n)
{
    if (n <= 0)
        return 0;
    return n > INT32_MAX ? INT32_MAX : (unsigned)n;
}

unsigned number_whole_digits(const struct number *n)
{
    return n->n_digits ? capped(n->magnitude) : 0;
}

unsigned number_decimals(const struct number *n)
{
    return n->n_digits ? capped((int64_t)n->n_digits - n->magnitude) : 0;
}

/* The absolute value of an integer of at most 20 digits; false when it is none or is larger. */
static bool whole_value(const struct number *n, uint64_t *ret)
{
    if (number_decimals(n) > 0 || number_whole_digits(n) > 20)
        return false;
    uint64_t value = 0;
    unsigned whole = number_whole_digits(n);
    for (unsigned i = 0; i < whole; i++) {
        unsigned d = i < n->n_digits ? (unsigned)(digit(n, i) - '0') : 0;
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, d, &value))
            return false;
    }
    *ret = value;
    return true;
}

bool number_to_int64(const struct number *n, int64_t *ret)
{
    uint64_t value;
    if (!whole_value(n, &value) || value > (uint64_t)INT64_MAX + n->negative)
        return false;
    *ret = n->negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool number_to_uint64(const struct number *n, uint64_t *ret)
{
    return !n->negative && whole_value(n, ret);
}

size_t number_write(const struct number *n, char *ret)
{
    char *p = ret;
    unsigned whole = number_whole_digits(n), decimals = number_decimals(n);
    if (n->negative)
        *p++ = '-';
    if (whole == 0)
        *p++ = '0';
    for (unsigned i = 0; i < whole; i++)
        *p++ = i < n->n_digits ? digit(n, i) : '0';
    if (decimals > 0) {
        *p++ = '.';
        for (int64_t i = n->magnitude < 0 ? n->magnitude : whole; i < (int64_t)n->n_digits; i++)
            *p++ = i < 0 ? '0' : digit(n, (size_t)i);
    }
    return (size_t)(p - ret);
}
