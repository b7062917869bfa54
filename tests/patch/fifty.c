/* SPDX-License-Identifier: MIT */
/*
 * A task a client, as one would write a thread a client.
 */
#include "tests/patch/fifty.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#ifdef WITH_LIBPQ
#include <libpq-fe.h>
#endif
#include <time.h>

#include "core/error.h"
#include "core/gather.h"

static const char *redis_path;
static int redis_port;

static redisContext *redis_open(void)
{
    redisContext *redis =
        redis_port ? redisConnect(redis_path, redis_port) : redisConnectUnix(redis_path);
    if (redis && !redis->err)
        return redis;
    hr_fail(-EIO, "%s", redis ? redis->errstr : "no memory");
    if (redis)
        redisFree(redis);
    return NULL;
}

/* Waits in the server for its own number. */
static int pop(void *number)
{
    redisContext *redis = redis_open();
    int wanted = (int)(intptr_t)number, r = -EIO;
    if (!redis)
        return r;
    redisReply *reply = redisCommand(redis, "BLPOP list:%d 20", wanted);
    char text[16];
    snprintf(text, sizeof(text), "%d", wanted);
    if (reply && reply->type == REDIS_REPLY_ARRAY && strcmp(reply->element[1]->str, text) == 0)
        r = 0;
    else
        hr_fail(r, "list:%d: %s", wanted, reply ? "not what was pushed" : redis->errstr);
    if (reply)
        freeReplyObject(reply);
    redisFree(redis);
    return r;
}

static int count_blocked(redisContext *redis)
{
    int count = -1;
    redisReply *reply = redisCommand(redis, "INFO clients");
    const char *line = reply ? strstr(reply->str, "blocked_clients:") : NULL;
    if (!line || sscanf(line, "blocked_clients:%d", &count) != 1)
        count = -1;
    if (reply)
        freeReplyObject(reply);
    return count;
}

static int push_when_all_wait(void *arg)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    redisContext *redis = redis_open();
    int blocked = -1;
    if (!redis)
        return -EIO;
    while ((blocked = count_blocked(redis)) >= 0 && blocked < FIFTY)
        nanosleep(&moment, NULL);
    for (int i = 0; i < FIFTY && blocked == FIFTY; i++) {
        redisReply *reply = redisCommand(redis, "RPUSH list:%d %d", i, i);
        if (!reply)
            blocked = -1;
        else
            freeReplyObject(reply);
    }
    redisFree(redis);
    return blocked == FIFTY ? 0 : hr_fail(-EIO, "the server went away");
}

int fifty_redis(const char *path, int port)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    redis_path = path;
    redis_port = port;
    for (intptr_t i = 0; i < FIFTY; i++)
        hr_futures_add(&tasks, hr_create_task("pop", pop, (void *)i));
    hr_futures_add(&tasks, hr_create_task("push", push_when_all_wait, NULL));
    return hr_gather(&tasks, HR_CANCEL_REST);
}

#ifdef WITH_LIBPQ

static int postgres_port;

static int query(void *number)
{
    char text[128];
    int r = -EIO;
    snprintf(
        text, sizeof(text),
        "hostaddr=127.0.0.1 port=%d user=nobody dbname=none sslmode=disable gssencmode=disable "
        "connect_timeout=20",
        postgres_port);
    PGconn *postgres = PQconnectdb(text);
    snprintf(text, sizeof(text), "SELECT %d", (int)(intptr_t)number);
    PGresult *result = PQstatus(postgres) == CONNECTION_OK ? PQexec(postgres, text) : NULL;
    if (PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), text) == 0)
        r = 0;
    else
        hr_fail(r, "%s: %.150s", text, PQerrorMessage(postgres));
    PQclear(result);
    PQfinish(postgres);
    return r;
}

int fifty_postgres(int port)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    postgres_port = port;
    for (intptr_t i = 0; i < FIFTY; i++)
        hr_futures_add(&tasks, hr_create_task("query", query, (void *)i));
    return hr_gather(&tasks, HR_CANCEL_REST);
}

bool fifty_has_postgres(void)
{
    return true;
}

#else

int fifty_postgres(int port)
{
    return -ENOSYS;
}

bool fifty_has_postgres(void)
{
    return false;
}

#endif
