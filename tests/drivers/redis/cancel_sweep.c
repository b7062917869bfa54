/* SPDX-License-Identifier: MIT */
#include "tests/drivers/redis/cancel_sweep.h"

#include <stdio.h>

#include "core/loop.h"
#include "tests/drivers/waits.h"
#include "tests/support/hrtest.h"

struct attempt {
    void *client;
    int (*run)(void *client);
    int at, code, waits;
};

static int attempt(void *arg)
{
    struct attempt *a = arg;
    (void)test_cancel_at(a->at, TEST_WAITS_ALL, hr_current_task());
    a->code = a->run(a->client);
    a->waits = test_cancel_at(0, TEST_WAITS_ALL, NULL);
    return 0;
}

static void check_client(const struct cancel_sweep *sweep, void *client, int n)
{
    char word[32];
    snprintf(word, sizeof(word), "outside-%d", n);
    ASSERT_ERR(sweep->echo(client, word), 0);
}

/* False: there was no n-th wait. */
static bool cancel_once(const struct cancel_sweep *sweep, const struct cancel_operation *operation,
                        int n, bool cold, int *cancelled)
{
    void *client = sweep->open(sweep->options);
    ASSERT_TRUE(client);
    if (!cold)
        check_client(sweep, client, -1);
    struct attempt a = {.client = client, .run = operation->run, .at = n};
    int r = hr_join(hr_create_task("attempt", attempt, &a));
    bool reached = a.waits >= n;
    if ((r != 0 && r != -ECANCELED) || (a.code < 0 && a.code != -ECANCELED))
        test_fail(__FILE__, __LINE__, "%s at %d: %d: %s", operation->name, n, a.code,
                  hr_error_message(a.code));
    ASSERT_TRUE(reached || a.code >= 0);
    *cancelled += a.code == -ECANCELED;
    check_client(sweep, client, n);
    sweep->close(client);
    return reached;
}

void cancel_sweep_run(const struct cancel_sweep *sweep, const struct cancel_operation *operation)
{
    for (int cold = 0; cold < 2; cold++) {
        int n = 1, cancelled = 0;
        while (cancel_once(sweep, operation, n, cold, &cancelled))
            n++;
        ASSERT_TRUE(n > 1 && n < 100);
        ASSERT_TRUE(cancelled > 0); /* or every cancel was swallowed */
    }
}

static void *open_client(const void *options)
{
    return hr_redis_new(options);
}

static int echo(void *client, const char *word)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_command(client, &reply, "ECHO %s", word);
    return r < 0 || hr_reply_equals(reply, word) ? r : -EPROTO;
}

static void close_client(void *client)
{
    ASSERT_ERR(hr_redis_close(client), 0);
    hr_redis_free(client);
}

struct cancel_sweep cancel_sweep_of(const struct hr_redis_options *options)
{
    return (struct cancel_sweep){open_client, echo, close_client, options};
}
