/* SPDX-License-Identifier: MIT */
/*
 * A field, a type and an item, with a newline after each of the first two: the contract is compiled
 * and the item checked.
 */
#include "daemon/item/expect.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hr_auto(hr_freep) char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    char *type = memchr(text, '\n', size);
    char *item = type ? strchr(type + 1, '\n') : NULL;
    if (!item)
        return 0;
    *type++ = 0;
    *item++ = 0;

    hr_auto(arena_freep) struct arena *a = arena_new((size_t)1024 * 1024);
    hr_auto(expect_freep) struct expect *e = expect_new();
    struct expect_error error = {0};
    struct failure why;
    const struct json_value *v;
    int r = expect_add(e, text, type, &error);
    if (r < 0 && !error.message[0])
        __builtin_trap();
    if (r == 0 && json_parse(a, item, size - (size_t)(item - text), &v, &why) == 0 &&
        expect_check(e, v, &why) == -EBADMSG && !text_is_utf8(why.message, strlen(why.message)))
        __builtin_trap();
    return 0;
}
