/* SPDX-License-Identifier: MIT */
/*
 * Many tasks on one session while the network does everything a network may do: each request has
 * one outcome, which is true, no body reaches anybody else, and the session recovers by itself. Nor
 * does anything block the loop, or compute for long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drivers/http.h"
#include "tests/http/server.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hrtest.h"
#include "tests/support/ticker.h"

#define TASKS 200
#define MOST  4096
#define LONG  hr_ms(100) /* to compute between two ticks */

static struct test_http server;
static struct crowd {
    hr_http_session *session;
    char url[64];
    bool over, damaged;
    uint64_t counts[FAULT_OUTCOMES];
    struct member {
        int id, asked;
        unsigned char outcomes[MOST];
        unsigned char done[MOST]; /* how often the server carried it out */
    } members[TASKS];
} * crowd;

/* Counts what was carried out, and says whose it was often enough for several segments. */
static bool serve_own(struct test_conn *conn)
{
    int id, n;
    char text[8000];
    if (sscanf(conn->path, "/%d/%d", &id, &n) == 2 && id >= 0 && id < TASKS && n >= 0 && n < MOST)
        crowd->members[id].done[n]++;
    size_t size = strlen(conn->path);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = conn->path[i % size];
    text[sizeof(text) - 1] = '\0';
    return test_conn_answer(conn, text);
}

/* As fault_outcome_of(); an answer may also break off. */
static enum fault_outcome outcome_of(int code)
{
    if (code == -EBADMSG || code == -EPROTO)
        return hr_last_error()->sent ? FAULT_UNKNOWN : FAULT_NEVER_SENT;
    return fault_outcome_of(code, crowd->damaged);
}

static int post_own(const struct member *member)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char own[96];
    const char *text = NULL;
    size_t size = 0, path = strlen(crowd->url);
    snprintf(own, sizeof(own), "%s/%d/%d", crowd->url, member->id, member->asked);
    int r = hr_http_post(crowd->session, own, NULL, "", 0, &response);
    if (r == 0)
        r = hr_http_text(response, &text, &size);
    if (r < 0 || crowd->damaged)
        return r;
    ASSERT_EQ(size, 7999);
    for (size_t i = 0; i < size; i++)
        ASSERT_EQ(text[i], own[path + i % strlen(own + path)]);
    return 0;
}

static int ask_until_over(void *arg)
{
    struct member *member = arg;
    while (!crowd->over && member->asked < MOST) {
        int r = post_own(member);
        enum fault_outcome outcome = outcome_of(r);
        member->outcomes[member->asked++] = outcome;
        crowd->counts[outcome]++;
        if (r < 0 && hr_sleep(hr_ms(5)) < 0)
            return 0;
    }
    return 0;
}

/* --- the ticker */

/* What this thread has computed so far: a machine that is busy with others is no slice's fault. */
static hr_usec computed(void)
{
    struct timespec now;
    ASSERT_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return hr_seconds(now.tv_sec) + now.tv_nsec / 1000;
}

static int tick(void *arg)
{
    hr_usec *worst = arg;
    for (;;) {
        hr_usec before = computed();
        if (hr_sleep(hr_ms(10)) < 0)
            return 0;
        hr_usec between = computed() - before;
        *worst = between > *worst ? between : *worst;
    }
}

/* --- */

static void suffer_all(struct fault_proxy *proxy, const enum fault *faults, size_t n)
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

/* What was done was carried out once, what was never sent was not, and of the rest nothing twice.
 */
static void compare(void)
{
    for (int id = 0; id < TASKS; id++) {
        const struct member *member = &crowd->members[id];
        for (int n = 0; n < member->asked; n++) {
            ASSERT_TRUE(member->done[n] <= 1);
            if (member->outcomes[n] != FAULT_UNKNOWN)
                ASSERT_EQ(member->done[n], member->outcomes[n] == FAULT_DONE);
        }
    }
}

static hr_http_session *open_session(bool secure)
{
    struct hr_http_options options = {
        .read_timeout = hr_ms(150), .connect_timeout = hr_ms(300), .limit = TASKS / 4};
    if (secure) { /* both sides shake hands in one thread: few at a time, and that takes long */
        options.connect_timeout = test_patience(hr_seconds(5));
        options.read_timeout = test_patience(hr_ms(500));
        options.limit = 16;
        options.tls.ca = test_certificate("ca.pem");
    }
    hr_http_session *session = hr_http_session_new(&options);
    ASSERT_TRUE(session);
    return session;
}

static void run_crowd(bool secure, bool damaged, const enum fault *faults, size_t n)
{
    struct fault_proxy proxy;
    struct member last = {.id = TASKS};
    hr_usec worst = 0, until;
    crowd = calloc(1, sizeof(*crowd));
    ASSERT_TRUE(crowd);
    (secure ? test_https_start : test_http_start)(&server, serve_own);
    fault_proxy_start(&proxy, NULL, (uint16_t)strtoul(strrchr(server.url, ':') + 1, NULL, 10), 1);
    snprintf(crowd->url, sizeof(crowd->url), "http%s://127.0.0.1:%u", secure ? "s" : "",
             proxy.port);
    crowd->damaged = damaged;
    crowd->session = open_session(secure);

    hr_task *ticker = hr_create_task("tick", tick, &worst);
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < TASKS; i++) {
        crowd->members[i].id = i;
        hr_futures_add(&all, hr_create_task("member", ask_until_over, &crowd->members[i]));
    }
    suffer_all(&proxy, faults, n);
    crowd->over = true;
    ASSERT_ERR(hr_gather(&all, 0), 0);
    hr_task_cancel(ticker, NULL);
    ASSERT_ERR(hr_join(ticker), 0);
    ASSERT_TRUE(worst < test_patience(LONG));
    for (until = hr_now() + hr_seconds(10); post_own(&last) < 0 && hr_now() < until;)
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(post_own(&last), 0);
    if (!damaged) {
        compare();
        ASSERT_TRUE(crowd->counts[FAULT_UNKNOWN] > 0);
    }
    ASSERT_TRUE(proxy.links > 1 && proxy.faults > 1);
    struct hr_http_stats stats;
    hr_http_get_stats(crowd->session, &stats);
    ASSERT_EQ(stats.under_way + stats.waiting, 0);
    hr_http_session_free(crowd->session);
    fault_proxy_end(&proxy);
    test_http_stop(&server);
    free(crowd);
}

TEST_TICKING(through_every_fault_each_http_request_has_one_outcome_and_it_is_true)
{
    static const enum fault honest[] = {FAULT_LATENCY,  FAULT_DRIP,      FAULT_RESET,
                                        FAULT_TRUNCATE, FAULT_HALF_OPEN, FAULT_REFUSE};
    run_crowd(false, false, honest, HR_ARRAY_LEN(honest));
}

TEST_TICKING(an_http_session_survives_bits_that_flip_unseen)
{
    static const enum fault flips[] = {FAULT_FLIP};
    run_crowd(false, true, flips, HR_ARRAY_LEN(flips));
}

/* Under TLS no bit flips unseen. */
TEST_TICKING(through_every_fault_each_https_request_has_one_outcome_and_it_is_true)
{
    static const enum fault all[] = {FAULT_LATENCY,  FAULT_DRIP,      FAULT_RESET, FAULT_FLIP,
                                     FAULT_TRUNCATE, FAULT_HALF_OPEN, FAULT_REFUSE};
    run_crowd(true, false, all, HR_ARRAY_LEN(all));
}
