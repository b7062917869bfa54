/* SPDX-License-Identifier: MIT */
/*
 * Configuration: YAML files in, checked structs out. This is the whole public face of config/.
 *
 * A program describes its settings in tables (schema.h), makes a struct hr_conf, reads files into
 * trees (hr_conf_read), lays trees over each other (hr_conf_merge) and reads a tree into a struct
 * (hr_conf_fill). Every mistake lands in one list of diagnostics with file, line and column; no
 * call stops at the first one. Nothing here knows a loop: all calls block on small local files.
 *
 * Calls return 0, -EINVAL (the mistakes are in the diagnostics) or -ENOMEM. Running out of memory
 * sticks to the struct hr_conf_mem, so a caller may ask once at the end: hr_conf_result().
 */
#pragma once

#include "config/diag.h"
#include "config/mem.h"
#include "config/node.h"
#include "config/schema.h"
#include "core/base.h"

/* A file may have this many bytes, a tree this many levels, all trees together this many nodes. */
#define HR_CONF_FILE_MAX  (1024 * 1024)
#define HR_CONF_DEPTH_MAX 32
#define HR_CONF_NODES_MAX 100000

/* One loading of a configuration. The caller fills the first members and passes it around. */
struct hr_conf {
    struct hr_conf_mem *mem;     /* everything loaded lives here, as long as this lives */
    struct hr_conf_diags *diags; /* every mistake found */

    /* What ${NAME} stands for; NULL: not set. getenv() when this is NULL. */
    const char *(*lookup)(const struct hr_conf *conf, const char *name);

    /* A credential that cannot be read is a note, and its name stands in for it: for commands
     * that check a configuration without having its secrets. */
    bool lenient_credentials;
    bool credentials_unread; /* set when that happened */

    void *user;     /* the program's own, for its parse hooks */
    unsigned nodes; /* made so far */
};

/* Reads a YAML file into a tree. A file without content gives an empty map. Substitutions are
 * carried out; what cannot be read is in the diagnostics. */
int hr_conf_read(struct hr_conf *conf, const char *path, struct hr_conf_node **ret);

/* Same with text in memory; name is what diagnostics call it. */
int hr_conf_read_text(struct hr_conf *conf, const char *name, const char *text, size_t len,
                      struct hr_conf_node **ret);

/* 0 when nothing went wrong so far, else -ENOMEM or -EINVAL. */
int hr_conf_result(const struct hr_conf *conf);

/* Prints the settings that the table describes as the list of a man page: key path, type,
 * default and sentence, in man(7) format. prefix is put before each key path ("" for none). */
void hr_conf_print_man(FILE *out, const struct hr_conf_section *section, const char *prefix);
