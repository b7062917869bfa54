/* SPDX-License-Identifier: MIT */
/*
 * Expressions: the part of jq that is compiled into a tree and runs over an item without libjq.
 *
 * Paths (.a.b[0], .["odd key"], .[-1]), literals, arrays and objects, == != < <= > >=, and, or,
 * not,
 * //, .p = expr, del(.p), | and parentheses, $job and $meta, comments. Precedence and results are
 * those of jq 1.6 (so `.a = .b // 1` is `(.a = .b) // 1`), but numbers are compared exactly. Every
 * program of this part gives exactly one result or fails. Anything more is refused by name.
 */
#pragma once

#include "daemon/item/json.h"

struct expr;

struct expr_error {
    size_t offset;     /* byte of the program at which it was noticed */
    char message[256]; /* without file, line or offset */
};

/* What $job and $meta stand for; NULL is null. Needed only where expr_uses_*() says so. */
struct expr_env {
    const struct json_value *job; /* object: id, attempt, name, time */
    const struct json_value *meta;
};

/* Compiles a program. 0, -EINVAL with *error filled, or -ENOMEM. Free with expr_free(). */
int expr_compile(const char *program, struct expr **ret, struct expr_error *error);

/* NULL is fine; returns NULL. */
struct expr *expr_free(struct expr *e);
static inline void expr_freep(struct expr **e)
{
    expr_free(*e);
}

/* Whether it is a plain path from the item (.a.b[0], or . itself). */
bool expr_is_path(const struct expr *e);

/* Whether it can only give what counts as true, whatever the item is: .a = 1, del(.a), {}, []. */
bool expr_is_always_true(const struct expr *e);

/* The program as it was written, NULL once it was made secret: it may hold a password then. */
const char *expr_text(const struct expr *e);
void expr_make_secret(struct expr *e);

/* Whether it mentions $job, $meta. */
bool expr_uses_job(const struct expr *e);
bool expr_uses_meta(const struct expr *e);

/* Runs the program over an item. Never suspends; one program may run in many tasks and threads.
 * env may be NULL. The result points into the item, the program or the arena, and is never NULL: an
 * absent path gives null. 0, or
 *   -EBADMSG  jq's error, in *why with class expression
 *   -E2BIG    the result outgrew the arena's limit; *why tells likewise
 *   -ENOMEM   *why is not written */
int expr_eval(const struct expr *e, struct arena *a, const struct json_value *item,
              const struct expr_env *env, const struct json_value **ret, struct failure *why);
