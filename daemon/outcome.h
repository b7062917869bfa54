/* SPDX-License-Identifier: MIT */
/*
 * An outcome as bytes: what the ledger remembers of a batch's failed items.
 *
 * A second owner that reads it writes the same dead letters and retries as the first would have.
 * An item that is not named went in, or was dropped.
 */
#pragma once

#include "daemon/batch.h"

struct outcome {
    char *data;
    size_t len; /* 0: nothing failed, nothing to remember */
};

/* Writes the failed items of the batch, or that it is to be split. 0, or -ENOMEM. */
int outcome_encode(struct outcome *ret, const struct batch *batch, bool split);
void outcome_done(struct outcome *outcome);

/* Sets the fates of the batch's items as the bytes (none: nothing failed) say; the others are live
 * and went in. 0, or
 * -EBADMSG when the bytes are damaged or no outcome of this batch. */
int outcome_decode(const char *data, size_t len, struct batch *batch, bool *ret_split);
