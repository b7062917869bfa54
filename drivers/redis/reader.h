/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a Redis server become replies: hiredis' parser, filling our arenas, within limits.
 */
#pragma once

#include "drivers/redis/reply.h"

struct hr__redis_reader;

/* A parser that refuses replies which take more than max_reply bytes. NULL: no memory. */
struct hr__redis_reader *hr__redis_reader_new(size_t max_reply);
void hr__redis_reader_free(struct hr__redis_reader *reader);

/* Takes in what was received: 0 or -ENOMEM. */
int hr__redis_reader_feed(struct hr__redis_reader *reader, const char *bytes, size_t n);

/* The next whole reply, the caller's: 1; 0 when more bytes are needed. After a failure (-EBADMSG,
 * -EMSGSIZE, -ENOMEM, explained by the record) the stream cannot be read any further. */
int hr__redis_reader_next(struct hr__redis_reader *reader, hr_reply **ret);
