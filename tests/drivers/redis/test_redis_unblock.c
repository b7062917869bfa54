/* SPDX-License-Identifier: MIT */
/*
 * Leaving a blocked command, against a server that lets the test decide what comes first.
 */
#include <string.h>

#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

/* What the server does with a blocked command, in which order. */
struct plan {
    const char *unblock;      /* the answer to CLIENT UNBLOCK, or NULL: silence */
    const char *blocked;      /* the reply of the blocked command, or NULL: none */
    hr_usec reply_after;      /* once CLIENT UNBLOCK has come */
    hr_usec info_after;       /* until it answers INFO */
    hr_usec cancel_after;     /* that it blocks */
    bool deaf;                /* once it blocks it neither hears nor says anything more */
    const char *shared, *own; /* which servers the connections end at; NULL: the same */
    char asked[64];           /* what CLIENT UNBLOCK said */
    bool is_blocked, unblocked;
};

static void serve_shared(struct fake_peer *peer, struct plan *plan)
{
    const char *words;
    while ((words = fake_next(peer))) {
        bool said = true;
        if (strncmp(words, "CLIENT UNBLOCK", strlen("CLIENT UNBLOCK")) == 0) {
            snprintf(plan->asked, sizeof(plan->asked), "%s", words);
            plan->unblocked = true;
            said = !plan->unblock || fake_say(peer, plan->unblock);
        } else if (strcmp(words, "INFO server") == 0) {
            said = hr_sleep(plan->info_after) == 0 && fake_say_server(peer);
        } else {
            said = fake_say(peer, "+OK\r\n");
        }
        if (!said)
            return;
    }
}

static void serve_blocked(struct fake_peer *peer, struct plan *plan)
{
    while (fake_next(peer)) {
        plan->is_blocked = true;
        if (plan->deaf && hr_sleep(hr_seconds(60)) < 0)
            return;
        if (plan->own) /* nobody will be told: it goes on when the client has hung up */
            continue;
        if (hr_sleep(plan->cancel_after) < 0)
            return;
        while (!plan->unblocked) {
            if (hr_yield() < 0)
                return;
        }
        if (plan->reply_after > 0 && hr_sleep(plan->reply_after) < 0)
            return;
        if (plan->blocked && !fake_say(peer, plan->blocked))
            return;
    }
}

static void serve(struct fake_peer *peer)
{
    struct plan *plan = peer->arg;
    const char *server = peer->number == 1 ? plan->shared : plan->own;
    if (server)
        peer->run_id = server;
    if (!fake_introduce(peer))
        return;
    if (peer->number == 1)
        serve_shared(peer, plan);
    else
        serve_blocked(peer, plan);
}

/* What became of the task that was cancelled. */
struct result {
    hr_redis *redis;
    int code;
    bool sent, got, cancelled_again;
    hr_usec at;
};

static int block(void *arg)
{
    struct result *result = arg;
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_acquire(result->redis, &conn);
    if (r < 0)
        return r;
    result->code = hr_redis_conn_command(conn, &reply, hr_seconds(60), "BLPOP q 60");
    result->sent = result->code < 0 && hr_last_error()->sent;
    result->got = result->code == 0 && !hr_reply_is_nil(reply);
    result->at = test_clock_now();
    result->cancelled_again = hr_yield() == -ECANCELED;
    return 0;
}

static struct result cancel_blocked(struct plan *plan)
{
    struct fake_redis fake;
    fake_start(&fake, serve, plan);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(400)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "UP"), 0);
    struct result result = {.redis = redis};
    hr_task *task = hr_create_task("blocked", block, &result);
    while (!plan->is_blocked)
        test_passes(1);
    ASSERT_ERR(hr_sleep(plan->cancel_after), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    fake_end(&fake);
    return result;
}

