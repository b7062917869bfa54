/* SPDX-License-Identifier: MIT */
/*
 * Nodes of a cluster that contradict each other, refuse, or make no sense, as scripted fakes say
 * it.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/redis/cluster.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

/* A node: its map, and what it says to commands in turn, the last for good. NULL: it hangs up. */
struct node {
    struct fake_redis fake;
    char map[400];
    char replies[3][240];
    bool hangs_up;
    hr_usec thinks; /* before it answers a command */
    int asked;
    char heard[400]; /* commands, with a bar behind each */
};

static bool answer(struct node *node, struct fake_peer *peer, const char *words)
{
    if (strncmp(words, "HELLO", 5) == 0)
        return fake_say(peer, "-ERR unknown\r\n");
    if (strcmp(words, "CLUSTER SLOTS") == 0)
        return fake_say(peer, node->map);
    if (strcmp(words, "PING") == 0 || strncmp(words, "CLIENT", 6) == 0)
        return fake_say(peer, "+OK\r\n");
    size_t n = strlen(node->heard);
    snprintf(node->heard + n, sizeof(node->heard) - n, "%s|", words);
    if (strcmp(words, "ASKING") == 0)
        return fake_say(peer, "+OK\r\n");
    int i = node->asked++;
    if (node->thinks > 0 && hr_sleep(node->thinks) < 0)
        return false;
    while (i > 0 && (i > 2 || !node->replies[i][0]))
        i--;
    return !node->hangs_up && fake_say(peer, node->replies[i][0] ? node->replies[i] : "+OK\r\n");
}

static void serve_node(struct fake_peer *peer)
{
    const char *words;
    while ((words = fake_next(peer))) {
        if (!answer(peer->arg, peer, words))
            return;
    }
}

static void start(struct node *node)
{
    memset(node, 0, sizeof(*node));
    fake_start_tcp(&node->fake, serve_node, node);
}

/* Slots up to last belong to one, those behind it to other (NULL: to nobody). */
static void draw_map(struct node *node, unsigned last, const struct node *one,
                     const struct node *other)
{
    size_t n = (size_t)snprintf(node->map, sizeof(node->map),
                                "*%d\r\n*3\r\n:0\r\n:%u\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n",
                                other ? 2 : 1, last, one->fake.port);
    if (other)
        snprintf(node->map + n, sizeof(node->map) - n,
                 "*3\r\n:%u\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n", last + 1,
                 other->fake.port);
}

static void redirect(char ret[240], const char *kind, const char *key, const struct node *to)
{
    snprintf(ret, 80, "-%s %u 127.0.0.1:%u\r\n", kind, hr_redis_slot(key, strlen(key)),
             to->fake.port);
}

static hr_redis_cluster *client_of(const struct node *node)
{
    char url[64];
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u", node->fake.port);
    hr_redis_cluster *cluster = hr_redis_cluster_new(&(struct hr_redis_options){
        .url = url, .command_timeout = hr_seconds(1), .connect_timeout = hr_ms(800)});
    ASSERT_TRUE(cluster);
    return cluster;
}

static void end_client(hr_redis_cluster *cluster)
{
    ASSERT_ERR(hr_redis_cluster_close(cluster), 0);
    hr_redis_cluster_free(cluster);
}

/* Two nodes of which the first has all slots, as both say. */
static hr_redis_cluster *start_two(struct node *a, struct node *b)
{
    start(a);
    start(b);
    draw_map(a, 16383, a, NULL);
    draw_map(b, 16383, a, NULL);
    return client_of(a);
}

static void end_two(hr_redis_cluster *cluster, struct node *a, struct node *b)
{
    end_client(cluster);
    fake_end(&a->fake);
    fake_end(&b->fake);
}

TEST(r5_moved_is_followed_and_remembered)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    redirect(a.replies[0], "MOVED", "k", &b);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_STR(a.heard, "GET k|");
    ASSERT_STR(b.heard, "GET k|GET k|");
    end_two(cluster, &a, &b);
}

TEST(a_node_whose_name_is_too_long_to_be_told_is_looked_up_in_the_map)
{
    static const int lens[] = {176, 180, 200}; /* the port is cut, the port is gone, and more */
    for (size_t i = 0; i < HR_ARRAY_LEN(lens); i++) {
        struct node a, b;
        char name[240];
        hr_redis_cluster *cluster = start_two(&a, &b);
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "PING"), 0);
        memset(name, 'n', sizeof(name));
        draw_map(&a, 16383, &b, NULL);
        snprintf(a.replies[0], sizeof(a.replies[0]), "-MOVED %u %.*s:%u\r\n", hr_redis_slot("k", 1),
                 lens[i], name, b.fake.port);
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
        ASSERT_STR(b.heard, "GET k|");
        end_two(cluster, &a, &b);
    }
}

