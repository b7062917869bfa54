/* SPDX-License-Identifier: MIT */
/*
 * The corpus: each file or folder in cases/ beside the exact text that loading it gives, which is
 * its diagnostics, or a dump of the settings of a good one.
 *
 * With UPDATE=1 in the environment the texts are written instead of compared: read the difference
 * before committing it.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/config/dump.h"
#include "tests/support/starve.h"

#define CASES_MAX 300
#define TEXT_MAX  (64 * 1024)

static char folder[PATH_MAX]; /* cases/ */

struct names {
    char *items[CASES_MAX];
    size_t n;
};

/* What loading gives, as one text. */
static void load(const char *path, unsigned flags, char *text)
{
    FILE *out = fmemopen(text, TEXT_MAX, "w");
    assert_non_null(out);
    hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
    hr_auto(settings_freep) struct settings *s = NULL;
    int r = settings_load(path, flags, &s, &diags);
    hr_conf_diags_print(&diags, out);
    if (r == 0)
        dump_settings(s, out);
    fclose(out);
    assert_true(r == 0 || r == -EINVAL);
    assert_true((r == 0) == (diags.errors == 0));
}

static void read_text(const char *path, char *text)
{
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t len = fread(text, 1, TEXT_MAX - 1, in);
    text[len] = '\0';
    fclose(in);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void a_case_gives_what_is_expected(void **state)
{
    static char is[TEXT_MAX], want[TEXT_MAX];
    const char *name = *state;
    char expected[300];
    snprintf(expected, sizeof(expected), "%.*s.expected", (int)strcspn(name, "."), name);
    memset(is, 0, sizeof(is));
    load(name, 0, is);
    assert_null(strstr(is, "hunter2"));
    assert_null(strstr(is, "s3cret"));
    bool good = strncmp(name, "good", 4) == 0;
    assert_true(good == !strstr(is, ": error: "));
    if (getenv("UPDATE")) {
        write_text(expected, is);
        return;
    }
    read_text(expected, want);
    assert_string_equal(is, want);
}

static void a_credential_that_is_missing_can_be_a_note(void **state)
{
    hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
    hr_auto(settings_freep) struct settings *s = NULL;
    int r = settings_load("credential-missing.yaml", SETTINGS_WITHOUT_CREDENTIALS, &s, &diags);
    assert_int_equal(r, 0);
    assert_int_equal(diags.n, 3);
    assert_int_equal(diags.errors, 0);
    assert_true(s->credentials_unread);
}

static void names_of_the_host_and_process_are_filled_in(void **state)
{
    static char host[300], want[400];
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
    hr_auto(settings_freep) struct settings *s = NULL;
    assert_int_equal(settings_load("good-nothing-to-do.yaml", 0, &s, &diags), 0);
    assert_string_equal(s->instance, host);
    s = settings_free(s);

    char path[] = "/tmp/headrace-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_text(path, "{version: 1, instance: '%H/%p'}");
    assert_int_equal(settings_load(path, 0, &s, &diags), -EINVAL);
    hr_conf_diags_done(&diags);
    write_text(path, "{version: 1, instance: '%H:%p-%i%%'}");
    assert_int_equal(settings_load(path, 0, &s, &diags), 0);
    unlink(path);
    snprintf(want, sizeof(want), "%s:%ld-north%%", host, (long)getpid());
    assert_string_equal(s->instance, want);
}

static void a_path_may_be_written_in_many_ways(void **state)
{
    static const char *const paths[] = {
        "good-folder", "good-folder/", "./good-folder//", "good-folder/headrace.yaml", folder,
    };
    char absolute[PATH_MAX + 64];
    snprintf(absolute, sizeof(absolute), "%s/good-folder", folder);
    for (size_t i = 0; i < HR_ARRAY_LEN(paths); i++) {
        hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
        hr_auto(settings_freep) struct settings *s = NULL;
        const char *path = paths[i] == folder ? absolute : paths[i];
        assert_int_equal(settings_load(path, 0, &s, &diags), 0);
        assert_int_equal(s->n_jobs, 2);
    }
}

static void running_out_of_memory_is_an_error_anywhere(void **state)
{
    for (int once = 0; once < 2; once++) {
        long n = 0;
        for (int r = -ENOMEM; r < 0; n += 1 + n / 50) {
            hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
            hr_auto(settings_freep) struct settings *s = NULL;
            starve_after(n, once);
            r = settings_load("good-every-key.yaml", 0, &s, &diags);
            assert_int_equal(r, starve_end() ? -ENOMEM : 0);
        }
        assert_true(n > 100);
    }
}

/* The example that packages install, with the environment of the demo and without. */
static void the_example_is_right(void **state)
{
    static const char *const variables[] = {"HEADRACE_REDIS_URL", "HEADRACE_MYSQL_URL"};
    static const char *const values[] = {"unix:///tmp/demo/redis.sock?db=0",
                                         "mysql://root@/shop?socket=/tmp/demo/mysql.sock"};
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/../../../packaging/examples", folder);
    for (int demo = 0; demo < 2; demo++) {
        for (size_t i = 0; i < HR_ARRAY_LEN(variables); i++) {
            if (demo)
                setenv(variables[i], values[i], 1);
            else
                unsetenv(variables[i]);
        }
        hr_auto(hr_conf_diags_done) struct hr_conf_diags diags = {0};
        hr_auto(settings_freep) struct settings *s = NULL;
        int r = settings_load(path, 0, &s, &diags);
        hr_conf_diags_print(&diags, stderr);
        assert_int_equal(r, 0);
        assert_int_equal(s->n_jobs, 1);
        assert_string_equal(s->jobs[0].name, "orders");
        assert_int_equal(s->jobs[0].delivery, EXACTLY_ONCE);
        assert_non_null(s->jobs[0].sink.table);
        assert_non_null(s->jobs[0].expect);
        if (demo)
            assert_string_equal(s->servers[0].url, values[0]);
    }
    unsetenv(variables[0]);
    unsetenv(variables[1]);
}

static void every_setting_is_in_the_man_page(void **state)
{
    static char text[TEXT_MAX];
    FILE *out = fmemopen(text, sizeof(text), "w");
    settings_print_man(out);
    fclose(out);
    assert_non_null(strstr(text, "\\fBservers.NAME.redis.timeouts.connect\\fR (span, 10ms to 5m; "
                                 "default 3s)\n"));
    assert_non_null(strstr(text, "\\fBsource.redis_list.lease\\fR"));
    assert_non_null(strstr(text, "\\fBsteps[].drop.when\\fR (required)\n"));
    assert_null(strstr(text, "\n\n")); /* each has its sentence */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The cases: NAME.yaml, and folders but that of the credentials. */
static void find_cases(struct names *ret)
{
    DIR *dir = opendir(".");
    for (struct dirent *entry; dir && (entry = readdir(dir)) && ret->n < CASES_MAX;) {
        struct stat st;
        const char *name = entry->d_name;
        if (name[0] == '.' || strcmp(name, "credentials") == 0 || stat(name, &st) < 0)
            continue;
        size_t len = strlen(name);
        if (S_ISDIR(st.st_mode) || (len > 5 && strcmp(name + len - 5, ".yaml") == 0))
            ret->items[ret->n++] = strdup(name);
    }
    if (dir)
        closedir(dir);
    qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
}

int main(int argc, char **argv)
{
    /* What follows the folder picks among the tests of other programs (meson test --test-args). */
    if (argc < 2 || !realpath(argv[1], folder) || chdir(folder) < 0) {
        fprintf(stderr, "usage: test-settings CASES\n");
        return 2;
    }
    setenv("RUNTIME_DIRECTORY", "/run/headrace:/run/other", 1);
    setenv("HEADRACE_CREDENTIALS_DIRECTORY", "credentials", 1);
    setenv("HEADRACE_TEST_SECRET", "hunter2", 1);
    setenv("HEADRACE_UNIT_INSTANCE", "north", 1);
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("HEADRACE_TEST_MISSING");

    static struct names cases;
    static struct CMUnitTest tests[CASES_MAX + 6] = {
        cmocka_unit_test(a_credential_that_is_missing_can_be_a_note),
        cmocka_unit_test(names_of_the_host_and_process_are_filled_in),
        cmocka_unit_test(a_path_may_be_written_in_many_ways),
        cmocka_unit_test(running_out_of_memory_is_an_error_anywhere),
        cmocka_unit_test(the_example_is_right),
        cmocka_unit_test(every_setting_is_in_the_man_page),
    };
    size_t n = 6;
    find_cases(&cases);
    for (size_t i = 0; i < cases.n; i++) {
        tests[n++] = (struct CMUnitTest){
            .name = cases.items[i],
            .test_func = a_case_gives_what_is_expected,
            .initial_state = cases.items[i],
        };
    }
    int failed = _cmocka_run_group_tests("settings", tests, n, NULL, NULL);
    for (size_t i = 0; i < cases.n; i++)
        free(cases.items[i]);
    return failed || cases.n == 0;
}
