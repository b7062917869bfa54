/* SPDX-License-Identifier: MIT */
#include "daemon/sink/refusal.h"

#include <stdio.h>
#include <string.h>

#define ER_DUP_ENTRY 1062

/* The text between the first occurrence of before and the next end after it; false when absent. */
static bool between(const char *text, const char *before, char end, const char **ret,
                    size_t *ret_len)
{
    const char *start = strstr(text, before);
    if (!start)
        return false;
    start += strlen(before);
    const char *stop = strchr(start, end);
    if (!stop)
        return false;
    *ret = start;
    *ret_len = (size_t)(stop - start);
    return true;
}

/* The column a message is about: … column 'c' …, … column `db`.`table`.`c` …, Column 'c' … */
static void find_column(const char *message, char *ret, size_t size)
{
    const char *name;
    size_t len;
    if (between(message, "olumn '", '\'', &name, &len)) {
        snprintf(ret, size, "%.*s", (int)len, name);
        return;
    }
    const char *quoted = strstr(message, "olumn `");
    for (const char *at = quoted ? quoted + 6 : NULL; at && *at == '`';) {
        const char *stop = strchr(at + 1, '`');
        if (!stop)
            return;
        snprintf(ret, size, "%.*s", (int)(stop - at - 1), at + 1);
        at = stop[1] == '.' ? stop + 2 : NULL;
    }
}

/* Duplicate entry 'v' for key 'k': the value may hold quotes, the key comes last. */
static void find_duplicate(const char *message, struct failure *ret)
{
    const char *entry = strstr(message, "entry '");
    const char *key = strstr(message, "' for key '");
    if (!entry || !key || key < entry + 7)
        return;
    failure_set_value(ret, entry + 7, (size_t)(key - entry - 7));
    const char *name = key + 11;
    char column[FAILURE_COLUMN_MAX];
    snprintf(column, sizeof(column), "%.*s", (int)strcspn(name, "'"), name);
    failure_set_column(ret, column);
}

void refusal_explain(const struct hr_error *error, int code, const struct rows *rows, size_t row,
                     struct failure *ret)
{
    failure_set(ret, error_class_name(error_classify(code, error)), error->native, "%s",
                error->message);
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
