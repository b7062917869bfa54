/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a Redis server become replies in arenas, within limits: RESP2 and RESP3.
 */
#pragma once

#include "drivers/redis/reply.h"

struct hr__redis_reader;

/* A parser that refuses replies which take more than max_reply bytes. NULL: no memory. */
struct hr__redis_reader *hr__redis_reader_new(size_t max_reply);
void hr__redis_reader_free(struct hr__redis_reader *reader);

/* Gives it what was received next: borrowed, until next() has said that more is needed. */
void hr__redis_reader_feed(struct hr__redis_reader *reader, const char *bytes, size_t n);

/* The next whole reply, the caller's: 1; 0 when all that was fed is taken in and more is needed.
 * After a failure (-EBADMSG, -EMSGSIZE, -ENOMEM, explained by the record) the stream cannot be read
 * any further. */
int hr__redis_reader_next(struct hr__redis_reader *reader, hr_reply **ret);
