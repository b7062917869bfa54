/* SPDX-License-Identifier: MIT */
/*
 * Workers that die, and parents that do; semantics 13.19 and 13.21.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/task.h"
#include "tests/core/process_functions.h"
#include "tests/support/deaths.h"

static void breaks(const char *function, int number, const char *how)
{
    hr_process_pool *pool = pool_of(1);
    hr_future *fatal = hr_run_in_process(pool, function, &number, sizeof(number));
    hr_future *queued = run(pool, "upper", "x");
    ASSERT_ERR(hr_await(fatal), HR_EBROKEN);
    if (!strstr(hr_last_error()->message, how))
        test_fail(__FILE__, __LINE__, "%s: %s", function, hr_last_error()->message);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_ERR(hr_await(queued), HR_EBROKEN);
    ASSERT_FALSE(hr_last_error()->sent);       /* it can be given to another pool */
    ASSERT_PTR(run(pool, "upper", "x"), NULL); /* at once */
    ASSERT_ERR(hr_last_error()->code, HR_EBROKEN);
    assert_no_child_left(); /* before the pool goes */
    hr_future_unref(fatal);
    hr_future_unref(queued);
    end(pool);
}

TEST_REAL(s13_19_a_worker_that_dies_fails_its_job_and_what_is_queued)
{
    breaks("die", SIGKILL, "died of signal 9 (Killed) at its job");
    breaks("die", SIGSEGV, "died of signal 11 (Segmentation fault)");
    breaks("leave", 0, "exited with 3 at its job");
    breaks("hang up", 0, " at its job"); /* by itself, or killed: whichever is first */
    breaks("talk nonsense", 0, "does not talk as this program does");
    breaks("promise too much", 0, "does not talk as this program does");
}

static void await_death_of_who_began(void)
{
    int pid;
    FILE *file = fopen(began, "re");
    ASSERT_TRUE(file && fscanf(file, "%d", &pid) == 1);
    fclose(file);
    test_wait_until_dead(pid);
}

TEST_REAL(s13_19_what_a_worker_had_started_dies_with_it)
{
    close_door();
    hr_process_pool *pool = pool_of(1);
    ASSERT_ERR(hr_join(run(pool, "die in company", door)), HR_EBROKEN);
    await_death_of_who_began();
    end(pool);
    remove_door();
}

TEST_REAL(s13_19_a_process_that_has_left_a_workers_group_hides_no_death)
{
    close_door();
    hr_process_pool *pool = pool_of(1);
    ASSERT_ERR(hr_join(run(pool, "die in distant company", door)), HR_EBROKEN);
    end(pool);
    open_door(); /* only now it goes, and closes the worker's socket */
    await_death_of_who_began();
    remove_door();
}

TEST_REAL(s13_19_jobs_of_other_workers_go_on_to_their_end)
{
    close_door();
    hr_process_pool *pool = pool_of(2);
    hr_future *stays = run(pool, "stay", door);
    await_began();
    ASSERT_ERR(hr_join(run(pool, "leave", "")), HR_EBROKEN);
    ASSERT_FALSE(hr_future_done(stays));
    open_door();
    ASSERT_ERR(hr_join(stays), 0);
    end(pool);
    remove_door();
}

TEST_REAL(s13_19_an_idle_worker_that_dies_breaks_the_pool_and_is_no_zombie)
{
    hr_process_pool *pool = pool_of(1);
    hr_future *who_is_it = run(pool, "who", "");
    ASSERT_ERR(hr_await(who_is_it), 0);
    pid_t pid = (pid_t)atoi(text_of(who_is_it));
    hr_future_unref(who_is_it);
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    for (int i = 0; i < 10000 && kill(pid, 0) == 0; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    assert_no_child_left();
    hr_future *refused = run(pool, "upper", "");
    for (int i = 0; i < 1000 && refused; i++) { /* the keeper is about to write it down */
        ASSERT_ERR(hr_join(refused), HR_EBROKEN);
        refused = run(pool, "upper", "");
    }
    ASSERT_ERR(hr_last_error()->code, HR_EBROKEN);
    end(pool);
}

TEST_REAL(a_pool_can_be_killed_with_a_job_that_would_never_end)
{
    close_door();
    hr_process_pool *pool = pool_of(2);
    hr_future *stays = run(pool, "stay", door);
    await_began();
    hr_process_pool_kill(pool);
    ASSERT_ERR(hr_join(stays), HR_EBROKEN);
    ASSERT_PTR(run(pool, "upper", ""), NULL);
    end(pool);
    remove_door();
}

TEST_REAL(s13_21_an_interrupt_of_the_parents_group_does_not_reach_a_worker)
{
    hr_process_pool *pool = pool_of(1);
    ASSERT_ERR(hr_join(run(pool, "interrupt group", "")), 0);
    end(pool);
}

TEST_REAL(s13_21_a_worker_ends_with_its_parent_however_that_ends)
{
    close_door();
    hr_process_pool *pool = pool_of(1);
    ASSERT_ERR(hr_join(run(pool, "die as parent", door)), HR_EBROKEN);
    await_death_of_who_began(); /* its worker would stay until the door is opened */
    end(pool);
    remove_door();
}
