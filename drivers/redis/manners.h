/* SPDX-License-Identifier: MIT */
/*
 * Commands that a shared connection cannot carry: those that change what later ones on it mean, and
 * those that keep everybody waiting.
 */
#pragma once

#include "core/base.h"

struct hr__redis_manner {
    const char *name;
    const char *instead; /* what to call */
    bool blocks;         /* it keeps others waiting; else it leaves state behind */
};

/* NULL: one that harms nobody. The word need not be followed by a NUL. */
const struct hr__redis_manner *hr__redis_manner_of(const char *word, size_t len);

struct hr__redis_request;

/* 0, or -EINVAL (also a format that is none) and a record that says what to call instead, or
 * -ENOMEM. Of bytes nothing is known: 0. */
int hr__redis_check_manners(const struct hr__redis_request *request);

/* The same for a connection of one's own, where only those do harm whose replies are no replies. */
int hr__redis_check_own_manners(const struct hr__redis_request *request);
