/* SPDX-License-Identifier: MIT */
/*
 * Signals, semantics 20.6 to 20.12.
 */
#include "core/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/runner.h"
#include "core/sim.h"
#include "tests/support/hrtest.h"

static int came;

static void count(void *step)
{
    came += *(int *)step;
}

static int one = 1, ten = 10;

/* Until the loop has seen what it was sent. */
static void wait_for_signals(int want)
{
    for (int i = 0; i < 1000 && came < want; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(came, want);
}

TEST_REAL(s20_10_a_signal_is_a_callback_of_the_loop)
{
    came = 0;
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count, &one), 0);
    errno = EXDEV;
    kill(getpid(), SIGUSR1);
    ASSERT_EQ(errno, EXDEV);
    ASSERT_EQ(came, 0);
    wait_for_signals(1);

    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count, &ten), 0); /* replaces */
    kill(getpid(), SIGUSR1);
    wait_for_signals(11);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
    ASSERT_FALSE(hr_remove_signal_handler(SIGUSR1));
}

TEST_REAL(s20_10_what_came_for_a_handler_that_was_removed_is_not_the_next_ones)
{
    came = 0;
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count, &one), 0);
    kill(getpid(), SIGUSR1);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count, &ten), 0);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_EQ(came, 0);
    kill(getpid(), SIGUSR1);
    wait_for_signals(10);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
}

static volatile sig_atomic_t own_came;

static void own_handler(int number)
{
    own_came = number;
}

TEST_REAL(s20_10_removing_restores_what_was_there)
{
    struct sigaction own = {.sa_handler = own_handler}, before, after;
    sigaction(SIGUSR2, &own, &before);
    ASSERT_ERR(hr_add_signal_handler(SIGUSR2, count, &one), 0);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR2));
    sigaction(SIGUSR2, &before, &after);
    ASSERT_TRUE(after.sa_handler == own_handler);
}

TEST_REAL(a_signal_that_cannot_be_handled_is_refused)
{
    ASSERT_ERR(hr_add_signal_handler(SIGKILL, count, &one), -EINVAL);
    ASSERT_ERR(hr_add_signal_handler(0, count, &one), -EINVAL);
    ASSERT_ERR(hr_add_signal_handler(1000, count, &one), -EINVAL);
    ASSERT_FALSE(hr_remove_signal_handler(1000));
    ASSERT_FALSE(hr_remove_signal_handler(SIGUSR1));
}

static void *send_later(void *arg)
{
    usleep(3000);
    kill(getpid(), SIGUSR1);
    return NULL;
}

static void complete(void *future)
{
    hr_future_set_result(future, NULL, NULL);
}

TEST_REAL(s20_12_a_signal_wakes_a_sleeping_loop)
{
    hr_future *future = hr_future_new(NULL);
    pthread_t thread;
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, complete, future), 0);
    ASSERT_EQ(pthread_create(&thread, NULL, send_later, NULL), 0);
    ASSERT_ERR(hr_join(future), 0);
    pthread_join(thread, NULL);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
}

static int add_handler(void *arg)
{
    return hr_add_signal_handler(SIGUSR1, count, &one);
}

static void *run_second_loop(void *result)
{
    *(int *)result = hr_run(add_handler, NULL);
    return NULL;
}

TEST_REAL(one_loop_of_a_process_owns_signals)
{
    int result = 0;
    pthread_t thread;
    ASSERT_ERR(hr_add_signal_handler(SIGUSR2, count, &one), 0);
    ASSERT_EQ(pthread_create(&thread, NULL, run_second_loop, &result), 0);
    pthread_join(thread, NULL);
    ASSERT_ERR(result, -EBUSY);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR2));
}

TEST_PLAIN(a_closing_loop_gives_signals_back)
{
    struct sigaction now;
    ASSERT_ERR(hr_run(add_handler, NULL), 0);
    sigaction(SIGUSR1, NULL, &now);
    ASSERT_TRUE(now.sa_handler == SIG_DFL);
    ASSERT_ERR(hr_run(add_handler, NULL), 0); /* and another loop may own them */
}

/* --- SIGINT and hr_run --- */

static bool cleaned_up;

static int interrupt_self(void *how)
{
    kill(getpid(), SIGINT);
    int r = hr_sleep(hr_seconds(60));
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_STR(hr_error_message(r), "interrupted");
    cleaned_up = hr_sleep(hr_ms(1)) == 0;
    return how ? *(int *)how : r;
}

TEST_PLAIN(s20_6_the_first_interrupt_cancels_main_which_may_clean_up)
{
    struct sigaction now;
    cleaned_up = false;
    ASSERT_ERR(hr_run(interrupt_self, NULL), HR_EINTERRUPTED);
    ASSERT_TRUE(cleaned_up);
    sigaction(SIGINT, NULL, &now);
    ASSERT_TRUE(now.sa_handler == SIG_DFL);
}

TEST_PLAIN(s20_6_a_main_that_swallows_it_returns_its_value)
{
    ASSERT_ERR(hr_run(interrupt_self, &ten), 10);
}

