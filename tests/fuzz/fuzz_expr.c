/* SPDX-License-Identifier: MIT */
/*
 * A program, a NUL, then an item: both parsed, the one run over the other, the result written,
 * parsed again and found equal. Without a NUL all of it is the item.
 */
#include "daemon/item/bind.h"
#include "daemon/item/expr.h"

#include <errno.h>
#include <string.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            __builtin_trap();                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct json_value *v)
{
    const char *text;
    size_t len;
    struct failure why;
    const struct json_value *again;
    int order, r = json_write(a, v, &text, &len, &why);
    CHECK(r != -EBADMSG);
    if (r < 0)
        return;
    /* A program may build deeper than the parser reads. */
    if (json_parse(a, text, len, &again, &why) < 0)
        return;
    if (json_compare(a, v, again, &order) == 0)
        CHECK(order == 0);
}

static void bind_all(struct arena *a, const struct json_value *v)
{
    for (int kind = COLUMN_UNKNOWN; kind <= COLUMN_SET; kind++) {
        const struct column c = {.name = "c",
                                 .kind = (enum column_kind)kind,
                                 .width = 4,
                                 .precision = 12,
                                 .scale = 2,
                                 .max_chars = 10,
                                 .fsp = 3};
        for (int as = BIND_AUTO; as <= BIND_BYTES; as++) {
            struct bound b;
            struct failure why;
            if (bind_value(&c, (enum bind_as)as, v, a, &b, &why) == -EBADMSG)
                CHECK(why.code > 0 && text_is_utf8(why.value, strlen(why.value)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    const char *program = end ? (const char *)data : ".";
    const char *item = end ? (const char *)end + 1 : (const char *)data;
    size_t len = size - (size_t)(item - (const char *)data);

    hr_auto(arena_freep) struct arena *a = arena_new((size_t)1024 * 1024);
    hr_auto(expr_freep) struct expr *e = NULL;
    struct expr_error error;
    struct failure why;
    const struct json_value *v, *result;
    int r = expr_compile(program, &e, &error);
    CHECK(r == 0 || (error.message[0] && error.offset <= strlen(program)));
    if (json_parse(a, item, len, &v, &why) < 0) {
        CHECK(text_is_utf8(why.message, strlen(why.message)));
        return 0;
    }
    round_trip(a, v);
    bind_all(a, v);
    if (r == 0 && expr_eval(e, a, v, NULL, &result, &why) == 0)
        round_trip(a, result);
    return 0;
}
