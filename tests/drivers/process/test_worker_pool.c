/* SPDX-License-Identifier: MIT */
/*
 * Worker pools: requests in order, and every way in which a worker can fail at one.
 */
#include "drivers/worker_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/timeout.h"
#include "drivers/process/worker.h"
#include "tests/support/hrtest.h"

#define MIB ((size_t)1024 * 1024)

#define SH(script)                                                                                 \
    .argv = (const char *const[])                                                                  \
    {                                                                                              \
        "sh", "-c", script, NULL                                                                   \
    }

static hr_worker_pool *pool_with(struct hr_worker_pool_options options)
{
    options.backoff = (struct hr_backoff){.first = hr_ms(1), .max = hr_ms(5), .factor = 2};
    hr_worker_pool *pool = hr_worker_pool_new(&options);
    ASSERT_TRUE(pool);
    return pool;
}

#define POOL(...) pool_with((struct hr_worker_pool_options){__VA_ARGS__})

static int ask(hr_worker_pool *pool, const char *line, const char *expected)
{
    hr_auto(hr_freep) char *answer = NULL;
    size_t size;
    int r = hr_worker_pool_ask(pool, line, strlen(line), &answer, &size);
    if (r == 0) {
        ASSERT_STR(answer, expected);
        ASSERT_EQ(size, strlen(expected));
    }
    return r;
}

static void end(hr_worker_pool *pool)
{
    ASSERT_ERR(hr_worker_pool_close(pool), 0);
    ASSERT_ERR(ask(pool, "late", ""), HR_ECLOSED);
    hr_worker_pool_free(pool);
}

static struct hr_worker_pool_stats stats_of(const hr_worker_pool *pool)
{
    struct hr_worker_pool_stats stats;
    hr_worker_pool_get_stats(pool, &stats);
    return stats;
}

/* Answers each line with its own process number and the line; does what it is told otherwise. */
#define WORKER                                                                                     \
    "while read -r line; do case $line in "                                                        \
    "exit*) exit ${line#exit } ;; "                                                                \
    "silent) sleep 100 ;; "                                                                        \
    "close) exec >&-; sleep 100 ;; "                                                               \
    "twice) printf 'a\\nb\\n' ;; "                                                                 \
    "half) printf half; exit 0 ;; "                                                                \
    "long) head -c 100000 /dev/zero | tr '\\0' x; echo ;; "                                        \
    "kill) kill -9 $$ ;; "                                                                         \
    "pid) echo $$ ;; "                                                                             \
    "nap) sleep 0.05; echo woke ;; "                                                               \
    "talk) echo one >&2; echo two >&2; echo said ;; "                                              \
    "*) echo \"<$line>\" ;; esac; done"

TEST_REAL(a_worker_is_kept_from_request_to_request)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    for (int i = 0; i < 20; i++)
        ASSERT_ERR(ask(pool, "{\"a\":1}", "<{\"a\":1}>"), 0);
    ASSERT_EQ(stats_of(pool).started, 1);
    ASSERT_EQ(stats_of(pool).answered, 20);
    ASSERT_ERR(ask(pool, "two\nlines", ""), -EINVAL);
    end(pool);
}

struct request {
    hr_worker_pool *pool;
    int number, *order, *next;
};

static int ask_number(void *arg)
{
    struct request *request = arg;
    char line[32], expected[36];
    snprintf(line, sizeof(line), "%d", request->number);
    snprintf(expected, sizeof(expected), "<%d>", request->number);
    int r = ask(request->pool, line, expected);
    request->order[(*request->next)++] = request->number;
    return r;
}

TEST_REAL(requests_are_answered_in_order_and_side_by_side)
{
    int order[100], next = 0;
    struct request requests[100];
    hr_worker_pool *pool = POOL(SH(WORKER), .workers = 1);
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int i = 0; i < 100; i++) {
        requests[i] = (struct request){pool, i, order, &next};
        hr_futures_add(&tasks, hr_create_task(NULL, ask_number, &requests[i]));
    }
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(order[i], i);
    ASSERT_EQ(stats_of(pool).started, 1);
    end(pool);

    pool = POOL(SH(WORKER), .workers = 3);
    hr_auto(hr_futures_done) struct hr_futures more = {0};
    next = 0;
    for (int i = 0; i < 100; i++) {
        requests[i].pool = pool;
        hr_futures_add(&more, hr_create_task(NULL, ask_number, &requests[i]));
    }
    ASSERT_ERR(hr_gather(&more, 0), 0);
    ASSERT_EQ(stats_of(pool).started, 3);
    end(pool);
}

