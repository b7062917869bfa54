/* SPDX-License-Identifier: MIT */
/*
 * Tables: trees into structs, defaults by the same way, mistakes with hints.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/config/fixture.h"

enum shape { ROUND = 1, SQUARE };

struct wheel {
    const char *name;
    enum shape shape;
    unsigned spokes;
};

struct mill {
    bool running;
    unsigned stones;
    uint64_t sacks;
    double factor;
    hr_usec pause;
    size_t store;
    const char *miller;
    const char *password;
    enum shape roof;
    bool left;
    const char **helpers;
    size_t n_helpers;
    struct wheel *wheels, *gears;
    size_t n_wheels, n_gears;
    int checked;
};

static const struct hr_conf_choice shapes[] = {
    {"round", ROUND},
    {"square",       SQUARE},
    {NULL}
};
static const struct hr_conf_choice sides[] = {
    {"left", true},
    {"right",      false},
    {NULL}
};

static const struct hr_conf_field round_fields[] = {
    {.key = "spokes",
     .type = HR_CONF_TYPE_INT,
     .required = true,
     .offset = offsetof(struct wheel, spokes),
     .min = "3",
     .max = "99",
     .doc = "Spokes."},
    HR_CONF_END,
};
static const struct hr_conf_field square_fields[] = {
    HR_CONF_INT(struct wheel, "corners", spokes, "4", "4", "4", "Corners."),
    HR_CONF_END,
};
static const struct hr_conf_section round_section = {.fields = round_fields};
static const struct hr_conf_section square_section = {.fields = square_fields};
static const struct hr_conf_field wheel_kinds[] = {
    HR_CONF_KIND_OF(struct wheel, "round", shape, ROUND, &round_section, "A round one."),
    HR_CONF_KIND_OF(struct wheel, "square", shape, SQUARE, &square_section, "A square one."),
    HR_CONF_END,
};
static const struct hr_conf_section wheel_section = {
    .fields = wheel_kinds,
    .one_of = true,
    .size = sizeof(struct wheel),
    .name_offset = offsetof(struct wheel, name),
};

static int check_mill(struct hr_conf *conf, const struct hr_conf_node *map, void *object)
{
    struct mill *mill = object;
    mill->checked++;
    if (mill->stones > mill->sacks)
        return hr_conf_error(conf, map, "more stones than sacks");
    return 0;
}

static const struct hr_conf_field mill_fields[] = {
    HR_CONF_BOOL(struct mill, "running", running, "true", "Whether it runs."),
    HR_CONF_INT(struct mill, "stones", stones, "2", "1", "8", "Its stones."),
    HR_CONF_COUNT(struct mill, "sacks", sacks, "10", "0", "5000000000", "Its sacks."),
    HR_CONF_FACTOR(struct mill, "factor", factor, "1.5", "1", "3", "A factor."),
    HR_CONF_SPAN(struct mill, "pause", pause, "30s", "1s", "1h", "Its pause."),
    HR_CONF_SIZE(struct mill, "store", store, "1MiB", "1KiB", "1GiB", "Its store."),
    HR_CONF_STR(struct mill, "miller", miller, "\"Anna: the first\"", "Its miller."),
    HR_CONF_SECRET(struct mill, "password", password, "Open, sesame."),
    HR_CONF_CHOICE(struct mill, "roof", roof, "round", shapes, "Its roof."),
    HR_CONF_SWITCH(struct mill, "side", left, "left", sides, "Its side of the river."),
    HR_CONF_STRINGS(struct mill, "helpers", helpers, n_helpers, "[Bert, Carla]", NULL, "Helpers."),
    HR_CONF_TABLE_OF(struct mill, "wheels", wheels, n_wheels, &wheel_section, "Wheels by name."),
    HR_CONF_LIST_OF(struct mill, "gears", gears, n_gears, &wheel_section, "Gears in order."),
    HR_CONF_END,
};
static const struct hr_conf_section mill_section = {.fields = mill_fields, .check = check_mill};

static int fill(struct fixture *f, const char *text, struct mill *ret)
{
    assert_int_equal(fixture_read(f, text), 0);
    *ret = (struct mill){0};
    return hr_conf_fill(&f->conf, f->root, &mill_section, ret);
}

static void what_is_left_out_has_its_default(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    struct mill mill;
    assert_int_equal(fill(&f, "", &mill), 0);
    assert_true(mill.running);
    assert_int_equal(mill.stones, 2);
    assert_int_equal(mill.sacks, 10);
    assert_true(mill.factor == 1.5);
    assert_int_equal(mill.pause, hr_seconds(30));
    assert_int_equal(mill.store, 1 << 20);
    assert_string_equal(mill.miller, "Anna: the first");
    assert_null(mill.password);
    assert_int_equal(mill.roof, ROUND);
    assert_true(mill.left);
    assert_int_equal(mill.n_helpers, 2);
    assert_string_equal(mill.helpers[1], "Carla");
    assert_int_equal(mill.checked, 1);
}

static void every_value_goes_to_its_member(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    struct mill mill;
    assert_int_equal(fill(&f,
                          "running: false\nstones: 8\nsacks: 5000000000\nfactor: 2.25\npause: 1h\n"
                          "store: 1GiB\nmiller: Dora\npassword: pst\nroof: square\nside: right\n"
                          "helpers: []\n"
                          "wheels: {a: {round: {spokes: 5}}, b: {square: {}}}\n"
                          "gears: [square: {}, round: {spokes: 99}]\n",
                          &mill),
                     0);
    assert_false(mill.running);
    assert_int_equal(mill.stones, 8);
    assert_int_equal(mill.sacks, 5000000000);
    assert_true(mill.factor == 2.25);
    assert_int_equal(mill.pause, hr_seconds(3600));
    assert_int_equal(mill.store, 1 << 30);
    assert_string_equal(mill.miller, "Dora");
    assert_string_equal(mill.password, "pst");
    assert_int_equal(mill.roof, SQUARE);
    assert_false(mill.left);
    assert_int_equal(mill.n_helpers, 0);
    assert_int_equal(mill.n_wheels, 2);
    assert_string_equal(mill.wheels[0].name, "a");
    assert_int_equal(mill.wheels[0].shape, ROUND);
    assert_int_equal(mill.wheels[0].spokes, 5);
    assert_int_equal(mill.wheels[1].shape, SQUARE);
    assert_int_equal(mill.wheels[1].spokes, 4);
    assert_int_equal(mill.n_gears, 2);
    assert_int_equal(mill.gears[1].spokes, 99);
}

static void assert_says(const char *text, const char *said)
{
    hr_auto(fixture_done) struct fixture f = {0};
    struct mill mill;
    assert_int_equal(fill(&f, text, &mill), -EINVAL);
    assert_string_equal(fixture_said(&f), said);
    assert_int_equal(mill.stones, 2); /* a mistake leaves the default behind */
}

