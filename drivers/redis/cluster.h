/* SPDX-License-Identifier: MIT */
/*
 * A client of a Redis Cluster. It sends each command to the node that has its key, over one
 * connection a node, on which commands of all tasks are pipelined by themselves.
 *
 * The client learns from any node which one has which slot, and learns anew when a node says MOVED
 * or cannot be reached. MOVED and ASK are followed; a command that no node can carry out for now
 * (TRYAGAIN, CLUSTERDOWN, LOADING, a master that is gone and not replaced yet) is asked again until
 * command_timeout is over. That is safe: none of them was carried out. What was sent and not
 * answered is never sent again: HR_ELOST. What a master acknowledged and had not replicated when it
 * died is lost: Redis promises no more.
 */
#pragma once

#include "drivers/redis.h"
#include "drivers/redis/script.h"

typedef struct hr_redis_cluster hr_redis_cluster;

/* As hr_redis_new(), with a URL redis+cluster://host:port,host:port that names some nodes, or
 * redis:// with one; both with TLS as rediss. The other options hold for each node, but for
 * patience and repeats, which have no meaning here. */
HR_PUBLIC hr_owned hr_redis_cluster *hr_redis_cluster_new(const struct hr_redis_options *options);

/* As hr_redis_close() and hr_redis_free(). */
HR_PUBLIC hr_async int hr_redis_cluster_close(hr_redis_cluster *cluster);
HR_PUBLIC hr_redis_cluster *hr_redis_cluster_free(hr_redis_cluster *cluster);
HR_PUBLIC void hr_redis_cluster_freep(hr_redis_cluster **cluster);

/* Sends a command to the node that has its keys and waits for the reply: words and codes as
 * hr_redis_command(), and
 *   -EINVAL     its keys are of different slots, which no node can serve; the record names two
 *   -ENOTCONN   no node told who has what, or the one that has the key cannot be reached
 * Commands without keys go to some master; for all of them there is hr_redis_cluster_each().
 * Commands that block, subscribe or watch take a connection of their own:
 * hr_redis_cluster_acquire(). */
HR_PUBLIC hr_async int hr_redis_cluster_command(hr_redis_cluster *cluster, hr_reply **ret,
                                                const char *fmt, ...);
HR_PUBLIC hr_async int hr_redis_cluster_command_argv(hr_redis_cluster *cluster, hr_reply **ret,
                                                     size_t argc, const char *const *argv,
                                                     const size_t *lens);

/* The same for a command of which only the caller knows the keys (of a module): key is one of
 * them. */
HR_PUBLIC hr_async int hr_redis_cluster_command_by(hr_redis_cluster *cluster, hr_reply **ret,
                                                   const void *key, size_t key_len, const char *fmt,
                                                   ...);

/* As hr_redis_command_future(). Their bytes are kept until they are answered: where those of all
 * would be more than max_pending, the future fails with -ENOBUFS. */
HR_PUBLIC hr_owned hr_future *hr_redis_cluster_command_future(hr_redis_cluster *cluster,
                                                              const char *fmt, ...);

/* As hr_redis_eval(), where its keys are; they have to share a slot, as those of a command. */
HR_PUBLIC hr_async int hr_redis_cluster_eval(hr_redis_cluster *cluster, hr_reply **ret,
                                             const struct hr_redis_script *script, size_t n_keys,
                                             const struct hr_redis_arg *keys, size_t n_args,
                                             const struct hr_redis_arg *args);

/* Borrows a connection of one's own to the node that has the key, as hr_redis_acquire() does. What
 * the node says on it is the caller's to follow: MOVED is HR_EREPLY there, and a later call of this
 * function knows better. */
HR_PUBLIC hr_async int hr_redis_cluster_acquire(hr_redis_cluster *cluster, const void *key,
                                                size_t key_len, hr_redis_conn **ret);

/* Calls each(node, cookie) for every master, one after the other, until it fails; it may wait and
 * ask the node what it likes. node is borrowed for that time. What the last call returned; or, when
 * there is no map, -ENOTCONN and codes as above. */
HR_PUBLIC hr_async int hr_redis_cluster_each(hr_redis_cluster *cluster,
                                             int (*each)(hr_redis *node, void *cookie),
                                             void *cookie);

/* The slot of a key. */
HR_PUBLIC unsigned hr_redis_slot(const void *key, size_t len);

struct hr_redis_cluster_stats {
    unsigned masters, replicas; /* that are known */
    uint64_t maps;              /* that were learnt */
    uint64_t moved, asked;      /* MOVED and ASK that were followed */
    uint64_t repeated;          /* commands that had to be asked again later */
};
/* Of NULL zeros. */
HR_PUBLIC void hr_redis_cluster_get_stats(const hr_redis_cluster *cluster,
                                          struct hr_redis_cluster_stats *ret);

/* A failure names the caller's place in the program. */
#define hr_redis_cluster_command(...)      hr_from_here(hr_redis_cluster_command(__VA_ARGS__))
#define hr_redis_cluster_command_argv(...) hr_from_here(hr_redis_cluster_command_argv(__VA_ARGS__))
#define hr_redis_cluster_command_by(...)   hr_from_here(hr_redis_cluster_command_by(__VA_ARGS__))
#define hr_redis_cluster_eval(...)         hr_from_here(hr_redis_cluster_eval(__VA_ARGS__))
#define hr_redis_cluster_acquire(...)      hr_from_here(hr_redis_cluster_acquire(__VA_ARGS__))
