/* SPDX-License-Identifier: MIT */
#include "daemon/headracectl/print.h"

#include <string.h>

/* U+0080 to U+009F are control characters too: 0xc2 0x80 to 0xc2 0x9f. */
static size_t control(const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];
    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && len > 1 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

void print_json_string(FILE *out, const char *text, size_t len)
{
    putc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

/* What stands for a control character. */
static void name_control(const char *text, char ret[8])
{
    unsigned char c = (unsigned char)text[0];
    if (c == '\n' || c == '\t' || c == '\r')
        snprintf(ret, 8, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else
        snprintf(ret, 8, "\\x%02x", c == 0xc2 ? (unsigned char)text[1] : c);
}

void print_safely(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t skip = control(text + i, len - i);
        char name[8];
        if (skip) {
            name_control(text + i, name);
            fputs(name, out);
        } else {
            putc(text[i], out);
            skip = 1;
        }
        i += skip;
    }
}

size_t print_width(const char *text, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len;) {
        size_t skip = control(text + i, len - i);
        char name[8];
        if (skip) {
            name_control(text + i, name);
            width += strlen(name);
        } else {
            width += ((unsigned char)text[i] & 0xc0) != 0x80;
            skip = 1;
        }
        i += skip;
    }
    return width;
}