static int cancelled_twice(void *arg)
{
    kill(getpid(), SIGINT);
    int r = hr_sleep(hr_seconds(60));
    hr_task_cancel(hr_current_task(), "somebody else");
    (void)!hr_yield();
    return r;
}

TEST_PLAIN(s20_8_cancelled_by_somebody_else_as_well_is_cancelled)
{
    ASSERT_ERR(hr_run(cancelled_twice, NULL), -ECANCELED);
}

/* Runs a program of its own: it may die of the signal. */
static int run_in_child(hr_task_fn *fn)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(hr_run(fn, NULL) == HR_EINTERRUPTED ? 42 : 43);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    return status;
}

static int deaf(void *arg)
{
    kill(getpid(), SIGINT);
    (void)!hr_sleep(hr_seconds(60));
    kill(getpid(), SIGINT);
    return pause();
}

static int stuck(void *arg)
{
    kill(getpid(), SIGINT);
    kill(getpid(), SIGINT); /* the loop has not even seen the first */
    return pause();
}

static int cancel_self(void *arg)
{
    hr_task_cancel(hr_current_task(), "by itself");
    return hr_yield();
}

TEST_PLAIN(s20_8_an_interrupt_of_one_main_is_not_the_next_ones)
{
    hr_runner *runner = hr_runner_new(NULL);
    ASSERT_ERR(hr_runner_run(runner, interrupt_self, NULL), HR_EINTERRUPTED);
    ASSERT_ERR(hr_runner_run(runner, cancel_self, NULL), -ECANCELED);
    hr_runner_free(runner);
}

static int handle_interrupts(void *arg)
{
    return hr_add_signal_handler(SIGINT, count, arg);
}

static int be_interrupted(void *arg)
{
    kill(getpid(), SIGINT);
    int r = hr_sleep(hr_ms(2));
    return r < 0 ? r : came;
}

TEST_PLAIN(s20_9_a_handler_that_a_main_has_set_serves_the_next_main)
{
    hr_runner *runner = hr_runner_new(NULL);
    struct sigaction now;
    came = 0;
    ASSERT_ERR(hr_runner_run(runner, handle_interrupts, &ten), 0);
    ASSERT_ERR(hr_runner_run(runner, be_interrupted, NULL), 10);
    ASSERT_ERR(hr_runner_run(runner, be_interrupted, NULL), 20);
    hr_runner_free(runner);
    sigaction(SIGINT, NULL, &now);
    ASSERT_TRUE(now.sa_handler == SIG_DFL);
}

TEST_PLAIN(s20_7_a_second_interrupt_ends_the_program_at_once)
{
    int status = run_in_child(deaf);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    status = run_in_child(stuck);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static int interrupt_and_look(void *arg)
{
    kill(getpid(), SIGINT);
    int r = hr_sleep(hr_ms(2));
    return r < 0 ? r : own_came;
}

TEST_PLAIN(s20_9_the_programs_own_handler_is_kept)
{
    struct sigaction own = {.sa_handler = own_handler}, before, after;
    own_came = 0;
    sigaction(SIGINT, &own, &before);
    ASSERT_ERR(hr_run(interrupt_and_look, NULL), SIGINT);
    sigaction(SIGINT, &before, &after);
    ASSERT_TRUE(after.sa_handler == own_handler);
}

static void refused_and_stop(void *unused)
{
    ASSERT_ERR(hr_add_signal_handler(SIGKILL, count, &one), -EINVAL);
    hr_loop_stop(hr_running_loop());
}

static void accepted_and_stop(void *unused)
{
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count, &one), 0);
    hr_loop_stop(hr_running_loop());
}

TEST_PLAIN(a_loop_that_was_refused_a_signal_does_not_own_them)
{
    hr_callback *const steps[] = {refused_and_stop, accepted_and_stop};
    hr_loop *loops[] = {hr_loop_new(NULL), hr_loop_new(NULL)};
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_call_soon_threadsafe(loops[i], steps[i], NULL), 0);
        ASSERT_ERR(hr_loop_run_forever(loops[i]), 0);
    }
    hr_loop_free(loops[0]);
    hr_loop_free(loops[1]);
}

static int send_to_self(void *arg)
{
    for (int i = 0; i < 20; i++) {
        raise(SIGUSR1);
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    return 0;
}

static int send_from_many(void *arg)
{
    hr_auto(hr_futures_done) struct hr_futures senders = {0};
    int r = hr_add_signal_handler(SIGUSR1, count, &one);
    for (int i = 0; i < 5; i++)
        hr_futures_add(&senders, hr_create_task("sender", send_to_self, NULL));
    r = r < 0 ? r : hr_gather(&senders, 0);
    return hr_remove_signal_handler(SIGUSR1) ? r : -EINVAL;
}

/* Where the seed decides whose turn it is, a callback may stand in the queue for many passes. */
TEST_PLAIN(s20_10_signals_that_come_while_their_callback_waits_for_its_turn_are_one)
{
    hr_sim *sim = hr_sim_new(&(struct hr_sim_options){.seed = 1, .shuffle = true});
    came = 0;
    ASSERT_ERR(hr_sim_run(sim, send_from_many, NULL), 0);
    ASSERT_TRUE(came > 0 && came <= 100);
    hr_sim_free(sim);
}