TEST(r5_ask_is_followed_once_and_changes_no_map)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    redirect(a.replies[0], "ASK", "k", &b);
    snprintf(a.replies[1], 80, "+HERE\r\n");
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_STR(a.heard, "GET k|GET k|");
    ASSERT_STR(b.heard, "ASKING|GET k|");
    end_two(cluster, &a, &b);
}

TEST(r5_who_was_asked_once_and_cannot_for_now_is_not_asked_again_unless_told_to)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    redirect(a.replies[0], "ASK", "k", &b);
    snprintf(b.replies[0], 80, "-TRYAGAIN for now\r\n");
    snprintf(a.replies[1], 80, "+HERE\r\n");
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_STR(a.heard, "GET k|GET k|");
    ASSERT_STR(b.heard, "ASKING|GET k|");
    end_two(cluster, &a, &b);
}

TEST(nodes_that_do_not_agree_are_not_asked_for_ever)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    redirect(a.replies[0], "MOVED", "k", &b);
    redirect(b.replies[0], "MOVED", "k", &a);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "MOVED");
    ASSERT_TRUE(strstr(hr_last_error()->message, "the nodes do not agree"));
    ASSERT_EQ(a.asked + b.asked, 17);
    end_two(cluster, &a, &b);
}

TEST(what_no_node_can_carry_out_for_now_is_asked_again_until_time_is_up)
{
    static const char *const kinds[] = {"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN"};
    for (size_t i = 0; i < HR_ARRAY_LEN(kinds); i++) {
        struct node a, b;
        hr_redis_cluster *cluster = start_two(&a, &b);
        snprintf(a.replies[0], 80, "-%s for now\r\n", kinds[i]);
        snprintf(a.replies[1], 80, "+OK\r\n");
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
        ASSERT_EQ(a.asked, 2);

        a.replies[1][0] = '\0';
        hr_usec begun = hr_now();
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), HR_EREPLY);
        ASSERT_STR(hr_last_error()->kind, kinds[i]);
        ASSERT_TRUE(hr_now() - begun <= hr_seconds(1) && hr_now() - begun > hr_ms(500));
        ASSERT_TRUE(a.asked > 4 && a.asked < 40);
        end_two(cluster, &a, &b);
    }
}

static void refuse_password(struct fake_peer *peer)
{
    if (fake_next(peer))
        (void)fake_say(peer, "-WRONGPASS invalid username-password pair\r\n");
}

TEST(a_node_that_refuses_the_password_is_not_waited_for)
{
    struct node a, b = {0};
    start(&a);
    fake_start_tcp(&b.fake, refuse_password, NULL);
    draw_map(&a, 16383, &b, NULL);
    hr_redis_cluster *cluster = client_of(&a);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), -ENOTCONN);
    ASSERT_STR(hr_last_error()->kind, "WRONGPASS");
    ASSERT_EQ(test_clock_now(), 0);
    end_two(cluster, &a, &b);
}

TEST(what_was_sent_and_not_answered_is_never_sent_again)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    a.hangs_up = true;
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "INCR k"), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(a.asked, 1);
    a.hangs_up = false;
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "INCR k"), 0); /* once it is back */
    ASSERT_EQ(a.asked, 2);
    end_two(cluster, &a, &b);
}

TEST(maps_that_make_no_sense_say_why_there_is_no_connection)
{
    static const char *const cases[][2] = {
        {"*0\r\n",                                              "it knows no slots"       },
        {"+OK\r\n",                                             "it knows no slots"       },
        {"*1\r\n:1\r\n",                                        "makes no sense"          },
        {"*1\r\n*2\r\n:0\r\n:1\r\n",                            "makes no sense"          },
        {"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n", "makes no sense"          },
        {"*1\r\n*3\r\n:9\r\n:8\r\n*2\r\n$1\r\nh\r\n:1\r\n",     "makes no sense"          },
        {"*1\r\n*3\r\n:-1\r\n:8\r\n*2\r\n$1\r\nh\r\n:1\r\n",    "makes no sense"          },
        {"-ERR This instance has cluster support disabled\r\n", "cluster support disabled"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct node a;
        start(&a);
        snprintf(a.map, sizeof(a.map), "%s", cases[i][0]);
        hr_redis_cluster *cluster = client_of(&a);
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), -ENOTCONN);
        if (!strstr(hr_last_error()->message, cases[i][1]))
            test_fail(__FILE__, __LINE__, "%s", hr_last_error()->message);
        ASSERT_FALSE(hr_last_error()->sent);
        ASSERT_STR(a.heard, "");
        end_client(cluster);
        fake_end(&a.fake);
    }
}

