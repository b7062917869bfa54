/* SPDX-License-Identifier: MIT */
/*
 * Each task pushes items that are only its own to a list, and notes how every push ended; in the
 * end the lists tell which of that was true. Lists are several, so that all nodes of a cluster get
 * some.
 *
 * The test program is linked so that hr__dial() comes here first: servers tell clients of each
 * other by addresses that no proxy could change in what they say.
 */
#include "tests/drivers/redis/fault_crowd.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/dial.h"
#include "tests/support/hrtest.h"

#define TASKS 200
#define MOST  16384 /* items of a task */
#define LISTS 8

const enum fault fault_crowd_honest[6] = {FAULT_LATENCY,  FAULT_DRIP,      FAULT_RESET,
                                          FAULT_TRUNCATE, FAULT_HALF_OPEN, FAULT_REFUSE};
const enum fault fault_crowd_flipping[7] = {FAULT_LATENCY,  FAULT_DRIP,      FAULT_RESET,
                                            FAULT_TRUNCATE, FAULT_HALF_OPEN, FAULT_REFUSE,
                                            FAULT_FLIP};

struct work {
    struct fault_crowd *crowd;
    bool over;
    uint64_t counts[FAULT_OUTCOMES];
    struct member {
        struct work *work;
        int id, pushed;
        unsigned char outcomes[MOST];
    } members[TASKS];
};

/* --- the way to the servers */

static struct {
    uint16_t from, to;
} detours[FAULT_CROWD_PROXIES];
static size_t n_detours;

int __real_hr__dial(const struct hr_url *url, hr_usec limit, int *ret);
int __wrap_hr__dial(const struct hr_url *url, hr_usec limit, int *ret);
int __wrap_hr__dial(const struct hr_url *url, hr_usec limit, int *ret)
{
    struct hr_url there = *url;
    for (size_t i = 0; !url->socket && i < n_detours; i++) {
        if (detours[i].from == url->port)
            there.port = detours[i].to;
    }
    return __real_hr__dial(&there, limit, ret);
}

void fault_crowd_add(struct fault_crowd *crowd, const char *path, uint16_t port)
{
    size_t i = crowd->n_proxies++;
    ASSERT_TRUE(i < FAULT_CROWD_PROXIES);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long a server's start took */
    fault_proxy_start(&crowd->proxies[i], path, port, i + 1);
    crowd->ports[i] = port;
    detours[i].from = port;
    detours[i].to = crowd->proxies[i].port;
    n_detours = crowd->n_proxies; /* those of a test that failed are gone */
}

struct hr_redis_options fault_crowd_options(const char *url, const char *ca)
{
    return (struct hr_redis_options){
        .url = url,
        .tls = {.ca = ca       },
        .command_timeout = test_patience(hr_ms(150)),
        .connect_timeout = test_patience(hr_ms(600)),
        .reconnect = { .first = hr_ms(10), .max = hr_ms(40), .factor = 2, .jitter = true},
    };
}

/* --- the members */

static int ask(struct fault_crowd *crowd, hr_reply **ret, size_t n, const char *const *words)
{
    return crowd->cluster ? hr_redis_cluster_command_argv(crowd->cluster, ret, n, words, NULL)
                          : hr_redis_command_argv(crowd->redis, ret, n, words, NULL);
}

/* Asks for something that only this task asks for. */
static void ask_for_own(struct member *member, const char *list)
{
    struct fault_crowd *crowd = member->work->crowd;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    char own[32];
    snprintf(own, sizeof(own), "%d/%d", member->id, member->pushed);
    const char *const words[] = {"EVAL", "return ARGV[1]", "1", list, own};
    int r = ask(crowd, &reply, HR_ARRAY_LEN(words), words);
    (void)fault_outcome_of(r, crowd->damaged);
    if (r >= 0 && !crowd->damaged)
        ASSERT_STR(hr_reply_str(reply, NULL), own);
}

static int push_until_over(void *arg)
{
    struct member *member = arg;
    struct work *work = member->work;
    char list[16], item[32];
    snprintf(list, sizeof(list), "log:%d", member->id % LISTS);
    const char *const words[] = {"RPUSH", list, item};
    while (!work->over && member->pushed < MOST) {
        ask_for_own(member, list);
        snprintf(item, sizeof(item), "%d:%d", member->id, member->pushed);
        int r = ask(work->crowd, NULL, HR_ARRAY_LEN(words), words);
        enum fault_outcome outcome = fault_outcome_of(r, work->crowd->damaged);
        member->outcomes[member->pushed++] = outcome;
        work->counts[outcome]++;
        /* Who is told at once that there is no connection does not ask again at once. */
        if (r < 0 && hr_sleep(hr_ms(5)) < 0)
            return 0;
    }
    return 0;
}

