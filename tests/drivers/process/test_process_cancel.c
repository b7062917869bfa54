/* SPDX-License-Identifier: MIT */
/*
 * A cancel at every wait of everything that is done with a program: run, streams, its end, and
 * requests to workers. No process, no zombie and no descriptor stays behind.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/process.h"
#include "drivers/worker_pool.h"
#include "tests/support/cancel_each.h"
#include "tests/support/hrtest.h"

#define INPUT 200000 /* more than a pipe holds */

#define SH(script)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        "sh", "-c", script, NULL                                                                   \
    }

static char input[INPUT];

/* --- who is left */

#define CHILDREN_MAX 64

static pid_t before[CHILDREN_MAX]; /* servers of other tests */
static size_t before_count;

static size_t list_children(pid_t children[CHILDREN_MAX])
{
    size_t n = 0;
    int pid;
    FILE *file = fopen("/proc/thread-self/children", "re");
    while (file && n < CHILDREN_MAX && fscanf(file, "%d", &pid) == 1)
        children[n++] = pid;
    if (file)
        fclose(file);
    return n;
}

static bool was_there(pid_t pid)
{
    size_t i = 0;
    while (i < before_count && before[i] != pid)
        i++;
    return i < before_count;
}

/* Whoever loses its parent comes to this process from now on, as if it were init. */
static void begin(void)
{
    ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    before_count = list_children(before);
    memset(input, 'x', sizeof(input));
    for (size_t i = 99; i < sizeof(input); i += 100)
        input[i] = '\n';
}

