/* SPDX-License-Identifier: MIT */
/*
 * The client of a cluster: making, closing, and its calls.
 */
#include "drivers/redis/cluster.h"

#include "drivers/missing.h"
#include "drivers/redis/cluster_impl.h"
#include "drivers/redis/manners.h"
#include "drivers/redis/script_impl.h"

hr_redis_cluster *hr_redis_cluster_new(const struct hr_redis_options *options)
{
    struct hr_redis_cluster *cluster = calloc(1, sizeof(*cluster));
    if (!cluster) {
        (void)hr_fail(-ENOMEM, "redis: no memory for a client");
        return NULL;
    }
    cluster->refs = 1;
    hr_list_init(&cluster->nodes);
    hr_event_init(&cluster->told);
    hr_event_init(&cluster->none);
    hr_event_set(&cluster->none);
    cluster->pattern = hr__redis_new_pattern(options);
    const struct hr_url *url = cluster->pattern ? &cluster->pattern->target.url : NULL;
    if (!url || !url->host || url->scheme == HR_URL_SENTINEL || url->db != 0) {
        if (url)
            (void)hr_fail(-EINVAL, "redis: the url is not that of a cluster (redis+cluster://)");
        hr__cluster_unref(cluster);
        return NULL;
    }
    return cluster;
}

int hr_redis_cluster_close(hr_redis_cluster *cluster)
{
    if (!cluster)
        return hr__missing_object("redis: a client");
    int r = hr__redis_check_loop(cluster->pattern);
    if (r < 0)
        return r;
    hr__cluster_ref(cluster);
    hr__cluster_shut(cluster);
    while (r >= 0 && cluster->learner)
        r = hr_event_wait_as(&cluster->told, "the cluster's map");
    if (r >= 0)
        r = hr_event_wait_as(&cluster->none, "the cluster's connections to close");
    hr__cluster_unref(cluster);
    return r;
}

hr_redis_cluster *hr_redis_cluster_free(hr_redis_cluster *cluster)
{
    if (cluster) {
        hr__cluster_shut(cluster);
        hr__cluster_unref(cluster);
    }
    return NULL;
}

void hr_redis_cluster_freep(hr_redis_cluster **cluster)
{
    *cluster = hr_redis_cluster_free(*cluster);
}

void hr_redis_cluster_get_stats(const hr_redis_cluster *cluster, struct hr_redis_cluster_stats *ret)
{
    *ret = (struct hr_redis_cluster_stats){0};
    if (!cluster)
        return;
    *ret = cluster->stats;
    hr_list_foreach (link, &cluster->nodes) {
        const struct hr__redis_node *node = hr_list_entry(link, struct hr__redis_node, link);
        ret->masters += node->known && node->master;
        ret->replicas += node->known && !node->master;
    }
}

unsigned hr_redis_slot(const void *key, size_t len)
{
    return hr__redis_slot(key, len);
}

static int ask(struct hr_redis_cluster *cluster, hr_reply **ret,
               const struct hr__redis_request *request, const unsigned *slot)
{
    hr_auto(hr_buf_done) struct hr_buf bytes;
    hr_buf_init(&bytes, SIZE_MAX);
    int r = hr__redis_check_manners(request);
    if (r == 0)
        r = hr__redis_format(&bytes, request);
    return r < 0 ? r : hr__cluster_ask(cluster, ret, &bytes, slot);
}

int(hr_redis_cluster_command)(hr_redis_cluster *cluster, hr_reply **ret, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r = ask(cluster, ret, &request, NULL);
    va_end(args);
    return r;
}

int(hr_redis_cluster_command_argv)(hr_redis_cluster *cluster, hr_reply **ret, size_t argc,
                                   const char *const *argv, const size_t *lens)
{
    struct hr__redis_request request = {.argc = argc, .argv = argv, .lens = lens};
    return ask(cluster, ret, &request, NULL);
}

int(hr_redis_cluster_command_by)(hr_redis_cluster *cluster, hr_reply **ret, const void *key,
                                 size_t key_len, const char *fmt, ...)
{
    unsigned slot = hr__redis_slot(key, key_len);
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r = ask(cluster, ret, &request, &slot);
    va_end(args);
    return r;
}

