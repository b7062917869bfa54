/* SPDX-License-Identifier: MIT */
/*
 * The clients, as a peer of the benchmarks: each row is written as a user would write it.
 *
 *   clients ROW TASKS COUNT URL      prints one JSON line
 */
#include "core/headrace.h"
#include "drivers/http.h"
#include "drivers/mysql/bulk.h"
#include "drivers/mysql/row.h"
#include "drivers/mysql/tx.h"
#include "drivers/redis.h"
#include "tests/bench/measure.h"

#include "tests/bench/clients_rows.h"

static const char *row_name, *url;
static uint64_t tasks, count, each;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "clients: %s: %s\n", what, hr_last_error()->message);
    exit(1);
}

static void must(int r, const char *what)
{
    if (r < 0)
        die(what);
}

/* Runs fn in all tasks and measures from when they are all at the gate. */
static void measure_crowd(hr_task_fn *fn, void *client)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (uint64_t i = 0; i < tasks; i++)
        hr_futures_add(&all, hr_create_task(NULL, fn, client));
    struct measure begun = measure_begin();
    must(hr_gather(&all, HR_CANCEL_REST), row_name);
    measure_end(&begun, row_name, each * tasks);
}

/* --- Redis: one shared connection */

static hr_redis *redis_client(void)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
        .url = url, .tls = {.ca = getenv("PEER_CA")}, .command_timeout = hr_seconds(60)});
    if (!redis)
        die(url);
    must(hr_redis_command(redis, NULL, "SET %s %s", CLIENTS_KEY, CLIENTS_VALUE), "SET");
    return redis;
}

static int get_often(void *arg)
{
    for (uint64_t i = 0; i < each; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        must(hr_redis_command(arg, &reply, "GET " CLIENTS_KEY), "GET");
        if (!hr_reply_equals(reply, CLIENTS_VALUE))
            die("another value");
    }
    return 0;
}

static int set_often(void *arg)
{
    for (uint64_t i = 0; i < each; i++)
        must(hr_redis_command(arg, NULL, "SET %s %s", CLIENTS_KEY, CLIENTS_VALUE), "SET");
    return 0;
}

static void run_redis(hr_task_fn *fn)
{
    hr_redis *redis = redis_client();
    measure_crowd(fn, redis);
    must(hr_redis_close(redis), "close");
    hr_redis_free(redis);
}

static void redis_get(void)
{
    run_redis(get_often);
}

static void redis_set(void)
{
    run_redis(set_often);
}

/* --- MySQL: a connection for each task */

static hr_mysql_pool *mysql_pool(void)
{
    hr_mysql_pool *pool = hr_mysql_pool_new(&(struct hr_mysql_options){
        .url = url, .tls = {.ca = getenv("PEER_CA")}, .connections = (unsigned)tasks});
    if (!pool)
        die(url);
    return pool;
}

static uint64_t arrived;
static hr_event gate;

/* Borrows a connection for all it does; connecting is not what is measured. */
static hr_mysql_conn *connected(hr_mysql_pool *pool)
{
    hr_mysql_conn *conn;
    must(hr_mysql_acquire(pool, &conn), "connect");
    hr_mysql_result *result = NULL;
    must(hr_mysql_query(conn, &result, CLIENTS_SELECT, HR_ARGS(hr_i(1))), "select");
    hr_mysql_result_free(result);
    if (++arrived == tasks)
        hr_event_set(&gate);
    must(hr_event_wait(&gate), "gate");
    return conn;
}

static struct measure at_the_gate;

static int select_often(void *arg)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = connected(arg);
    if (at_the_gate.wall_ns == 0)
        at_the_gate = measure_begin();
    uint64_t dice = measure_seed((uintptr_t)conn);
    for (uint64_t i = 0; i < each; i++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
        int64_t id = 1 + (int64_t)(measure_draw(&dice) % CLIENTS_ROWS);
        must(hr_mysql_query(conn, &result, CLIENTS_SELECT, HR_ARGS(hr_i(id))), "select");
        if (hr_mysql_rows(result) != 1)
            die("a row is missing");
    }
    return 0;
}

static void mysql_select(void)
{
    hr_mysql_pool *pool = mysql_pool();
    hr_event_init(&gate);
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (uint64_t i = 0; i < tasks; i++)
        hr_futures_add(&all, hr_create_task(NULL, select_often, pool));
    must(hr_gather(&all, HR_CANCEL_REST), row_name);
    measure_end(&at_the_gate, row_name, each * tasks);
    hr_event_done(&gate);
    must(hr_mysql_pool_close(pool), "close");
    hr_mysql_pool_free(pool);
}

static void mysql_bulk(void)
{
    static int64_t numbers[CLIENTS_BATCH];
    static const char *texts[CLIENTS_BATCH];
    static unsigned long lengths[CLIENTS_BATCH];
    for (size_t i = 0; i < CLIENTS_BATCH; i++) {
        numbers[i] = (int64_t)i;
        texts[i] = CLIENTS_VALUE;
        lengths[i] = strlen(CLIENTS_VALUE);
    }
    struct hr_mysql_column columns[] = {
        {.type = HR_MYSQL_INT, .ints = numbers   },
        { .type = HR_MYSQL_TEXT,      .texts = texts, .lengths = lengths},
    };
    hr_mysql_pool *pool = mysql_pool();
    hr_mysql_conn *conn;
    must(hr_mysql_acquire(pool, &conn), "connect");
    must(hr_mysql_exec(conn, CLIENTS_EMPTY, HR_NO_ARGS), "truncate");
    struct measure begun = measure_begin();
    for (uint64_t i = 0; i < count; i += CLIENTS_BATCH)
        must(hr_mysql_bulk(conn, CLIENTS_INSERT, columns, 2, 0, CLIENTS_BATCH), "insert");
    measure_end(&begun, row_name, count);
    hr_mysql_release(conn);
    must(hr_mysql_pool_close(pool), "close");
    hr_mysql_pool_free(pool);
}

/* --- HTTP: one session */

static int http_get_often(void *arg)
{
    for (uint64_t i = 0; i < each; i++) {
        hr_auto(hr_http_closep) hr_http_response *response = NULL;
        const void *body;
        size_t size;
        must(hr_http_get(arg, url, &response), "GET");
        must(hr_http_bytes(response, &body, &size), "body");
        if (hr_http_status(response) != 200 || size == 0)
            die("another answer");
    }
    return 0;
}

static void http_get(void)
{
    hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.limit = (unsigned)tasks});
    if (!session)
        die(url);
    measure_crowd(http_get_often, session);
    hr_http_session_free(session);
}

static const struct {
    const char *name;
    void (*run)(void);
} rows[] = {
    {"redis_get",    redis_get   },
    {"redis_set",    redis_set   },
    {"mysql_select", mysql_select},
    {"mysql_bulk",   mysql_bulk  },
    {"http_get",     http_get    },
};

static int run(void *arg)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(row_name, rows[i].name) == 0) {
            rows[i].run();
            return 0;
        }
    }
    fprintf(stderr, "clients: no row %s\n", row_name);
    return -EINVAL;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: clients ROW TASKS COUNT URL\n");
        return 64;
    }
    row_name = argv[1];
    tasks = strtoull(argv[2], NULL, 10);
    count = strtoull(argv[3], NULL, 10);
    url = argv[4];
    if (tasks == 0 || count < tasks) {
        fprintf(stderr, "clients: TASKS is at least 1 and COUNT at least TASKS\n");
        return 64;
    }
    each = count / tasks;
    return hr_run(run, NULL) < 0;
}
