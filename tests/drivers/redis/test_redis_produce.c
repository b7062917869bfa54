/* SPDX-License-Identifier: MIT */
/*
 * A Redis list between two programs: one pushes, the other pops and submits a task an item to a
 * loop in another thread; semantics 25.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/loop_thread.h"
#include "core/submit.h"
#include "drivers/redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

enum { ITEMS = 4 };

/* Touched by the worker's thread until its tasks are over. */
static int begun[ITEMS], begun_count, running, most;

/* Each stays until all are there: side by side, or never. */
static int handle_item(void *item)
{
    begun[begun_count++] = (int)(intptr_t)item;
    running++;
    int r = 0;
    while (r == 0 && begun_count < ITEMS)
        r = hr_sleep(hr_ms(1));
    most = running > most ? running : most;
    running--;
    return r;
}

/* The other program. It knows nothing of us, and pushes once somebody waits, if it is to. */
static pid_t begin_producer(const struct test_redis *server, bool wait)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    while (wait && !strstr(test_redis_ask(server, "INFO clients"), "blocked_clients:1"))
        usleep(1000);
    _exit(strcmp(test_redis_ask(server, "LPUSH numbers 1 2 3 4"), ":4\r\n") != 0);
}

static void end_producer(pid_t pid)
{
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int pop(hr_redis_conn *conn, bool blocking)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_conn_command(conn, &reply, blocking ? hr_seconds(20) : 0,
                                     blocking ? "BRPOP numbers 20" : "RPOP numbers"),
               0);
    const hr_reply *item = blocking ? hr_reply_at(reply, 1) : reply;
    ASSERT_TRUE(item && hr_reply_str(item, NULL));
    return atoi(hr_reply_str(item, NULL));
}

/* Pops what was pushed, and hands each item to the worker's loop. */
static void consume(const struct test_redis *server, bool blocking)
{
    pid_t producer = begin_producer(server, blocking);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = server->unix_url});
    ASSERT_TRUE(redis);
    hr_loop_thread *worker = hr_loop_thread_new("worker", NULL);
    ASSERT_TRUE(worker);
    hr_redis_conn *conn;
    hr_thread_future *tasks[ITEMS];
    begun_count = running = most = 0;

    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    if (!blocking)
        end_producer(producer);
    for (int i = 0; i < ITEMS; i++) {
        void *item = (void *)(intptr_t)pop(conn, blocking);
        tasks[i] = hr_submit(hr_loop_thread_loop(worker), "item", handle_item, item);
    }
    if (blocking)
        end_producer(producer);
    for (int i = 0; i < ITEMS; i++) {
        ASSERT_ERR(hr_thread_future_wait(tasks[i], hr_seconds(20)), 0);
        hr_thread_future_unref(tasks[i]);
    }
    hr_loop_thread_free(worker);
    hr_redis_release(conn);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);

    ASSERT_EQ(begun_count, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        ASSERT_EQ(begun[i], i + 1);
    ASSERT_EQ(most, ITEMS);
}

TEST_REAL(s25_3_with_a_redis_list_between_two_programs_tasks_start_in_order)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    consume(&server, false);
}

TEST_REAL(s25_3_s25_4_and_the_consumer_waits_in_the_server_for_what_comes)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    consume(&server, true);
}
