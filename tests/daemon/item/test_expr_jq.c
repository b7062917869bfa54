/* SPDX-License-Identifier: MIT */
/*
 * Generated programs give what the jq binary gives. All programs run over all items in one jq
 * process: starting it costs more than everything else. The seed is fixed; numbers are compared by
 * value, as jq prints them its own way.
 */
#include "tests/daemon/item/fixture.h"

#include <stdio.h>
#include <unistd.h>

#define PROGRAMS 500

static const char *const items[] = {
    "{\"a\":{\"b\":[1,2,{\"c\":\"x\"}]},\"k\":\"name\",\"n\":5,\"f\":1.5,\"t\":true,\"z\":null}",
    "{\"a\":5,\"k\":\"a\",\"n\":-0,\"f\":1e3,\"t\":false,\"odd key\":\"ü\"}",
    "{\"a\":[],\"k\":\"k\",\"n\":2,\"f\":2.0,\"s\":\"\\u0000\\ud83d\\ude00\",\"t\":null}",
    "{\"a\":{\"b\":null},\"b\":{\"a\":1,\"b\":2},\"c\":{\"b\":2,\"a\":1},\"n\":1,\"a\":{\"b\":[0]}}",
    "{\"a\":\"text\",\"b\":[1,2,3],\"c\":[1,2],\"n\":\"1\",\"k\":\"\"}",
    "[1,[2,3],{\"a\":4}]",
    "null",
    "\"text\"",
    "7.25",
    "{}",
};

/* ---- programs ---- */

static uint32_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

struct text {
    char bytes[4096];
    size_t len;
};

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    assert_true(t->len + n < sizeof t->bytes);
    memcpy(t->bytes + t->len, s, n + 1);
    t->len += n;
}

static void put_path(struct text *t)
{
    static const char *const first[] = {".a",      ".b",   ".n",    ".k", ".",  ".[\"odd key\"]",
                                        ".\"k\"",  ".[0]", ".[-1]", ".f", ".t", ".c",
                                        ".missing"};
    static const char *const more[] = {".b",  "[0]",    "[-1]", ".c",  "[\"a\"]",
                                       "[2]", ".\"b\"", "[1]",  "[-5]"};
    put(t, first[pick(HR_ARRAY_LEN(first))]);
    if (t->bytes[t->len - 1] == '.') /* .a follows `.` only as .a */
        return;
    for (unsigned n = pick(3); n > 0; n--)
        put(t, more[pick(HR_ARRAY_LEN(more))]);
}

static void put_literal(struct text *t)
{
    static const char *const literals[] = {
        "1",     "0",    "-1",      "1.50",         "1e2",        "\"a\"", "\"\"",
        "\"k\"", "true", "null",    "false",        ".5",         "3.",    "\"\\u00e9\\n\"",
        "[]",    "{}",   "$job.id", "$job.attempt", "$meta.list", "$meta", "\"x\\\"y\"",
        "007",
    };
    put(t, literals[pick(HR_ARRAY_LEN(literals))]);
}

static void put_pipe(struct text *t, unsigned depth);

static void put_object(struct text *t, unsigned depth)
{
    static const char *const keys[] = {"a: ", "\"b c\": ", "(\"k\"): ", "and: ", "k: ", "(.k): "};
    put(t, "{");
    for (unsigned i = 0, n = pick(4); i < n; i++) {
        put(t, i ? "," : "");
        if (pick(5) == 0) {
            put(t, pick(2) ? "n" : pick(2) ? "\"k\"" : "$meta");
            continue;
        }
        put(t, keys[pick(HR_ARRAY_LEN(keys))]);
        put(t, pick(3) ? "(" : "(.|");
        put_pipe(t, depth - 1);
        put(t, ")");
        if (pick(6) == 0)
            put(t, "|not");
    }
    put(t, "}");
}

static void put_term(struct text *t, unsigned depth)
{
    switch (depth ? pick(9) : pick(5)) {
    case 0:
        put_literal(t);
        break;
    case 5:
        put_object(t, depth);
        break;
    case 6:
        put(t, "[");
        for (unsigned i = 0, n = pick(3); i < n; i++) {
            put(t, i ? ", (" : "(");
            put_pipe(t, depth - 1);
            put(t, ")");
        }
        put(t, "]");
        break;
    case 7:
        put(t, "(");
        put_pipe(t, depth - 1);
        put(t, pick(4) ? ")" : ").b");
        break;
    case 8:
        put(t, "del(");
        put_path(t);
        put(t, ")");
        break;
    default:
        put_path(t);
    }
}

