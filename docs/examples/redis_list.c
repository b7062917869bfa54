/* SPDX-License-Identifier: MIT */
/*
 * One task pushes to a Redis list, another makes a task of each item that it pops.
 *
 *     cc redis_list.c $(pkg-config --cflags --libs headrace-clients) -o redis_list
 *     ./redis_list redis://127.0.0.1:6379/0
 */
#include <core/headrace.h>
#include <drivers/redis.h>
#include <stdio.h>

static int handle(void *arg)
{
    int item = *(int *)arg;
    printf("begin %d\n", item);
    int r = hr_sleep(hr_seconds(1));
    if (r >= 0)
        printf("end %d\n", item);
    return r;
}

static int produce(void *redis)
{
    return hr_redis_command(redis, NULL, "LPUSH items 1 2 3 4");
}

static int consume(void *redis)
{
    static int items[4];
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    int r = hr_redis_acquire(redis, &conn);
    for (int i = 0; i < 4 && r >= 0; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        r = hr_redis_conn_command(conn, &reply, hr_seconds(60), "BRPOP items 60");
        if (r < 0)
            break;
        items[i] = (int)hr_reply_int(hr_reply_at(reply, 1));
        hr_futures_add(&tasks, hr_create_task(NULL, handle, &items[i]));
    }
    return r < 0 ? r : hr_gather(&tasks, HR_CANCEL_REST);
}

static int run(void *arg)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = arg});
    if (!redis)
        return hr_last_error()->code;
    hr_auto(hr_futures_done) struct hr_futures both = {0};
    hr_futures_add(&both, hr_create_task("consumer", consume, redis));
    hr_futures_add(&both, hr_create_task("producer", produce, redis));
    int r = hr_gather(&both, HR_CANCEL_REST);
    int closed = hr_redis_close(redis);
    hr_redis_free(redis);
    return r < 0 ? r : closed;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s redis://…\n", argv[0]);
        return 1;
    }
    int r = hr_run(run, argv[1]);
    if (r < 0)
        fprintf(stderr, "redis_list: %s\n", hr_error_message(r));
    return r < 0;
}
