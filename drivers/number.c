/* SPDX-License-Identifier: MIT */
/*
 * How the decimal point is found: it is what else no number consists of, one byte or several.
 * Printing in a locale of our own (newlocale()) would need memory for it.
 */
#include "drivers/number.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 400 /* the largest double has 309 digits before the point */

static const char parts[] = "0123456789+-einfaEINFA'";

void hr__put_point(char *number)
{
    char *point = number + strspn(number, parts);
    size_t len = strcspn(point, parts);
    if (len == 0)
        return;
    *point = '.';
    memmove(point + 1, point + len, strlen(point + len) + 1);
}

/* Words for what has no digits; false for anything else. */
static bool parse_word(const char *text, size_t len, double *ret)
{
    bool negative = len > 0 && text[0] == '-';
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    text += sign;
    len -= sign;
    if (len != 3 || (strncasecmp(text, "inf", 3) != 0 && strncasecmp(text, "nan", 3) != 0))
        return false;
    double value = (*text | 0x20) == 'i' ? (double)INFINITY : (double)NAN;
    *ret = negative ? -value : value;
    return true;
}

bool hr__parse_double(const char *text, size_t len, double *ret)
{
    char copy[TEXT_MAX + MB_LEN_MAX + 1];
    size_t used = 0;
    bool point = false;
    if (parse_word(text, len, ret))
        return true;
    if (len == 0 || len > TEXT_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || !strchr("0123456789+-.eE", text[i]) || (point && text[i] == '.'))
            return false;
        if (text[i] == '.') {
            const char *mark = localeconv()->decimal_point;
            size_t mark_len = strnlen(mark, MB_LEN_MAX);
            memcpy(copy + used, mark, mark_len);
            used += mark_len;
            point = true;
        } else {
            copy[used++] = text[i];
        }
    }
    copy[used] = '\0';
    char *end = NULL;
    double value = strtod(copy, &end);
    if (end != copy + used)
        return false;
    *ret = value;
    return true;
}
