/* SPDX-License-Identifier: MIT */
/*
 * Where a byte of a scalar's text stands in its file.
 *
 * libyaml tells where a scalar begins, not how its quotes, escapes and indentation map to the
 * text. This file walks the source beside the text and gives up, answering with the scalar's
 * start, as soon as the two differ.
 */
#include <string.h>

#include "config/node.h"

/* Length of the line break at s, or 0. These are YAML 1.1's, so that lines count as libyaml's. */
static size_t line_break(const char *s, const char *end)
{
    size_t left = (size_t)(end - s);
    if (left >= 2 && memcmp(s, "\r\n", 2) == 0)
        return 2;
    if (left >= 1 && (*s == '\n' || *s == '\r'))
        return 1;
    if (left >= 2 && memcmp(s, "\xc2\x85", 2) == 0)
        return 2;
    if (left >= 3 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
        return 3;
    return 0;
}

static const char *find_line(const struct hr_conf_file *file, unsigned line)
{
    const char *end = file->text + file->len;
    const char *s = file->text;
    for (unsigned at = 1; at < line && s < end;) {
        size_t n = line_break(s, end);
        if (n)
            at++;
        s += n ? n : 1;
    }
    return s;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static unsigned count_chars(const char *s, const char *end)
{
    unsigned n = 0;
    for (; s < end; s++)
        n += !is_continuation(*s);
    return n;
}

/* How many source bytes the escape at s takes, and how many bytes of text it gives. */
static size_t escape_len(const char *s, const char *end, size_t *ret_text)
{
    size_t digits = end - s < 2 ? 0 : s[1] == 'x' ? 2 : s[1] == 'u' ? 4 : s[1] == 'U' ? 8 : 0;
    unsigned long code = 0;
    for (size_t i = 0; i < digits && s + 2 + i < end; i++) {
        char digit[2] = {s[2 + i], '\0'};
        code = code << 4 | strtoul(digit, NULL, 16);
    }
    if (end - s >= 2 && (s[1] == 'N' || s[1] == '_'))
        code = 0x85;
    else if (end - s >= 2 && (s[1] == 'L' || s[1] == 'P'))
        code = 0x2028;
    *ret_text = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    return 2 + digits;
}

/* The source byte that became byte `offset` of a scalar which begins at s, or NULL. */
static const char *walk(const struct hr_conf_node *node, size_t offset, const char *s,
                        const char *end)
{
    const char *text = node->text;
    if (node->style != HR_CONF_PLAIN)
        s++;
    for (size_t i = 0; i < offset;) {
        if (s >= end || line_break(s, end))
            return NULL;
        if (node->style == HR_CONF_DOUBLE_QUOTED && *s == '\\') {
            size_t given;
            if (line_break(s + 1, end))
                return NULL;
            s += escape_len(s, end, &given);
            i += given;
            continue;
        }
        if (*s != text[i])
            return NULL;
        s += node->style == HR_CONF_SINGLE_QUOTED && *s == '\'' ? 2 : 1;
        i++;
    }
    return s <= end ? s : NULL;
}

/* In a literal each line of text is a line of the file, less its indentation. */
static void locate_literal(const struct hr_conf_node *node, size_t offset, unsigned *ret_line,
                           unsigned *ret_column)
{
    unsigned line = node->line + 1;
    const char *start = node->text;
    for (const char *s = node->text; s < node->text + offset; s++) {
        if (*s == '\n') {
            line++;
            start = s + 1;
        }
    }
    const char *end = node->file->text + node->file->len;
    const char *source = find_line(node->file, line);
    const char *source_end = source;
    while (source_end < end && !line_break(source_end, end))
        source_end++;
    size_t len = strcspn(start, "\n");
    if ((size_t)(source_end - source) < len || memcmp(source_end - len, start, len) != 0)
        return;
    *ret_line = line;
    *ret_column = (unsigned)((size_t)(source_end - source) - len) +
                  count_chars(start, node->text + offset) + 1;
}

void hr_conf_locate(const struct hr_conf_node *node, size_t offset, unsigned *ret_line,
                    unsigned *ret_column)
{
    *ret_line = node->line;
    *ret_column = node->column;
    if (node->kind != HR_CONF_SCALAR || node->substituted || offset > strlen(node->text) ||
        !node->file->text || node->style == HR_CONF_FOLDED)
        return;
    if (node->style == HR_CONF_LITERAL) {
        locate_literal(node, offset, ret_line, ret_column);
        return;
    }
    const char *end = node->file->text + node->file->len;
    const char *start = find_line(node->file, node->line);
    for (unsigned column = 1; column < node->column && start < end; column++) {
        do {
            start++;
        } while (start < end && is_continuation(*start));
    }
    const char *at = walk(node, offset, start, end);
    if (at)
        *ret_column = node->column + count_chars(start, at);
}
