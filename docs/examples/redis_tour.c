/* SPDX-License-Identifier: MIT */
/*
 * What the Redis client offers beside single commands; docs/redis.md quotes from here.
 *
 *     cc redis_tour.c $(pkg-config --cflags --libs headrace-clients) -o redis_tour
 *     ./redis_tour redis://127.0.0.1:6379/0
 *
 * It writes keys that begin with "tour:" and deletes them at the end.
 */
#include <core/headrace.h>
#include <drivers/redis/pipeline.h>
#include <drivers/redis/pubsub.h>
#include <drivers/redis/stream.h>
#include <drivers/redis/typed.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A command and what its reply has to be, in one call: 1 there is a value, 0 there is none. */
static int show_person(hr_redis *redis)
{
    int r =
        hr_redis_hset(redis, "tour:ada",
                      HR_REDIS_FIELDS({"name", hr_redis_str("Ada")}, {"born", hr_redis_int(1815)}));
    if (r < 0)
        return r;

    hr_auto(hr_redis_pairs_done) struct hr_redis_pairs person = {0};
    r = hr_redis_command_pairs(redis, &person, "HGETALL tour:%s", "ada");
    for (size_t i = 0; i < person.count; i++)
        printf("%s: %s\n", person.items[i].name, person.items[i].value);

    int64_t stock;
    if (r >= 0)
        r = hr_redis_command_int(redis, &stock, "GET tour:stock");
    if (r == 0)
        printf("there is no stock\n");
    return r;
}

/* Many commands, one after the other in one send, each with an outcome of its own. */
static int count_visits(hr_redis *redis)
{
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int page = 1; page <= 3; page++)
        hr_redis_pipeline_add(p, "INCRBY tour:visits:%d %d", page, page * 10);
    int r = hr_redis_pipeline_run(redis, p);
    for (size_t i = 0; r >= 0 && i < hr_redis_pipeline_len(p); i++)
        printf("page %zu: %" PRId64 "\n", i + 1, hr_reply_int(hr_redis_pipeline_at(p, i)->reply));
    return r;
}

/* Takes one off the stock, unless somebody else changes it meanwhile: then once more. */
static int take_one(hr_redis *redis)
{
    static const char *const keys[] = {"tour:stock"};
    int r;
    do {
        hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
        hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
        hr_auto(hr_reply_freep) hr_reply *stock = NULL;
        r = hr_redis_watch(redis, 1, keys, &conn);
        if (r >= 0)
            r = hr_redis_conn_command(conn, &stock, 0, "GET tour:stock");
        if (r < 0 || hr_reply_int(stock) == 0)
            return r;
        hr_redis_pipeline_add(p, "SET tour:stock %" PRId64, hr_reply_int(stock) - 1);
        hr_redis_pipeline_add(p, "RPUSH tour:orders %s", "ada");
        r = hr_redis_conn_pipeline_exec(conn, p);
    } while (r == -EAGAIN);
    return r;
}

/* Reads what is said on a channel, until somebody says "bye". */
static int read_news(hr_redis_pubsub *news)
{
    int r = 0;
    bool over = false;
    while (r >= 0 && !over) {
        hr_auto(hr_redis_message_done) struct hr_redis_message message = {0};
        r = hr_redis_pubsub_next(news, &message);
        if (r == HR_ELOST) { /* the connection: it subscribes again by itself */
            puts("some news may be missing");
            r = 0;
        } else if (r >= 0) {
            if (message.missed > 0)
                printf("%" PRIu64 " came faster than they were read\n", message.missed);
            printf("%s: %s\n", message.channel, message.data);
            over = strcmp(message.data, "bye") == 0;
        }
    }
    return r;
}

static int hear_news(hr_redis *redis)
{
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *news =
        hr_redis_pubsub_new(redis, &(struct hr_redis_pubsub_options){.max_messages = 100});
    if (!news)
        return hr_last_error()->code;
    int r = hr_redis_subscribe(news, HR_REDIS_CHANNEL, "tour:news");
    if (r >= 0) /* from now on nothing is missed */
        r = hr_redis_command(redis, NULL, "PUBLISH tour:news %s", "Ada has a program");
    if (r >= 0)
        r = hr_redis_command(redis, NULL, "PUBLISH tour:news bye");
    return r < 0 ? r : read_news(news);
}

