/* SPDX-License-Identifier: MIT */
/*
 * Process pools, semantics 13.17, 13.18 and 13.20; test_process_death.c is about ends.
 */
#include "core/process_pool.h"

#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/child.h"
#include "core/child_impl.h"
#include "tests/core/process_functions.h"

TEST_REAL(s13_17_bytes_go_in_and_bytes_and_a_status_come_out)
{
    hr_process_pool *pool = pool_of(2);
    hr_future *future = run(pool, "upper", "a quiet word");
    ASSERT_ERR(hr_await(future), 13);
    const struct hr_process_bytes *bytes = hr_future_result(future);
    ASSERT_EQ(bytes->size, 13);
    ASSERT_STR(bytes->bytes, "A QUIET WORD");
    hr_future_unref(future);

    future = hr_run_in_process(pool, "echo", NULL, 0);
    ASSERT_ERR(hr_await(future), 0);
    bytes = hr_future_result(future);
    ASSERT_EQ(bytes->size, 0);
    hr_future_unref(future);

    static char large[3 << 20]; /* more than a socket holds, both ways */
    memset(large, 'x', sizeof(large));
    future = hr_run_in_process(pool, "echo", large, sizeof(large));
    ASSERT_ERR(hr_await(future), 0);
    bytes = hr_future_result(future);
    ASSERT_EQ(bytes->size, sizeof(large));
    ASSERT_TRUE(memcmp(bytes->bytes, large, sizeof(large)) == 0);
    hr_future_unref(future);
    end(pool);
}

TEST_REAL(s13_17_an_error_comes_back_with_what_was_said)
{
    hr_process_pool *pool = pool_of(1);
    hr_future *future = run(pool, "refuse", "luck");
    ASSERT_ERR(hr_await(future), -EDOM);
    const struct hr_error *error = hr_last_error();
    ASSERT_STR(error->message, "no luck");
    ASSERT_EQ(error->native, 1213);
    ASSERT_STR(error->state, "40001");
    ASSERT_STR(error->kind, "DEADLOCK");
    ASSERT_TRUE(error->sent);
    hr_future_unref(future);
    ASSERT_ERR(hr_join(run(pool, "fail silently", "")), -EDOM); /* what was said before is over */
    ASSERT_STR(hr_last_error()->message, hr_error_text(-EDOM));
    ASSERT_EQ(hr_last_error()->native, 0);
    ASSERT_ERR(hr_join(run(pool, "upper", "")), 1); /* the worker is none the worse */
    end(pool);
}

TEST_REAL(s13_17_a_map_gives_answers_in_order)
{
    hr_process_pool *pool = pool_of(3);
    hr_auto(hr_futures_done) struct hr_futures futures = {0};
    const struct hr_process_input inputs[] = {
        {"a",   2},
        {"bc",  3},
        {"",    1},
        {"def", 4}
    };
    hr_process_pool_map(pool, "upper", inputs, 4, &futures);
    ASSERT_ERR(hr_gather(&futures, 0), 0);
    static const char *const expected[] = {"A", "BC", "", "DEF"};
    for (size_t i = 0; i < 4; i++)
        ASSERT_STR(text_of(futures.items[i]), expected[i]);
    end(pool);
}

TEST_PLAIN(s13_17_without_a_loop_a_thread_blocks)
{
    hr_process_pool *pool = pool_of(2);
    hr_thread_future *futures[14];
    for (int i = 0; i < 14; i++) {
        futures[i] = hr_process_pool_submit(pool, "upper", "a quiet word", (size_t)i);
        ASSERT_TRUE(futures[i]);
    }
    for (int i = 0; i < 14; i++) {
        ASSERT_ERR(hr_thread_future_wait(futures[i], HR_FOREVER), i);
        const struct hr_process_bytes *bytes = hr_thread_future_result(futures[i]);
        ASSERT_EQ(bytes->size, i);
        hr_thread_future_unref(futures[i]);
    }
    hr_thread_future *refused = hr_process_pool_submit(pool, "refuse", "x", 1);
    ASSERT_ERR(hr_thread_future_wait(refused, HR_FOREVER), -EDOM);
    ASSERT_STR(hr_last_error()->message, "no x");
    hr_thread_future_unref(refused);
    end(pool);
}

