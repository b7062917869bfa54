/* SPDX-License-Identifier: MIT */
/*
 * Settings as tables: one row is the whole truth about a key: type, default, bounds, the sentence
 * of documentation, and where its value goes.
 *
 * Defaults are written as a user would write them and pass the same parser. A row with a parse hook
 * leaves the value to its owner's parser; the hook reports what is wrong by hr_conf_error_at(), so
 * that line and column stay right.
 */
#pragma once

#include "config/node.h"
#include "core/base.h"

struct hr_conf;
struct hr_conf_field;
struct hr_conf_section;

enum hr_conf_type {
    HR_CONF_TYPE_BOOL,    /* bool; only true and false */
    HR_CONF_TYPE_INT,     /* unsigned; a bare count */
    HR_CONF_TYPE_COUNT,   /* uint64_t; a bare count */
    HR_CONF_TYPE_FACTOR,  /* double; 2 or 1.5 */
    HR_CONF_TYPE_SPAN,    /* hr_usec; 50ms 30s 5m 24h 14d */
    HR_CONF_TYPE_SIZE,    /* size_t; 512B 256KiB 1MiB 2GiB */
    HR_CONF_TYPE_STR,     /* const char *; not empty, no {{ */
    HR_CONF_TYPE_SECRET,  /* const char *; not empty, never shown */
    HR_CONF_TYPE_CHOICE,  /* an enum; one of the names in choices */
    HR_CONF_TYPE_SWITCH,  /* bool; one of two names in choices */
    HR_CONF_TYPE_STRINGS, /* const char ** and size_t; a list of strings */
    HR_CONF_TYPE_HOOK,    /* whatever the hook makes of it */
    HR_CONF_TYPE_SECTION, /* a map with fields of its own */
    HR_CONF_TYPE_LIST,    /* pointer and size_t; a list of maps, each a section */
    HR_CONF_TYPE_TABLE,   /* pointer and size_t; a map from names to sections */
};

/* Parses one value into the member at target. 0, or -EINVAL after hr_conf_error…(), or -ENOMEM.
 * What it allocates belongs to conf->mem (hr_conf_alloc, hr_conf_own). node may be any kind, but
 * not empty. Never quotes the text of a node whose `substituted` is set. */
typedef int hr_conf_hook(struct hr_conf *conf, const struct hr_conf_node *node, void *target);

struct hr_conf_choice {
    const char *name;
    int value;
};

struct hr_conf_field {
    const char *key;
    enum hr_conf_type type;
    bool required;
    size_t offset;         /* of the member in the section's struct */
    size_t count_offset;   /* strings, list, table: of the size_t beside it */
    const char *fallback;  /* the default as a user would write it; NULL: the member stays zero */
    const char *min, *max; /* int, count, factor, span, size: bounds, written like the default */
    const struct hr_conf_choice *choices; /* ends with a NULL name */
    const struct hr_conf_section *section;
    hr_conf_hook *hook; /* hook; strings: looks at each item, its target is a const char ** */
    bool tagged;        /* when this key is given, tag goes into the enum at tag_offset */
    size_t tag_offset;
    int tag;
    const char *doc; /* the sentence of the man page */
};

struct hr_conf_section {
    const struct hr_conf_field *fields; /* ends with HR_CONF_END */
    bool one_of;                        /* exactly one of the fields has to be given */
    size_t size;                        /* list, table: of one element */
    size_t name_offset;                 /* table: of the const char * for the entry's name */

    /* Rules between fields; runs after them, when the section is given. Fields that had mistakes
     * hold their defaults. */
    int (*check)(struct hr_conf *conf, const struct hr_conf_node *map, void *object);
};

/* Reads a map into the struct at object by its table: every key, every default. map may be NULL
 * (all defaults). 0, or -EINVAL when anything in it is wrong, or -ENOMEM. */
int hr_conf_fill(struct hr_conf *conf, const struct hr_conf_node *map,
                 const struct hr_conf_section *section, void *object);

/* Whether this can be the name of a server, a job or the like: letters, digits, _ . -, at most 64,
 * not beginning with . or -. The names of a table are checked by it. */
bool hr_conf_is_name(const char *text);
#define HR_CONF_NAME_RULE "letters, digits, _ . and -, at most 64, not beginning with . or -"

/* The offset of a member, after the compiler has checked its type. */
#define HR_CONF_AT(T, member, type)                                                                \
    (offsetof(T, member) + 0 * sizeof((type *)NULL == &((T *)NULL)->member))
#define HR_CONF_AT_ENUM(T, member)                                                                 \
    (offsetof(T, member) + 0 * sizeof(char[sizeof(((T *)NULL)->member) == sizeof(int) ? 1 : -1]))

