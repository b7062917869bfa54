/* SPDX-License-Identifier: MIT */
/*
 * A recursive descent over jq's grammar, one function a level of precedence, loosest first:
 *
 *     |  ,  //  =  or  and  (== != < <= > >=)  term
 *
 * | and // group to the right, or and and to the left, = and comparisons do not chain. Whatever jq
 * knows and we do not is refused by the name the user wrote.
 */
#include "daemon/item/expr.h"

#include "daemon/item/expr_parser.h"

#include <errno.h>
#include <string.h>

#define PROGRAM_MAX ((size_t)64 * 1024)
#define TREE_MAX    ((size_t)4 * 1024 * 1024)

/* ---- operators ---- */

static int parse_comparison(struct parser *p, struct node **ret)
{
    static const char *const signs[] = {
        [COMPARE_EQ] = "==", [COMPARE_NE] = "!=", [COMPARE_LT] = "<",
        [COMPARE_LE] = "<=", [COMPARE_GT] = ">",  [COMPARE_GE] = ">="};
    int r = parse_term(p, ret);
    for (size_t i = 0; r == 0 && i < HR_ARRAY_LEN(signs); i++) {
        if (!parser_at(p, signs[i]))
            continue;
        struct node *right;
        r = parser_advance(p);
        if (r == 0)
            r = parse_term(p, &right);
        if (r == 0)
            r = node_new(p, NODE_COMPARE, *ret, right, ret);
        if (r < 0)
            return r;
        (*ret)->compare = (enum comparison)i;
        for (size_t j = 0; j < HR_ARRAY_LEN(signs); j++) {
            if (parser_at(p, signs[j]))
                return expr_refuse(p->lexer.error, p->token.offset,
                                   "comparisons do not chain: use parentheses");
        }
        return 0;
    }
    return r;
}

static int parse_and(struct parser *p, struct node **ret)
{
    int r = parse_comparison(p, ret);
    while (r == 0 && parser_at(p, "and")) {
        struct node *right;
        r = parser_advance(p);
        if (r == 0)
            r = parse_comparison(p, &right);
        if (r == 0)
            r = node_new(p, NODE_AND, *ret, right, ret);
    }
    return r;
}

static int parse_or(struct parser *p, struct node **ret)
{
    int r = parse_and(p, ret);
    while (r == 0 && parser_at(p, "or")) {
        struct node *right;
        r = parser_advance(p);
        if (r == 0)
            r = parse_and(p, &right);
        if (r == 0)
            r = node_new(p, NODE_OR, *ret, right, ret);
    }
    return r;
}

static int parse_assignment(struct parser *p, struct node **ret)
{
    int r = parse_or(p, ret);
    if (r < 0 || !parser_at(p, "="))
        return r;
    if (!node_is_path(*ret))
        return expr_refuse(p->lexer.error, p->token.offset,
                           "an assignment to anything but a path" EXPR_BEYOND);
    struct node *right;
    r = parser_advance(p);
    if (r == 0)
        r = parse_or(p, &right);
    if (r == 0 && parser_at(p, "="))
        return expr_refuse(p->lexer.error, p->token.offset,
                           "assignments do not chain: use `|` between them");
    return r == 0 ? node_new(p, NODE_ASSIGN, *ret, right, ret) : r;
}

int parse_alternative(struct parser *p, struct node **ret)
{
    int r = parse_assignment(p, ret);
    if (r < 0 || !parser_at(p, "//"))
        return r;
    if (p->nesting == EXPR_DEPTH_MAX)
        return parser_too_deep(p);
    p->nesting++;
    struct node *right;
    r = parser_advance(p);
    if (r == 0)
        r = parse_alternative(p, &right);
    p->nesting--;
    return r == 0 ? node_new(p, NODE_ALTERNATIVE, *ret, right, ret) : r;
}

int parse_pipe_rest(struct parser *p, struct node **ret)
{
    int r = 0;
    while (r == 0 && parser_at(p, "|")) {
        struct node *right;
        r = parser_advance(p);
        if (r == 0)
            r = parse_alternative(p, &right);
        if (r == 0)
            r = node_new_pipe(p, *ret, right, ret);
    }
    return r;
}

int parse_pipe(struct parser *p, struct node **ret)
{
    int r = parse_alternative(p, ret);
    return r < 0 ? r : parse_pipe_rest(p, ret);
}

/* ---- the whole ---- */

static int compile(struct expr *e, const char *program, struct expr_error *error)
{
    size_t len = strlen(program);
    if (len > PROGRAM_MAX)
        return expr_refuse(error, PROGRAM_MAX, "the program is longer than %zu bytes", PROGRAM_MAX);
    if (!text_is_utf8(program, len))
        return expr_refuse(error, 0, "the program is not valid UTF-8");
    char *copy = arena_alloc(e->arena, len + 1);
    if (!copy)
        return arena_error(e->arena);
    memcpy(copy, program, len + 1);
    e->text = copy;

    struct parser p = {
        .lexer = {.program = copy, .arena = e->arena, .error = error},
          .expr = e
    };
    struct node *root;
    int r = parser_advance(&p);
    if (r == 0)
        r = parse_pipe(&p, &root);
    if (r == 0 && p.token.kind != TOKEN_END)
        r = parser_unexpected(&p, "an operator");
    if (r == 0)
        e->root = root;
    return r;
}

int expr_compile(const char *program, struct expr **ret, struct expr_error *error)
{
    hr_auto(expr_freep) struct expr *e = calloc(1, sizeof *e);
    if (!e || !(e->arena = arena_new(TREE_MAX)))
        return -ENOMEM;
    struct expr_error why = {0};
    int r = compile(e, program, &why);
    if (r < 0) {
        *error = why;
        return r;
    }
    *ret = hr_take(e);
    return 0;
}

struct expr *expr_free(struct expr *e)
{
    if (e)
        arena_free(e->arena);
    free(e);
    return NULL;
}

bool expr_is_path(const struct expr *e)
{
    return e->root->kind == NODE_PATH && !e->root->base;
}

/* An assignment to the item itself (. = .a) gives the value, any other the item with it. */
static bool is_always_true(const struct node *node)
{
    switch (node->kind) {
    case NODE_OBJECT:
    case NODE_ARRAY:
    case NODE_DELETE:
        return true;
    case NODE_ASSIGN:
        return node->left->n_steps > 0 || is_always_true(node->right);
    case NODE_PIPE:
        return is_always_true(node->right);
    case NODE_ALTERNATIVE:
        return is_always_true(node->left) || is_always_true(node->right);
    default:
        return false;
    }
}

bool expr_is_always_true(const struct expr *e)
{
    return is_always_true(e->root);
}

const char *expr_text(const struct expr *e)
{
    return e->text;
}

void expr_make_secret(struct expr *e)
{
    e->text = NULL;
}

bool expr_uses_job(const struct expr *e)
{
    return e->uses_job;
}

bool expr_uses_meta(const struct expr *e)
{
    return e->uses_meta;
}
