/* SPDX-License-Identifier: MIT */
/*
 * The map of a cluster's slots.
 *
 * It is learnt by a task that asks one node after the other for CLUSTER SLOTS, those whose
 * connection is up first. Commands never wait for it but when there is none yet: they find out by
 * themselves that a slot has moved.
 */
#include <string.h>

#include "core/timeout.h"
#include "drivers/redis/cluster_impl.h"

/* The map is not asked for more often, whatever the nodes say. */
#define LEARN_EVERY hr_ms(200)

/* A node that is silent costs so much of the search. */
#define NODE_SHARE 4 /* of connect_timeout: one part in so many */

/* The address of a node in the map; one that does not know its own is where it was asked. False:
 * nobody can tell. */
static bool read_address(const hr_reply *node, const struct hr__redis_address *asked,
                         struct hr__redis_address *ret)
{
    const char *host = hr_reply_str(hr_reply_at(node, 0), NULL);
    if (!host || !host[0])
        host = asked->host;
    return hr__redis_address_set(ret, host, hr_reply_int(hr_reply_at(node, 1)));
}

/* A range is [first, last, master, replica …]. */
static int check_range(const hr_reply *range)
{
    int64_t first = hr_reply_int(hr_reply_at(range, 0)), last = hr_reply_int(hr_reply_at(range, 1));
    if (hr_reply_len(range) < 3 || first < 0 || first > last || last >= HR__REDIS_SLOTS)
        return hr_fail(-EBADMSG, "redis: the map of the cluster makes no sense");
    return 0;
}

/* Makes a node of each in the range that is new and has an address. */
static int meet_range(struct hr_redis_cluster *cluster, const hr_reply *range,
                      const struct hr__redis_address *asked)
{
    int r = 0;
    for (size_t i = 2; r == 0 && i < hr_reply_len(range); i++) {
        struct hr__redis_address address;
        hr_auto(hr__cluster_leavep) struct hr__redis_node *node = NULL;
        if (read_address(hr_reply_at(range, i), asked, &address))
            r = hr__cluster_meet(cluster, &address, &node);
    }
    return r;
}

static void assign_range(struct hr_redis_cluster *cluster, const hr_reply *range,
                         const struct hr__redis_address *asked)
{
    struct hr__redis_node *master = NULL;
    for (size_t i = 2; i < hr_reply_len(range); i++) {
        struct hr__redis_address address;
        struct hr__redis_node *node = NULL;
        if (read_address(hr_reply_at(range, i), asked, &address))
            node = hr__cluster_node_at(cluster, &address);
        if (!node)
            continue;
        node->known = true;
        if (i == 2) {
            node->master = true;
            master = node;
        }
    }
    int64_t last = hr_reply_int(hr_reply_at(range, 1));
    for (int64_t slot = hr_reply_int(hr_reply_at(range, 0)); slot <= last; slot++)
        cluster->slots[slot] = master;
}

/* Takes in a map: all of it, or nothing when it makes no sense. */
static int take_map(struct hr_redis_cluster *cluster, const hr_reply *map,
                    const struct hr__redis_address *asked)
{
    size_t count = hr_reply_len(map);
    if (count == 0)
        return hr_fail(-EBADMSG, "redis %s:%u: it knows no slots", asked->host, asked->port);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = check_range(hr_reply_at(map, i));
    for (size_t i = 0; r == 0 && i < count; i++)
        r = meet_range(cluster, hr_reply_at(map, i), asked);
    if (r < 0)
        return r;

    hr_list_foreach (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        node->known = node->master = false;
    }
    memset(cluster->slots, 0, sizeof(cluster->slots));
    for (size_t i = 0; i < count; i++)
        assign_range(cluster, hr_reply_at(map, i), asked);
    hr_list_foreach_safe (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        if (!node->known)
            hr__cluster_dismiss(node);
    }
    cluster->stats.maps++;
    return 0;
}

