/* SPDX-License-Identifier: MIT */
/*
 * A client with a pool of connections, time limits and retries against a server that is slow, cuts
 * its answers and sometimes gives none; run by seeds, and once for each point at which one of its
 * tasks is suspended, with trouble there. Whatever happens, no permit, connection or item is lost,
 * and no item is done twice or wrongly.
 */
#include "core/sim.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/gather.h"
#include "core/group.h"
#include "core/queue.h"
#include "core/semaphore.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

enum { ITEMS = 12, WORKERS = 4, CONNECTIONS = 2, LINE = 32 };

static const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 6379};
static const struct sockaddr *const where = (const struct sockaddr *)&address;

struct shop {
    hr_queue *work; /* numbers, as pointers */
    hr_semaphore permits;
    int idle[CONNECTIONS];
    int idle_count, open;
    int squares[ITEMS + 1]; /* 0: not yet */
    int done;
};

/* The shop that runs, for those who make trouble in it, and what came of it. */
static struct shop *present;
static uint64_t visits;     /* of a hook */
static uint64_t interrupts; /* of workers, who were cancelled */

/* Reads up to a newline, which is cut off. -EPIPE: the stream ended. */
static int read_line(int fd, char line[LINE])
{
    for (size_t n = 0; n < LINE - 1;) {
        ssize_t r = recv(fd, line + n, 1, 0);
        if (r == 0)
            return -EPIPE;
        if (r < 0 && errno != EAGAIN)
            return -errno;
        if (r < 0) {
            int waited = hr_wait_fd(fd, HR_READ);
            if (waited < 0)
                return waited;
        } else if (line[n++] == '\n') {
            line[n - 1] = '\0';
            return 0;
        }
    }
    return -EBADMSG;
}

