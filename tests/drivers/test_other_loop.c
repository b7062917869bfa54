/* SPDX-License-Identifier: MIT */
/*
 * Clients that outlive their loop: no other loop can use them, and they are freed all the same.
 */
#include <string.h>
#include <unistd.h>

#include "drivers/process.h"
#include "drivers/redis.h"
#include "drivers/worker_pool.h"
#include "tests/drivers/mysql/mysql_test.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

struct client {
    void *it;
    int (*use)(void *client);
    int (*close)(void *client);
    void (*free)(void *client);
};

static int free_inside(void *arg)
{
    const struct client *client = arg;
    client->free(client->it);
    return 0;
}

/* A later loop mostly gets the address of the one before. */
static void check_client(const struct client *client, bool inside)
{
    ASSERT_ERR(hr_run(client->use, client->it), 0);
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_run(client->use, client->it), HR_EWRONGLOOP);
        ASSERT_ERR(hr_run(client->close, client->it), HR_EWRONGLOOP);
    }
    if (inside)
        ASSERT_ERR(hr_run(free_inside, (void *)client), 0);
    else
        client->free(client->it);
}

/* --- Redis: the shared connection, one that idles, and one that is out */

static hr_redis_conn *own_lent;

static int use_redis(void *redis)
{
    hr_redis_conn *own = NULL;
    int r = hr_redis_command(redis, NULL, "PING");
    int acquired = hr_redis_acquire(redis, own_lent ? &own : &own_lent);
    ASSERT_ERR(acquired, r);
    if (r == 0)
        r = hr_redis_acquire(redis, &own);
    hr_redis_release(own);
    return r;
}

static int close_redis(void *redis)
{
    return hr_redis_close(redis);
}

static void free_redis(void *redis)
{
    hr_redis_release(hr_take(own_lent));
    hr_redis_free(redis);
}

TEST_PLAIN(a_redis_client_belongs_to_its_first_loop_and_may_be_freed_after_it)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    for (int inside = 0; inside < 2; inside++) {
        hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = server.unix_url});
        ASSERT_TRUE(redis);
        check_client(&(struct client){redis, use_redis, close_redis, free_redis}, inside);
    }
}

/* --- MySQL: a connection that idles, and one that is out */

static hr_mysql_conn *lent;

static int use_mysql(void *pool)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    if (lent)
        ASSERT_ERR(hr_mysql_exec(lent, "DO 1", HR_NO_ARGS), HR_EWRONGLOOP);
    int r = hr_mysql_acquire(pool, &conn);
    if (r == 0 && !lent)
        r = hr_mysql_acquire(pool, &lent);
    return r < 0 ? r : hr_mysql_exec(conn, "DO 1", HR_NO_ARGS);
}

static int close_mysql(void *pool)
{
    return hr_mysql_pool_close(pool);
}

static void free_mysql(void *pool)
{
    hr_mysql_release(hr_take(lent));
    hr_mysql_pool_free(pool);
}

TEST_PLAIN(a_mysql_pool_belongs_to_its_first_loop_and_may_be_freed_after_it)
{
    for (int inside = 0; inside < 2; inside++)
        check_client(&(struct client){mysql_test_pool(NULL), use_mysql, close_mysql, free_mysql},
                     inside);
}

/* --- programs */

static int use_workers(void *pool)
{
    hr_auto(hr_freep) char *answer = NULL;
    int r = hr_worker_pool_ask(pool, "abc", 3, &answer, NULL);
    if (r == 0)
        ASSERT_STR(answer, "abc");
    return r;
}

static int close_workers(void *pool)
{
    return hr_worker_pool_close(pool);
}

static void free_workers(void *pool)
{
    hr_worker_pool_free(pool);
}

TEST_PLAIN(a_worker_pool_belongs_to_its_first_loop_and_may_be_freed_after_it)
{
    for (int inside = 0; inside < 2; inside++) {
        hr_worker_pool *pool = hr_worker_pool_new(&(struct hr_worker_pool_options){
            .argv = (const char *const[]){"cat", NULL}
        });
        ASSERT_TRUE(pool);
        check_client(&(struct client){pool, use_workers, close_workers, free_workers}, inside);
    }
}

static hr_process *program;

static int start_program(void *arg)
{
    program = hr_process_start(&(struct hr_process_options){
        .argv = (const char *const[]){"cat",           NULL           },
            .streams = {{HR_CHILD_PIPE}, {HR_CHILD_PIPE}}
    });
    const char *line;
    ASSERT_TRUE(program);
    ASSERT_ERR(hr_process_write(program, "one\ntwo\n", 8), 0);
    ASSERT_EQ(hr_process_read_line(program, 1, &line, NULL), 1);
    return 0;
}

/* Its second line is here already. */
static int use_streams(void *arg)
{
    char byte;
    const char *line;
    ASSERT_ERR(hr_process_write(program, "x\n", 2), HR_EWRONGLOOP);
    ASSERT_ERR((int)hr_process_read(program, 1, &byte, 1), HR_EWRONGLOOP);
    ASSERT_ERR(hr_process_read_line(program, 1, &line, NULL), HR_EWRONGLOOP);
    return 0;
}

static int end_program(void *arg)
{
    hr_process_close_input(program);
    return hr_process_wait(program, NULL);
}

static int free_program(void *arg)
{
    program = hr_process_free(program);
    return 0;
}

TEST_PLAIN(a_program_that_outlives_its_loop_can_be_awaited_and_freed_but_not_talked_to)
{
    ASSERT_ERR(hr_run(start_program, NULL), 0);
    ASSERT_ERR(hr_run(use_streams, NULL), 0);
    ASSERT_ERR(hr_run(end_program, NULL), 0);
    free_program(NULL);

    ASSERT_ERR(hr_run(start_program, NULL), 0);
    free_program(NULL); /* killed */
    ASSERT_ERR(hr_run(start_program, NULL), 0);
    ASSERT_ERR(hr_run(free_program, NULL), 0);
}
