/* SPDX-License-Identifier: MIT */
#include "tests/daemon/item/fixture.h"

struct arena *arena;
struct failure why;

int fixture_setup(void **state)
{
    memset(&why, 0, sizeof why);
    arena = arena_new((size_t)4 * 1024 * 1024);
    return arena ? 0 : -1;
}

int fixture_teardown(void **state)
{
    arena = arena_free(arena);
    return 0;
}

const struct json_value *json(const char *text)
{
    const struct json_value *v = NULL;
    int r = json_parse(arena, text, strlen(text), &v, &why);
    if (r < 0)
        fail_msg("%s: %s", text, why.message);
    return v;
}

const char *written(const struct json_value *v)
{
    const char *text;
    size_t len;
    if (json_write(arena, v, &text, &len, &why) < 0)
        return why.message;
    char *ended = arena_alloc(arena, len + 1);
    assert_non_null(ended);
    memcpy(ended, text, len);
    ended[len] = 0;
    return ended;
}

const char *run(const char *program, const char *item)
{
    hr_auto(expr_freep) struct expr *e = NULL;
    struct expr_error error;
    if (expr_compile(program, &e, &error) < 0)
        fail_msg("%s: %zu: %s", program, error.offset, error.message);
    struct expr_env env = {
        json("{\"id\":\"b:1\",\"attempt\":2,\"name\":\"orders\",\"time\":\"t\"}"),
        json("{\"list\":\"q\"}")};
    const struct json_value *v;
    if (expr_eval(e, arena, json(item), &env, &v, &why) < 0)
        return why.message;
    return written(v);
}

int main(void)
{
    int failed = test_redact() + test_number() + test_moment() + test_memory() + test_json() +
                 test_expr() + test_expr_jq() + test_expect() + test_bind() + test_bind_time() +
                 test_envelope() + test_deadletter();
    return failed ? 1 : 0;
}