TEST(a_later_map_that_makes_no_sense_changes_nothing)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    snprintf(a.map, sizeof(a.map), "*1\r\n*2\r\n:0\r\n:1\r\n");
    snprintf(b.map, sizeof(b.map), "%s", a.map);
    redirect(a.replies[1], "MOVED", "k", &b);
    snprintf(a.replies[2], 80, "+OK\r\n");
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_ERR(hr_sleep(hr_seconds(5)), 0);
    struct hr_redis_cluster_stats stats;
    hr_redis_cluster_get_stats(cluster, &stats);
    ASSERT_EQ(stats.maps, 1);
    ASSERT_EQ(stats.masters, 1);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "PING"), 0);
    end_two(cluster, &a, &b);
}

/* A slot that nobody has, and a node without an address that can be used. */
TEST(a_slot_of_nobody_is_no_connection)
{
    struct node a;
    start(&a);
    draw_map(&a, 100, &a, NULL);
    hr_redis_cluster *cluster = client_of(&a);
    ASSERT_TRUE(hr_redis_slot("k", 1) > 100);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), -ENOTCONN);
    ASSERT_STR(hr_last_error()->kind, "CLUSTERDOWN");
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "PING"), 0);
    end_client(cluster);
    fake_end(&a.fake);
}

TEST(a_node_that_left_is_hung_up_on_and_forgotten)
{
    struct node a, b;
    start(&a);
    start(&b);
    draw_map(&a, 16382, &b, &a); /* nearly all of b */
    hr_redis_cluster *cluster = client_of(&a);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_STR(b.heard, "GET k|");
    draw_map(&a, 16383, &a, NULL);
    draw_map(&b, 16383, &a, NULL);
    redirect(b.replies[0], "MOVED", "k", &a);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    ASSERT_STR(a.heard, "GET k|");
    ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
    struct hr_redis_cluster_stats stats;
    hr_redis_cluster_get_stats(cluster, &stats);
    ASSERT_EQ(stats.masters, 1);
    for (int i = 0; i < b.fake.accepted; i++)
        ASSERT_TRUE(hr_future_done(b.fake.peers[i]->task));
    end_two(cluster, &a, &b);
}

static int get_k(void *cluster)
{
    return hr_redis_cluster_command(cluster, NULL, "GET k");
}

TEST(close_ends_what_is_under_way_at_once)
{
    struct node a;
    start(&a);
    a.thinks = hr_seconds(60);
    draw_map(&a, 16383, &a, NULL);
    hr_redis_cluster *cluster = client_of(&a);
    hr_task *task = hr_create_task(NULL, get_k, cluster);
    while (a.asked == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_usec begun = test_clock_now();
    ASSERT_ERR(hr_redis_cluster_close(cluster), 0);
    ASSERT_ERR(hr_join(task), HR_ECLOSED);
    ASSERT_EQ(test_clock_now(), begun);
    hr_redis_cluster_free(cluster);
    fake_end(&a.fake);
}

TEST(futures_that_wait_are_bounded_in_bytes)
{
    struct node a;
    char url[64], text[601];
    memset(text, 'x', 600);
    text[600] = '\0';
    start(&a);
    a.thinks = hr_ms(10);
    draw_map(&a, 16383, &a, NULL);
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u", a.fake.port);
    hr_redis_cluster *cluster =
        hr_redis_cluster_new(&(struct hr_redis_options){.url = url, .max_pending = 1000});
    for (int i = 0; i < 3; i++) { /* what was answered makes room */
        hr_future *first = hr_redis_cluster_command_future(cluster, "ECHO %s", text);
        hr_future *second = hr_redis_cluster_command_future(cluster, "ECHO %s", text);
        ASSERT_ERR(hr_join(second), -ENOBUFS);
        ASSERT_FALSE(hr_last_error()->sent);
        ASSERT_ERR(hr_join(first), 0);
    }
    end_client(cluster);
    fake_end(&a.fake);
}

TEST(the_url_has_to_be_that_of_a_cluster)
{
    static const char *const urls[] = {"unix:///s", "redis+sentinel://h/m", "redis://h/1",
                                       "mysql://u@h/d"};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++)
        ASSERT_TRUE(!hr_redis_cluster_new(&(struct hr_redis_options){.url = urls[i]}));
    ASSERT_TRUE(!hr_redis_new(&(struct hr_redis_options){.url = "redis+cluster://h"}));
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    hr_redis_cluster_free(
        hr_redis_cluster_new(&(struct hr_redis_options){.url = "redis://127.0.0.1"}));
}

