/* SPDX-License-Identifier: MIT */
#include "daemon/sink/refusal.h"

#include <stdio.h>
#include <string.h>

#include "daemon/errors.h"

/* The last place where words stand in the text, or NULL. The server's own words come after the
 * value that it quotes, and the value may hold anything. */
static const char *find_last(const char *text, const char *words)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, words)); at++)
        last = at;
    return last;
}

/* Copies what stands between the last occurrence of words and the next end after it. */
static bool copy_between(const char *text, const char *words, char end, char *ret, size_t size)
{
    const char *start = find_last(text, words);
    const char *stop = start ? strchr(start + strlen(words), end) : NULL;
    if (!stop)
        return false;
    start += strlen(words);
    snprintf(ret, size, "%.*s", (int)(stop - start), start);
    return true;
}

/* The last of `db`.`table`.`c`, which begins at at. */
static void copy_last_name(const char *at, char *ret, size_t size)
{
    while (at && *at == '`') {
        const char *stop = strchr(at + 1, '`');
        if (!stop)
            return;
        snprintf(ret, size, "%.*s", (int)(stop - at - 1), at + 1);
        at = stop[1] == '.' ? stop + 2 : NULL;
    }
}

/* The column a message is about: … column 'c' …, Column 'c' …, Field 'c' …, … column
 * `db`.`table`.`c` …, … FOREIGN KEY (`c`) … */
static void find_column(const char *message, char *ret, size_t size)
{
    const char *quoted = find_last(message, "olumn `");
    if (quoted)
        copy_last_name(quoted + 6, ret, size);
    else if (!copy_between(message, "olumn '", '\'', ret, size) &&
             !copy_between(message, "FOREIGN KEY (`", '`', ret, size) &&
             strncmp(message, "Field '", 7) == 0)
        copy_between(message, "Field '", '\'', ret, size);
}

/* Duplicate entry 'v' for key 'k': the value may hold quotes, the key comes last. */
static void find_duplicate(const char *message, struct failure *ret)
{
    const char *entry = strstr(message, "entry '");
    const char *key = find_last(message, "' for key '");
    if (!entry || !key || key < entry + 7)
        return;
    failure_set_value(ret, entry + 7, (size_t)(key - entry - 7));
    const char *name = key + 11;
    char column[FAILURE_COLUMN_MAX];
    snprintf(column, sizeof(column), "%.*s", (int)strcspn(name, "'"), name);
    failure_set_column(ret, column);
}

/* Bytes of the message without " at row 3" at its end: a row of the batch, which nobody sees. */
static int without_row(const char *message)
{
    const char *at = find_last(message, " at row ");
    size_t digits = at ? strspn(at + 8, "0123456789") : 0;
    return (int)(digits > 0 && !at[8 + digits] ? (size_t)(at - message) : strlen(message));
}

void refusal_explain(const struct hr_error *error, int code, const struct rows *rows, size_t row,
                     struct failure *ret)
{
    failure_set(ret, error_class_name(error_classify(code, error)), error->native, "%.*s",
                without_row(error->message), error->message);
    if (error->native == ER_DUP_ENTRY) {
        find_duplicate(error->message, ret);
        return;
    }
    char column[FAILURE_COLUMN_MAX] = "", buffer[32];
    find_column(error->message, column, sizeof(column));
    failure_set_column(ret, column);
    size_t len = 0;
    const char *value = rows_value(rows, row, column, buffer, &len);
    if (value)
        failure_set_value(ret, value, len);
}