TEST_REAL(what_a_worker_fails_over_is_that_requests_error)
{
    hr_worker_pool *pool = POOL(SH(WORKER), .limit = hr_ms(300), .max_line = 50000);
    static const struct {
        const char *line, *why;
        int code;
    } cases[] = {
        {"exit 3", "exited with 3",    HR_ELOST  },
        {"exit 0", "exited with 0",    HR_ELOST  },
        {"kill",   "signal 9",         HR_ELOST  },
        {"close",  "ended its output", HR_ELOST  },
        {"half",   "exited with 0",    HR_ELOST  },
        {"silent", "did not answer",   -ETIMEDOUT},
        {"long",   "more than 50000",  -EMSGSIZE },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        ASSERT_ERR(ask(pool, cases[i].line, ""), cases[i].code);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, cases[i].why));
        ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    }
    ASSERT_EQ(stats_of(pool).lost, HR_ARRAY_LEN(cases));
    ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    end(pool);
}

TEST_REAL(an_answer_too_many_reaches_nobody)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    ASSERT_ERR(ask(pool, "twice", "a"), 0);
    ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    end(pool);
}

TEST_REAL(a_worker_that_died_while_it_idled_is_nobodys_error)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    hr_auto(hr_freep) char *pid = NULL;
    ASSERT_ERR(hr_worker_pool_ask(pool, "pid", 3, &pid, NULL), 0);
    ASSERT_EQ(kill(atoi(pid), SIGKILL), 0);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    ASSERT_EQ(stats_of(pool).started, 2);
    ASSERT_EQ(stats_of(pool).lost, 0);
    end(pool);
}

static int ask_silent(void *pool)
{
    return ask(pool, "silent", "");
}

TEST_REAL(a_cancelled_request_costs_its_worker_only)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    hr_task *first = hr_create_task("first", ask_silent, pool);
    hr_task *waiting = hr_create_task("waiting", ask_silent, pool);
    while (stats_of(pool).busy < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task_cancel(waiting, NULL);
    ASSERT_ERR(hr_join(waiting), -ECANCELED);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    end(pool);
}

TEST_REAL(a_megabyte_goes_in_while_a_megabyte_comes_out)
{
    hr_worker_pool *pool = POOL(.argv = (const char *const[]){"cat", NULL}, .max_line = MIB);
    hr_auto(hr_freep) char *line = malloc(MIB + 1);
    memset(line, 'x', MIB);
    line[MIB] = '\0';
    for (int i = 0; i < 3; i++) {
        hr_auto(hr_freep) char *answer = NULL;
        size_t size;
        ASSERT_ERR(hr_worker_pool_ask(pool, line, MIB, &answer, &size), 0);
        ASSERT_EQ(size, MIB);
        ASSERT_EQ(memcmp(answer, line, MIB), 0);
    }
    ASSERT_ERR(hr_worker_pool_ask(pool, line, MIB + 1, &line, NULL), -EMSGSIZE);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_EQ(stats_of(pool).started, 1);
    end(pool);
}

TEST_REAL(a_worker_is_replaced_after_so_many_requests)
{
    hr_worker_pool *pool = POOL(SH(WORKER), .max_requests = 3);
    for (int i = 0; i < 7; i++)
        ASSERT_ERR(ask(pool, "x", "<x>"), 0);
    ASSERT_EQ(stats_of(pool).started, 3);
    ASSERT_EQ(stats_of(pool).lost, 0);
    end(pool);
}

static char said[64];

static void listen_to(pid_t worker, const char *line, size_t size, void *cookie)
{
    size_t have = strlen(said);
    snprintf(said + have, sizeof(said) - have, "[%.*s]", (int)size, line);
}

TEST_REAL(what_workers_say_on_standard_error_is_passed_on_by_lines)
{
    said[0] = '\0';
    hr_worker_pool *pool = POOL(SH(WORKER), .said = listen_to);
    ASSERT_ERR(ask(pool, "talk", "said"), 0);
    end(pool); /* all that was said comes before this returns */
    ASSERT_STR(said, "[one][two]");
}

