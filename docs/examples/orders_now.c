/* SPDX-License-Identifier: MIT */
/*
 * How far are the orders? Redis and MySQL are asked at the same time, in one thread, and have two
 * seconds to answer.
 *
 *     cc orders_now.c $(pkg-config --cflags --libs headrace-clients) -o orders_now
 *     ./orders_now redis://127.0.0.1:6379/0 'mysql://user@127.0.0.1/shop'
 */
#include <core/headrace.h>
#include <drivers/mysql/row.h>
#include <drivers/redis.h>
#include <inttypes.h>
#include <stdio.h>

struct figures {
    hr_redis *redis;
    hr_mysql_pool *mysql;
    int64_t waiting, rows;
};

/* Each of the two reads like blocking code; only its own task waits. */
static int ask_redis(void *arg)
{
    struct figures *f = arg;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_command(f->redis, &reply, "LLEN %s", "orders");
    if (r < 0)
        return r;
    f->waiting = hr_reply_int(reply);
    return 0;
}

static int ask_mysql(void *arg)
{
    struct figures *f = arg;
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(f->mysql, &conn);
    if (r < 0)
        return r;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    r = hr_mysql_query(conn, &result, "SELECT COUNT(*) FROM orders WHERE amount >= ?",
                       HR_ARGS(hr_s("100.00")));
    if (r < 0)
        return r;
    f->rows = hr_mysql_int(result, 0, 0);
    return 0;
}

/* When one fails or the time is over, the other is cancelled, and over before this returns. */
static int ask_both(struct figures *f)
{
    struct hr_timeout limit = {0};
    hr_timeout_enter(&limit, hr_seconds(2));
    hr_auto(hr_futures_done) struct hr_futures asks = {0};
    hr_futures_add(&asks, hr_create_task("redis", ask_redis, f));
    hr_futures_add(&asks, hr_create_task("mysql", ask_mysql, f));
    return hr_timeout_leave(&limit, hr_gather(&asks, HR_CANCEL_REST));
}

static int run(void *arg)
{
    char **urls = arg;
    struct figures f = {
        .redis = hr_redis_new(&(struct hr_redis_options){.url = urls[1]}),
        .mysql = hr_mysql_pool_new(&(struct hr_mysql_options){.url = urls[2]}),
    };
    int r = f.redis && f.mysql ? ask_both(&f) : hr_last_error()->code;
    if (r < 0)
        fprintf(stderr, "orders_now: %s\n", hr_error_message(r));
    else
        printf("%" PRId64 " waiting, %" PRId64 " rows of 100 and more\n", f.waiting, f.rows);

    int closed = f.redis ? hr_redis_close(f.redis) : 0;
    if (closed >= 0 && f.mysql)
        closed = hr_mysql_pool_close(f.mysql);
    hr_redis_free(f.redis);
    hr_mysql_pool_free(f.mysql);
    return r < 0 ? r : closed;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s redis://… mysql://…\n", argv[0]);
        return 1;
    }
    return hr_run(run, argv) >= 0 ? 0 : 1;
}
