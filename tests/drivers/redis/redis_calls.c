/* SPDX-License-Identifier: MIT */
/*
 * Each of them goes on until its first failure and leaves nothing open.
 */
#include "tests/drivers/redis/redis_calls.h"

#include "core/timeout.h"
#include "drivers/redis/pubsub.h"
#include "drivers/redis/scan.h"
#include "drivers/redis/stream.h"
#include "tests/support/hrtest.h"

/* Nobody waits for a message that was lost, be it with its connection or for want of memory: the
 * reader is told of the gap. */
int redis_calls_pubsub(hr_redis *redis)
{
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    struct hr_redis_message message;
    struct hr_timeout limit = {0};
    if (!pubsub)
        return hr_last_error()->code;
    int r = hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c");
    if (r >= 0)
        r = hr_redis_command(redis, NULL, "PUBLISH c x");
    if (r >= 0)
        r = hr_timeout_enter(&limit, test_patience(hr_seconds(5)));
    if (r >= 0)
        r = hr_timeout_leave(&limit, hr_redis_pubsub_next(pubsub, &message));
    if (r < 0)
        return r;
    hr_redis_message_done(&message);
    return hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "c");
}

int redis_calls_stream(hr_redis *redis)
{
    struct hr_redis_group group = {"stream", "group", "me"};
    struct hr_redis_field field = {"n", hr_redis_int(1)};
    hr_auto(hr_redis_entries_done) struct hr_redis_entries entries = {0};
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    char cursor[HR_REDIS_ID_MAX] = "0-0";
    int r = hr_redis_group_create(redis, &group, "$");
    if (r >= 0)
        r = hr_redis_acquire(redis, &conn);
    if (r >= 0)
        r = hr_redis_add(redis, "stream", 10, 1, &field, NULL);
    if (r >= 0)
        r = hr_redis_read_group(conn, &group, 10, hr_ms(1), &entries);
    if (r >= 0)
        r = hr_redis_claim(redis, &group, 0, 10, cursor, &entries);
    return r > 0 ? hr_redis_ack(redis, &group, &entries) : r;
}

int redis_calls_scan(hr_redis *redis)
{
    hr_auto(hr_redis_scan_done) struct hr_redis_scan scan = {
        .redis = redis, .match = "*", .count = 4};
    const char *key;
    int r;
    while ((r = hr_redis_scan_next(&scan, &key, NULL)) > 0)
        ;
    return r;
}