#define HR_CONF_BOOL(T, name, member, fallback_, doc_)                                             \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_BOOL, .offset = HR_CONF_AT(T, member, bool),             \
        .fallback = fallback_, .doc = doc_                                                         \
    }
#define HR_CONF_INT(T, name, member, fallback_, min_, max_, doc_)                                  \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_INT, .offset = HR_CONF_AT(T, member, unsigned),          \
        .fallback = fallback_, .min = min_, .max = max_, .doc = doc_                               \
    }
#define HR_CONF_COUNT(T, name, member, fallback_, min_, max_, doc_)                                \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_COUNT, .offset = HR_CONF_AT(T, member, uint64_t),        \
        .fallback = fallback_, .min = min_, .max = max_, .doc = doc_                               \
    }
#define HR_CONF_FACTOR(T, name, member, fallback_, min_, max_, doc_)                               \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_FACTOR, .offset = HR_CONF_AT(T, member, double),         \
        .fallback = fallback_, .min = min_, .max = max_, .doc = doc_                               \
    }
#define HR_CONF_SPAN(T, name, member, fallback_, min_, max_, doc_)                                 \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SPAN, .offset = HR_CONF_AT(T, member, hr_usec),          \
        .fallback = fallback_, .min = min_, .max = max_, .doc = doc_                               \
    }
#define HR_CONF_SIZE(T, name, member, fallback_, min_, max_, doc_)                                 \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SIZE, .offset = HR_CONF_AT(T, member, size_t),           \
        .fallback = fallback_, .min = min_, .max = max_, .doc = doc_                               \
    }
#define HR_CONF_STR(T, name, member, fallback_, doc_)                                              \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_STR, .offset = HR_CONF_AT(T, member, const char *),      \
        .fallback = fallback_, .doc = doc_                                                         \
    }
#define HR_CONF_SECRET(T, name, member, doc_)                                                      \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SECRET, .offset = HR_CONF_AT(T, member, const char *),   \
        .doc = doc_                                                                                \
    }
#define HR_CONF_CHOICE(T, name, member, fallback_, choices_, doc_)                                 \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_CHOICE, .offset = HR_CONF_AT_ENUM(T, member),            \
        .fallback = fallback_, .choices = choices_, .doc = doc_                                    \
    }
#define HR_CONF_SWITCH(T, name, member, fallback_, choices_, doc_)                                 \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SWITCH, .offset = HR_CONF_AT(T, member, bool),           \
        .fallback = fallback_, .choices = choices_, .doc = doc_                                    \
    }
#define HR_CONF_STRINGS(T, name, member, count, fallback_, hook_, doc_)                            \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_STRINGS, .offset = HR_CONF_AT(T, member, const char **), \
        .count_offset = HR_CONF_AT(T, count, size_t), .fallback = fallback_, .hook = hook_,        \
        .doc = doc_                                                                                \
    }
#define HR_CONF_HOOK(T, name, member, fallback_, hook_, doc_)                                      \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_HOOK, .offset = offsetof(T, member),                     \
        .fallback = fallback_, .hook = hook_, .doc = doc_                                          \
    }

/* A map whose fields go into the member; HR_CONF_GROUP: into the struct itself. */
#define HR_CONF_SECTION(T, name, member, section_, doc_)                                           \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SECTION, .offset = offsetof(T, member),                  \
        .section = section_, .doc = doc_                                                           \
    }
#define HR_CONF_GROUP(name, section_, doc_)                                                        \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SECTION, .section = section_, .doc = doc_                \
    }
#define HR_CONF_LIST_OF(T, name, member, count, section_, doc_)                                    \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_LIST, .offset = offsetof(T, member),                     \
        .count_offset = HR_CONF_AT(T, count, size_t), .section = section_, .doc = doc_             \
    }
#define HR_CONF_TABLE_OF(T, name, member, count, section_, doc_)                                   \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_TABLE, .offset = offsetof(T, member),                    \
        .count_offset = HR_CONF_AT(T, count, size_t), .section = section_, .doc = doc_             \
    }

/* One kind of a one_of section: its fields go into the same struct, its tag into `member`. */
#define HR_CONF_KIND_OF(T, name, member, tag_, section_, doc_)                                     \
    {                                                                                              \
        .key = name, .type = HR_CONF_TYPE_SECTION, .section = section_, .tagged = true,            \
        .tag_offset = HR_CONF_AT_ENUM(T, member), .tag = tag_, .doc = doc_                         \
    }

#define HR_CONF_END                                                                                \
    {                                                                                              \
        .key = NULL                                                                                \
    }
