/* SPDX-License-Identifier: MIT */
/*
 * The simulated world: what its streams, its clock, its chances and its order of tasks are like.
 */
#include "core/sim.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/gather.h"
#include "core/timeout.h"
#include "core/watch.h"
#include "tests/support/hrtest.h"

static const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 7};
static const struct sockaddr *const where = (const struct sockaddr *)&address;

/* Runs a program in a world; yields its hash. */
static uint64_t simulate(const struct hr_sim_options *options, hr_task_fn *fn, void *arg)
{
    hr_sim *sim = hr_sim_new(options);
    ASSERT_TRUE(sim);
    ASSERT_ERR(hr_sim_run(sim, fn, arg), 0);
    uint64_t trace = hr_sim_trace(sim);
    hr_sim_free(sim);
    return trace;
}

/* Fills the buffer; less when the stream ends before; -errno. */
static ssize_t read_all(int fd, void *buffer, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(fd, (char *)buffer + have, size - have);
        if (n == 0)
            break;
        if (n > 0) {
            have += (size_t)n;
            continue;
        }
        int r = errno == EAGAIN ? hr_wait_fd(fd, HR_READ) : -errno;
        if (r < 0)
            return r;
    }
    return (ssize_t)have;
}

static int write_all(int fd, const void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, (const char *)buffer + done, size - done, MSG_NOSIGNAL);
        int r = n >= 0 ? 0 : errno == EAGAIN ? hr_wait_fd(fd, HR_WRITE) : -errno;
        if (r < 0)
            return r;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

enum { LARGE = 300000 };
static char sent[LARGE], echoed[LARGE];

static int echo(int fd, void *arg)
{
    static char buffer[LARGE];
    ssize_t n = read_all(fd, buffer, LARGE);
    return n < 0 ? (int)n : write_all(fd, buffer, (size_t)n);
}

static int ask_echo(void *arg)
{
    int fd;
    ASSERT_ERR(hr_sim_listen(where, sizeof(address), echo, NULL), 0);
    ASSERT_ERR(hr_connect(where, sizeof(address), &fd), 0);
    ASSERT_ERR(write_all(fd, sent, LARGE), 0);
    shutdown(fd, SHUT_WR);
    ASSERT_EQ(read_all(fd, echoed, LARGE), LARGE);
    char more;
    ASSERT_EQ(read_all(fd, &more, 1), 0); /* the peer closed */
    close(fd);
    return 0;
}

TEST_PLAIN(a_stream_brings_every_byte_in_order_however_it_is_cut)
{
    for (size_t i = 0; i < LARGE; i++)
        sent[i] = (char)(i % 251);
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct hr_sim_options options = {.seed = seed, .whole = seed == 1, .spurious = 100};
        memset(echoed, 0, LARGE);
        simulate(&options, ask_echo, NULL);
        ASSERT_EQ(memcmp(sent, echoed, LARGE), 0);
    }
}

static int three_steps(void *arg)
{
    for (int i = 0; i < 3; i++) {
        hr_sim_note("%s", (const char *)arg);
        if (hr_yield() < 0)
            return -ECANCELED;
    }
    return 0;
}

/* Tasks, sleeps, chance and a stream; the events as text. */
static int bit_of_everything(void *arg)
{
    static char a[] = "a", b[] = "b", c[] = "c";
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    hr_futures_add(&tasks, hr_create_task("a", three_steps, a));
    hr_futures_add(&tasks, hr_create_task("b", three_steps, b));
    hr_futures_add(&tasks, hr_create_task("c", three_steps, c));
    ASSERT_ERR(hr_gather(&tasks, 0), 0);
    ASSERT_ERR(hr_sleep((hr_usec)(hr_random() % 1000)), 0);
    return ask_echo(NULL);
}

TEST_PLAIN(the_same_seed_gives_the_same_run)
{
    struct hr_sim_options options = {.shuffle = true};
    uint64_t first[8];
    for (uint64_t seed = 0; seed < 16; seed++) {
        options.seed = seed % 8;
        uint64_t trace = simulate(&options, bit_of_everything, NULL);
        if (seed < 8)
            first[seed] = trace;
        else
            ASSERT_TRUE(trace == first[seed % 8]);
        ASSERT_TRUE(seed == 0 || seed >= 8 || first[seed] != first[seed - 1]);
    }
}