TEST_REAL(workers_that_end_at_once_are_started_ever_more_slowly)
{
    struct hr_worker_pool_options options = {
        SH("exit 1"),
        .backoff = {.first = hr_ms(20), .max = hr_ms(80), .factor = 2},
    };
    hr_worker_pool *pool = hr_worker_pool_new(&options);
    hr_usec start = hr_now();
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(ask(pool, "x", ""), HR_ELOST);
    ASSERT_TRUE(hr_now() - start >= hr_ms(20 + 40));

    /* By now it is the program, and waiting would not help. */
    start = hr_now();
    while (ask(pool, "x", "") == -ENOTCONN) {
        ASSERT_FALSE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, "3 workers in a row"));
        ASSERT_TRUE(strstr(hr_last_error()->message, "exited with 1"));
        ASSERT_EQ(stats_of(pool).started, 3);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    ASSERT_ERR(hr_last_error()->code, HR_ELOST); /* another try, when its time had come */
    ASSERT_TRUE(hr_now() - start >= hr_ms(60));
    ASSERT_EQ(stats_of(pool).started, 4);
    end(pool);

    pool = POOL(.argv = (const char *const[]){"no-such-worker", NULL});
    ASSERT_ERR(ask(pool, "x", ""), test_emulated() ? HR_ELOST : -ENOENT);
    end(pool);
}

TEST_REAL(a_worker_whose_script_is_missing_says_so_at_once)
{
    said[0] = '\0';
    hr_worker_pool *pool = hr_worker_pool_new(&(struct hr_worker_pool_options){
        .argv = (const char *const[]){"sh",              "/no/such/script",      NULL           },
        .backoff = {.first = hr_ms(1), .max = hr_seconds(100), .factor = 10000},
        .said = listen_to,
    });
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(ask(pool, "x", ""), HR_ELOST);
        ASSERT_TRUE(strstr(hr_last_error()->message, "sh /no/such/script, process "));
        pool->start_at = 0;
    }
    ASSERT_ERR(ask(pool, "x", ""), HR_ELOST);
    ASSERT_ERR(ask(pool, "x", ""), -ENOTCONN); /* in a hundred seconds it would be another */
    ASSERT_TRUE(strstr(hr_last_error()->message, "sh /no/such/script: 3 workers"));
    end(pool);
    ASSERT_TRUE(strstr(said, "/no/such/script"));
}

TEST_REAL(a_worker_that_answers_makes_up_for_those_before_it)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    for (int i = 0; i < 8; i++) {
        ASSERT_ERR(ask(pool, "exit 3", ""), HR_ELOST);
        if (i % 2)
            ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    }
    end(pool);
}

/* What would wait for another worker to be started is told apart from what does not. */
static int ask_at_once(hr_worker_pool *pool, const char *line, const char *expected)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, test_patience(hr_seconds(5))), 0);
    return hr_timeout_leave(&limit, ask(pool, line, expected));
}

static hr_worker_pool *hesitant(unsigned workers, hr_usec first)
{
    return hr_worker_pool_new(&(struct hr_worker_pool_options){
        SH(WORKER),
        .workers = workers,
        .backoff = {.first = first, .max = hr_seconds(100), .factor = 100000},
    });
}

TEST_REAL(only_workers_that_end_before_any_answer_make_the_next_wait_and_an_answer_forgets_them)
{
    hr_worker_pool *pool = hesitant(1, hr_ms(1));
    ASSERT_ERR(ask_at_once(pool, "exit 3", ""), HR_ELOST);
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(ask_at_once(pool, "next", "<next>"), 0);
        ASSERT_ERR(ask_at_once(pool, "exit 3", ""), HR_ELOST);
        ASSERT_ERR(ask_at_once(pool, "exit 3", ""), HR_ELOST);
    }
    ASSERT_ERR(ask_at_once(pool, "next", "<next>"), 0);
    end(pool);
}

static int ask_nap(void *pool)
{
    return ask(pool, "nap", "woke");
}