/* --- what was true */

static unsigned char seen[TASKS][MOST];

static void read_list(struct work *work, int number)
{
    hr_auto(hr_reply_freep) hr_reply *log = NULL;
    char list[16];
    snprintf(list, sizeof(list), "log:%d", number);
    const char *const words[] = {"LRANGE", list, "0", "-1"};
    ASSERT_ERR(ask(work->crowd, &log, HR_ARRAY_LEN(words), words), 0);
    for (size_t i = 0; i < hr_reply_len(log); i++) {
        char *rest;
        long id = strtol(hr_reply_str(hr_reply_at(log, i), NULL), &rest, 10);
        ASSERT_TRUE(id >= 0 && id < TASKS && id % LISTS == number && *rest == ':');
        long n = strtol(rest + 1, NULL, 10);
        ASSERT_TRUE(n >= 0 && n < work->members[id].pushed);
        ASSERT_EQ(seen[id][n]++, 0);
    }
}

/* What was done is in its list once, what was never sent is not, and of the rest nothing is twice.
 */
static void compare(struct work *work)
{
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < LISTS; i++)
        read_list(work, i);
    for (int id = 0; id < TASKS; id++) {
        for (int n = 0; n < work->members[id].pushed; n++) {
            if (work->members[id].outcomes[n] != FAULT_UNKNOWN)
                ASSERT_EQ(seen[id][n], work->members[id].outcomes[n] == FAULT_DONE);
        }
    }
}

/* Each fault in turn, with some success between them, until calls have ended in every way. */
static void suffer_all(struct work *work, const enum fault *faults, size_t n)
{
    struct fault_crowd *crowd = work->crowd;
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < n; i++) {
            fault_proxies_suffer(crowd->proxies, crowd->n_proxies, faults[i], 2);
            hr_usec until = hr_later(hr_now(), test_patience(hr_seconds(30)));
            for (uint64_t done = work->counts[FAULT_DONE];
                 work->counts[FAULT_DONE] < done + TASKS;) {
                ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
                ASSERT_TRUE(hr_now() < until);
            }
        }
        if (work->counts[FAULT_NEVER_SENT] > 0 && work->counts[FAULT_UNKNOWN] > 0)
            return;
    }
}

/* Every node of a cluster answers. */
static void until_it_works(struct work *work)
{
    hr_usec until = hr_later(hr_now(), test_patience(hr_seconds(10)));
    char list[16];
    const char *const words[] = {"LLEN", list};
    for (int i = 0; i < LISTS; i++) {
        int r;
        snprintf(list, sizeof(list), "log:%d", i);
        while ((r = ask(work->crowd, NULL, HR_ARRAY_LEN(words), words)) < 0 && hr_now() < until)
            ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
        ASSERT_ERR(r, 0);
    }
}

static void end(struct fault_crowd *crowd)
{
    if (crowd->redis)
        ASSERT_ERR(hr_redis_close(crowd->redis), 0);
    if (crowd->cluster)
        ASSERT_ERR(hr_redis_cluster_close(crowd->cluster), 0);
    crowd->redis = hr_redis_free(crowd->redis);
    crowd->cluster = hr_redis_cluster_free(crowd->cluster);
    n_detours = 0;
    for (size_t i = 0; i < crowd->n_proxies; i++)
        fault_proxy_end(&crowd->proxies[i]);
}

void fault_crowd_run(struct fault_crowd *crowd, const enum fault *faults, size_t n)
{
    ASSERT_TRUE(crowd->redis || crowd->cluster);
    struct work *work = calloc(1, sizeof(*work));
    ASSERT_TRUE(work);
    work->crowd = crowd;
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < TASKS; i++) {
        work->members[i].work = work;
        work->members[i].id = i;
        hr_futures_add(&all, hr_create_task("member", push_until_over, &work->members[i]));
    }
    suffer_all(work, faults, n);
    work->over = true;
    ASSERT_ERR(hr_gather(&all, 0), 0);
    until_it_works(work);
    if (!crowd->damaged)
        compare(work);
    bool in_time = test_patience(1) > 1; /* with long limits calls may live through all of it */
    ASSERT_TRUE(in_time || (work->counts[FAULT_NEVER_SENT] > 0 && work->counts[FAULT_UNKNOWN] > 0));
    uint64_t links = 0, struck = 0;
    for (size_t i = 0; i < crowd->n_proxies; i++) {
        links += crowd->proxies[i].links;
        struck += crowd->proxies[i].faults;
    }
    ASSERT_TRUE(links > crowd->n_proxies && struck > 1);
    end(crowd);
    free(work);
}