/* The order in which tasks took their steps, of one run. */
static const char *order_of(bool shuffle, uint64_t seed)
{
    static char text[1 << 20], order[64];
    FILE *file = fmemopen(text, sizeof(text), "w");
    struct hr_sim_options options = {.seed = seed, .shuffle = shuffle, .trace = file};
    simulate(&options, bit_of_everything, NULL);
    fclose(file);
    order[0] = '\0';
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *space = strchr(line, ' ');
        if (space && strchr("abc", space[1]) && space[2] == '\n')
            strncat(order, space + 1, 1);
    }
    return order;
}

TEST_PLAIN(ready_tasks_run_first_in_first_out_unless_the_seed_may_decide)
{
    ASSERT_STR(order_of(false, 1), "abcabcabc");
    ASSERT_STR(order_of(false, 2), "abcabcabc");
    bool shuffled = false;
    for (uint64_t seed = 0; seed < 5; seed++)
        shuffled |= strcmp(order_of(true, seed), "abcabcabc") != 0;
    ASSERT_TRUE(shuffled);
}

static int wait_for_nobody(void *arg)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    return hr_await(future);
}

TEST_PLAIN(a_deadlock_is_told_with_who_waits_for_what)
{
    struct hr_sim_options options = {0};
    hr_sim *sim = hr_sim_new(&options);
    ASSERT_ERR(hr_sim_run(sim, wait_for_nobody, NULL), -EDEADLK);
    ASSERT_TRUE(strstr(hr_last_error()->message, "main waits for a future"));
    hr_sim_free(sim);
}

static int refuse_to_end(void *arg)
{
    hr_shield_enter();
    int r = wait_for_nobody(NULL);
    hr_shield_leave();
    return r;
}

static int leave_one_behind(void *arg)
{
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    return hr_spawn("stays", refuse_to_end, NULL) || hr_yield();
}

TEST_PLAIN(a_task_that_never_ends_is_reported_and_left)
{
    simulate(&(struct hr_sim_options){0}, leave_one_behind, NULL);
    ASSERT_TRUE(strstr(test_report(), "stays"));
}

static int nobody_listens(void *arg)
{
    int fd = -7;
    ASSERT_ERR(hr_connect(where, sizeof(address), &fd), -ECONNREFUSED);
    ASSERT_ERR(hr_sim_listen(where, sizeof(address), echo, NULL), 0);
    ASSERT_ERR(hr_connect(where, sizeof(address), &fd), 0);
    ASSERT_ERR(hr_sim_listen(where, sizeof(address), NULL, NULL), 0);
    close(fd);
    ASSERT_ERR(hr_connect(where, sizeof(address), &fd), -ECONNREFUSED);
    ASSERT_ERR(hr_sim_listen(where, 129, echo, NULL), -EINVAL);
    return 0;
}

TEST_PLAIN(a_connect_is_refused_where_nobody_listens)
{
    simulate(&(struct hr_sim_options){0}, nobody_listens, NULL);
}

static int refused_by_chance(void *arg)
{
    int refused = 0, fd;
    ASSERT_ERR(hr_sim_listen(where, sizeof(address), echo, NULL), 0);
    for (int i = 0; i < 100; i++) {
        int r = hr_connect(where, sizeof(address), &fd);
        ASSERT_TRUE(r == 0 || r == -ECONNREFUSED);
        refused += r < 0;
        if (r == 0)
            close(fd);
    }
    ASSERT_TRUE(refused > 20 && refused < 80);
    return 0;
}

TEST_PLAIN(or_by_chance)
{
    simulate(&(struct hr_sim_options){.refusals = 500}, refused_by_chance, NULL);
}