/* --- as a future */

struct late {
    struct hr_redis_cluster *cluster;
    struct hr_buf bytes;
};

static void free_late(void *arg)
{
    struct late *late = arg;
    late->cluster->late_bytes -= hr_buf_size(&late->bytes);
    hr_buf_done(&late->bytes);
    hr__cluster_unref(late->cluster);
    free(late);
}

static int ask_late(void *arg)
{
    struct late *late = arg;
    hr_reply *reply = NULL;
    int r = hr__cluster_ask(late->cluster, &reply, &late->bytes, NULL);
    if (r >= 0)
        hr_task_return(reply, hr__redis_drop_reply);
    free_late(late);
    return r;
}

static int start_late(struct hr_redis_cluster *cluster, const struct hr__redis_request *request,
                      hr_future **ret)
{
    struct late *late = calloc(1, sizeof(*late));
    if (!late)
        return hr_fail(-ENOMEM, "redis: no memory for the command");
    late->cluster = hr__cluster_ref(cluster);
    hr_buf_init(&late->bytes, SIZE_MAX);
    int r = hr__redis_check_manners(request);
    if (r == 0)
        r = hr__redis_format(&late->bytes, request);
    late->cluster->late_bytes += hr_buf_size(&late->bytes);
    if (r == 0 && late->cluster->late_bytes > late->cluster->pattern->target.limits.max_pending)
        r = hr_fail(-ENOBUFS, "redis: too much waits for replies of the cluster");
    if (r == 0) {
        struct hr_task_options options = {.name = "redis-command", .free_arg = free_late};
        *ret = hr_create_task_with(&options, ask_late, late);
        r = *ret ? 0 : hr_last_error()->code;
    }
    if (r < 0)
        free_late(late);
    return r;
}

hr_future *hr_redis_cluster_command_future(hr_redis_cluster *cluster, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    hr_future *future = NULL;
    int r = hr__redis_check_loop(cluster ? cluster->pattern : NULL);
    if (r == 0)
        r = start_late(cluster, &request, &future);
    va_end(args);
    if (r < 0 && r != -ENOMEM) { /* what is wrong with the call belongs to its future */
        future = hr_future_new(NULL);
        if (future)
            (void)hr_future_set_error_record(future, hr_last_error());
    }
    return future;
}

/* --- scripts, connections of one's own, all masters */

static int ask_cluster(void *client, hr_reply **ret, const struct hr__redis_request *request)
{
    return ask(client, ret, request, NULL);
}

int(hr_redis_cluster_eval)(hr_redis_cluster *cluster, hr_reply **ret,
                           const struct hr_redis_script *script, size_t n_keys,
                           const struct hr_redis_arg *keys, size_t n_args,
                           const struct hr_redis_arg *args)
{
    return hr__redis_eval_by(ask_cluster, cluster, ret, script, n_keys, keys, n_args, args);
}

int(hr_redis_cluster_acquire)(hr_redis_cluster *cluster, const void *key, size_t key_len,
                              hr_redis_conn **ret)
{
    hr_auto(hr__cluster_leavep) struct hr__redis_node *node = NULL;
    int r = hr__cluster_check_loop(cluster);
    if (r == 0)
        r = hr__cluster_find(cluster, hr__redis_slot(key, key_len), hr__cluster_deadline(cluster),
                             &node);
    if (!node)
        return r;
    r = hr_redis_acquire(node->redis, ret);
    if (r < 0 && r != -ECANCELED)
        hr__cluster_want_map(cluster);
    return r;
}

int hr_redis_cluster_each(hr_redis_cluster *cluster, int (*each)(hr_redis *node, void *cookie),
                          void *cookie)
{
    struct hr__redis_node **masters = NULL;
    size_t count = 0;
    int r = hr__cluster_check_loop(cluster);
    if (r == 0)
        r = hr__cluster_masters(cluster, hr__cluster_deadline(cluster), &masters, &count);
    for (size_t i = 0; i < count; i++) {
        if (r >= 0)
            r = each(masters[i]->redis, cookie);
        hr__cluster_leave(masters[i]);
    }
    free(masters);
    return r;
}