static void put_comparison(struct text *t, unsigned depth)
{
    static const char *const signs[] = {"==", "!=", " < ", "<=", " > ", ">="};
    put_term(t, depth);
    if (pick(3) == 0) {
        put(t, signs[pick(HR_ARRAY_LEN(signs))]);
        put_term(t, depth);
    }
}

/* Every level of precedence without parentheses, so that grouping is what is compared. */
static void put_pipe(struct text *t, unsigned depth)
{
    static const char *const joins[] = {" and ", " or ", " // ", " | ", " and ", " or "};
    if (pick(5) == 0) {
        put_path(t);
        put(t, " = ");
    }
    put_comparison(t, depth);
    for (unsigned n = pick(3); n > 0; n--) {
        const char *join = joins[pick(HR_ARRAY_LEN(joins))];
        put(t, join);
        if (join[1] == '|' && pick(2)) {
            put(t, "not");
            continue;
        }
        if ((join[1] == '|' || join[1] == '/') && pick(4) == 0) {
            put_path(t);
            put(t, "=");
        }
        put_comparison(t, depth);
    }
}

/* ---- the comparison ---- */

static const char env_text[] = "{\"id\":\"b:1\",\"attempt\":2,\"name\":\"orders\",\"time\":\"t\"}";

static char programs[PROGRAMS][4096];

static FILE *start_jq(char folder[])
{
    char path[64], command[512];
    snprintf(path, sizeof path, "%s/program", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("def t(f): try [f] catch \"error\";\n.[] as $in | $in |\n", f);
    for (int i = 0; i < PROGRAMS; i++)
        fprintf(f, "t(%s\n)%s\n", programs[i], i + 1 < PROGRAMS ? "," : "");
    fclose(f);
    snprintf(path, sizeof path, "%s/items", folder);
    f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < HR_ARRAY_LEN(items); i++)
        fprintf(f, "%s%s\n", i ? "," : "[", items[i]);
    fputs("]", f);
    fclose(f);
    snprintf(command, sizeof command,
             "jq -c -f %s/program --argjson job '%s' --argjson meta '{\"list\":\"q\"}' %s/items",
             folder, env_text, folder);
    return popen(command, "r");
}

/* One line of jq's: [result], or "error". */
static void compare(const char *program, const char *item, const char *line)
{
    struct expr_env env = {json(env_text), json("{\"list\":\"q\"}")};
    hr_auto(expr_freep) struct expr *e = NULL;
    struct expr_error error;
    if (expr_compile(program, &e, &error) < 0)
        fail_msg("refused: %s\nat %zu: %s", program, error.offset, error.message);
    const struct json_value *v, *want = json(line);
    int r = expr_eval(e, arena, json(item), &env, &v, &why);
    bool fails = json_type(want) == JSON_STRING;
    if (fails != (r < 0))
        fail_msg("%s\nover %s\ngives %s, jq: %s", program, item, r < 0 ? why.message : written(v),
                 line);
    int order = 0;
    if (!fails)
        assert_int_equal(json_compare(arena, v, json_at(want, 0), &order), 0);
    if (order)
        fail_msg("%s\nover %s\ngives %s, jq: %s", program, item, written(v), line);
}

static void generated_programs_give_what_jq_gives(void **state)
{
    if (system("jq --version >/dev/null 2>&1") != 0)
        skip();
    seed = 20;
    for (int i = 0; i < PROGRAMS; i++) {
        struct text t = {0};
        put_pipe(&t, 2);
        memcpy(programs[i], t.bytes, t.len + 1);
    }
    char folder[] = "/tmp/headrace-jq-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    FILE *jq = start_jq(folder);
    assert_non_null(jq);

    char *line = NULL;
    size_t size = 0, compared = 0;
    ssize_t n;
    while ((n = getline(&line, &size, jq)) > 0 && compared < PROGRAMS * HR_ARRAY_LEN(items)) {
        line[n - 1] = 0;
        compare(programs[compared % PROGRAMS], items[compared / PROGRAMS], line);
        arena_reset(arena);
        compared++;
    }
    free(line);
    assert_int_equal(pclose(jq), 0);
    assert_int_equal(compared, PROGRAMS * HR_ARRAY_LEN(items));
    const char *const files[] = {"program", "items"};
    for (size_t i = 0; i < HR_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

int test_expr_jq(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(generated_programs_give_what_jq_gives),
    };
    return cmocka_run_group_tests_name("expr against jq", tests, NULL, NULL);
}
