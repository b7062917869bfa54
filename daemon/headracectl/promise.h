/* SPDX-License-Identifier: MIT */
/*
 * What a job promises at which failure, in sentences (protocol.md 5, 6, 11).
 */
#pragma once

#include "daemon/settings.h"

enum promise_kind {
    PROMISE_KEPT,    /* nothing is lost and nothing doubled */
    PROMISE_LOST,    /* items may be lost */
    PROMISE_DOUBLED, /* rows, output or dead letters may come twice */
    PROMISE_WAITS,   /* nothing happens until it is over */
};

struct promise {
    enum promise_kind kind;
    const char *when, *then;
};

/* "kept", "lost", "doubled", "waits". */
const char *promise_name(enum promise_kind kind);

/* Calls each with what holds for the job, in the order to be read. */
void promise_each(const struct job_conf *job,
                  void (*each)(const struct promise *promise, void *cookie), void *cookie);
