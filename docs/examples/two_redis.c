/* SPDX-License-Identifier: MIT */
/*
 * A hash is written to two Redis servers side by side, and read back.
 *
 *     cc two_redis.c $(pkg-config --cflags --libs headrace-clients) -o two_redis
 *     ./two_redis redis://127.0.0.1:6379/0 redis://127.0.0.1:6380/0
 */
#include <core/headrace.h>
#include <drivers/redis.h>
#include <drivers/redis/typed.h>
#include <stdio.h>

struct vehicle {
    const char *url, *name;
    int wheels;
    struct hr_redis_pairs pairs;
};

static int describe(void *arg)
{
    struct vehicle *v = arg;
    printf("start %s\n", v->name);
    hr_auto(hr_redis_freep) hr_redis *client =
        hr_redis_new(&(struct hr_redis_options){.url = v->url});
    if (!client)
        return hr_last_error()->code;
    int r = hr_redis_hset(
        client, "vehicle",
        HR_REDIS_FIELDS({"name", hr_redis_str(v->name)}, {"wheels", hr_redis_int(v->wheels)}));
    if (r >= 0)
        r = hr_redis_command_pairs(client, &v->pairs, "HGETALL vehicle");
    if (r < 0)
        return r;
    return hr_redis_close(client);
}

static int run(void *arg)
{
    char **urls = arg;
    struct vehicle vehicles[] = {
        {urls[1], "car",  4, {0}},
        {urls[2], "bike", 2, {0}}
    };
    hr_auto(hr_futures_done) struct hr_futures both = {0};
    for (int i = 0; i < 2; i++)
        hr_futures_add(&both, hr_create_task(vehicles[i].name, describe, &vehicles[i]));
    int r = hr_gather(&both, HR_CANCEL_REST);
    for (int i = 0; i < 2; i++) {
        if (r >= 0)
            printf("%s has %s wheels\n", hr_redis_pairs_find(&vehicles[i].pairs, "name"),
                   hr_redis_pairs_find(&vehicles[i].pairs, "wheels"));
        hr_redis_pairs_done(&vehicles[i].pairs);
    }
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s redis://… redis://…\n", argv[0]);
        return 1;
    }
    int r = hr_run(run, argv);
    if (r < 0)
        fprintf(stderr, "two_redis: %s\n", hr_error_message(r));
    return r < 0;
}