static void a_mistake_is_named_with_a_hint(void **state)
{
    assert_says("stnoes: 2\n", "t.yaml:1:1: error: stnoes: unknown key (did you mean stones?)\n");
    assert_says("wheels: {a: {round: {spokes: 3, x: 1}}}\n",
                "t.yaml:1:33: error: wheels.a.round.x: unknown key (known here: spokes)\n");
    assert_says("stones: 9\n", "t.yaml:1:9: error: stones: \"9\" is out of range (1 to 8)\n");
    assert_says("stones: 2s\n", "t.yaml:1:9: error: stones: \"2s\" is not a count (a bare number, "
                                "without a unit)\n");
    assert_says("pause: 30\n", "t.yaml:1:8: error: pause: \"30\" is not a span of time (it needs a "
                               "unit: 50ms, 30s, 5m, 24h, 14d)\n");
    assert_says("pause: 2h\n", "t.yaml:1:8: error: pause: \"2h\" is out of range (1s to 1h)\n");
    assert_says("running: yes\n",
                "t.yaml:1:10: error: running: \"yes\" is not true or false (write true)\n");
    assert_says("running: 'true'\n",
                "t.yaml:1:10: error: running: \"true\" is not true or false (without quotes)\n");
    assert_says("roof: sqare\n", "t.yaml:1:7: error: roof: \"sqare\" is not one of round, square "
                                 "(did you mean square?)\n");
    assert_says("miller:\n",
                "t.yaml:1:8: error: miller: is empty (leave the key out to get the default)\n");
    assert_says("miller: ''\n", "t.yaml:1:9: error: miller: is an empty text\n");
    assert_says("password: ''\n", "t.yaml:1:11: error: password: is an empty text\n");
    assert_says("miller: [a]\n",
                "t.yaml:1:9: error: miller: has to be a single value, not a list\n");
    assert_says("helpers: Bert\n",
                "t.yaml:1:10: error: helpers: has to be a list, not a single value\n");
    assert_says("helpers: [a, [b]]\n",
                "t.yaml:1:14: error: helpers[1]: has to be a single value, not a list\n");
    assert_says("miller: 'a {{ .b }}'\n", "t.yaml:1:12: error: miller: is the same for all items, "
                                          "{{ }} cannot stand in it\n");
    assert_says("wheels: {a: {round: {}}}\n",
                "t.yaml:1:21: error: wheels.a.round: spokes is missing\n");
    assert_says("wheels: {a: {}}\n",
                "t.yaml:1:13: error: wheels.a: one of round, square is missing\n");
    assert_says("wheels: {a: {square: {}, round: {spokes: 3}}}\n",
                "t.yaml:1:26: error: wheels.a.round: only one of round, square may be given, and "
                "square is\n");
    assert_says("wheels: {.a: {square: {}}}\n",
                "t.yaml:1:10: error: wheels..a: is not a name (letters, digits, _ . and -, at most "
                "64, not beginning with . or -)\n");
    assert_says("sacks: 1\n", "t.yaml:1:1: error: more stones than sacks\n");
    assert_says("<<: {}\n", "t.yaml:1:1: error: <<: merge keys are not used here (defaults and "
                            "drop-ins are merged)\n");
    assert_says("[a]\n", "t.yaml:1:1: error: has to be a map, not a list\n");
}

