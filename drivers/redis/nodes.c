/* SPDX-License-Identifier: MIT */
/*
 * The nodes of a cluster: each lives as long as the map has it or a command is under way to it.
 */
#include <string.h>

#include "drivers/redis/cluster_impl.h"

struct hr_redis_cluster *hr__cluster_ref(struct hr_redis_cluster *cluster)
{
    cluster->refs++;
    return cluster;
}

void hr__cluster_unref(struct hr_redis_cluster *cluster)
{
    if (--cluster->refs > 0)
        return;
    hr_redis_free(cluster->pattern);
    hr_event_done(&cluster->none);
    hr_event_done(&cluster->told);
    hr_error_done(&cluster->error);
    free(cluster);
}

/* The last of it: its client is closed or never was. */
static void bury(struct hr__redis_node *node)
{
    struct hr_redis_cluster *cluster = node->cluster;
    hr_redis_free(node->redis);
    free(node);
    if (--cluster->alive == 0)
        hr_event_set(&cluster->none);
    hr__cluster_unref(cluster);
}

static void bury_arg(void *arg)
{
    bury(arg);
}

static int close_node(void *arg)
{
    struct hr__redis_node *node = arg;
    int r = hr_redis_close(node->redis);
    bury(node);
    return r == -ECANCELED ? r : 0;
}

void hr__cluster_leave(struct hr__redis_node *node)
{
    if (--node->refs > 0)
        return;
    struct hr_task_options options = {.name = "redis-node", .free_arg = bury_arg};
    hr_task *task = NULL;
    if (node->redis && node->redis->home)
        task = hr_create_task_with(&options, close_node, node);
    if (!task)
        bury(node);
    (void)hr_future_unref(task);
}

void hr__cluster_leavep(struct hr__redis_node **node)
{
    if (*node)
        hr__cluster_leave(*node);
    *node = NULL;
}

struct hr__redis_node *hr__cluster_node_at(struct hr_redis_cluster *cluster,
                                           const struct hr__redis_address *address)
{
    hr_list_foreach (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        if (hr__redis_address_equals(&node->address, address))
            return node;
    }
    return NULL;
}

/* Takes a reference to a node whose client is there. */
static int use(struct hr__redis_node *node, struct hr__redis_node **ret)
{
    if (!node->redis)
        node->redis = hr__redis_new_beside(node->cluster->pattern, &node->address);
    if (!node->redis)
        return -ENOMEM;
    node->refs++;
    *ret = node;
    return 0;
}

int hr__cluster_meet(struct hr_redis_cluster *cluster, const struct hr__redis_address *address,
                     struct hr__redis_node **ret)
{
    struct hr__redis_node *node = hr__cluster_node_at(cluster, address);
    if (!node) {
        node = calloc(1, sizeof(*node));
        if (!node)
            return hr_fail(-ENOMEM, "redis: no memory for a node");
        node->cluster = hr__cluster_ref(cluster);
        node->address = *address;
        node->refs = 1;
        hr_list_append(&cluster->nodes, &node->link);
        cluster->alive++;
        hr_event_clear(&cluster->none);
    }
    return use(node, ret);
}

void hr__cluster_dismiss(struct hr__redis_node *node)
{
    hr_list_remove(&node->link);
    hr__cluster_leave(node);
}

static struct hr__redis_node *some_master(struct hr_redis_cluster *cluster)
{
    struct hr__redis_node *any = NULL;
    hr_list_foreach (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        if (node->master && node->redis && hr__redis_is_up(node->redis))
            return node;
        if (node->master && !any)
            any = node;
    }
    return any;
}

int hr__cluster_find(struct hr_redis_cluster *cluster, unsigned slot, hr_usec deadline,
                     struct hr__redis_node **ret)
{
    if (cluster->closed)
        return hr_fail(HR_ECLOSED, "redis: the client is closed");
    int r = hr__cluster_await_map(cluster, deadline);
    if (r < 0)
        return r;
    struct hr__redis_node *node =
        slot == HR__REDIS_NO_SLOT ? some_master(cluster) : cluster->slots[slot];
    if (!node && slot == HR__REDIS_NO_SLOT)
        return hr_fail_native(-ENOTCONN, 0, NULL, "CLUSTERDOWN", false,
                              "redis: no master of the cluster is known");
    if (!node)
        return hr_fail_native(-ENOTCONN, 0, NULL, "CLUSTERDOWN", false,
                              "redis: no node of the cluster has the slot %u", slot);
    return use(node, ret);
}

int hr__cluster_masters(struct hr_redis_cluster *cluster, hr_usec deadline,
                        struct hr__redis_node ***ret, size_t *ret_count)
{
    if (cluster->closed)
        return hr_fail(HR_ECLOSED, "redis: the client is closed");
    int r = hr__cluster_await_map(cluster, deadline);
    if (r < 0)
        return r;
    struct hr__redis_node **masters = calloc(cluster->alive + 1, sizeof(struct hr__redis_node *));
    size_t count = 0;
    if (!masters)
        return hr_fail(-ENOMEM, "redis: no memory for the nodes");
    hr_list_foreach (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        if (r == 0 && node->master)
            r = use(node, &masters[count]);
        count += r == 0 && node->master;
    }
    *ret = masters;
    *ret_count = count;
    return r;
}

void hr__cluster_shut(struct hr_redis_cluster *cluster)
{
    if (cluster->closed)
        return;
    cluster->closed = true;
    memset(cluster->slots, 0, sizeof(cluster->slots));
    hr_list_foreach_safe (link, &cluster->nodes) {
        struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        if (node->redis)
            hr__redis_shut(node->redis);
        hr__cluster_dismiss(node);
    }
    if (cluster->learner)
        hr_task_cancel(cluster->learner, "the client is closed");
}
