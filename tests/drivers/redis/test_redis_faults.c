/* SPDX-License-Identifier: MIT */
/*
 * 200 tasks on one client while the network does everything a network may do: each call has one
 * outcome, which is true, no reply reaches anybody else, and the client recovers by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/redis.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

#define TASKS 200
#define MOST  16384 /* items of a task */

struct crowd {
    hr_redis *redis;
    bool over;
    bool damaged; /* what arrives need not be what was sent */
    uint64_t counts[FAULT_OUTCOMES];
    struct member {
        struct crowd *crowd;
        int id, pushed;
        unsigned char outcomes[MOST];
    } members[TASKS];
};

/* Asks for something that only this task asks for. */
static void ask_for_own(struct member *member)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    char own[32];
    snprintf(own, sizeof(own), "%d/%d", member->id, member->pushed);
    int r = hr_redis_command(member->crowd->redis, &reply, "ECHO %s", own);
    (void)fault_outcome_of(r, member->crowd->damaged);
    if (r >= 0 && !member->crowd->damaged)
        ASSERT_STR(hr_reply_str(reply, NULL), own);
}

static int push_until_over(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    while (!crowd->over && member->pushed < MOST) {
        ask_for_own(member);
        int r = hr_redis_command(crowd->redis, NULL, "RPUSH log %d:%d", member->id, member->pushed);
        enum fault_outcome outcome = fault_outcome_of(r, crowd->damaged);
        member->outcomes[member->pushed++] = outcome;
        crowd->counts[outcome]++;
        /* Who is told at once that there is no connection does not ask again at once. */
        if (r < 0 && hr_sleep(hr_ms(5)) < 0)
            return 0;
    }
    return 0;
}

/* What was done is in the list once, what was never sent is not, and of the rest nothing is twice.
 */
static void compare(struct crowd *crowd)
{
    hr_auto(hr_reply_freep) hr_reply *log = NULL;
    ASSERT_ERR(hr_redis_command(crowd->redis, &log, "LRANGE log 0 -1"), 0);
    static unsigned char seen[TASKS][MOST];
    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < hr_reply_len(log); i++) {
        char *rest;
        long id = strtol(hr_reply_str(hr_reply_at(log, i), NULL), &rest, 10);
        ASSERT_TRUE(id >= 0 && id < TASKS && *rest == ':');
        long n = strtol(rest + 1, NULL, 10);
        ASSERT_TRUE(n >= 0 && n < crowd->members[id].pushed);
        ASSERT_EQ(seen[id][n]++, 0);
    }
    for (int id = 0; id < TASKS; id++) {
        for (int n = 0; n < crowd->members[id].pushed; n++) {
            if (crowd->members[id].outcomes[n] != FAULT_UNKNOWN)
                ASSERT_EQ(seen[id][n], crowd->members[id].outcomes[n] == FAULT_DONE);
        }
    }
}

/* Each fault in turn, with some success between them, until calls have ended in every way. */
static void suffer_all(struct crowd *crowd, struct fault_proxy *proxy, const enum fault *faults,
                       size_t n)
{
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < n; i++) {
            fault_proxy_suffer(proxy, faults[i], 2);
            for (uint64_t done = crowd->counts[FAULT_DONE];
                 crowd->counts[FAULT_DONE] < done + TASKS;)
                ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
        }
        if (crowd->counts[FAULT_NEVER_SENT] > 0 && crowd->counts[FAULT_UNKNOWN] > 0)
            return;
    }
}

static void until_it_works(hr_redis *redis)
{
    hr_usec until = hr_now() + hr_seconds(10);
    int r;
    while ((r = hr_redis_command(redis, NULL, "PING")) < 0 && hr_now() < until)
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(r, 0);
}

static void run_crowd(struct test_redis *server, bool tls, bool damaged, const enum fault *faults,
                      size_t n)
{
    struct fault_proxy proxy;
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long the start took */
    fault_proxy_start(&proxy, tls ? NULL : server->socket, server->port, 1);
    char url[64];
    snprintf(url, sizeof(url), "%s://127.0.0.1:%u/0", tls ? "rediss" : "redis", proxy.port);
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    ASSERT_TRUE(crowd);
    crowd->damaged = damaged;
    crowd->redis = hr_redis_new(&(struct hr_redis_options){
        .url = url,
        .tls = {.ca = tls ? test_certificate("ca.pem") : NULL},
        .command_timeout = test_patience(hr_ms(150)),
        .connect_timeout = test_patience(hr_ms(300)),
        .reconnect = { .first = hr_ms(10), .max = hr_ms(40), .factor = 2, .jitter = true}
    });
    ASSERT_TRUE(crowd->redis);

    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < TASKS; i++) {
        crowd->members[i].crowd = crowd;
        crowd->members[i].id = i;
        hr_futures_add(&all, hr_create_task("member", push_until_over, &crowd->members[i]));
    }
    suffer_all(crowd, &proxy, faults, n);
    crowd->over = true;
    ASSERT_ERR(hr_gather(&all, 0), 0);
    until_it_works(crowd->redis);
    if (!damaged)
        compare(crowd);
    ASSERT_TRUE(crowd->counts[FAULT_NEVER_SENT] > 0 && crowd->counts[FAULT_UNKNOWN] > 0);
    ASSERT_TRUE(proxy.links > 1 && proxy.faults > 1);
    ASSERT_ERR(hr_redis_close(crowd->redis), 0);
    hr_redis_free(crowd->redis);
    fault_proxy_end(&proxy);
    free(crowd);
}

static const enum fault honest[] = {FAULT_LATENCY,  FAULT_DRIP,      FAULT_RESET,
                                    FAULT_TRUNCATE, FAULT_HALF_OPEN, FAULT_REFUSE};
static const enum fault with_flips[] = {FAULT_LATENCY,   FAULT_DRIP,   FAULT_RESET, FAULT_TRUNCATE,
                                        FAULT_HALF_OPEN, FAULT_REFUSE, FAULT_FLIP};

TEST_REAL(through_every_fault_each_redis_call_has_one_outcome_and_it_is_true)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    run_crowd(&server, false, false, honest, HR_ARRAY_LEN(honest));
}

TEST_REAL(over_tls_a_flipped_bit_is_but_one_more_redis_fault)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start_tls(&server, false);
    run_crowd(&server, true, false, with_flips, HR_ARRAY_LEN(with_flips));
}

TEST_REAL(a_redis_client_survives_bits_that_flip_unseen)
{
    static const enum fault flips[] = {FAULT_FLIP};
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    run_crowd(&server, false, true, flips, HR_ARRAY_LEN(flips));
}
