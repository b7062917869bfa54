/* SPDX-License-Identifier: MIT */
/*
 * A connection of one's own from the inside.
 */
#pragma once

#include "drivers/redis/client.h"

struct hr_redis_conn {
    struct hr_redis *redis;
    hr_pool *pool;
    struct hr__redis_conn *conn;
    struct hr__redis_identity who;
    bool dirty;    /* a command left state behind that the next borrower must not see */
    bool watching; /* likewise, until EXEC */
    bool given_back;
};

/* 0, or why nothing can be asked on it: HR_ECLOSED (it was given back), or NULL. */
int hr__redis_check_lent(const struct hr_redis_conn *conn);

/* A cancel that was swallowed, as what was asked for had come, is delivered at the running task's
 * next suspension. */
void hr__redis_cancel_later(void);
