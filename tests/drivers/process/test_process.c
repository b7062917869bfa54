/* SPDX-License-Identifier: MIT */
/*
 * Programs: what they are given, what they say, how they end, and with whom.
 */
#include "drivers/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "drivers/process/impl.h"
#include "tests/support/deaths.h"
#include "tests/support/hrtest.h"

#define MIB ((size_t)1024 * 1024)

#define SH(script)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        "sh", "-c", script, NULL                                                                   \
    }

#define ASSERT_SAYS(text) ASSERT_STR(hr_last_error()->message, text)

TEST_REAL(a_program_runs_from_input_to_output)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {
        .argv = SH("cat; echo \"$WORD\" >&2; pwd; exit 3"),
        .env = (const char *const[]){"WORD=hello", "PATH=/usr/bin:/bin", NULL},
        .directory = "/",
        .input = "in\n",
        .input_size = 3,
    };
    ASSERT_ERR(hr_process_run(&options, &said), 0);
    ASSERT_EQ(said.exit.status, 3);
    ASSERT_STR(said.out, "in\n/\n");
    ASSERT_EQ(said.out_size, 5);
    ASSERT_STR(said.err, "hello\n");
}

TEST_REAL(a_pipe_that_nothing_is_to_go_through_is_an_empty_input)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {
        .argv = (const char *const[]){"cat", NULL},
        .streams[0].kind = HR_CHILD_PIPE,
        .limit = test_patience(hr_seconds(20)),
    };
    ASSERT_ERR(hr_process_run(&options, &said), 0);
    ASSERT_EQ(said.exit.status, 0);
    ASSERT_EQ(said.out_size, 0);
}

TEST_REAL(arguments_are_not_a_shells)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {
        .file = "printf",
        .argv = (const char *const[]){"a name", "%s|", "a b", "$HOME; rm -rf", "*", NULL},
        .streams[2] = {HR_CHILD_NULL  },
    };
    ASSERT_ERR(hr_process_run(&options, &said), 0);
    ASSERT_STR(said.out, "a b|$HOME; rm -rf|*|");
    ASSERT_PTR(said.err, NULL);
}

TEST_REAL(a_program_that_is_not_there_is_named)
{
    struct hr_process_output said;
    struct hr_process_options options = {
        .argv = (const char *const[]){"no-such-program", NULL}
    };
    if (test_emulated()) {
        hr_auto(hr_process_output_done) struct hr_process_output nothing = {0};
        ASSERT_ERR(hr_process_run(&options, &nothing), 0);
        ASSERT_EQ(nothing.exit.status, 127);
        return;
    }
    ASSERT_ERR(hr_process_run(&options, &said), -ENOENT);
    ASSERT_TRUE(strstr(hr_last_error()->message, "no-such-program"));
    options = (struct hr_process_options){.argv = SH("true"), .directory = "/no/such/folder"};
    ASSERT_ERR(hr_process_run(&options, &said), -ENOENT);
    ASSERT_SAYS("sh cannot be started in /no/such/folder: No such file or directory");
    ASSERT_PTR(hr_process_start(&options), NULL);
}

/* What it is, and what makes it another one. */
TEST_REAL(a_stream_that_is_no_pipe_is_named_with_its_program)
{
    const char *line;
    char byte;
    struct hr_process_options options = {.argv = SH("exit 0"), .streams = {{HR_CHILD_NULL}}};
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    ASSERT_ERR(hr_process_read_line(process, 2, &line, NULL), -EINVAL);
    ASSERT_SAYS("sh: stream 2 is no pipe to read; .streams[2].kind = HR_CHILD_PIPE makes it one");
    ASSERT_EQ(hr_process_read(process, 3, &byte, 1), -EINVAL);
    ASSERT_SAYS("sh: stream 3 is neither 1, its output, nor 2, its errors");
    ASSERT_ERR(hr_process_write(process, "x", 1), -EINVAL);
    ASSERT_SAYS(
        "sh: its input is closed, or no pipe; .streams[0].kind = HR_CHILD_PIPE makes it one");
    ASSERT_ERR(hr_process_wait(process, NULL), 0);
}

static void assert_place(int line)
{
    char place[48];
    snprintf(place, sizeof(place), "test_process.c:%d", line);
    ASSERT_STR(hr_last_error()->place, place);
}