static int have_trouble(void *arg)
{
    int fds[2];
    char byte;
    ASSERT_ERR(hr_sim_stream(fds), 0);
    ASSERT_ERR(write_all(fds[0], "xy", 2), 0);
    ASSERT_EQ(read_all(fds[1], &byte, 1), 1);
    hr_sim_reset(fds[0]);
    ASSERT_TRUE(read_all(fds[0], &byte, 1) == -ECONNRESET);
    ASSERT_EQ(byte, 'x');
    ASSERT_TRUE(read_all(fds[1], echoed, 2) == -ECONNRESET);
    close(fds[0]);
    close(fds[1]);

    ASSERT_ERR(hr_sim_stream(fds), 0);
    hr_sim_silence(fds[1]);
    ASSERT_ERR(write_all(fds[0], "x", 1), 0);
    close(fds[0]);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_seconds(1000)), 0);
    ssize_t r = read_all(fds[1], &byte, 1);
    ASSERT_ERR(hr_timeout_leave(&limit, (int)r), -ETIMEDOUT);
    close(fds[1]);
    return 0;
}

TEST_PLAIN(a_stream_is_reset_or_falls_silent)
{
    simulate(&(struct hr_sim_options){.whole = true}, have_trouble, NULL);
}

static void count(void *calls)
{
    ++*(int *)calls;
}

static int watch_it(void *arg)
{
    int fds[2], calls = 0;
    ASSERT_ERR(hr_sim_stream(fds), 0);
    ASSERT_ERR(hr_watch_add(fds[1], HR_READ, count, &calls), 0);
    test_passes(5);
    ASSERT_EQ(calls, 0);
    ASSERT_ERR(write_all(fds[0], "x", 1), 0);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    test_passes(5);
    ASSERT_TRUE(calls > 2);
    ASSERT_TRUE(hr_watch_remove(fds[1], HR_READ));
    int before = calls;
    test_passes(5);
    ASSERT_EQ(calls, before);
    ASSERT_ERR(hr_watch_add(fds[1], HR_READ, count, &calls), 0); /* the loop takes it down */
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST_PLAIN(a_watch_is_called_for_as_long_as_the_stream_is_ready)
{
    simulate(&(struct hr_sim_options){0}, watch_it, NULL);
}

static int draw(void *numbers)
{
    for (int i = 0; i < 4; i++)
        ((uint64_t *)numbers)[i] = hr_random();
    return 0;
}

TEST_PLAIN(random_numbers_are_the_seeds_inside_and_the_kernels_outside)
{
    uint64_t a[4], b[4], c[4];
    simulate(&(struct hr_sim_options){.seed = 1}, draw, a);
    simulate(&(struct hr_sim_options){.seed = 1}, draw, b);
    simulate(&(struct hr_sim_options){.seed = 2}, draw, c);
    ASSERT_EQ(memcmp(a, b, sizeof(a)), 0);
    ASSERT_TRUE(memcmp(a, c, sizeof(a)) != 0);
    ASSERT_TRUE(a[0] != a[1]);
    ASSERT_TRUE(hr_random() != hr_random());
    ASSERT_PTR(hr_sim_here(), NULL);
    ASSERT_ERR(hr_sim_stream((int[2]){0, 0}), -EINVAL);
}

static void resolve(void *future)
{
    hr_future_set_status(future, 0);
}

static void *resolve_later(void *future)
{
    usleep(2000);
    hr_call_soon_threadsafe(hr_future_loop(future), resolve, future);
    return NULL;
}

static int wait_for_a_thread(void *arg)
{
    pthread_t thread;
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_EQ(pthread_create(&thread, NULL, resolve_later, future), 0);
    ASSERT_ERR(hr_await(future), 0);
    pthread_join(thread, NULL);
    return 0;
}

TEST_PLAIN(where_threads_feed_the_program_waiting_is_no_deadlock)
{
    simulate(&(struct hr_sim_options){.threads = true}, wait_for_a_thread, NULL);
}

static int count_one(void *count)
{
    ++*(size_t *)count;
    return 0;
}

static int count_the_ready(void *arg)
{
    size_t done = 0;
    for (int i = 0; i < 5; i++)
        hr_future_unref(hr_create_task(NULL, count_one, &done));
    while (done < 5) {
        struct hr_loop_stats stats;
        hr_loop_get_stats(hr_running_loop(), &stats);
        ASSERT_EQ(stats.ready + done, 5);
        ASSERT_ERR(hr_yield(), 0);
    }
    return 0;
}

TEST_PLAIN(s11_24_who_is_ready_and_not_next_is_counted)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        simulate(&(struct hr_sim_options){.seed = seed, .shuffle = true}, count_the_ready, NULL);
}
