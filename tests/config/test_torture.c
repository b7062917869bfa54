/* SPDX-License-Identifier: MIT */
/*
 * Hostile days: the first, then the second, then the n-th allocation fails; files end anywhere or
 * hold anything. Nothing crashes, nothing leaks, no mistake is forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/config/fixture.h"
#include "tests/support/starve.h"

struct job {
    const char *server;
    const char *key;
    hr_usec lease;
    const char **names;
    size_t n_names;
};

static const struct hr_conf_field fields[] = {
    HR_CONF_STR(struct job, "server", server, "\"${HOME:-x}\"", ""),
    HR_CONF_STR(struct job, "key", key, NULL, ""),
    HR_CONF_SPAN(struct job, "lease", lease, "30s", "1s", "1h", ""),
    HR_CONF_STRINGS(struct job, "names", names, n_names, "[a, b]", NULL, ""),
    HR_CONF_END,
};
static const struct hr_conf_section section = {.fields = fields};

static const char good[] = "# a comment\n"
                           "key: &k 'it''s ${MISSING:-x}'\n"
                           "lease: 30s\n"
                           "names: [\"\\u00fc\", *k, |\n  literal\n  ]\n";
static const char text[] = "# a comment\n"
                           "key: &k 'it''s ${MISSING:-x}'\n"
                           "lease: 30s\n"
                           "names: [\"\\u00fc\", *k, plain]\n";

/* A whole loading; the memory of both lists is given back in any case. */
static int load(const char *from, size_t len, size_t *ret_errors)
{
    struct hr_conf_diags diags = {0};
    struct hr_conf conf = {.mem = hr_conf_mem_new(), .diags = &diags};
    if (!conf.mem)
        return -ENOMEM;
    struct hr_conf_node *root;
    struct job job = {0};
    int r = hr_conf_read_text(&conf, "t.yaml", from, len, &root);
    if (r == 0)
        r = hr_conf_fill(&conf, root, &section, &job);
    *ret_errors = diags.errors;
    r = r < 0 ? r : hr_conf_result(&conf);
    hr_conf_mem_free(conf.mem);
    hr_conf_diags_done(&diags);
    return r;
}

static void running_out_of_memory_is_an_error_anywhere(void **state)
{
    for (int once = 0; once < 2; once++) {
        long n = 0;
        for (int r = -ENOMEM; r < 0; n++) {
            size_t errors;
            starve_after(n, once);
            r = load(text, strlen(text), &errors);
            assert_int_equal(r, starve_end() ? -ENOMEM : 0);
        }
        assert_true(n > 20);
    }
}

static void running_out_of_memory_forgets_no_mistake(void **state)
{
    static const char bad[] = "lease: 30\nkye: x\n";
    for (long n = 0; n < 200; n++) {
        size_t errors;
        starve_after(n / 2, n % 2);
        int r = load(bad, strlen(bad), &errors);
        starve_end();
        assert_true(r < 0);
        assert_true(r == -ENOMEM || errors == 2);
    }
}

static void a_file_may_end_anywhere(void **state)
{
    for (size_t len = 0; len <= strlen(good); len++) {
        size_t errors;
        int r = load(good, len, &errors);
        assert_true(r == 0 || (r == -EINVAL && errors > 0));
    }
}

static void a_file_may_hold_anything(void **state)
{
    uint32_t seed = 1;
    char bytes[sizeof(text)];
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, text, sizeof(text));
        for (int i = 0; i < 3; i++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % (sizeof(text) - 1);
            bytes[at] = (char)(seed >> 24 & 1 ? "[]{}:,&*!|>'\"%@-#?$\n\t \\~0"[seed >> 25 & 15]
                                              : (int)(seed >> 16));
        }
        size_t errors;
        int r = load(bytes, sizeof(text) - 1, &errors);
        assert_true(r == 0 || (r == -EINVAL && errors > 0));
    }
}

int test_torture(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_out_of_memory_is_an_error_anywhere),
        cmocka_unit_test(running_out_of_memory_forgets_no_mistake),
        cmocka_unit_test(a_file_may_end_anywhere),
        cmocka_unit_test(a_file_may_hold_anything),
    };
    return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