static int write_number(int fd, int number)
{
    char line[LINE];
    int length = snprintf(line, sizeof(line), "%d\n", number);
    return send(fd, line, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -EPIPE;
}

/* Answers each number with its square, after a while, and now and then not at all. */
static int serve(int fd, void *arg)
{
    char line[LINE];
    int r;
    while ((r = read_line(fd, line)) == 0) {
        if (hr_random() % 8 == 0)
            continue;
        int number = atoi(line);
        r = hr_sleep((hr_usec)(hr_random() % 3000));
        if (r == 0)
            r = write_number(fd, number * number);
        if (r < 0)
            return r;
    }
    return r;
}

static int get_connection(struct shop *shop, int *ret)
{
    if (shop->idle_count > 0) {
        *ret = shop->idle[--shop->idle_count];
        return 0;
    }
    int r = hr_connect(where, sizeof(address), ret);
    if (r == 0)
        shop->open++;
    return r;
}

/* A connection whose answer did not come may still get it: it is of no more use. */
static void put_connection(struct shop *shop, int fd, bool good)
{
    if (good) {
        shop->idle[shop->idle_count++] = fd;
    } else {
        close(fd);
        shop->open--;
    }
}

static int ask(struct shop *shop, int number, int *ret)
{
    hr_auto(hr_semaphore_releasep) hr_semaphore *held = NULL;
    char line[LINE];
    int fd = -1;
    int r = hr_semaphore_hold(&shop->permits, &held);
    if (r == 0)
        r = get_connection(shop, &fd);
    if (r < 0)
        return r;
    r = write_number(fd, number);
    if (r == 0)
        r = read_line(fd, line);
    put_connection(shop, fd, r == 0);
    if (r == 0)
        *ret = atoi(line);
    return r;
}

/* Asks until there is an answer, each time for 8 ms at most. */
static int insist(struct shop *shop, int number, int *ret)
{
    for (hr_usec pause = 100; pause < hr_seconds(3600); pause *= 2) {
        struct hr_timeout limit = {0};
        int r = hr_timeout_enter(&limit, hr_ms(8));
        if (r == 0)
            r = hr_timeout_leave(&limit, ask(shop, number, ret));
        if (r == 0 || r == -ECANCELED)
            return r;
        r = hr_sleep((hr_usec)(hr_random() % (uint64_t)pause));
        if (r < 0)
            return r;
    }
    return hr_fail(-EIO, "nobody squares %d", number); /* whoever could has no memory */
}

static int work(void *arg)
{
    struct shop *shop = arg;
    void *item;
    while (hr_queue_get_nowait(shop->work, &item) == 0) {
        int number = (int)(intptr_t)item, square = 0;
        int r = insist(shop, number, &square);
        if (r < 0) { /* somebody else may do it */
            interrupts += r == -ECANCELED;
            int back = hr_queue_put_nowait(shop->work, item);
            return back < 0 ? back : r;
        }
        if (shop->squares[number])
            return hr_fail(-EINVAL, "%d was done twice", number);
        shop->squares[number] = square;
        shop->done++;
    }
    return 0;
}

/* Workers may be cancelled one by one: then others take their place. */
static int work_off(struct shop *shop)
{
    while (shop->done < ITEMS) {
        hr_auto(hr_futures_done) struct hr_futures workers = {0};
        for (int i = 0; i < WORKERS; i++)
            hr_futures_add(&workers, hr_create_task("worker", work, shop));
        int r = hr_gather(&workers, HR_RETURN_ERRORS);
        if (r < 0)
            return r;
        for (size_t i = 0; i < workers.count; i++) {
            r = hr_future_status(workers.items[i]);
            if (r < 0 && r != -ECANCELED)
                return r;
        }
    }
    return 0;
}

/* Whether nothing was lost, or done wrongly. */
static int check(struct shop *shop)
{
    int done = 0;
    for (int i = 1; i <= ITEMS; i++) {
        done += shop->squares[i] != 0;
        if (shop->squares[i] && shop->squares[i] != i * i)
            return hr_fail(-EINVAL, "%d squared is %d", i, shop->squares[i]);
    }
    if (done != shop->done || done + (int)hr_queue_size(shop->work) != ITEMS)
        return hr_fail(-EINVAL, "%d done, %zu left", done, hr_queue_size(shop->work));
    if (shop->permits.count != CONNECTIONS)
        return hr_fail(-EINVAL, "%u permits", shop->permits.count);
    if (shop->open != shop->idle_count)
        return hr_fail(-EINVAL, "%d connections, %d of them idle", shop->open, shop->idle_count);
    return 0;
}

/* arg: where the verdict goes, for runs that end before this task can return it. */
static int run_shop(void *arg)
{
    struct shop shop = {.work = hr_queue_new(0, NULL)};
    present = &shop;
    hr_semaphore_init(&shop.permits, CONNECTIONS, true);
    for (int i = 1; i <= ITEMS; i++)
        ASSERT_ERR(hr_queue_put_nowait(shop.work, (void *)(intptr_t)i), 0);
    ASSERT_ERR(hr_sim_listen(where, sizeof(address), serve, NULL), 0);

    int r = work_off(&shop);
    int verdict = check(&shop);
    while (shop.idle_count > 0)
        close(shop.idle[--shop.idle_count]);
    hr_semaphore_done(&shop.permits);
    hr_queue_free(shop.work);
    present = NULL;
    if (arg)
        *(int *)arg = verdict;
    return verdict < 0 ? verdict : r;
}

static const struct hr_sim_options rough = {
    .seed = 11, .shuffle = true, .resets = 10, .silences = 10, .refusals = 100, .spurious = 20};

TEST_PLAIN(a_client_and_its_fake_server_run_the_same_way_from_the_same_seed)
{
    struct hr_sim_options options = rough;
    uint64_t traces[2], steps[2];
    for (options.seed = 1; options.seed <= 12; options.seed++) {
        for (int run = 0; run < 2; run++) {
            hr_sim *sim = hr_sim_new(&options);
            int r = hr_sim_run(sim, run_shop, NULL);
            if (r < 0)
                test_fail(__FILE__, __LINE__, "seed %d: %s", (int)options.seed,
                          hr_error_message(r));
            traces[run] = hr_sim_trace(sim);
            steps[run] = hr_sim_steps(sim);
            hr_sim_free(sim);
        }
        ASSERT_TRUE(traces[0] == traces[1]);
        ASSERT_EQ(steps[0], steps[1]);
        ASSERT_TRUE(steps[0] > 50);
    }
}

/* Trouble at each step of the program, in a few worlds; a run comes to its step, all but the last.
 */
static void make_trouble_everywhere(hr_sim_hook *hook)
{
    struct hr_sim_options options = rough;
    interrupts = 0;
    for (options.seed = 1; options.seed <= 3; options.seed++) {
        uint64_t runs;
        visits = 0;
        int r = hr_sim_everywhere(&options, run_shop, hook, NULL, &runs);
        if (r < 0)
            test_fail(__FILE__, __LINE__, "seed %d, step %d: %s", (int)options.seed, (int)runs,
                      hr_error_message(r));
        ASSERT_TRUE(runs > 50);
        ASSERT_EQ(visits, runs - 1);
    }
}

static void cancel_one(hr_task *suspended, void *arg)
{
    visits++;
    hr_sim_cancel(suspended, arg);
}

TEST_PLAIN(any_task_may_be_cancelled_at_any_of_its_suspension_points)
{
    make_trouble_everywhere(cancel_one);
    ASSERT_TRUE(interrupts > 100);
}

static void crash_peers(hr_task *suspended, void *arg)
{
    visits++;
    for (int i = 0; present && i < present->idle_count; i++)
        hr_sim_reset(present->idle[i]);
}

TEST_PLAIN(idle_connections_may_break_at_any_step)
{
    make_trouble_everywhere(crash_peers);
}

static void cancel_all(hr_task *task, void *arg)
{
    visits++;
    hr_all_tasks(NULL, hr_sim_cancel, NULL);
}

TEST_PLAIN(everybody_may_be_cancelled_at_any_step)
{
    make_trouble_everywhere(cancel_all);
    ASSERT_TRUE(interrupts > 300);
}

static void stop_loop(hr_task *suspended, void *arg)
{
    hr_loop_stop(hr_running_loop());
}

TEST_PLAIN(the_loop_may_close_at_any_step)
{
    bool reached = true;
    uint64_t step = 0;
    while (reached) {
        int verdict = 0;
        hr_sim *sim = hr_sim_new(&rough);
        hr_sim_at(sim, ++step, stop_loop, NULL);
        int r = hr_sim_run(sim, run_shop, &verdict);
        reached = hr_sim_steps(sim) >= step && r != 0;
        ASSERT_ERR(r, reached ? HR_EINVALIDSTATE : 0);
        ASSERT_ERR(verdict, 0);
        hr_sim_free(sim);
    }
    ASSERT_TRUE(step > 50);
}
