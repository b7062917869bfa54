/* SPDX-License-Identifier: MIT */
/*
 * A driver that only pretends, for tests of pools: how long things take and what fails is set, what
 * happened is counted.
 */
#pragma once

#include "drivers/pool.h"
#include "tests/support/hrtest.h"

struct fake_conn {
    int number;
    bool dead, fails_ping, fails_reset;
};

struct fake_driver {
    hr_usec opening_takes, reset_takes;
    int fail_with; /* code of openings, 0: they work */
    int opened, closed, polite, pinged, reset, in_flight, most_in_flight;
};
extern struct fake_driver driver;
extern const struct hr_conn_ops fake_ops;

/* The driver is as new. Pings are due after 10 s, idle ones are closed after 60 s; the backoff is
 * 0.1 s, doubling to 1 s. */
hr_pool *pool_new(unsigned limit);

/* Closes the pool: as many were closed as were opened. */
void pool_end(hr_pool *pool);

struct fake_conn *acquire(hr_pool *pool);

/* A borrower in a task of its own. */
struct borrower {
    hr_pool *pool;
    hr_usec keeps;
    int *order, rank;
    int code;
    hr_usec got_at;
};
int borrow(void *borrower);
