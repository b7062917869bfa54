/* SPDX-License-Identifier: MIT */
/*
 * Memory: what an arena keeps over a reset, and that reaching its limit is an answer everywhere.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/bind.h"
#include "daemon/item/deadletter.h"

static void pieces_do_not_overlap_and_grow_in_place(void **state)
{
    char *a = arena_alloc(arena, 10), *b = arena_alloc(arena, 0), *c = arena_alloc(arena, 100000);
    assert_true(a && b && c && a != b);
    assert_int_equal((uintptr_t)a % 16 + (uintptr_t)b % 16 + (uintptr_t)c % 16, 0);
    memset(c, 'c', 100000);
    memcpy(a, "0123456789", 10);
    char *d = arena_resize(arena, a, 10, 5000);
    assert_memory_equal(d, "0123456789", 10);
    assert_ptr_equal(arena_resize(arena, d, 5000, 6000), d);
    assert_ptr_equal(arena_resize(arena, d, 6000, 10), d);
    assert_ptr_not_equal(arena_alloc(arena, 16), d);
    assert_int_equal(c[99999], 'c');
}

static void a_reset_keeps_a_working_size_and_no_more(void **state)
{
    for (int i = 0; i < 30; i++)
        assert_non_null(arena_alloc(arena, 100000));
    assert_true(arena_held(arena) > 3000000);
    arena_reset(arena);
    size_t kept = arena_held(arena);
    assert_true(kept > 0 && kept <= 1024 * 1024);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 50; i++)
            assert_non_null(arena_alloc(arena, 10000));
        arena_reset(arena);
    }
    assert_int_equal(arena_held(arena), kept);
}

static void the_limit_is_an_error_of_the_data(void **state)
{
    assert_null(arena_alloc(arena, (size_t)4 * 1024 * 1024 + 1));
    assert_int_equal(arena_error(arena), -E2BIG);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_int_equal(arena_error(arena), -E2BIG);
    assert_string_equal(run(".[2000000000] = 1", "[]"), "the expression's result is too large");
    char program[300] = ".";
    for (int doubled = 0; doubled < 20; doubled++)
        strcat(program, "|{a:.,b:.}");
    assert_string_equal(run(program, "1"), "the expression's result is too large");
    assert_string_equal(why.error_class, "expression");
}

/* All that an item goes through, in an arena of this size. */
static int whole_way(size_t limit)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"\\u00e9\"},3],\"a\":[{\"c\":2.50}],\"t\":1.5e1}";
    static const struct column column = {.name = "c", .kind = COLUMN_JSON};
    static const struct column decimal = {
        .name = "d", .kind = COLUMN_DECIMAL, .precision = 10, .scale = 2};
    hr_auto(expr_freep) struct expr *e = NULL;
    struct expr_error error;
    assert_int_equal(
        expr_compile("{a, x: [.a[0].c, \"y\"], z: (.a == [.t])} | .x[5] = 1 | del(.a)", &e, &error),
        0);
    hr_auto(arena_freep) struct arena *small = arena_new(limit);
    assert_non_null(small);
    const struct json_value *v, *w;
    struct bound bound;
    struct deadletter d = {
        .job = "j", .host = "h", .id = "b:1", .payload = "\xff", .payload_len = 1, .first_seen = 1};
    const char *out, *after;
    size_t len;
    int r = json_parse(small, text, sizeof text - 1, &v, &why);
    if (r == 0)
        r = expr_eval(e, small, v, NULL, &w, &why);
    if (r == 0)
        r = bind_value(&column, BIND_AUTO, w, small, &bound, &why);
    if (r == 0)
        r = bind_value(&decimal, BIND_AUTO, json_get(v, "t", 1), small, &bound, &why);
    if (r == 0)
        r = deadletter_write(small, &d, &out, &len);
    if (r == 0)
        r = deadletter_read(small, out, len, &d, &why);
    if (r == 0)
        r = deadletter_frame(small, &d, &out, &after);
    return r;
}

static void every_size_of_arena_is_enough_or_an_error(void **state)
{
    size_t limit = 16;
    int r;
    while ((r = whole_way(limit)) < 0) {
        assert_int_equal(r, -E2BIG);
        limit += 16;
    }
    assert_true(limit > 1000 && limit < 100000);
}

static void a_rewound_arena_hands_the_same_memory_out_again(void **state)
{
    hr_auto(arena_freep) struct arena *a = arena_new((size_t)4 << 20);
    char *kept = arena_alloc(a, 1000);
    assert_non_null(kept);
    memset(kept, 'k', 1000);
    struct arena_mark mark = arena_mark(a);
    for (int attempt = 0; attempt < 100; attempt++) {
        for (int i = 0; i < 20; i++) {
            char *piece = arena_alloc(a, 50000);
            assert_non_null(piece);
            memset(piece, 'x', 50000);
        }
        arena_rewind(a, mark);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(kept[i], 'k');
}

int test_memory(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(pieces_do_not_overlap_and_grow_in_place),
        ITEM_TEST(a_reset_keeps_a_working_size_and_no_more),
        ITEM_TEST(the_limit_is_an_error_of_the_data),
        ITEM_TEST(every_size_of_arena_is_enough_or_an_error),
        ITEM_TEST(a_rewound_arena_hands_the_same_memory_out_again),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