/* Names the node that refused or was silent: a server's own words do not, nor does the limit. */
static int blame(const struct hr__redis_node *node, int code, const struct hr_timeout *limit)
{
    const char *name = node->redis->target.name;
    if (code == -ETIMEDOUT && hr_timeout_expired(limit))
        return hr_fail_native(code, 0, NULL, NULL, hr_last_error()->sent,
                              "%s: no answer within %.6g s", name, (double)limit->limit / 1e6);
    if (code != HR_EREPLY)
        return code;
    struct hr_error why = {0};
    hr_error_copy(&why, hr_last_error());
    int r = hr_fail_native(code, 0, NULL, why.kind[0] ? why.kind : NULL, why.sent, "%s: %s", name,
                           why.message);
    hr_error_done(&why);
    return r;
}

static int ask_for_map(struct hr_redis_cluster *cluster, struct hr__redis_node *node)
{
    struct hr__redis_address asked = node->address;
    cluster->asked = asked;
    hr_auto(hr_reply_freep) hr_reply *map = NULL;
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, cluster->pattern->target.connect_timeout / NODE_SHARE);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_redis_command(node->redis, &map, "CLUSTER SLOTS"));
    if (r >= 0 && !cluster->closed)
        r = take_map(cluster, map, &asked);
    return blame(node, r, &limit);
}

/* Whom to ask: those that are connected, then the others that are known, then those of the URL. */
struct search {
    struct hr__redis_node **nodes;
    size_t count, most;
};

static void add_candidate(struct search *search, struct hr__redis_node *node)
{
    for (size_t i = 0; i < search->count; i++) {
        if (search->nodes[i] == node)
            return;
    }
    node->refs++;
    search->nodes[search->count++] = node;
}

static void add_known(struct hr_redis_cluster *cluster, struct search *search, bool up)
{
    size_t before = search->count;
    hr_list_foreach (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        if (node->redis && hr__redis_is_up(node->redis) == up)
            add_candidate(search, node);
    }
    size_t added = search->count - before;
    if (added < 2)
        return;
    struct hr__redis_node **from = &search->nodes[before];
    for (size_t i = cluster->turn % added; i > 0; i--) { /* another one first each time */
        struct hr__redis_node *first = from[0];
        memmove(from, from + 1, (added - 1) * sizeof(*from));
        from[added - 1] = first;
    }
}

static int add_seed(struct hr_redis_cluster *cluster, struct search *search, const char *host,
                    uint16_t port)
{
    struct hr__redis_address address;
    hr_auto(hr__cluster_leavep) struct hr__redis_node *node = NULL;
    if (!hr__redis_address_set(&address, host, port))
        return 0;
    int r = hr__cluster_meet(cluster, &address, &node);
    if (r == 0)
        add_candidate(search, node);
    return r;
}

static int list_candidates(struct hr_redis_cluster *cluster, struct search *search)
{
    const struct hr_url *url = &cluster->pattern->target.url;
    search->most = cluster->alive + url->n_others + 1;
    search->nodes = calloc(search->most, sizeof(struct hr__redis_node *));
    if (!search->nodes)
        return hr_fail(-ENOMEM, "redis: no memory for the map of the cluster");
    add_known(cluster, search, true);
    add_known(cluster, search, false);
    int r = add_seed(cluster, search, url->host, url->port);
    for (size_t i = 0; r == 0 && i < url->n_others; i++)
        r = add_seed(cluster, search, url->others[i].host, url->others[i].port);
    return r;
}

/* Keeps why there is no map, as callers will be told. */
static void note_error(struct hr_redis_cluster *cluster, int code)
{
    hr_error_done(&cluster->error);
    cluster->error = (struct hr_error){0};
    if (code == 0)
        return;
    struct hr_error error = *hr_last_error();
    error.code = code == -ENOMEM || code == HR_ECLOSED ? code : -ENOTCONN;
    error.sent = false;
    error.native = 0;
    hr_error_copy(&cluster->error, &error);
}

