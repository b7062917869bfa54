/* SPDX-License-Identifier: MIT */
/*
 * Substitutions: what comes in, and that it never comes out again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/config/fixture.h"

static char folder[64]; /* of credentials */

static const char *lookup(const struct hr_conf *conf, const char *name)
{
    if (strcmp(name, "NAME") == 0)
        return "hunter2";
    if (strcmp(name, "TRICKY") == 0)
        return "a: [b, ${NAME}]\n- \"";
    if (strcmp(name, "EMPTY") == 0)
        return "";
    if (strcmp(name, "HEADRACE_CREDENTIALS_DIRECTORY") == 0)
        return folder;
    return NULL;
}

static const char *read_a(struct fixture *f, const char *text)
{
    f->conf.lookup = lookup;
    fixture_read(f, text);
    const struct hr_conf_node *a = hr_conf_get(f->root, "a");
    return a && a->kind == HR_CONF_SCALAR ? a->text : NULL;
}

static void assert_becomes(const char *text, const char *want)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_string_equal(read_a(&f, text), want);
    assert_int_equal(f.diags.errors, 0);
}

static void variables_are_replaced_in_scalars(void **state)
{
    assert_becomes("a: ${NAME}\n", "hunter2");
    assert_becomes("a: 'x${NAME}y${NAME}'\n", "xhunter2yhunter2");
    assert_becomes("a: ${MISSING:-the default}\n", "the default");
    assert_becomes("a: \"${MISSING:-}\"\n", "");
    assert_becomes("a: ${EMPTY:-other}\n", "other");
    assert_becomes("a: \"${EMPTY}\"\n", "");
    assert_becomes("a: |\n  one ${NAME}\n  two\n", "one hunter2\ntwo\n");
    assert_becomes("a: $${NAME} $x $ {{ .x }}\n", "${NAME} $x $ {{ .x }}");
}

static void what_comes_in_is_text_only(void **state)
{
    assert_becomes("a: ${TRICKY}\n", "a: [b, ${NAME}]\n- \"");
}

static void keys_are_left_alone(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    read_a(&f, "'${NAME}': x\n");
    assert_non_null(hr_conf_get(f.root, "${NAME}"));
}

static void assert_refused(const char *text, const char *said)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_null(read_a(&f, text));
    assert_string_equal(fixture_said(&f), said);
}

static void what_cannot_be_replaced_is_refused(void **state)
{
    assert_refused("a: x ${MISSING}\n", "t.yaml:1:6: error: a: the environment variable MISSING is "
                                        "not set (a default can be given: ${MISSING:-…})\n");
    assert_refused("a: ${NAME\n",
                   "t.yaml:1:4: error: a: ${ has no closing } ($${ stands for ${ itself)\n");
    static const char *const texts[] = {"${}",       "${1A}",       "${A B}",     "${NAME:+x}",
                                        "${cred:}",  "${cred:a/b}", "${cred:..}", "${cred:x:-y}",
                                        "${NAME-x}", "${cred:.x}"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        hr_auto(fixture_done) struct fixture f = {0};
        char text[64];
        snprintf(text, sizeof(text), "a: '%s'\n", texts[i]);
        assert_null(read_a(&f, text));
        assert_non_null(strstr(fixture_said(&f), "not a substitution"));
    }
}

static void write_credential(const char *name, const char *text, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(out);
}

static void credentials_come_from_files(void **state)
{
    write_credential("redis", "s3cret\n", 7);
    write_credential("dos.pw-1", "s3cret\r\n", 8);
    write_credential("two", "s3cret\n\n", 8);
    assert_becomes("a: ${cred:redis}\n", "s3cret");
    assert_becomes("a: redis://app:${cred:dos.pw-1}@h/0\n", "redis://app:s3cret@h/0");
    assert_becomes("a: \"${cred:two}\"\n", "s3cret\n");
}