TEST(waiting_for_the_first_map_counts_towards_a_command_s_time_limit)
{
    struct fake_redis fake;
    char url[64];
    fake_start_tcp(&fake, fake_silence, NULL);
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u", fake.port);
    hr_redis_cluster *cluster = hr_redis_cluster_new(&(struct hr_redis_options){
        .url = url, .command_timeout = hr_seconds(1), .connect_timeout = hr_seconds(60)});
    hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), -ETIMEDOUT);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_EQ(test_clock_now(), hr_seconds(1));
    snprintf(url, sizeof(url), "within 1 s; 127.0.0.1:%u has not answered", fake.port);
    ASSERT_TRUE(strstr(hr_last_error()->message, url));
    ASSERT_ERR(hr_redis_cluster_acquire(cluster, "k", 1, &own), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_seconds(2));
    end_client(cluster);
    fake_end(&fake);
}

TEST(when_time_is_up_without_a_map_the_last_refusal_and_its_node_are_told)
{
    struct node refusing;
    struct fake_redis silent;
    char url[64], want[160];
    start(&refusing);
    snprintf(refusing.map, sizeof(refusing.map), "-NOPERM this user may not\r\n");
    fake_start_tcp(&silent, fake_silence, NULL);
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u,127.0.0.1:%u", refusing.fake.port,
             silent.port);
    hr_redis_cluster *cluster = hr_redis_cluster_new(&(struct hr_redis_options){
        .url = url, .command_timeout = hr_seconds(1), .connect_timeout = hr_seconds(60)});
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), -ETIMEDOUT);
    snprintf(want, sizeof(want),
             "redis: no map of the cluster within 1 s; last: redis 127.0.0.1:%u: NOPERM this user "
             "may not",
             refusing.fake.port);
    ASSERT_STR(hr_last_error()->message, want);
    ASSERT_STR(hr_last_error()->kind, "NOPERM");
    end_client(cluster);
    fake_end(&silent);
    fake_end(&refusing.fake);
}

static int use_once(void *arg)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    int r = hr_redis_cluster_command(arg, NULL, "GET k");
    if (r >= 0)
        r = hr_redis_cluster_command(arg, NULL, "GET k");
    return r < 0 ? r : hr_redis_cluster_acquire(arg, "k", 1, &own);
}

/* After every number of passes, until it is done by then: with the map, MOVED, ASK on the way. */
TEST(leaving_a_cluster_at_any_moment_leaves_nothing_behind)
{
    bool done = false;
    for (int n = 0; !done; n++) {
        struct node a, b;
        hr_redis_cluster *cluster = start_two(&a, &b);
        redirect(a.replies[0], "MOVED", "k", &b);
        redirect(b.replies[0], "ASK", "k", &a);
        snprintf(a.replies[1], 80, "+OK\r\n");
        snprintf(b.replies[1], 80, "+OK\r\n");
        hr_task *task = hr_create_task("user", use_once, cluster);
        test_passes(n);
        done = hr_future_done(task);
        hr_task_cancel(task, "the test leaves");
        int r = hr_join(task);
        ASSERT_TRUE(r == 0 || r == -ECANCELED);
        if (n % 2)
            ASSERT_ERR(hr_redis_cluster_close(cluster), 0);
        hr_redis_cluster_free(cluster);
        test_passes(20);
        fake_end(&a.fake);
        fake_end(&b.fake);
        ASSERT_TRUE(n < 500);
    }
}

TEST(a_command_that_is_sent_on_has_one_time_limit_with_all_nodes)
{
    struct node a, b;
    hr_redis_cluster *cluster = start_two(&a, &b);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET k"), 0);
    for (int ask = 0; ask < 2; ask++) {
        a.asked = 0;
        redirect(a.replies[0], ask ? "ASK" : "MOVED", ask ? "k" : "{x}", &b);
        a.thinks = hr_ms(700);
        b.thinks = hr_seconds(60);
        hr_usec begun = test_clock_now();
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET %s", ask ? "k" : "{x}"),
                   -ETIMEDOUT);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_EQ(test_clock_now() - begun, hr_seconds(1));
    }
    end_two(cluster, &a, &b);
}
