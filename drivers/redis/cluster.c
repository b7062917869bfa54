/* SPDX-License-Identifier: MIT */
/*
 * A command's way through a cluster: its slot, the node that has it, and what the node says.
 *
 * A command is formatted once and its bytes are kept until it is over, so that it can be sent to
 * another node. It is sent again only when the answer says that it was not carried out, or when it
 * never left.
 */
#include "drivers/redis/cluster.h"

#include <stdio.h>
#include <string.h>

#include "drivers/redis/cluster_impl.h"
#include "drivers/redis/script_impl.h"
#include "drivers/redis/words.h"

/* So often a command follows MOVED and ASK before it is given up: more than that is a circle. */
#define REDIRECTS_MAX 16

static const struct hr_backoff repeat_backoff = {
    .first = 10000, .max = 250000, .factor = 2, .jitter = true};

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
    hr__cluster_ref(cluster);
    hr__cluster_shut(cluster);
    int r = 0;
    while (r >= 0 && cluster->learner)
        r = hr_event_wait(&cluster->told);
    if (r >= 0)
        r = hr_event_wait(&cluster->none);
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

/* --- one command */

/* On its way. */
struct errand {
    struct hr_redis_cluster *cluster;
    struct hr_buf *bytes;
    unsigned slot;
    struct hr__redis_address ask; /* who said ASK named this node; port 0: nobody did */
    unsigned redirects;
    struct hr_backoff backoff;
    hr_usec deadline;
};

enum verdict {
    OVER,  /* with this outcome */
    NOW,   /* to be asked again at once */
    LATER, /* to be asked again after a while */
};

/* "MOVED 3999 host:port"; a node that does not know the host leaves it out: it is its own. */
static bool read_redirect(const char *text, const struct hr__redis_node *node,
                          struct hr__redis_address *ret)
{
    const char *place = strchr(text, ' ');
    place = place ? strchr(place + 1, ' ') : NULL;
    const char *colon = place ? strrchr(place, ':') : NULL;
    char host[sizeof(ret->host)];
    if (!colon || (size_t)(colon - place) > sizeof(host))
        return false;
    size_t len = (size_t)(colon - place) - 1;
    memcpy(host, place + 1, len);
    host[len] = '\0';
    return hr__redis_address_set(ret, len > 0 ? host : node->address.host,
                                 strtol(colon + 1, NULL, 10));
}

static enum verdict follow_moved(struct errand *e, const struct hr__redis_address *to)
{
    struct hr_redis_cluster *cluster = e->cluster;
    hr_auto(hr__cluster_leavep) struct hr__redis_node *node = NULL;
    hr__cluster_want_map(cluster);
    if (cluster->closed || hr__cluster_meet(cluster, to, &node) < 0)
        return OVER;
    if (e->slot != HR__REDIS_NO_SLOT)
        cluster->slots[e->slot] = node;
    cluster->stats.moved++;
    return NOW;
}

static enum verdict follow_redirect(struct errand *e, const struct hr__redis_node *node, bool moved)
{
    struct hr__redis_address to;
    char text[HR_ERROR_MESSAGE_MAX];
    snprintf(text, sizeof(text), "%s", hr_last_error()->message);
    if (!read_redirect(text, node, &to))
        return OVER;
    if (++e->redirects > REDIRECTS_MAX) {
        (void)hr_fail_native(HR_EREPLY, 0, NULL, hr_last_error()->kind, true,
                             "%s, after %d redirections: the nodes do not agree", text,
                             REDIRECTS_MAX);
        return OVER;
    }
    if (moved)
        return follow_moved(e, &to);
    e->ask = to;
    e->cluster->stats.asked++;
    return NOW;
}

/* What the node said, or why it could not be asked. */
static enum verdict judge(struct errand *e, const struct hr__redis_node *node, int r)
{
    static const char *const passing[] = {"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN"};
    if (r >= 0 || r == -ECANCELED || e->cluster->closed)
        return OVER;
    const char *kind = hr_last_error()->kind;
    if (r == HR_EREPLY) {
        bool moved = strcmp(kind, "MOVED") == 0;
        if (node && (moved || strcmp(kind, "ASK") == 0))
            return follow_redirect(e, node, moved);
        for (size_t i = 0; i < HR_ARRAY_LEN(passing); i++) {
            if (strcmp(kind, passing[i]) != 0)
                continue;
            if (i > 0)
                hr__cluster_want_map(e->cluster);
            return LATER;
        }
        return OVER;
    }
    if (r == -ENOTCONN || r == HR_ELOST || r == -ETIMEDOUT)
        hr__cluster_want_map(e->cluster);
    return r == -ENOTCONN && e->cluster->stats.maps > 0 ? LATER : OVER;
}

/* Asks the node; with ASKING in front of it where the slot is on its way there, in one piece, so
 * that nobody else's command comes in between. */
