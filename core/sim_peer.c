/* SPDX-License-Identifier: MIT */
/*
 * Peers of a simulated world: tasks that serve whoever connects to their address.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/loop_impl.h"
#include "core/sim_impl.h"

#define ADDRESS_SIZE 128

struct listener {
    struct hr_list link;
    unsigned len;
    char address[ADDRESS_SIZE];
    hr_sim_serve_fn *serve;
    void *arg;
};

static struct listener *find_listener(struct hr_sim *sim, const void *address, unsigned len)
{
    hr_list_foreach (node, &sim->listeners) {
        struct listener *listener = hr_list_entry(node, struct listener, link);
        if (listener->len == len && memcmp(listener->address, address, len) == 0)
            return listener;
    }
    return NULL;
}

int hr_sim_listen(const struct sockaddr *address, unsigned len, hr_sim_serve_fn *serve, void *arg)
{
    struct hr_sim *sim = hr_sim_here();
    if (!sim || len > ADDRESS_SIZE)
        return hr_fail(-EINVAL, sim ? "the address is too long" : "not in a simulated world");
    struct listener *listener = find_listener(sim, address, len);
    if (!listener) {
        listener = calloc(1, sizeof(*listener));
        if (!listener)
            return hr_fail(-ENOMEM, "no memory for a listener");
        memcpy(listener->address, address, len);
        listener->len = len;
        hr_list_append(&sim->listeners, &listener->link);
    }
    listener->serve = serve;
    listener->arg = arg;
    return 0;
}

/* A peer: what serves one connection. */
struct peer {
    hr_sim_serve_fn *serve;
    void *arg;
    int fd;
};

static void peer_free(void *memory)
{
    struct peer *peer = memory;
    close(peer->fd);
    free(peer);
}

static int peer_main(void *memory)
{
    struct peer *peer = memory;
    int r = peer->serve(peer->fd, peer->arg);
    hr_sim_note("a peer ends: %s", hr_error_name(r));
    peer_free(peer);
    return 0; /* how a peer ends is nobody's error */
}

/* Begins the task that serves a new connection; yields the other end in *ret. */
static int begin_peer(const struct listener *listener, int *ret)
{
    int fds[2];
    struct peer *peer = malloc(sizeof(*peer));
    if (!peer)
        return hr_fail(-ENOMEM, "no memory for a peer");
    int r = hr_sim_stream(fds);
    if (r < 0) {
        free(peer);
        return r;
    }
    *peer = (struct peer){listener->serve, listener->arg, fds[1]};
    struct hr_task_options options = {.name = "peer", .free_arg = peer_free};
    hr_task *task = hr_create_task_with(&options, peer_main, peer);
    if (!task) {
        hr_sim_reset(fds[0]);
        close(fds[0]);
        peer_free(peer);
        return hr_last_error()->code;
    }
    hr_future_unref(task);
    *ret = fds[0];
    return 0;
}

int hr__sim_connect(struct hr_world *world, const struct sockaddr *address, unsigned len, int *ret)
{
    struct hr_sim *sim = hr_container_of(world, struct hr_sim, world);
    int r = hr_sleep(hr__sim_latency(sim));
    if (r < 0)
        return r;
    struct listener *listener = find_listener(sim, address, len);
    if (!listener || !listener->serve || hr__sim_chance(sim, sim->options.refusals))
        return hr_fail(-ECONNREFUSED, "connect: %s", hr_error_text(-ECONNREFUSED));
    return begin_peer(listener, ret);
}

void hr__sim_peers_done(struct hr_sim *sim)
{
    for (struct hr_list *node; (node = hr_list_pop(&sim->listeners));)
        free(hr_list_entry(node, struct listener, link));
}
