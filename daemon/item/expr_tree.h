/* SPDX-License-Identifier: MIT */
/*
 * The tree an expression is compiled into; shared by the files that build and run it.
 */
#pragma once

#include "daemon/item/expr.h"

/* Bounds what a program, and so the stack of whoever runs it, can nest. */
#define EXPR_DEPTH_MAX 128

enum node_kind {
    NODE_PATH,        /* steps from the base, or from the input when base is NULL */
    NODE_LITERAL,     /* literal */
    NODE_JOB,         /* $job */
    NODE_META,        /* $meta */
    NODE_OBJECT,      /* members */
    NODE_ARRAY,       /* elements */
    NODE_COMPARE,     /* left, right, compare */
    NODE_AND,         /* left, right */
    NODE_OR,          /* left, right */
    NODE_ALTERNATIVE, /* left // right */
    NODE_PIPE,        /* left | right */
    NODE_ASSIGN,      /* left (a path from the input) = right */
    NODE_DELETE,      /* del(left), a path from the input */
    NODE_NOT,         /* the input, negated */
};

enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

/* One step of a path: a member where key is set, else an element. */
struct step {
    const struct json_value *key;
    const char *text;
    size_t len;
    int64_t index; /* from the end when negative */
};

struct node_member {
    struct node *key, *value;
};

struct node {
    enum node_kind kind;
    unsigned depth; /* of the tree from here down */
    union {
        struct {
            struct node *base;
            struct step *steps;
            size_t n_steps;
        };
        struct {
            struct node *left, *right;
            enum comparison compare;
        };
        struct {
            struct node_member *members;
            struct node **elements;
            size_t n;
        };
        const struct json_value *literal;
    };
};

struct expr {
    struct arena *arena; /* holds the tree, its literals and this struct's other pointers */
    const char *text;    /* the program, or NULL */
    const struct node *root;
    bool uses_job, uses_meta;
};
