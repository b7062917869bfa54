/* SPDX-License-Identifier: MIT */
/*
 * Questions to the daemon and their JSON answers.
 */
#pragma once

#include "daemon/headracectl/ctl.h"
#include "daemon/item/json.h"

/* An answer; free with ask_done(). */
struct reply {
    char *body; /* as it came */
    size_t len;
    struct arena *arena;
    const struct json_value *json;
};

/* Asks with GET, or POST where there is a body. 0 and *ret; or an exit status, and what is wrong
 * has been said. */
int ask(struct ctl *ctl, const char *path, const char *body, size_t len, struct reply *ret);
void ask_done(struct reply *reply);

/* As ask() with GET, for something that may not be there: EX_FOUND then, and nothing is said. */
int ask_one(struct ctl *ctl, const char *path, struct reply *ret);

/* Prints the answer as it came. */
void ask_print(const struct reply *reply);

/* "/jobs/NAME" + rest, with the name escaped; to be freed. Ends the program when out of memory. */
char *ask_job_path(const char *job, const char *rest);

/* Escapes a text for a query. To be freed; as above. */
char *ask_escape(const char *text);

/* A member's text ("" where there is none), its number (0) or truth. Keys may go into objects:
 * "error.class". */
struct text {
    const char *bytes;
    size_t len;
};
struct text reply_text(const struct json_value *object, const char *key);
uint64_t reply_number(const struct json_value *object, const char *key);
bool reply_truth(const struct json_value *object, const char *key);
/* Walks a member that is an array; nothing where there is none. */
struct json_iter reply_each(const struct json_value *object, const char *key);
bool reply_has(const struct json_value *object, const char *key);