static void bad_credentials_are_refused(void **state)
{
    hr_auto(hr_freep) char *large = calloc(1, 70000);
    memset(large, 'x', 70000);
    write_credential("large", large, 70000);
    write_credential("binary", "a\0b", 3);

    hr_auto(fixture_done) struct fixture f = {0};
    assert_null(read_a(&f, "a: ${cred:large}\n"));
    assert_null(read_a(&f, "a: ${cred:binary}\n"));
    assert_null(read_a(&f, "a: ${cred:missing}\n"));
    char want[512];
    snprintf(
        want, sizeof(want),
        "t.yaml:1:4: error: a: the credential large cannot be read: it has more than 64 KiB "
        "(%s/large)\n"
        "t.yaml:1:4: error: a: the credential binary holds a NUL byte\n"
        "t.yaml:1:4: error: a: the credential missing cannot be read: No such file or directory "
        "(%s/missing)\n",
        folder, folder);
    assert_string_equal(fixture_said(&f), want);
}

static void a_missing_credential_may_be_a_note(void **state)
{
    hr_auto(fixture_done) struct fixture f = {.conf.lenient_credentials = true};
    assert_string_equal(read_a(&f, "a: redis://${cred:missing}@h\n"), "redis://missing@h");
    assert_int_equal(f.diags.errors, 0);
    assert_int_equal(f.diags.n, 1);
    assert_int_equal(f.diags.items[0].severity, HR_CONF_NOTE);
    assert_true(f.conf.credentials_unread);
    assert_int_equal(hr_conf_result(&f.conf), 0);
}

/* Every type, fed with a secret that is not one of its values. */
struct everything {
    bool flag;
    unsigned count;
    double factor;
    hr_usec span;
    size_t size;
    int choice;
    const char *key;
};

static void no_diagnostic_shows_what_came_in(void **state)
{
    static const struct hr_conf_choice choices[] = {
        {"hunter", 1},
        {NULL       }
    };
    static const struct hr_conf_field fields[] = {
        HR_CONF_BOOL(struct everything, "flag", flag, NULL, ""),
        HR_CONF_INT(struct everything, "count", count, NULL, "1", "2", ""),
        HR_CONF_FACTOR(struct everything, "factor", factor, NULL, "1", "2", ""),
        HR_CONF_SPAN(struct everything, "span", span, NULL, "1s", "2s", ""),
        HR_CONF_SIZE(struct everything, "size", size, NULL, "1B", "2B", ""),
        HR_CONF_CHOICE(struct everything, "choice", choice, NULL, choices, ""),
        HR_CONF_STR(struct everything, "key", key, NULL, ""),
        HR_CONF_END,
    };
    static const struct hr_conf_section section = {.fields = fields};
    hr_auto(fixture_done) struct fixture f = {.conf.lookup = lookup};
    assert_int_equal(fixture_read(&f, "{flag: '${NAME}', count: '${NAME}', factor: '${NAME}', "
                                      "span: '${NAME}', size: '${NAME}', choice: '${NAME}', "
                                      "key: '${NAME}{{', 'x': '${NAME}'}\n"),
                     0);
    struct everything e = {0};
    assert_int_equal(hr_conf_fill(&f.conf, f.root, &section, &e), -EINVAL);
    assert_int_equal(f.diags.errors, 8);
    assert_null(strstr(fixture_said(&f), "hunter2"));
    assert_non_null(strstr(fixture_said(&f), "\"${NAME}\" is not a size"));
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/headrace-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"redis", "dos.pw-1", "two", "large", "binary"};
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int test_subst(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_replaced_in_scalars),
        cmocka_unit_test(what_comes_in_is_text_only),
        cmocka_unit_test(keys_are_left_alone),
        cmocka_unit_test(what_cannot_be_replaced_is_refused),
        cmocka_unit_test(credentials_come_from_files),
        cmocka_unit_test(bad_credentials_are_refused),
        cmocka_unit_test(a_missing_credential_may_be_a_note),
        cmocka_unit_test(no_diagnostic_shows_what_came_in),
    };
    return cmocka_run_group_tests_name("subst", tests, make_folder, remove_folder);
}
