/* SPDX-License-Identifier: MIT */
/*
 * A page is kept while its elements are handed out; the cursor that came with it asks for the next.
 */
#include "drivers/redis/scan.h"

#include <stdio.h>
#include <string.h>

#define PAGE 100

static int take_page(struct hr_redis_scan *scan, hr_reply *page)
{
    const char *cursor = hr_reply_str(hr_reply_at(page, 0), NULL);
    scan->page = hr_reply_free(scan->page);
    if (!cursor || hr_reply_len(page) != 2 || strlen(cursor) >= sizeof(scan->cursor)) {
        (void)hr_reply_free(page);
        return hr_fail(-EPROTO, "redis: the reply is not a page of a scan");
    }
    snprintf(scan->cursor, sizeof(scan->cursor), "%s", cursor);
    scan->page = page;
    scan->at = 0;
    scan->begun = true;
    scan->over = strcmp(cursor, "0") == 0;
    return 0;
}

static int next_page(struct hr_redis_scan *scan)
{
    const char *argv[9];
    char count[16];
    size_t n = 0;
    bool of_key = scan->command != NULL;
    if (of_key && !scan->key)
        return hr_fail(-EINVAL, "redis: %s needs a key", scan->command);
    snprintf(count, sizeof(count), "%u", scan->count ? scan->count : PAGE);
    argv[n++] = of_key ? scan->command : "SCAN";
    if (of_key)
        argv[n++] = scan->key;
    argv[n++] = scan->begun ? scan->cursor : "0";
    if (scan->match) {
        argv[n++] = "MATCH";
        argv[n++] = scan->match;
    }
    argv[n++] = "COUNT";
    argv[n++] = count;
    if (scan->type && !of_key) {
        argv[n++] = "TYPE";
        argv[n++] = scan->type;
    }
    hr_reply *page = NULL;
    int r = hr_redis_command_argv(scan->redis, &page, n, argv, NULL);
    return r < 0 ? r : take_page(scan, page);
}

int(hr_redis_scan_next)(struct hr_redis_scan *scan, const char **ret, size_t *ret_len)
{
    while (!scan->page || scan->at == hr_reply_len(hr_reply_at(scan->page, 1))) {
        if (scan->over)
            return 0;
        int r = next_page(scan);
        if (r < 0)
            return r;
    }
    const char *text = hr_reply_str(hr_reply_walk(scan->page, 2, 1, (int)scan->at++), ret_len);
    if (!text)
        return hr_fail(-EPROTO, "redis: an element of a scan is not a string");
    *ret = text;
    return 1;
}

void hr_redis_scan_done(struct hr_redis_scan *scan)
{
    scan->page = hr_reply_free(scan->page);
    scan->over = true;
}
