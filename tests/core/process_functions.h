/* SPDX-License-Identifier: MIT */
/*
 * What tests of process pools share: workers' functions, and a door that one of them stays for.
 */
#pragma once

#include "core/process_pool.h"
#include "tests/support/hrtest.h"

hr_process_pool *pool_of(unsigned workers);

/* Frees the pool, and sees that this program has no child left. */
void end(hr_process_pool *pool);

/* Neither a worker nor a zombie is left, nor anybody else's child. */
void assert_no_child_left(void);

/* A job of the running loop, whose argument is a string with its NUL. */
hr_future *run(hr_process_pool *pool, const char *function, const char *text);
const char *text_of(hr_future *future);

/* What the function "read memory" returns: 0, unless workers share what their parent had. */
extern int written_by_parent;

/* The function "stay", called with the door, does not end before it is opened; it has begun when
 * the other file is there, which holds its process number. */
extern char door[64], began[80];
void close_door(void);
void await_began(void);
void open_door(void);
void remove_door(void);