static hr_task *keep_one_busy(hr_worker_pool *pool)
{
    hr_task *task = hr_create_task("nap", ask_nap, pool);
    while (stats_of(pool).busy < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    return task;
}

TEST_REAL(an_answer_of_another_worker_ends_the_wait_for_the_next)
{
    hr_worker_pool *pool = hesitant(2, hr_seconds(100));
    hr_task *first = keep_one_busy(pool);
    ASSERT_ERR(ask_at_once(pool, "exit 3", ""), HR_ELOST);
    ASSERT_ERR(hr_join(first), 0);
    hr_task *second = keep_one_busy(pool);
    ASSERT_ERR(ask_at_once(pool, "next", "<next>"), 0);
    ASSERT_EQ(stats_of(pool).started, 3); /* it has not waited for the other one either */
    ASSERT_ERR(hr_join(second), 0);
    end(pool);
}

TEST_REAL(an_answer_to_half_a_request_is_none)
{
    hr_worker_pool *pool = POOL(SH("echo early; sleep 100"));
    hr_auto(hr_freep) char *line = malloc(MIB);
    char *answer = NULL;
    memset(line, 'x', MIB);
    ASSERT_ERR(hr_worker_pool_ask(pool, line, MIB, &answer, NULL), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "before it had read its request"));
    end(pool);
}

TEST_REAL(a_worker_that_is_replaced_or_closed_ends_by_itself)
{
    said[0] = '\0';
    hr_worker_pool *pool = POOL(SH("while read -r line; do echo \"$line\"; done; echo bye >&2"),
                                .max_requests = 2, .grace = hr_seconds(100), .said = listen_to);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(ask(pool, "x", "x"), 0);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, test_patience(hr_seconds(5))), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_worker_pool_close(pool)), 0);
    hr_worker_pool_free(pool);
    ASSERT_STR(said, "[bye][bye]");
}

TEST_REAL(closing_ends_workers_that_do_not_end_by_themselves)
{
    hr_worker_pool *pool =
        POOL(SH("read -r line; echo $line; trap '' TERM; while :; do sleep 0.05; done"),
             .grace = hr_ms(50), .workers = 2);
    ASSERT_ERR(ask(pool, "x", "x"), 0);
    hr_usec start = hr_now();
    ASSERT_ERR(hr_worker_pool_close(pool), 0);
    ASSERT_TRUE(hr_now() - start >= hr_ms(50) && hr_now() - start < hr_ms(900));
    hr_worker_pool_free(pool);
}

TEST_REAL(freeing_kills_who_is_at_work)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    ASSERT_ERR(ask(pool, "x", "<x>"), 0);
    hr_worker_pool_free(pool);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0); /* what is left of it ends by itself */
}

TEST_REAL(freeing_fails_the_request_of_who_is_killed)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    hr_task *task = hr_create_task("silent", ask_silent, pool);
    while (stats_of(pool).busy < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_worker_pool_free(pool);
    ASSERT_ERR(hr_wait_for(task, test_patience(hr_seconds(5))), HR_ELOST);
}

static int ask_number_once(void *arg)
{
    struct request *request = arg;
    char line[32], expected[36];
    snprintf(line, sizeof(line), "%d", request->number);
    snprintf(expected, sizeof(expected), "<%d>", request->number);
    return ask(request->pool, line, expected);
}

TEST_REAL(a_cancel_at_any_moment_never_gives_an_answer_to_another)
{
    hr_worker_pool *pool = POOL(SH(WORKER));
    int cancelled = 0, done = 0;
    for (int i = 0; i < 500 && (i < 40 || !done); i++) {
        struct request request = {.pool = pool, .number = i};
        hr_task *task = hr_create_task("ask", ask_number_once, &request);
        ASSERT_ERR(hr_sleep(i * 100), 0);
        hr_task_cancel(task, NULL);
        int r = hr_join(task);
        ASSERT_TRUE(r == 0 || r == -ECANCELED);
        cancelled += r < 0;
        done += r == 0;
        if (i % 4 == 0)
            ASSERT_ERR(ask(pool, "next", "<next>"), 0);
    }
    ASSERT_TRUE(cancelled > 0 && done > 0);
    end(pool);
}

static char flag[64];

/* Holds the thread up between a worker's start and its first request. */
static int let_it_speak(void *arg)
{
    int r = hr_yield();
    for (int i = 0; access(flag, F_OK) != 0 && i < 5000; i++)
        usleep(1000);
    return r;
}

