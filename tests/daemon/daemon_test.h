/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests of the daemon share: batches made of texts.
 */
#pragma once

#include "daemon/batch.h"
#include "tests/support/hrtest.h"

#define TEST_ID "00112233445566778899aabbccddeeff"

/* A batch of the lines in text, which has no envelopes. */
struct batch *test_batch(const char *text);

/* A batch of n items that hold their own numbers. */
struct batch *test_batch_of(size_t n);

/* A batch as a claim brings it: n entries, of which the first d are envelopes. */
struct batch *test_batch_of_entries(size_t d, size_t n, const char *const entries[],
                                    const size_t lens[]);

/* The same numbers on every machine, in turn. */
uint32_t test_random(uint32_t *state);
