/* SPDX-License-Identifier: MIT */
/*
 * What a pool consists of, for the two halves of it: pool.c lends, pool_work.c opens and tends.
 */
#pragma once

#include "core/event.h"
#include "core/list.h"
#include "drivers/pool.h"

/* A connection and its history. It is in the idle list, in the lent list, or with a worker. */
struct hr__pool_entry {
    struct hr_list link;
    void *conn;
    uint64_t generation; /* of the pool when its opening began */
    hr_usec retire;      /* not reused from this moment on */
    hr_usec used;        /* when it came back the last time */
};

/* A task of the pool's that opens a connection (entry is NULL), resets or pings one. */
struct hr__pool_worker {
    struct hr_list link;
    hr_pool *pool;
    hr_task *task;
    struct hr__pool_entry *entry;
    uint64_t generation;
};

/* A borrower who waits; on its task's stack. */
struct hr__pool_borrower {
    struct hr_list link;
    hr_event served;
    struct hr__pool_entry *entry; /* or NULL with a code */
    int code;
};

struct hr_pool {
    const struct hr_conn_ops *ops;
    void *driver;
    struct hr_pool_options options;
    unsigned refs;
    uint64_t home; /* the number of its loop; 0 until first used */

    struct hr_list idle; /* most recently used first */
    struct hr_list lent;
    struct hr_list workers;
    struct hr_list borrowers;
    unsigned n_idle, n_lent, n_opening, n_resetting, n_waiting;
    unsigned n_asked; /* connections that are pinged for a borrower of their own */

    uint64_t generation;
    struct hr_error error;  /* why the latest opening failed */
    hr_usec retry_at;       /* no opening before */
    hr_handle *retry_timer; /* referred to, as the next: they may outlive the loop */
    hr_handle *idle_timer;

    hr_event quiet; /* set whenever nothing is out; who closes waits for it */
    bool closed;
    bool up;
    struct hr_pool_stats counts; /* those that only grow */
};

/* Borrowers, loans and workers hold references. */
void hr__pool_unref(hr_pool *pool);

/* Connections, those being opened included. */
unsigned hr__pool_count(const hr_pool *pool);

/* Wakes who waits in hr_pool_close() once nothing is out. */
void hr__pool_check_quiet(hr_pool *pool);

/* Whether the loop that runs is the pool's, which is the first that it is used on. */
bool hr__pool_at_home(hr_pool *pool);

/* Not to be lent again; elsewhere than on the pool's loop none is. */
bool hr__pool_outdated(hr_pool *pool, const struct hr__pool_entry *entry);
struct hr__pool_entry *hr__pool_take_idle(hr_pool *pool, struct hr_list *node);
void hr__pool_destroy(hr_pool *pool, struct hr__pool_entry *entry, bool polite);
void hr__pool_close_idle(hr_pool *pool);

/* A connection in good order came free: the first borrower gets it, else it idles. */
void hr__pool_offer(hr_pool *pool, struct hr__pool_entry *entry);

/* All borrowers fail with this code. */
void hr__pool_refuse_all(hr_pool *pool, int code);

/* The latest opening failed with what may pass, and borrowers have patience to wait for that. */
bool hr__pool_endures(const hr_pool *pool);

/* Opens as many connections as borrowers wait for and as are to be kept, within the limits. */
void hr__pool_serve(hr_pool *pool);

/* Has a task reset it: 0, or a code, and it is still the caller's. */
int hr__pool_start_reset(hr_pool *pool, struct hr__pool_entry *entry);

/* Sees to it that what idles too long is looked at. */
void hr__pool_arm_idle_timer(hr_pool *pool);