TEST_REAL(s13_17_a_job_that_waits_can_be_cancelled_and_one_that_runs_goes_on)
{
    close_door();
    hr_process_pool *pool = pool_of(1);
    hr_thread_future *stays = hr_process_pool_submit(pool, "stay", door, strlen(door) + 1);
    await_began();
    hr_thread_future *waits = hr_process_pool_submit(pool, "upper", "x", 1);
    hr_future *future = run(pool, "upper", "y");
    ASSERT_TRUE(stays && waits && future);
    ASSERT_STR(hr_thread_future_state(stays), "running");
    ASSERT_STR(hr_thread_future_state(waits), "pending");
    ASSERT_FALSE(hr_thread_future_cancel(stays));
    ASSERT_TRUE(hr_thread_future_cancel(waits));
    ASSERT_STR(hr_thread_future_state(waits), "cancelled");
    ASSERT_ERR(hr_thread_future_wait(waits, HR_FOREVER), -ECANCELED);
    ASSERT_TRUE(hr_future_cancel(future, NULL));
    open_door();
    ASSERT_ERR(hr_thread_future_wait(stays, HR_FOREVER), 0);
    ASSERT_STR(hr_thread_future_state(stays), "finished");
    hr_thread_future_unref(stays);
    hr_thread_future_unref(waits);
    hr_future_unref(future);
    end(pool);
    remove_door();
}

