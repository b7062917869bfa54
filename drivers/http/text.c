/* SPDX-License-Identifier: MIT */
/*
 * A body as text: UTF-8 as it is, Latin-1 made UTF-8, anything else refused.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drivers/http/impl.h"

#define CHARSET_MAX 32

/* How many bytes the character at p takes, 0 when it is none: the shortest form only, and no
 * surrogates (RFC 3629). */
static size_t character(const unsigned char *p, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n <= 1)
        return n;
    if (p[0] > 0xf4 || n > left)
        return 0;
    uint32_t code = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    bool wrong = code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
    return wrong ? 0 : n;
}

bool hr__http_is_utf8(const char *bytes, size_t size)
{
    const unsigned char *p = (const unsigned char *)bytes, *end = p + size;
    while (p < end) {
        size_t n = character(p, (size_t)(end - p));
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

static bool is_ascii(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)bytes[i] >= 0x80)
            return false;
    }
    return true;
}

/* The charset of "text/html; charset=\"utf-8\"", utf-8 when none is said. */
static void find_charset(const char *content_type, char ret[CHARSET_MAX])
{
    snprintf(ret, CHARSET_MAX, "utf-8");
    for (const char *p = content_type; p && (p = strchr(p, ';'));) {
        p += 1 + strspn(p + 1, " \t");
        if (strncasecmp(p, "charset=", 8) != 0)
            continue;
        p += 8 + (p[8] == '"');
        size_t n = strcspn(p, "\"; \t");
        n = n < CHARSET_MAX ? n : CHARSET_MAX - 1;
        memcpy(ret, p, n);
        ret[n] = '\0';
        return;
    }
}

static int from_latin1(const char *bytes, size_t size, char **ret, size_t *ret_size)
{
    char *text = malloc(2 * size + 1), *to = text;
    if (!text)
        return hr_fail(-ENOMEM, "no memory for a text of %zu bytes", size);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x80) {
            *to++ = (char)c;
        } else {
            *to++ = (char)(0xc0 | c >> 6);
            *to++ = (char)(0x80 | (c & 0x3f));
        }
    }
    *to = '\0';
    *ret = text;
    *ret_size = (size_t)(to - text);
    return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcasecmp(name, *names) != 0)
        names++;
    return *names;
}

int hr__http_decode(const char *content_type, const char *bytes, size_t size, char **ret,
                    size_t *ret_size)
{
    static const char *const latin1[] = {"iso-8859-1", "iso8859-1", "latin1", "latin-1", NULL};
    static const char *const ascii[] = {"us-ascii", "ascii", NULL};
    static const char *const utf8[] = {"utf-8", "utf8", NULL};
    char charset[CHARSET_MAX];
    find_charset(content_type, charset);
    *ret = NULL;
    if (is_one_of(charset, latin1))
        return from_latin1(bytes, size, ret, ret_size);
    if (is_one_of(charset, utf8) && hr__http_is_utf8(bytes, size))
        return 0;
    if (is_one_of(charset, ascii) && is_ascii(bytes, size))
        return 0;
    return hr_fail(-EILSEQ, "%s %s",
                   is_one_of(charset, utf8) || is_one_of(charset, ascii)
                       ? "the body is no text in"
                       : "the body is in a charset that is not known:",
                   charset);
}
