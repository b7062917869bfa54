/* SPDX-License-Identifier: MIT */
#include "daemon/engine.h"

#include <string.h>

#include "daemon/errors.h"
#include "drivers/mysql/row.h"

/* Longest identifier in bytes: 64 characters of the basic plane. */
#define NAME_MAX_BYTES 192

/* Reads one identifier, quoted or not, and returns what follows it. */
static const char *read_name(const char *text, char ret[NAME_MAX_BYTES + 1])
{
    bool quoted = *text == '`';
    size_t len = 0;
    text += quoted;
    while (*text && len < NAME_MAX_BYTES) {
        if (quoted ? *text == '`' && text[1] != '`' : *text == '.')
            break;
        text += quoted && *text == '`';
        ret[len++] = *text++;
    }
    ret[len] = '\0';
    return text + (quoted && *text == '`');
}

int engine_check(hr_mysql_conn *conn, const char *table)
{
    char schema[NAME_MAX_BYTES + 1] = "", name[NAME_MAX_BYTES + 1];
    const char *rest = read_name(table, name);
    if (*rest == '.') {
        memcpy(schema, name, sizeof(name));
        read_name(rest + 1, name);
    }
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = hr_mysql_query(conn, &result,
                           "SELECT engine FROM information_schema.tables WHERE table_schema = "
                           "COALESCE(?, DATABASE()) AND table_name = ?",
                           HR_ARGS(schema[0] ? hr_s(schema) : hr_null(), hr_s(name)));
    if (r < 0)
        return r;
    const char *engine = r > 0 ? hr_mysql_text(result, 0, 0, NULL) : NULL;
    if (!engine || strcmp(engine, "InnoDB") == 0)
        return 0;
    return hr_fail(MISCONFIGURED,
                   "table %s has engine %s, which knows no transactions: make it InnoDB, or use "
                   "delivery: at_least_once",
                   table, engine);
}
