/* SPDX-License-Identifier: MIT */
/*
 * One line of a contract (expect.h) as it is checked: where the field is, and what it may be.
 */
#pragma once

#include "daemon/item/arena.h"
#include "daemon/item/expect.h"
#include "daemon/item/number.h"

enum rule_kind {
    RULE_STRING,
    RULE_INT,
    RULE_DECIMAL,
    RULE_NUMBER,
    RULE_BOOL,
    RULE_TIME_RFC3339,
    RULE_TIME_UNIX,
    RULE_ENUM,
    RULE_OBJECT,
    RULE_ARRAY,
};

/* A stretch of text, not terminated. */
struct name {
    const char *text;
    size_t len;
};

struct rule {
    const char *field, *type; /* as they are written, for messages */
    struct name *path;        /* the field's name, cut at its dots */
    size_t n_path;
    enum rule_kind kind;
    bool optional; /* absent and null are fine */
    bool has_min, has_max;
    struct number min, max;                  /* int */
    uint64_t min_characters, max_characters; /* string */
    unsigned precision, scale;               /* decimal */
    struct name *words;                      /* enum */
    size_t n_words;
};

/* Reads a line, field and type as they are written, into the arena, where *ret then lies. 0,
 * -EINVAL with *error filled, or -ENOMEM. */
int rule_new(struct arena *a, const char *field, const char *type, struct rule **ret,
             struct expect_error *error);
