/* SPDX-License-Identifier: MIT */
#include "daemon/item/expr_parser.h"

#include <errno.h>
#include <string.h>

/* ---- tokens and refusals ---- */

int parser_advance(struct parser *p)
{
    return lexer_next(&p->lexer, &p->token);
}

bool parser_at(const struct parser *p, const char *text)
{
    return token_is(&p->token, text);
}

int token_shown(const struct token *t)
{
    return (int)(t->len < 60 ? t->len : 60);
}

/* Whether the token at hand is an operator or a keyword of jq's that does not run here. */
static bool known_beyond(const struct parser *p)
{
    static const char *const beyond[] = {
        ",",   "+",      "-",       "*",   "/",     "%",      "?",      "..", "|=",
        "+=",  "-=",     "*=",      "/=",  "%=",    "//=",    "?//",    "as", "if",
        "try", "reduce", "foreach", "def", "label", "import", "include"};
    for (size_t i = 0; i < HR_ARRAY_LEN(beyond); i++) {
        if (parser_at(p, beyond[i]))
            return true;
    }
    return false;
}

/* Whether it may be a field whose dot was forgotten: a bare name that is called with nothing, and
 * that nothing is piped into. */
static bool perhaps_field(const struct parser *p)
{
    const struct token *t = &p->token;
    const char *next = t->text + t->len;
    for (size_t i = t->offset; i > 0 && strchr("| \t\r\n", p->lexer.program[i - 1]); i--) {
        if (p->lexer.program[i - 1] == '|')
            return false;
    }
    return t->kind == TOKEN_NAME && !known_beyond(p) && !memchr(t->text, ':', t->len) &&
           next[strspn(next, " \t\r\n")] != '(';
}

int(parser_beyond)(struct parser *p)
{
    const struct token *t = &p->token;
    if (perhaps_field(p))
        return expr_refuse(p->lexer.error, t->offset, "`%.*s`" EXPR_BEYOND "; a field is `.%.*s`",
                           token_shown(t), t->text, token_shown(t), t->text);
    return expr_refuse(p->lexer.error, t->offset, "`%s%.*s`" EXPR_BEYOND,
                       t->kind == TOKEN_VARIABLE ? "$" : "", token_shown(t), t->text);
}

/* The token at hand does not belong here: it is beyond us, or wrong. */
int(parser_unexpected)(struct parser *p, const char *wanted)
{
    const struct token *t = &p->token;
    if (known_beyond(p))
        return parser_beyond(p);
    if (t->kind == TOKEN_END)
        return expr_refuse(p->lexer.error, t->offset, "the program ends where %s is missing",
                           wanted);
    return expr_refuse(p->lexer.error, t->offset, "unexpected `%.*s` where %s should stand",
                       token_shown(t), t->text, wanted);
}

int parser_expect(struct parser *p, const char *text, const char *wanted)
{
    return parser_at(p, text) ? parser_advance(p) : parser_unexpected(p, wanted);
}

/* ---- nodes ---- */

int(parser_no_room)(struct parser *p)
{
    int r = arena_error(p->expr->arena);
    if (r == -E2BIG)
        return expr_refuse(p->lexer.error, p->token.offset, "the program is too large");
    return r;
}

int(parser_too_deep)(struct parser *p)
{
    return expr_refuse(p->lexer.error, p->token.offset, "nested deeper than %d levels",
                       EXPR_DEPTH_MAX);
}

unsigned node_depth(const struct node *n)
{
    return n ? n->depth : 0;
}

int node_new(struct parser *p, enum node_kind kind, struct node *left, struct node *right,
             struct node **ret)
{
    struct node *n = arena_alloc(p->expr->arena, sizeof *n);
    if (!n)
        return parser_no_room(p);
    *n = (struct node){.kind = kind};
    n->left = left;
    n->right = right;
    n->depth = 1 + (node_depth(left) > node_depth(right) ? node_depth(left) : node_depth(right));
    if (n->depth > EXPR_DEPTH_MAX)
        return parser_too_deep(p);
    *ret = n;
    return 0;
}

int node_new_literal(struct parser *p, const struct json_value *v, struct node **ret)
{
    int r = node_new(p, NODE_LITERAL, NULL, NULL, ret);
    if (r == 0)
        (*ret)->literal = v;
    return r;
}

int node_new_path(struct parser *p, struct node *base, struct node **ret)
{
    int r = node_new(p, NODE_PATH, base, NULL, ret);
    if (r == 0) {
        (*ret)->base = base;
        (*ret)->steps = NULL;
        (*ret)->n_steps = 0;
    }
    return r;
}

/* Makes an array of elements of one size longer by one. */
int parser_grow(struct parser *p, void **items, size_t n, size_t size)
{
    /* Room doubles whenever n is a power of two. */
    if (n & (n - 1))
        return 0;
    void *moved = arena_resize(p->expr->arena, *items, n * size, (n ? 2 * n : 1) * size);
    if (!moved)
        return parser_no_room(p);
    *items = moved;
    return 0;
}

int node_add_step(struct parser *p, struct node *path, struct step step)
{
    if (path->n_steps == EXPR_DEPTH_MAX)
        return parser_too_deep(p);
    void *steps = path->steps;
    int r = parser_grow(p, &steps, path->n_steps, sizeof step);
    if (r < 0)
        return r;
    path->steps = steps;
    path->steps[path->n_steps++] = step;
    return 0;
}

struct step step_of_member(const struct json_value *key)
{
    struct step s = {.key = key};
    s.text = json_text(key, &s.len);
    return s;
}

bool node_is_path(const struct node *n)
{
    return n->kind == NODE_PATH && !n->base;
}

/* left | right; two paths in a row are one. */
int node_new_pipe(struct parser *p, struct node *left, struct node *right, struct node **ret)
{
    if (left->kind != NODE_PATH || !node_is_path(right))
        return node_new(p, NODE_PIPE, left, right, ret);
    for (size_t i = 0; i < right->n_steps; i++) {
        int r = node_add_step(p, left, right->steps[i]);
        if (r < 0)
            return r;
    }
    *ret = left;
    return 0;
}