static int learn_once(struct hr_redis_cluster *cluster)
{
    struct search search = {0};
    int r = list_candidates(cluster, &search);
    for (size_t i = 0; r == 0 && i < search.count; i++) {
        r = cluster->closed ? HR_ECLOSED : ask_for_map(cluster, search.nodes[i]);
        if (r >= 0 || r == -ECANCELED || r == -ENOMEM || r == HR_ECLOSED)
            break;
        note_error(cluster, r);
        if (i + 1 < search.count)
            r = 0;
    }
    for (size_t i = 0; i < search.count; i++)
        hr__cluster_leave(search.nodes[i]);
    free(search.nodes);
    return r;
}

static void end_learner(struct hr_redis_cluster *cluster)
{
    cluster->learner = hr_future_unref(cluster->learner);
    hr_event_set(&cluster->told); /* a pulse: all who wait now */
    hr_event_clear(&cluster->told);
    hr__cluster_unref(cluster);
}

static int learn(void *arg)
{
    struct hr_redis_cluster *cluster = arg;
    int r = 0;
    do {
        cluster->wanted = false;
        if (cluster->stats.maps > 0 || cluster->error.code < 0)
            r = hr_sleep_until(hr_later(cluster->learnt, LEARN_EVERY));
        cluster->learnt = hr_now();
        cluster->turn++;
        if (r >= 0)
            r = learn_once(cluster);
        if (r == -ECANCELED)
            break;
        note_error(cluster, r);
        hr_event_set(&cluster->told);
        hr_event_clear(&cluster->told);
    } while (cluster->wanted && !cluster->closed);
    end_learner(cluster);
    return r == -ECANCELED ? r : 0;
}

static void drop_learner(void *arg)
{
    end_learner(arg);
}

void hr__cluster_want_map(struct hr_redis_cluster *cluster)
{
    cluster->wanted = true;
    if (cluster->learner || cluster->closed)
        return;
    struct hr_task_options options = {.name = "redis-cluster", .free_arg = drop_learner};
    cluster->learner = hr_create_task_with(&options, learn, cluster);
    if (cluster->learner)
        hr__cluster_ref(cluster);
}

/* The time is over: who has refused says why, or who is silent is named. */
static int fail_late(const struct hr_redis_cluster *cluster)
{
    const struct hr_error *why = &cluster->error;
    double limit = (double)cluster->pattern->command_timeout / 1e6;
    if (why->code < 0)
        return hr_fail_native(-ETIMEDOUT, 0, NULL, why->kind[0] ? why->kind : NULL, false,
                              "redis: no map of the cluster within %.6g s; last: %s", limit,
                              why->message);
    return hr_fail(-ETIMEDOUT, "redis: no map of the cluster within %.6g s; %s:%u has not answered",
                   limit, cluster->asked.host, cluster->asked.port);
}

static int wait_until_told(struct hr_redis_cluster *cluster, hr_usec deadline)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter_at(&limit, deadline);
    if (r >= 0)
        r = hr_timeout_leave(&limit, hr_event_wait_as(&cluster->told, "the cluster's map"));
    if (r == -ETIMEDOUT)
        return fail_late(cluster);
    return r < 0 ? hr_fail(r, "redis: cancelled before it was asked") : 0;
}

int hr__cluster_await_map(struct hr_redis_cluster *cluster, hr_usec deadline)
{
    while (cluster->stats.maps == 0) {
        hr__cluster_want_map(cluster);
        if (!cluster->learner)
            return hr_fail(-ENOMEM, "redis: no memory for a task");
        int r = wait_until_told(cluster, deadline);
        if (r < 0)
            return r;
        if (cluster->closed)
            return hr_fail(HR_ECLOSED, "redis: the client is closed");
        if (cluster->stats.maps == 0 && cluster->error.code < 0)
            return hr_error_raise(&cluster->error);
    }
    return 0;
}