TEST(a_command_that_was_unblocked_is_cancelled)
{
    struct plan plan = {.unblock = ":1\r\n", .blocked = "*-1\r\n"};
    struct result result = cancel_blocked(&plan);
    ASSERT_ERR(result.code, -ECANCELED);
    ASSERT_FALSE(result.cancelled_again);
    ASSERT_STR(plan.asked, "CLIENT UNBLOCK 7");
    plan = (struct plan){.unblock = ":1\r\n", .blocked = "-UNBLOCKED client unblocked\r\n"};
    ASSERT_ERR(cancel_blocked(&plan).code, -ECANCELED);
}

TEST(an_element_that_came_first_is_returned_and_the_cancel_comes_after)
{
    struct plan plan = {.unblock = ":0\r\n", .blocked = "*2\r\n$1\r\nq\r\n$1\r\nx\r\n"};
    struct result result = cancel_blocked(&plan);
    ASSERT_STR(plan.asked, "CLIENT UNBLOCK 7");
    ASSERT_ERR(result.code, 0);
    ASSERT_TRUE(result.got);
    ASSERT_TRUE(result.cancelled_again);
}

TEST(who_may_not_unblock_waits_for_the_element_a_while)
{
    struct plan plan = {.unblock = "-NOPERM this user has no permissions\r\n",
                        .blocked = "*2\r\n$1\r\nq\r\n$1\r\nx\r\n",
                        .reply_after = hr_ms(300)};
    struct result result = cancel_blocked(&plan);
    ASSERT_TRUE(result.got);
    ASSERT_TRUE(result.cancelled_again);
}

TEST(r2_where_unblock_is_refused_the_server_is_made_to_hang_up)
{
    struct plan plan = {.unblock = "-NOPERM this user has no permissions\r\n"};
    struct result result = cancel_blocked(&plan);
    ASSERT_ERR(result.code, -ECANCELED);
    ASSERT_TRUE(result.sent);
    ASSERT_EQ(result.at, 0);
}

/* Behind one address there are two servers, and where one gave an id the other has it as well. */
TEST(r2_another_server_is_not_told_to_unblock_who_has_the_id_there)
{
    static const char *const others[] = {"other", ""};
    for (size_t i = 0; i < HR_ARRAY_LEN(others); i++) {
        struct plan plan = {.unblock = ":1\r\n", .shared = "one", .own = others[i]};
        struct result result = cancel_blocked(&plan);
        ASSERT_ERR(result.code, -ECANCELED);
        ASSERT_TRUE(result.sent);
        ASSERT_EQ(result.at, 0);
        ASSERT_STR(plan.asked, "");
    }
    struct plan plan = {.unblock = ":1\r\n", .shared = "", .own = ""};
    ASSERT_ERR(cancel_blocked(&plan).code, -ECANCELED);
    ASSERT_STR(plan.asked, "");
}

TEST(a_blocked_command_that_cannot_be_left_politely_is_left_all_the_same)
{
    struct plan plan = {.unblock = ":0\r\n"};
    struct result result = cancel_blocked(&plan);
    ASSERT_ERR(result.code, -ECANCELED);
    ASSERT_TRUE(result.sent);
    ASSERT_EQ(result.at, hr_ms(400));
}

TEST(to_leave_a_blocked_command_takes_twice_its_timeout_where_everybody_has_fallen_silent)
{
    struct plan plan = {.info_after = hr_ms(300), .deaf = true};
    struct result result = cancel_blocked(&plan);
    ASSERT_STR(plan.asked, "CLIENT UNBLOCK 7");
    ASSERT_ERR(result.code, -ECANCELED);
    ASSERT_TRUE(result.sent);
    ASSERT_EQ(result.at, hr_ms(800));
}

TEST(r2_an_element_is_waited_for_although_the_command_s_own_time_passes_meanwhile)
{
    struct plan plan = {.unblock = ":0\r\n",
                        .blocked = "*2\r\n$1\r\nq\r\n$1\r\nx\r\n",
                        .cancel_after = hr_seconds(60) + hr_ms(200), /* of 60.4 s */
                        .reply_after = hr_ms(300)};
    struct result result = cancel_blocked(&plan);
    ASSERT_TRUE(result.got);
    ASSERT_TRUE(result.cancelled_again);
}