TEST_REAL(what_fails_with_a_program_does_so_at_the_caller_s_place)
{
    const char *line;
    char byte;
    struct hr_process_output said;
    struct hr_process_options options = {.argv = SH("sleep 100"), .limit = hr_ms(1)};
    ASSERT_ERR(hr_process_run(&options, &said), -ETIMEDOUT);
    assert_place(__LINE__ - 1);
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    ASSERT_ERR(hr_process_read(process, 1, &byte, 1), -EINVAL);
    assert_place(__LINE__ - 1);
    ASSERT_ERR(hr_process_read_line(process, 1, &line, NULL), -EINVAL);
    assert_place(__LINE__ - 1);
    ASSERT_ERR(hr_process_write(process, "x", 1), -EINVAL);
    assert_place(__LINE__ - 1);
    ASSERT_ERR(hr_process_stop(process, NULL), 0);
}

TEST_REAL(a_megabyte_goes_both_ways_at_once)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    hr_auto(hr_freep) char *bytes = malloc(MIB);
    for (size_t i = 0; i < MIB; i++)
        bytes[i] = (char)(i * 31 >> 3);
    struct hr_process_options options = {
        .argv = SH("tee /dev/stderr"), .input = bytes, .input_size = MIB};
    ASSERT_ERR(hr_process_run(&options, &said), 0);
    ASSERT_EQ(said.out_size, MIB);
    ASSERT_EQ(said.err_size, MIB);
    ASSERT_EQ(memcmp(said.out, bytes, MIB), 0);
    ASSERT_EQ(memcmp(said.err, bytes, MIB), 0);
    hr_process_output_done(&said);

    options.argv = SH("head -c 10"); /* the rest of its input is nobody's */
    ASSERT_ERR(hr_process_run(&options, &said), 0);
    ASSERT_EQ(said.out_size, 10);
}

TEST_REAL(more_output_than_is_wanted_ends_it)
{
    struct hr_process_output said;
    struct hr_process_options options = {.argv = SH("yes"), .max_output = 100000};
    ASSERT_ERR(hr_process_run(&options, &said), -EMSGSIZE);
    ASSERT_TRUE(strstr(hr_last_error()->message, "100000 bytes"));
}

TEST_REAL(so_much_output_as_is_wanted_is_no_error)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {.argv = SH("echo 1234"), .max_output = 5};
    ASSERT_ERR(hr_process_run(&options, &said), 0);
    ASSERT_STR(said.out, "1234\n");
    options.max_output = 4;
    hr_process_output_done(&said);
    ASSERT_ERR(hr_process_run(&options, &said), -EMSGSIZE);
}

/* What a script has written there: one line, or "" as long as there is none. */
static void read_line(const char *path, char text[32])
{
    FILE *file = fopen(path, "re");
    if (!fgets(text, 32, file))
        text[0] = '\0';
    fclose(file);
}

TEST_REAL(past_its_limit_it_is_ended_with_its_children)
{
    char path[] = "/tmp/hr-process-XXXXXX", script[128], text[32] = "";
    close(mkstemp(path));
    snprintf(script, sizeof(script), "trap '' TERM; sleep 100 & echo $! >%s; wait; wait", path);
    struct hr_process_output said;
    /* Until it has come as far as its child before the limit. */
    for (hr_usec limit = hr_ms(40); !text[0] && limit < hr_seconds(20); limit *= 2) {
        struct hr_process_options options = {
            .argv = SH(script), .limit = limit, .grace = hr_ms(50)};
        ASSERT_ERR(hr_process_run(&options, &said), -ETIMEDOUT);
        read_line(path, text);
    }
    ASSERT_TRUE(text[0]);
    remove(path);
    test_wait_until_dead(atoi(text));
}

TEST_REAL(past_its_limit_it_is_asked_to_end_first)
{
    char path[] = "/tmp/hr-process-XXXXXX", script[128], text[32] = "";
    close(mkstemp(path));
    snprintf(script, sizeof(script), "trap 'echo asked >%s; exit' TERM; sleep 100 & wait", path);
    struct hr_process_output said;
    /* Until it has come as far as its trap before the limit. */
    for (hr_usec limit = hr_ms(40); !text[0] && limit < hr_seconds(20); limit *= 2) {
        struct hr_process_options options = {
            .argv = SH(script), .limit = limit, .grace = hr_seconds(20)};
        ASSERT_ERR(hr_process_run(&options, &said), -ETIMEDOUT);
        read_line(path, text);
    }
    remove(path);
    ASSERT_STR(text, "asked\n");
}

