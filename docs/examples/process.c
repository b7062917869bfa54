/* SPDX-License-Identifier: MIT */
/*
 * Programs are run; one of them gets input, one takes too long.
 *
 *     cc process.c $(pkg-config --cflags --libs headrace-clients) -o process
 */
#include <core/headrace.h>
#include <drivers/process.h>
#include <stdio.h>
#include <string.h>

static int run_one(const char *const *argv, const char *text)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {
        .argv = argv,
        .input = text ? text : "",
        .input_size = text ? strlen(text) : 0,
        .limit = hr_seconds(2),
    };
    int r = hr_process_run(&options, &said);
    if (r >= 0)
        printf("%s exited with %d\n%s", argv[0], said.exit.status, said.out);
    if (r != -ETIMEDOUT)
        return r;
    printf("%s took too long\n", argv[0]);
    return 0;
}

#define ARGV(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static int run(void *arg)
{
    int r = run_one(ARGV("echo", "hello", "from a program"), NULL);
    if (r >= 0)
        r = run_one(ARGV("sort", "-r"), "one\ntwo\nthree\n");
    if (r >= 0)
        r = run_one(ARGV("false"), NULL);
    if (r >= 0)
        r = run_one(ARGV("sleep", "60"), NULL);
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "process: %s\n", hr_error_message(r));
    return r < 0;
}