static void all_mistakes_are_named_at_once(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    struct mill mill;
    assert_int_equal(fill(&f, "pause: 0s\nstones: x\nroof: flat\nwat: 1\n", &mill), -EINVAL);
    hr_conf_diags_sort(&f.diags);
    assert_string_equal(
        fixture_said(&f),
        "t.yaml:1:8: error: pause: \"0s\" is out of range (1s to 1h)\n"
        "t.yaml:2:9: error: stones: \"x\" is not a count (digits only, such as 12)\n"
        "t.yaml:3:7: error: roof: \"flat\" is not one of round, square\n"
        "t.yaml:4:1: error: wat: unknown key (known here: running, stones, sacks, factor, pause, "
        "store, miller, password, roof, side, helpers, wheels, gears)\n");
}

static void the_man_page_is_printed_from_the_tables(void **state)
{
    static const struct hr_conf_field few[] = {
        HR_CONF_SPAN(struct mill, "pause", pause, "30s", "1s", "1h", "Its pause - per day."),
        HR_CONF_CHOICE(struct mill, "roof", roof, NULL, shapes, ".hidden\\"),
        HR_CONF_TABLE_OF(struct mill, "wheels", wheels, n_wheels, &wheel_section, "Wheels."),
        HR_CONF_END,
    };
    static const struct hr_conf_section section = {.fields = few};
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    hr_conf_print_man(out, &section, "mill.");
    fclose(out);
    assert_string_equal(text,
                        ".TP\n\\fBmill.pause\\fR (span, 1s to 1h; default 30s)\n"
                        "Its pause \\- per day.\n"
                        ".TP\n\\fBmill.roof\\fR (round | square)\n\\&.hidden\\e\n"
                        ".TP\n\\fBmill.wheels\\fR\nWheels.\n"
                        ".TP\n\\fBmill.wheels.NAME.round\\fR\nA round one.\n"
                        ".TP\n\\fBmill.wheels.NAME.round.spokes\\fR (count, 3 to 99; required)\n"
                        "Spokes.\n"
                        ".TP\n\\fBmill.wheels.NAME.square\\fR\nA square one.\n"
                        ".TP\n\\fBmill.wheels.NAME.square.corners\\fR (count, 4 to 4; default "
                        "4)\nCorners.\n");
}

int test_schema(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(every_value_goes_to_its_member),
        cmocka_unit_test(a_mistake_is_named_with_a_hint),
        cmocka_unit_test(all_mistakes_are_named_at_once),
        cmocka_unit_test(the_man_page_is_printed_from_the_tables),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