/* Deaf to SIGTERM, and past its limit in the time that it has to end. */
static int run_past_limit(void *path)
{
    char script[128];
    struct hr_process_output said;
    snprintf(script, sizeof(script), "trap 'echo $$ >%s' TERM; while :; do sleep 0.01; done",
             (const char *)path);
    struct hr_process_options options = {
        .argv = SH(script), .limit = hr_ms(100), .grace = hr_seconds(100)};
    return hr_process_run(&options, &said);
}

TEST_REAL(a_cancel_in_its_grace_kills_it_and_is_a_cancel)
{
    char path[] = "/tmp/hr-process-XXXXXX", text[32] = "";
    close(mkstemp(path));
    hr_task *task = hr_create_task("run", run_past_limit, path);
    for (int i = 0; i < 5000 && !text[0] && !hr_future_done(task); i++) {
        read_line(path, text);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    remove(path);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), text[0] ? -ECANCELED : -ETIMEDOUT);
    if (text[0])
        test_wait_until_dead(atoi(text));
}

static int run_for_ever(void *arg)
{
    struct hr_process_output said;
    struct hr_process_options options = {.argv = SH(arg)};
    return hr_process_run(&options, &said);
}

TEST_REAL(a_cancel_kills_it)
{
    char path[] = "/tmp/hr-process-XXXXXX", script[128], text[32] = "";
    close(mkstemp(path));
    snprintf(script, sizeof(script), "trap '' TERM; echo $$ >%s; while :; do sleep 1; done", path);
    hr_task *task = hr_create_task("run", run_for_ever, script);
    while (!text[0]) {
        read_line(path, text);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    remove(path);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    test_wait_until_dead(atoi(text));
}

TEST_REAL(a_conversation_by_lines)
{
    const char *line;
    size_t size;
    struct hr_child_exit end;
    struct hr_process_options options = {
        .argv = (const char *const[]){"cat",            NULL           },
        .streams = { {HR_CHILD_PIPE}, {HR_CHILD_PIPE}, {HR_CHILD_NULL}},
        .max_line = 10,
    };
    hr_auto(hr_process_freep) hr_process *cat = hr_process_start(&options);
    ASSERT_TRUE(cat);
    ASSERT_ERR(hr_process_write(cat, "one\ntwo\nend", 11), 0);
    ASSERT_EQ(hr_process_read_line(cat, 1, &line, &size), 1);
    ASSERT_STR(line, "one");
    ASSERT_EQ(size, 3);
    ASSERT_EQ(hr_process_read_line(cat, 1, &line, NULL), 1);
    ASSERT_STR(line, "two");
    hr_process_close_input(cat);
    hr_process_close_input(cat);
    ASSERT_ERR(hr_process_write(cat, "x", 1), -EINVAL);
    ASSERT_EQ(hr_process_read_line(cat, 1, &line, &size), 1);
    ASSERT_STR(line, "end"); /* without a line end */
    ASSERT_EQ(hr_process_read_line(cat, 1, &line, &size), 0);
    ASSERT_EQ(hr_process_read_line(cat, 2, &line, &size), -EINVAL);
    ASSERT_ERR(hr_process_wait(cat, &end), 0);
    ASSERT_EQ(end.status, 0);
}

TEST_REAL(a_line_that_is_too_long_can_be_read_in_pieces)
{
    const char *line;
    char piece[32];
    struct hr_process_options options = {
        .argv = SH("printf 12345678901234567890; printf '\\nnext\\n'"),
        .streams = {{HR_CHILD_NULL}, {HR_CHILD_PIPE}},
        .max_line = 10,
    };
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    ASSERT_EQ(hr_process_read_line(process, 1, &line, NULL), -EMSGSIZE);
    ASSERT_SAYS("sh: a line of more than 10 bytes");
    ASSERT_EQ(hr_process_read(process, 1, piece, 20), 20);
    ASSERT_EQ(hr_process_read_line(process, 1, &line, NULL), 1);
    ASSERT_STR(line, "");
    ASSERT_EQ(hr_process_read_line(process, 1, &line, NULL), 1);
    ASSERT_STR(line, "next");
    ASSERT_ERR(hr_process_wait(process, NULL), 0);
}

TEST_REAL(a_reader_that_is_gone_is_a_code_and_no_signal)
{
    struct hr_process_options options = {.argv = SH("exec <&-; sleep 100"),
                                         .streams = {{HR_CHILD_PIPE}}};
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    int r = 0;
    for (int i = 0; i < 5000 && r == 0; i++) {
        r = hr_process_write(process, "x", 1);
        if (r == 0)
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    ASSERT_ERR(r, -EPIPE);
    ASSERT_SAYS("sh reads no more of its input");
    ASSERT_ERR(hr_process_stop(process, NULL), 0);
}

TEST_REAL(stopping_asks_first_and_then_kills)
{
    struct hr_child_exit end;
    const char *line;
    struct hr_process_options options = {
        .argv = SH("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"),
        .streams = {{HR_CHILD_NULL}, {HR_CHILD_PIPE}, {HR_CHILD_NULL}},
    };
    hr_process *process = hr_process_start(&options);
    ASSERT_EQ(hr_process_read_line(process, 1, &line, NULL), 1);
    ASSERT_ERR(hr_process_stop(process, &end), 0);
    ASSERT_EQ(end.status, 7);
    ASSERT_ERR(hr_process_kill(process, SIGTERM), -ESRCH);
    hr_process_free(process);

    options.argv = SH("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    options.grace = hr_ms(20);
    process = hr_process_start(&options);
    ASSERT_EQ(hr_process_read_line(process, 1, &line, NULL), 1);
    hr_usec start = hr_now();
    ASSERT_ERR(hr_process_stop(process, &end), 0);
    ASSERT_TRUE(hr_now() - start < test_patience(hr_ms(1900))); /* the default's is 2 s */
    ASSERT_EQ(end.signal, SIGKILL);
    hr_process_free(process);
}

TEST_REAL(freeing_kills_and_leaves_no_zombie)
{
    struct hr_process_options options = {.argv = SH("sleep 100")};
    hr_process *process = hr_process_start(&options);
    pid_t pid = hr_process_pid(process);
    hr_process_free(process);
    for (int i = 0; i < 5000 && kill(pid, 0) == 0; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(kill(pid, 0), -1);
}

static int run_a_while(void *arg)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {
        .argv = SH("cat; echo end"), .input = arg, .input_size = strlen(arg)};
    int r = hr_process_run(&options, &said);
    if (r == 0)
        ASSERT_EQ(said.out_size, strlen(arg) + 4);
    return r;
}

TEST_REAL(a_cancel_at_any_moment_leaves_nothing_behind)
{
    static char input[200001];
    int cancelled = 0, done = 0;
    memset(input, 'x', sizeof(input) - 1);
    hr_usec later = 0;
    for (int i = 0; i < 90 && (i < 30 || !done); i++) {
        hr_task *task = hr_create_task("run", run_a_while, input);
        ASSERT_ERR(hr_sleep(later), 0);
        later += i < 30 ? 200 : later / 8;
        hr_task_cancel(task, NULL);
        int r = hr_join(task);
        ASSERT_TRUE(r == 0 || r == -ECANCELED);
        cancelled += r < 0;
        done += r == 0;
    }
    ASSERT_TRUE(cancelled > 0 && done > 0);
}

TEST_REAL(a_program_without_arguments_is_refused_by_name)
{
    struct hr_process_output said;
    ASSERT_ERR(hr_process_run(&(struct hr_process_options){0}, &said), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "argv is missing"));
}

/* Handed on is what made it fail. */
TEST_REAL(s0_6_a_program_that_could_not_be_made_says_why_to_who_uses_it)
{
    char byte;
    const char *line;
    int why = test_emulated() ? -EINVAL : -ENOENT;
    struct hr_process_options options = {.argv = SH("true"), .directory = "/no/such"};
    if (test_emulated())
        options.argv = NULL;
    hr_process *none = hr_process_start(&options);
    ASSERT_PTR(none, NULL);
    ASSERT_ERR(hr_process_read(none, 1, &byte, 1), why);
    ASSERT_ERR(hr_process_read_line(none, 1, &line, NULL), why);
    ASSERT_ERR(hr_process_write(none, "x", 1), why);
    ASSERT_ERR(hr_process_wait(none, NULL), why);
    ASSERT_ERR(hr_process_stop(none, NULL), why);
    ASSERT_ERR(hr_process_kill(none, SIGTERM), why);
    hr_process_close_input(none);
    ASSERT_EQ(hr_process_pid(none), 0);
    ASSERT_ERR(hr_child_stop(NULL, 0, NULL), -EINVAL);
    ASSERT_ERR(hr_child_kill(NULL, SIGTERM), -EINVAL);
    ASSERT_ERR(hr_child_kill_group(NULL, SIGTERM), -EINVAL);
}

struct visit {
    hr_process *process;
    int code;
    size_t size;
};

static int visit_line(void *arg)
{
    struct visit *visit = arg;
    const char *line;
    visit->code = hr_process_read_line(visit->process, 1, &line, &visit->size);
    return 0;
}

/* The first is awake and has not run when the second comes: what the second would read, and where
 * it would move the buffer, is the first one's. */
TEST_REAL(two_tasks_cannot_be_at_one_output)
{
    char byte;
    const char *line;
    struct hr_process_options options = {
        .argv = SH("read go; head -c 100000 /dev/zero | tr '\\0' x; echo; read go; echo next"),
        .streams = {{HR_CHILD_PIPE}, {HR_CHILD_PIPE}},
    };
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    struct visit first = {.process = process};
    hr_task *task = hr_create_task("first", visit_line, &first);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_ERR(hr_process_write(process, "go\n", 3), 0);
    ASSERT_ERR(hr_process_read(process, 1, &byte, 1), -EBUSY);
    ASSERT_ERR(hr_process_read_line(process, 1, &line, NULL), -EBUSY);
    while (hr__process_is_quiet(process)) /* nobody else of this thread runs */
        continue;
    ASSERT_ERR(hr_process_read(process, 1, &byte, 1), -EBUSY);
    ASSERT_ERR(hr_process_read_line(process, 1, &line, NULL), -EBUSY);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(first.code, 1);
    ASSERT_EQ(first.size, 100000);
    ASSERT_ERR(hr_process_write(process, "go\n", 3), 0);
    ASSERT_ERR(hr_process_read_line(process, 1, &line, NULL), 1);
    ASSERT_STR(line, "next");
    ASSERT_ERR(hr_process_wait(process, NULL), 0);
}

static char much[300000];

static int write_much(void *process)
{
    return hr_process_write(process, much, sizeof(much));
}

TEST_REAL(two_tasks_cannot_be_at_one_input)
{
    char said[64];
    struct hr_process_options options = {
        .argv = SH("read go; tr -d '\\0\n' | wc -c"),
        .streams = {{HR_CHILD_PIPE}, {HR_CHILD_PIPE}},
    };
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    memset(much, 'x', sizeof(much));
    much[0] = '\n';
    hr_task *task = hr_create_task("writer", write_much, process);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_ERR(hr_process_write(process, "in between", 10), -EBUSY);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(hr_process_write(process, "y", 1), 0);
    hr_process_close_input(process);
    ssize_t n = hr_process_read(process, 1, said, sizeof(said) - 1);
    ASSERT_TRUE(n > 0);
    said[n] = '\0';
    ASSERT_EQ(atoi(said), sizeof(much)); /* without the first line's end, and one more */
    ASSERT_ERR(hr_process_wait(process, NULL), 0);
}

static int leave_line(void *arg)
{
    struct visit *visit = arg;
    visit_line(arg);
    ASSERT_ERR(visit->code, HR_ECLOSED);
    return 0;
}

TEST_REAL(a_program_may_be_freed_under_who_reads_it)
{
    struct hr_process_options options = {.argv = SH("sleep 100"), .streams[1] = {HR_CHILD_PIPE}};
    struct visit visit = {.process = hr_process_start(&options)};
    hr_task *task = hr_create_task("reader", leave_line, &visit);
    ASSERT_ERR(hr_yield(), 0);
    pid_t pid = hr_process_pid(visit.process);
    hr_process_free(visit.process);
    ASSERT_ERR(hr_join(task), 0);
    for (int i = 0; i < 5000 && kill(pid, 0) == 0; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
}

TEST_REAL(an_input_that_is_closed_or_freed_under_who_writes_there_is_closed_to_him)
{
    struct hr_process_options options = {.argv = SH("sleep 100"), .streams = {{HR_CHILD_PIPE}}};
    for (int freed = 0; freed < 2; freed++) {
        hr_process *process = hr_process_start(&options);
        hr_task *writer = hr_create_task("writer", write_much, process);
        pid_t pid = hr_process_pid(process);
        ASSERT_ERR(hr_yield(), 0);
        if (!freed)
            hr_process_close_input(process);
        else
            process = hr_process_free(process);
        ASSERT_ERR(hr_join(writer), HR_ECLOSED);
        if (!freed)
            ASSERT_ERR(hr_process_write(process, "x", 1), -EINVAL);
        hr_process_free(process);
        for (int i = 0; i < 5000 && kill(pid, 0) == 0; i++)
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
}
