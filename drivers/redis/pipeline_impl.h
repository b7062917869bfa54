/* SPDX-License-Identifier: MIT */
/*
 * A pipeline from the inside: what adding to it (redis/pipeline.c) and running it
 * (redis/pipeline_run.c) share.
 */
#pragma once

#include <errno.h>

#include "core/buf.h"
#include "core/error.h"
#include "drivers/redis/pipeline.h"

struct hr_redis_pipeline {
    struct hr_buf bytes; /* of all commands */
    size_t *lens;        /* of each */
    size_t count, capacity;
    const struct hr_redis_script **scripts; /* to be loaded first; each once */
    size_t n_scripts;
    struct hr_error failed; /* why an add failed; code 0: none did */

    struct hr_redis_outcome *outcomes; /* of the last run; NULL: none */
    hr_reply **replies;                /* what outcomes point into */
    size_t n_replies;
};

/* The record of a pipeline that could not be made or grow: -ENOMEM. */
static inline int hr__pipeline_fail_memory(void)
{
    return hr_fail(-ENOMEM, "redis: no memory for a pipeline");
}

/* Forgets how it ended the last time. */
void hr__pipeline_drop_outcomes(hr_redis_pipeline *p);