TEST_REAL(s13_17_what_cannot_be_submitted_is_refused)
{
    struct hr_process_pool_options options = {.workers = 0};
    ASSERT_PTR(hr_process_pool_new(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    ASSERT_ERR(hr_join(run(NULL, "upper", "few")), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "process pool: needs at least one worker");
    options = (struct hr_process_pool_options){.workers = 1, .max_bytes = 4};
    hr_process_pool *pool = hr_process_pool_new(&options);
    ASSERT_TRUE(pool);
    ASSERT_PTR(run(pool, "no such", ""), NULL);
    ASSERT_ERR(hr_last_error()->code, -ENOENT);
    ASSERT_PTR(run(pool, "upper", "more"), NULL);
    ASSERT_ERR(hr_last_error()->code, -EMSGSIZE);
    ASSERT_ERR(hr_join(run(pool, "upper", "few")), 4);
    ASSERT_ERR(hr_join(run(pool, "who", "")), -ENOBUFS); /* the answer has a bound, too */
    hr_process_pool_free(NULL, false);
    end(pool);
}

TEST_REAL(s13_17_a_bound_that_no_memory_can_reach_is_no_bound_to_overflow)
{
    struct hr_process_pool_options options = {.workers = 1, .max_bytes = SIZE_MAX};
    hr_process_pool *pool = hr_process_pool_new(&options);
    ASSERT_PTR(hr_run_in_process(pool, "upper", "", SIZE_MAX - 8), NULL);
    ASSERT_ERR(hr_last_error()->code, -EMSGSIZE);
    ASSERT_ERR(hr_join(run(pool, "upper", "few")), 4);
    end(pool);
}

TEST_REAL(s13_17_a_worker_may_print_and_has_no_input)
{
    int input[2], before = dup(STDIN_FILENO);
    hr_process_pool *pool = pool_of(1);
    ASSERT_EQ(pipe(input), 0);
    ASSERT_EQ(write(input[1], "mine", 4), 4);
    dup2(input[0], STDIN_FILENO);
    ASSERT_ERR(hr_join(run(pool, "print", "(a worker prints)")), 0);
    ASSERT_ERR(hr_join(run(pool, "upper", "a")), 2);
    end(pool);
    dup2(before, STDIN_FILENO);
    close(before);
    close(input[0]);
    close(input[1]);
}

TEST_REAL(s13_18_a_worker_is_a_fresh_run_of_the_program_with_nothing_of_ours)
{
    written_by_parent = 1;
    hr_process_pool *pool = pool_of(1);
    ASSERT_ERR(hr_join(run(pool, "descriptors", "")), 34); /* three streams, and its socket */
    ASSERT_ERR(hr_join(run(pool, "read memory", "")), 0);
    end(pool);
    written_by_parent = 0;
}

TEST_REAL(workers_are_started_when_they_are_needed)
{
    hr_process_pool *pool = pool_of(8);
    assert_no_child_left(); /* none yet */
    hr_future *first = run(pool, "who", ""), *second = NULL;
    ASSERT_ERR(hr_await(first), 0);
    second = run(pool, "who", "");
    ASSERT_ERR(hr_await(second), 0);
    ASSERT_STR(text_of(first), text_of(second)); /* the idle one */
    hr_future_unref(first);
    hr_future_unref(second);
    end(pool);
}

TEST_REAL(s13_20_a_worker_is_replaced_after_so_many_jobs)
{
    struct hr_process_pool_options options = {.workers = 1, .worker_jobs = 2};
    hr_process_pool *pool = hr_process_pool_new(&options);
    ASSERT_TRUE(pool);
    hr_future *who_is_it[5];
    for (int i = 0; i < 5; i++) {
        who_is_it[i] = run(pool, "who", "");
        ASSERT_ERR(hr_await(who_is_it[i]), 0);
    }
    ASSERT_STR(text_of(who_is_it[0]), text_of(who_is_it[1]));
    ASSERT_STR(text_of(who_is_it[2]), text_of(who_is_it[3]));
    ASSERT_TRUE(strcmp(text_of(who_is_it[0]), text_of(who_is_it[2])) != 0);
    ASSERT_TRUE(strcmp(text_of(who_is_it[2]), text_of(who_is_it[4])) != 0);
    for (int i = 0; i < 5; i++)
        hr_future_unref(who_is_it[i]);
    end(pool);
}

TEST_REAL(a_shut_down_pool_refuses_and_finishes_or_drops_what_is_queued)
{
    close_door();
    hr_process_pool *pool = pool_of(1);
    hr_future *stays = run(pool, "stay", door);
    await_began();
    hr_future *queued = run(pool, "upper", "x");
    hr_process_pool_shutdown(pool, 0);
    ASSERT_PTR(run(pool, "upper", "x"), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ESHUTDOWN);
    hr_process_pool_shutdown(pool, HR_SHUTDOWN_CANCEL);
    ASSERT_ERR(hr_join(queued), HR_ESHUTDOWN);
    open_door();
    hr_process_pool_shutdown(pool, HR_SHUTDOWN_WAIT);
    ASSERT_ERR(hr_join(stays), 0);
    end(pool);
    remove_door();
}

static void round_trip(void)
{
    hr_process_pool *pool = pool_of(1);
    hr_thread_future *future = hr_process_pool_submit(pool, "upper", "x", 1);
    ASSERT_ERR(hr_thread_future_wait(future, HR_FOREVER), 1);
    hr_thread_future_unref(future);
    end(pool);
}

TEST_PLAIN(a_kernel_without_pidfd_will_do)
{
    hr__child_without_pidfd = true;
    round_trip();
    hr__child_without_pidfd = false;
}

/* In a copy of this program, that this is the name of. */
TEST_PLAIN(program_that_was_deleted)
{
    const char *copy = getenv("HEADRACE_TEST_COPY");
    if (copy)
        ASSERT_EQ(unlink(copy), 0);
    round_trip();
}

static void copy_program(char *path)
{
    struct stat status;
    char from[4096];
    ssize_t length = readlink("/proc/self/exe", from, sizeof(from) - 1);
    ASSERT_TRUE(length > 0);
    from[length] = '\0';
    FILE *program = fopen(from, "re");
    int to = mkstemp(path);
    ASSERT_TRUE(program && to >= 0);
    ASSERT_EQ(fstat(fileno(program), &status), 0);
    for (off_t left = status.st_size; left > 0;) {
        ssize_t n = sendfile(to, fileno(program), NULL, (size_t)left);
        ASSERT_TRUE(n > 0);
        left -= n;
    }
    ASSERT_EQ(fchmod(to, 0700), 0);
    close(to);
    fclose(program);
}

TEST_PLAIN(s13_18_a_program_whose_file_is_gone_still_has_workers)
{
    char path[] = "/tmp/headrace-copy.XXXXXX";
    copy_program(path);
    struct hr_child_exit exit;
    setenv("HEADRACE_TEST_COPY", path, 1);
    struct hr_child_options options = {
        .argv = (const char *const[]){path, "program_that_was_deleted", NULL},
    };
    hr_child *child = hr_child_spawn(&options);
    unsetenv("HEADRACE_TEST_COPY");
    ASSERT_TRUE(child);
    ASSERT_ERR(hr_child_wait_blocking(child, HR_FOREVER, &exit), 0);
    ASSERT_EQ(exit.status, 0);
    ASSERT_EQ(access(path, F_OK), -1);
    hr_child_free(child);
}