TEST_REAL(what_a_worker_says_before_it_is_asked_is_no_answer)
{
    char script[1024];
    snprintf(flag, sizeof(flag), "/tmp/hr-worker-%d", getpid());
    snprintf(script, sizeof(script), "test -e %s || { echo ready; : > %s; }; %s", flag, flag,
             WORKER);
    hr_worker_pool *pool = POOL(SH(script));
    hr_task *task = hr_create_task("wait", let_it_speak, NULL);
    ASSERT_ERR(ask(pool, "x", "<x>"), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_EQ(stats_of(pool).started, 2);
    unlink(flag);
    end(pool);
    ASSERT_ERR(hr_worker_pool_ask(NULL, "x", 1, NULL, NULL), HR_ECLOSED); /* what failed last */
    ASSERT_EQ(stats_of(NULL).started, 0);
}

static int scoring[1]; /* a cookie */

static bool is_bracketed(const char *line, size_t size, void *cookie)
{
    ASSERT_PTR(cookie, scoring);
    return size > 0 && line[0] == '<' && line[size - 1] == '>';
}

/* Loads what it needs when it has something to do, says so, and answers late. */
#define BANNER "read -r line; echo 'Welcome to scoring 1.0'; sleep 0.02; echo \"<$line>\"; " WORKER

TEST_REAL(a_banner_in_the_place_of_the_first_answer_is_an_error_that_quotes_it)
{
    hr_worker_pool *pool = POOL(SH(BANNER), .is_answer = is_bracketed, .cookie = scoring);
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(ask(pool, "x", ""), -EPROTO);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, "sh, process "));
        ASSERT_TRUE(strstr(hr_last_error()->message, "no answer: Welcome to scoring 1.0"));
        ASSERT_EQ(stats_of(pool).started, i + 1);
    }
    ASSERT_EQ(stats_of(pool).lost, 3);
    ASSERT_EQ(pool->barren, 3); /* by now it is the program's failure */
    ASSERT_STR(pool->last_end, "said what is no answer");
    end(pool);
}

TEST_REAL(a_line_that_is_no_answer_costs_the_worker_that_said_it_and_its_request)
{
    hr_worker_pool *pool = POOL(SH(WORKER), .is_answer = is_bracketed, .cookie = scoring);
    ASSERT_ERR(ask(pool, "one", "<one>"), 0);
    ASSERT_ERR(ask(pool, "twice", ""), -EPROTO);
    ASSERT_ERR(ask(pool, "two", "<two>"), 0);
    ASSERT_EQ(pool->barren, 0);
    ASSERT_EQ(stats_of(pool).started, 2);
    end(pool);
}

/* Says what stands in the request, with its escapes carried out. */
#define SAYER "while read -r line; do printf \"$line\\n\"; done"

TEST_REAL(what_is_quoted_of_a_banner_moves_no_cursor)
{
    hr_worker_pool *pool = POOL(SH(SAYER), .is_answer = is_bracketed, .cookie = scoring);
    ASSERT_ERR(ask(pool, "\\033[2J\\r\\000\\tred\\177 \\233 \\302\\233 gr\\303\\274n", ""),
               -EPROTO);
    const char *quoted = strstr(hr_last_error()->message, "no answer: ");
    ASSERT_STR(quoted, "no answer: \\x1b[2J\\x0d\\x00\\x09red\\x7f \\x9b \\xc2\\x9b gr\u00fcn");

    char line[400], half[400];
    memset(line, 'x', 200);
    snprintf(line + 79, sizeof(line) - 79, "\\303\\274 and more"); /* 79 bytes, and one of two */
    ASSERT_ERR(ask(pool, line, ""), -EPROTO);
    snprintf(half, sizeof(half), "no answer: %.79s", line);
    ASSERT_STR(strstr(hr_last_error()->message, "no answer: "), half);
    end(pool);
}

TEST(what_is_to_be_run_has_to_be_said)
{
    struct hr_process_output output;
    ASSERT_TRUE(!hr_worker_pool_new(NULL));
    ASSERT_STR(hr_last_error()->message, "workers of no program");
    ASSERT_TRUE(!hr_process_start(NULL));
    ASSERT_TRUE(strstr(hr_last_error()->message, "argv is missing"));
    hr_error_raise(&(struct hr_error){0});
    ASSERT_ERR(hr_process_run(NULL, &output), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "argv is missing"));
}
