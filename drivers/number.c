/* SPDX-License-Identifier: MIT */
/*
 * How the decimal point is found: it is what else no number consists of, one byte or several.
 * Printing in a locale of our own (newlocale()) would need memory for it.
 */
#include "drivers/number.h"

#include <string.h>

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
