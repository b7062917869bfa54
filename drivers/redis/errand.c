/* SPDX-License-Identifier: MIT */
/*
 * A command's way through a cluster: its slot, the node that has it, and what the node says.
 *
 * A command is formatted once and its bytes are kept until it is over, so that it can be sent to
 * another node. It is sent again only when the answer says that it was not carried out, or when it
 * never left.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/redis/cluster_impl.h"

/* So often a command follows MOVED and ASK before it is given up: more than that is a circle. */
#define REDIRECTS_MAX 16

static const struct hr_backoff repeat_backoff = {
    .first = 10000, .max = 250000, .factor = 2, .jitter = true};

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

/* "MOVED 3999 host:port"; a node that does not know the host leaves it out: it is its own. text is
 * that of a record, which may have been cut in the middle of a port. */
static bool read_redirect(const char *text, const struct hr__redis_node *node,
                          struct hr__redis_address *ret)
{
    const char *place = strchr(text, ' ');
    place = place ? strchr(place + 1, ' ') : NULL;
    const char *colon = place ? strrchr(place, ':') : NULL;
    char host[sizeof(ret->host)];
    if (!colon || (size_t)(colon - place) > sizeof(host) ||
        strlen(text) == HR_ERROR_MESSAGE_MAX - 1)
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
    if (!read_redirect(text, node, &to)) {
        if (moved) /* the map knows where */
            hr__cluster_want_map(e->cluster);
        return moved ? LATER : OVER;
    }
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
    bool may_pass = r == -ENOTCONN && hr__redis_may_pass(hr_last_error());
    if (r == -ENOTCONN || r == HR_ELOST || r == -ETIMEDOUT)
        hr__cluster_want_map(e->cluster);
    return may_pass && e->cluster->stats.maps > 0 ? LATER : OVER;
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
        return hr__redis_ask_by(node->redis, e->deadline, ret, &request);
    }
    struct hr_buf both;
    hr_buf_init(&both, SIZE_MAX);
    int r = hr_buf_append(&both, asking_bytes, sizeof(asking_bytes) - 1);
    if (r == 0)
        r = hr_buf_append(&both, hr_buf_data(e->bytes), hr_buf_size(e->bytes));
    if (r == 0) {
        hr_reply *first = NULL;
        struct hr__redis_request request = {
            .data = hr_buf_data(&both), .len = hr_buf_size(&both), .more = 1, .parts = &first};
        r = hr__redis_ask_by(node->redis, e->deadline, ret, &request);
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

/* Waits before the next attempt. 0; code, whose record stands, where there is no time for it; or
 * -ECANCELED. */
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

hr_usec hr__cluster_deadline(const struct hr_redis_cluster *cluster)
{
    return hr_later(hr_now(), cluster->pattern->command_timeout);
}

/* Asks until there is an outcome. */
static int run_errand(struct errand *e, hr_reply **ret)
{
    e->backoff = repeat_backoff;
    e->deadline = hr__cluster_deadline(e->cluster);
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

int hr__cluster_check_loop(struct hr_redis_cluster *cluster)
{
    int r = hr__redis_check_loop(cluster ? cluster->pattern : NULL);
    if (r == 0 && !hr_current_task())
        r = hr_fail(HR_ENOTASK, "redis: only a task can wait for a reply");
    return r;
}

int hr__cluster_ask(struct hr_redis_cluster *cluster, hr_reply **ret, struct hr_buf *bytes,
                    const unsigned *slot)
{
    struct errand errand = {.cluster = cluster, .bytes = bytes};
    int r = hr__cluster_check_loop(cluster);
    if (r == 0 && slot)
        errand.slot = *slot;
    else if (r == 0)
        r = hr__redis_slot_of_command(hr_buf_data(bytes), hr_buf_size(bytes), &errand.slot);
    return r < 0 ? r : run_errand(&errand, ret);
}