static void end(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* The programs themselves are reaped by whom they are tested for; who was orphaned, and is in the
 * group of another, is reaped here once it is dead. */
static size_t count_left(void)
{
    pid_t children[CHILDREN_MAX];
    size_t left = 0;
    for (size_t i = list_children(children); i-- > 0;) {
        if (was_there(children[i]))
            continue;
        if (getpgid(children[i]) == children[i] || waitpid(children[i], NULL, WNOHANG) <= 0)
            left++;
    }
    return left;
}

/* What was killed may still be on its way. */
static void check_nobody_is_left(void *arg)
{
    int i = 0;
    while (count_left() > 0) {
        ASSERT_TRUE(++i < 10000);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
}

/* --- what is done */

static int run_to_its_end(void *arg)
{
    hr_auto(hr_process_output_done) struct hr_process_output said = {0};
    struct hr_process_options options = {
        .argv = SH("sleep 100 & cat; echo end"), .input = input, .input_size = INPUT};
    int r = hr_process_run(&options, &said);
    if (r == 0)
        ASSERT_EQ(said.out_size, INPUT + 4);
    return r;
}

static int expected(int r, int code)
{
    return r == code ? 0 : r;
}

static int run_past_its_limit(void *arg)
{
    struct hr_process_output said;
    struct hr_process_options options = {
        .argv = SH("trap '' TERM; sleep 100 & wait"), .limit = hr_ms(5), .grace = hr_ms(2)};
    return expected(hr_process_run(&options, &said), -ETIMEDOUT);
}

static int run_too_long(void *arg)
{
    struct hr_process_output said;
    struct hr_process_options options = {.argv = SH("sleep 100 & yes"), .max_output = 100000};
    return expected(hr_process_run(&options, &said), -EMSGSIZE);
}

static int talk(void *arg)
{
    struct hr_process_options options = {
        .argv = (const char *const[]){"cat",            NULL           },
        .streams = { {HR_CHILD_PIPE}, {HR_CHILD_PIPE}, {HR_CHILD_NULL}},
    };
    hr_auto(hr_process_freep) hr_process *cat = hr_process_start(&options);
    const char *line;
    char bytes[4096];
    ASSERT_TRUE(cat);
    int r = hr_process_write(cat, "one\ntwo\n", 8);
    for (int i = 0; i < 2 && r >= 0; i++)
        r = hr_process_read_line(cat, 1, &line, NULL);
    if (r >= 0)
        r = hr_process_write(cat, input, 10000);
    hr_process_close_input(cat);
    while (r >= 0 && (r = (int)hr_process_read(cat, 1, bytes, sizeof(bytes))) > 0)
        ;
    return r < 0 ? r : hr_process_wait(cat, NULL);
}

static int write_to_deaf_ears(void *arg)
{
    struct hr_process_options options = {.argv = SH("sleep 0.01"), .streams = {{HR_CHILD_PIPE}}};
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    ASSERT_TRUE(process);
    return expected(hr_process_write(process, input, INPUT), -EPIPE);
}

static int stop_with(const char *script)
{
    struct hr_process_options options = {
        .argv = SH(script), .streams = {{HR_CHILD_NULL}, {HR_CHILD_PIPE}},
             .grace = hr_ms(2)
    };
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&options);
    const char *line;
    ASSERT_TRUE(process);
    int r = hr_process_read_line(process, 1, &line, NULL);
    return r < 0 ? r : hr_process_stop(process, NULL);
}

static int stop(void *arg)
{
    return stop_with("sleep 100 & echo ready; wait");
}

static int stop_the_deaf(void *arg)
{
    return stop_with("trap '' TERM; sleep 100 & echo ready; wait");
}

/* --- workers: a line "die" ends one */

static hr_worker_pool *new_pool(unsigned max_requests)
{
    hr_worker_pool *pool = hr_worker_pool_new(&(struct hr_worker_pool_options){
        .argv = SH("sleep 100 >&- 2>&- & while read -r l; do [ \"$l\" = die ] && exit 3; "
                   "echo \"$l\"; done"),
        .max_requests = max_requests,
        .backoff = {.first = hr_ms(1), .max = hr_ms(1), .factor = 1},
    });
    ASSERT_TRUE(pool);
    return pool;
}

static int ask(hr_worker_pool *pool, const char *line)
{
    hr_auto(hr_freep) char *answer = NULL;
    int r = hr_worker_pool_ask(pool, line, strlen(line), &answer, NULL);
    if (r == 0)
        ASSERT_STR(answer, line);
    return r;
}

static int live_with_workers(void *arg)
{
    hr_auto(hr_worker_pool_freep) hr_worker_pool *pool = new_pool(2);
    int r = ask(pool, "one");
    if (r >= 0)
        r = expected(ask(pool, "die"), HR_ELOST);
    for (int i = 0; i < 3 && r >= 0; i++)
        r = ask(pool, "two"); /* the second of them ends in peace */
    return r < 0 ? r : hr_worker_pool_close(pool);
}

static hr_worker_pool *kept;

static int ask_kept(void *arg)
{
    static char line[100001];
    memset(line, 'y', sizeof(line) - 1);
    return ask(kept, line);
}

static void check_kept(void *arg)
{
    ASSERT_ERR(ask(kept, "next"), 0);
}

static int close_kept(void *arg)
{
    return hr_worker_pool_close(kept);
}

static void renew_kept(void *arg)
{
    hr_worker_pool_freep(&kept);
    check_nobody_is_left(NULL);
    kept = new_pool(0);
    check_kept(NULL);
}

/* --- */

TEST_REAL(every_call_for_a_program_can_be_cancelled_at_every_wait)
{
    static const struct {
        const char *name;
        int (*run)(void *arg);
    } operations[] = {
        {"run",       run_to_its_end    },
        {"limit",     run_past_its_limit},
        {"too long",  run_too_long      },
        {"talk",      talk              },
        {"deaf ears", write_to_deaf_ears},
        {"stop",      stop              },
        {"kill",      stop_the_deaf     },
    };
    begin();
    for (size_t i = 0; i < HR_ARRAY_LEN(operations); i++)
        test_cancel_at_each_wait(operations[i].name, operations[i].run, NULL, check_nobody_is_left);
    end();
}

TEST_REAL(every_call_of_a_worker_pool_can_be_cancelled_at_every_wait)
{
    begin();
    test_cancel_at_each_wait("workers", live_with_workers, NULL, check_nobody_is_left);
    kept = new_pool(0);
    test_cancel_at_each_wait("ask", ask_kept, NULL, check_kept);
    check_kept(NULL);
    test_cancel_at_each_wait("close", close_kept, NULL, renew_kept);
    hr_worker_pool_freep(&kept);
    check_nobody_is_left(NULL);
    end();
}