/* Does these jobs, then says so: who dies in between leaves them to the others. */
static int do_jobs(hr_redis *redis, const struct hr_redis_group *group,
                   const struct hr_redis_entries *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        const char *number = hr_redis_entry_field(&jobs->items[i], "number", NULL);
        if (number) /* it was not trimmed off meanwhile */
            printf("%s does job %s\n", group->consumer, number);
    }
    return hr_redis_ack(redis, group, jobs);
}

/* Jobs that no worker of the group has got, until none comes for a while. */
static int do_new_jobs(hr_redis *redis, const struct hr_redis_group *group, hr_usec wait)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL; /* one's own: to wait holds it */
    int r = hr_redis_acquire(redis, &conn);
    bool came = true;
    while (r >= 0 && came) {
        hr_auto(hr_redis_entries_done) struct hr_redis_entries jobs = {0};
        r = hr_redis_read_group(conn, group, 100, wait, &jobs);
        came = r > 0;
        if (came)
            r = do_jobs(redis, group, &jobs);
    }
    return r;
}

/* Jobs that some worker has had for so long that he must be gone. */
static int do_left_jobs(hr_redis *redis, const struct hr_redis_group *group, hr_usec idle)
{
    char cursor[HR_REDIS_ID_MAX] = "0-0";
    int r;
    do {
        hr_auto(hr_redis_entries_done) struct hr_redis_entries jobs = {0};
        r = hr_redis_claim(redis, group, idle, 100, cursor, &jobs);
        if (r > 0)
            r = do_jobs(redis, group, &jobs);
    } while (r >= 0 && strcmp(cursor, "0-0") != 0);
    return r;
}

/* Takes a job and dies over it. */
static int take_job(hr_redis *redis, const struct hr_redis_group *group)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_redis_entries_done) struct hr_redis_entries jobs = {0};
    int r = hr_redis_acquire(redis, &conn);
    return r < 0 ? r : hr_redis_read_group(conn, group, 1, hr_seconds(1), &jobs);
}

static int share_jobs(hr_redis *redis)
{
    const struct hr_redis_group bob = {"tour:jobs", "workers", "Bob"},
                                ann = {"tour:jobs", "workers", "Ann"};
    int r = hr_redis_group_create(redis, &bob, "0");
    for (int i = 1; i <= 3 && r >= 0; i++)
        r = hr_redis_add(redis, "tour:jobs", 1000, HR_REDIS_FIELDS({"number", hr_redis_int(i)}),
                         NULL);
    if (r >= 0)
        r = take_job(redis, &bob);
    if (r >= 0)
        r = do_new_jobs(redis, &ann, hr_ms(10));
    return r < 0 ? r : do_left_jobs(redis, &ann, 0);
}

static int tour(void *url)
{
    hr_auto(hr_redis_freep) hr_redis *redis =
        hr_redis_new(&(struct hr_redis_options){.url = url, .patience = hr_seconds(2)});
    if (!redis)
        return hr_last_error()->code;
    int r = show_person(redis);
    if (r >= 0)
        r = count_visits(redis);
    if (r >= 0) /* it may be carried out twice: so it is sent again when the connection is lost */
        r = hr_redis_command_repeat(redis, NULL, 2, "SET tour:stock 5");
    if (r >= 0)
        r = take_one(redis);
    int64_t left;
    if (r >= 0 && (r = hr_redis_command_int(redis, &left, "GET tour:stock")) > 0)
        printf("%" PRId64 " left\n", left);
    if (r >= 0)
        r = hear_news(redis);
    if (r >= 0)
        r = share_jobs(redis);
    if (r >= 0)
        r = hr_redis_command(redis, NULL,
                             "DEL tour:ada tour:stock tour:orders tour:visits:1 tour:visits:2 "
                             "tour:visits:3 tour:jobs");
    int closed = hr_redis_close(redis);
    return r < 0 ? r : closed;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: redis_tour URL\n");
        return 64;
    }
    int r = hr_run(tour, argv[1]);
    if (r < 0)
        fprintf(stderr, "redis_tour: %s\n", hr_error_message(r));
    return r < 0;
}