static int ask_node(const struct errand *e, struct hr__redis_node *node, bool asking,
                    hr_reply **ret)
{
    static const char asking_bytes[] = "*1\r\n$6\r\nASKING\r\n";
    if (!asking) {
        struct hr__redis_request request = {.data = hr_buf_data(e->bytes),
                                            .len = hr_buf_size(e->bytes)};
        return hr__redis_ask_by(node->redis, e->deadline, NULL, ret, &request);
    }
    struct hr_buf both;
    hr_buf_init(&both, SIZE_MAX);
    int r = hr_buf_append(&both, asking_bytes, sizeof(asking_bytes) - 1);
    if (r == 0)
        r = hr_buf_append(&both, hr_buf_data(e->bytes), hr_buf_size(e->bytes));
    if (r == 0) {
        hr_reply *first = NULL;
        struct hr__redis_request request = {
            .data = hr_buf_data(&both), .len = hr_buf_size(&both), .more = 1};
        r = hr__redis_ask_by(node->redis, e->deadline, &first, ret, &request);
        hr_reply_free(first);
    } else {
        r = hr_fail(-ENOMEM, "redis: no memory for the command");
    }
    hr_buf_done(&both);
    return r;
}

static int ask_once(struct errand *e, hr_reply **ret, enum verdict *ret_verdict)
{
    hr_auto(hr__cluster_leavep) struct hr__redis_node *node = NULL;
    bool asking = e->ask.port != 0;
    int r = asking && !e->cluster->closed
                ? hr__cluster_meet(e->cluster, &e->ask, &node)
                : hr__cluster_find(e->cluster, e->slot, e->deadline, &node);
    e->ask.port = 0;
    if (r >= 0)
        r = ask_node(e, node, asking, ret);
    *ret_verdict = judge(e, node, r);
    return r;
}

/* Waits before the next attempt. False: there is no time for it, or the task was cancelled: the
 * record says so. */
static int wait_a_while(struct errand *e, int code)
{
    hr_usec pause = hr_backoff_next(&e->backoff);
    if (hr_later(hr_now(), pause) >= e->deadline)
        return code;
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    int r = hr_sleep(pause);
    if (r < 0)
        r = hr_fail_native(r, 0, NULL, error.kind, false, "%s: cancelled before it was asked again",
                           error.message);
    hr_error_done(&error);
    e->cluster->stats.repeated++;
    return r;
}

/* Of what begins now. */
static hr_usec deadline_of(const struct hr_redis_cluster *cluster)
{
    return hr_later(hr_now(), cluster->pattern->command_timeout);
}

/* Asks until there is an outcome. */
static int run_errand(struct errand *e, hr_reply **ret)
{
    e->backoff = repeat_backoff;
    e->deadline = deadline_of(e->cluster);
    hr__cluster_ref(e->cluster);
    enum verdict verdict = NOW;
    int r = 0;
    while (verdict != OVER) {
        r = ask_once(e, ret, &verdict);
        if (verdict == NOW && hr_now() >= e->deadline)
            break; /* sent from one to the other for all the time there was */
        if (verdict != LATER)
            continue;
        int waited = wait_a_while(e, r);
        if (waited < 0) {
            r = waited;
            break;
        }
    }
    hr__cluster_unref(e->cluster);
    return r;
}

static int check_loop(struct hr_redis_cluster *cluster)
{
    int r = hr__redis_check_loop(cluster->pattern);
    if (r == 0 && !hr_current_task())
        r = hr_fail(HR_ENOTASK, "redis: only a task can wait for a reply");
    return r;
}

/* A command in its bytes; slot is told, or NULL: to be found in them. */
static int ask_bytes(struct hr_redis_cluster *cluster, hr_reply **ret, struct hr_buf *bytes,
                     const unsigned *slot)
{
    struct errand errand = {.cluster = cluster, .bytes = bytes};
    int r = check_loop(cluster);
    if (r == 0 && slot)
        errand.slot = *slot;
    else if (r == 0)
        r = hr__redis_slot_of_command(hr_buf_data(bytes), hr_buf_size(bytes), &errand.slot);
    return r < 0 ? r : run_errand(&errand, ret);
}

static int ask(struct hr_redis_cluster *cluster, hr_reply **ret,
               const struct hr__redis_request *request, const unsigned *slot)
{
    hr_auto(hr_buf_done) struct hr_buf bytes;
    hr_buf_init(&bytes, SIZE_MAX);
    int r = hr__redis_format(&bytes, request);
    return r < 0 ? r : ask_bytes(cluster, ret, &bytes, slot);
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
    hr_buf_done(&late->bytes);
    hr__cluster_unref(late->cluster);
    free(late);
}

static int ask_late(void *arg)
{
    struct late *late = arg;
    hr_reply *reply = NULL;
    int r = ask_bytes(late->cluster, &reply, &late->bytes, NULL);
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
    int r = hr__redis_format(&late->bytes, request);
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
    int r = start_late(cluster, &request, &future);
    va_end(args);
    if (r == -EINVAL) { /* what is wrong with the command belongs to its future */
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
    int r = check_loop(cluster);
    if (r == 0)
        r = hr__cluster_find(cluster, hr__redis_slot(key, key_len), deadline_of(cluster), &node);
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
    int r = check_loop(cluster);
    if (r == 0)
        r = hr__cluster_masters(cluster, deadline_of(cluster), &masters, &count);
    for (size_t i = 0; i < count; i++) {
        if (r >= 0)
            r = each(masters[i]->redis, cookie);
        hr__cluster_leave(masters[i]);
    }
    free(masters);
    return r;
}
