/* SPDX-License-Identifier: MIT */
/*
 * A recursive descent over jq's grammar, one function a level of precedence, loosest first:
 *
 *     |  ,  //  =  or  and  (== != < <= > >=)  term
 *
 * | and // group to the right, or and and to the left, = and comparisons do not chain. A member of
 * an object takes a term, or terms between |. Whatever jq knows and we do not is refused by the
 * name the user wrote.
 */
#include "daemon/item/expr.h"

#include "daemon/item/expr_lex.h"
#include "daemon/item/expr_tree.h"
#include "daemon/item/number.h"

#include <errno.h>
#include <string.h>

#define PROGRAM_MAX ((size_t)64 * 1024)
#define TREE_MAX    ((size_t)4 * 1024 * 1024)

struct parser {
    struct lexer lexer;
    struct token token; /* the one to be looked at next */
    struct expr *expr;
    unsigned nesting;
};

static int parse_alternative(struct parser *p, struct node **ret);
static int parse_pipe(struct parser *p, struct node **ret);
static int parse_pipe_rest(struct parser *p, struct node **ret);
static int parse_term(struct parser *p, struct node **ret);

/* ---- tokens and refusals ---- */

static int advance(struct parser *p)
{
    return lexer_next(&p->lexer, &p->token);
}

static bool at(const struct parser *p, const char *text)
{
    return token_is(&p->token, text);
}

static int shown_length(const struct token *t)
{
    return (int)(t->len < 60 ? t->len : 60);
}

static int needs_libjq(struct parser *p)
{
    const struct token *t = &p->token;
    return expr_refuse(p->lexer.error, t->offset,
                       "`%s%.*s` needs libjq, which this build does not have",
                       t->kind == TOKEN_VARIABLE ? "$" : "", shown_length(t), t->text);
}

/* The token at hand does not belong here: it is beyond us, or wrong. */
static int unexpected(struct parser *p, const char *wanted)
{
    static const char *const beyond[] = {
        ",",   "+",      "-",       "*",   "/",     "%",      "?",      "..", "|=",
        "+=",  "-=",     "*=",      "/=",  "%=",    "//=",    "?//",    "as", "if",
        "try", "reduce", "foreach", "def", "label", "import", "include"};
    const struct token *t = &p->token;
    for (size_t i = 0; i < HR_ARRAY_LEN(beyond); i++) {
        if (at(p, beyond[i]))
            return needs_libjq(p);
    }
    if (t->kind == TOKEN_END)
        return expr_refuse(p->lexer.error, t->offset, "the program ends where %s is missing",
                           wanted);
    return expr_refuse(p->lexer.error, t->offset, "unexpected `%.*s` where %s should stand",
                       shown_length(t), t->text, wanted);
}

static int expect_token(struct parser *p, const char *text, const char *wanted)
{
    return at(p, text) ? advance(p) : unexpected(p, wanted);
}

/* ---- nodes ---- */

static int no_room(struct parser *p)
{
    int r = arena_error(p->expr->arena);
    if (r == -E2BIG)
        return expr_refuse(p->lexer.error, p->token.offset, "the program is too large");
    return r;
}

static int too_deep(struct parser *p)
{
    return expr_refuse(p->lexer.error, p->token.offset, "nested deeper than %d levels",
                       EXPR_DEPTH_MAX);
}

static unsigned depth_of(const struct node *n)
{
    return n ? n->depth : 0;
}

static int new_node(struct parser *p, enum node_kind kind, struct node *left, struct node *right,
                    struct node **ret)
{
    struct node *n = arena_alloc(p->expr->arena, sizeof *n);
    if (!n)
        return no_room(p);
    *n = (struct node){.kind = kind};
    n->left = left;
    n->right = right;
    n->depth = 1 + (depth_of(left) > depth_of(right) ? depth_of(left) : depth_of(right));
    if (n->depth > EXPR_DEPTH_MAX)
        return too_deep(p);
    *ret = n;
    return 0;
}

static int new_literal(struct parser *p, const struct json_value *v, struct node **ret)
{
    int r = new_node(p, NODE_LITERAL, NULL, NULL, ret);
    if (r == 0)
        (*ret)->literal = v;
    return r;
}

static int new_path(struct parser *p, struct node *base, struct node **ret)
{
    int r = new_node(p, NODE_PATH, base, NULL, ret);
    if (r == 0) {
        (*ret)->base = base;
        (*ret)->steps = NULL;
        (*ret)->n_steps = 0;
    }
    return r;
}

/* Makes an array of elements of one size longer by one. */
static int grow(struct parser *p, void **items, size_t n, size_t size)
{
    /* Room doubles whenever n is a power of two. */
    if (n & (n - 1))
        return 0;
    void *moved = arena_resize(p->expr->arena, *items, n * size, (n ? 2 * n : 1) * size);
    if (!moved)
        return no_room(p);
    *items = moved;
    return 0;
}

static int add_step(struct parser *p, struct node *path, struct step step)
{
    if (path->n_steps == EXPR_DEPTH_MAX)
        return too_deep(p);
    void *steps = path->steps;
    int r = grow(p, &steps, path->n_steps, sizeof step);
    if (r < 0)
        return r;
    path->steps = steps;
    path->steps[path->n_steps++] = step;
    return 0;
}

static struct step member_step(const struct json_value *key)
{
    struct step s = {.key = key};
    s.text = json_text(key, &s.len);
    return s;
}

static bool is_path(const struct node *n)
{
    return n->kind == NODE_PATH && !n->base;
}

/* left | right; two paths in a row are one. */
static int new_pipe(struct parser *p, struct node *left, struct node *right, struct node **ret)
{
    if (left->kind != NODE_PATH || !is_path(right))
        return new_node(p, NODE_PIPE, left, right, ret);
    for (size_t i = 0; i < right->n_steps; i++) {
        int r = add_step(p, left, right->steps[i]);
        if (r < 0)
            return r;
    }
    *ret = left;
    return 0;
}

/* ---- terms ---- */

/* After `[` of a path: an index or a key, and `]`. */
static int parse_index(struct parser *p, struct step *ret)
{
    bool negative = at(p, "-");
    int r = negative ? advance(p) : 0;
    if (r < 0)
        return r;
    struct token t = p->token;
    if (t.kind == TOKEN_STRING && !negative) {
        *ret = member_step(t.value);
    } else if (t.kind == TOKEN_NUMBER) {
        struct number number;
        size_t len;
        const char *text = json_text(t.value, &len);
        if (!number_parse(text, len, &number) || !number_to_int64(&number, &ret->index) ||
            ret->index > INT32_MAX)
            return expr_refuse(p->lexer.error, t.offset, "an index is a whole number");
        ret->key = NULL;
        ret->index = negative ? -ret->index : ret->index;
    } else if (at(p, "]")) {
        return expr_refuse(p->lexer.error, t.offset,
                           "`.[]` needs libjq, which this build does not have");
    } else {
        return expr_refuse(p->lexer.error, t.offset,
                           "an index that is no literal needs libjq, which this build does not "
                           "have");
    }
    r = advance(p);
    if (r < 0)
        return r;
    if (at(p, ":"))
        return expr_refuse(p->lexer.error, p->token.offset,
                           "a slice needs libjq, which this build does not have");
    return expect_token(p, "]", "`]`");
}

/* What may follow a term: .name, ."name", [index]. */
static int parse_postfix(struct parser *p, struct node **term)
{
    for (;;) {
        struct step step = {0};
        struct token t = p->token;
        int r;
        if (t.kind == TOKEN_FIELD) {
            step = member_step(t.value);
            r = advance(p);
        } else if (at(p, ".")) {
            r = advance(p);
            if (r < 0)
                return r;
            if (p->token.kind != TOKEN_STRING)
                return unexpected(p, "a name");
            step = member_step(p->token.value);
            r = advance(p);
        } else if (at(p, "[")) {
            r = advance(p);
            if (r == 0)
                r = parse_index(p, &step);
        } else if (at(p, "?") || at(p, "as")) {
            return needs_libjq(p);
        } else {
            return 0;
        }
        if (r == 0 && (*term)->kind != NODE_PATH)
            r = new_path(p, *term, term);
        if (r == 0)
            r = add_step(p, *term, step);
        if (r < 0)
            return r;
    }
}

/* `.`, `.name`, `."name"`; a `[` behind the dot is a postfix like any other. */
static int parse_path(struct parser *p, struct node **ret)
{
    int r = new_path(p, NULL, ret);
    if (r < 0 || p->token.kind == TOKEN_FIELD)
        return r;
    r = advance(p);
    if (r < 0 || p->token.kind != TOKEN_STRING)
        return r;
    r = add_step(p, *ret, member_step(p->token.value));
    return r < 0 ? r : advance(p);
}

static int parse_variable(struct parser *p, struct node **ret)
{
    static const char *const fields[] = {"id", "attempt", "name", "time"};
    const struct token t = p->token;
    bool job = t.len == 3 && memcmp(t.text, "job", 3) == 0;
    bool meta = t.len == 4 && memcmp(t.text, "meta", 4) == 0;
    if (!job && !meta)
        return expr_refuse(p->lexer.error, t.offset, "$%.*s is not known; there are $job and $meta",
                           shown_length(&t), t.text);
    p->expr->uses_job |= job;
    p->expr->uses_meta |= meta;
    int r = advance(p);
    if (r < 0)
        return r;
    if (job && p->token.kind == TOKEN_FIELD) {
        struct step s = member_step(p->token.value);
        bool known = false;
        for (size_t i = 0; i < HR_ARRAY_LEN(fields); i++)
            known |= s.len == strlen(fields[i]) && memcmp(s.text, fields[i], s.len) == 0;
        if (!known)
            return expr_refuse(p->lexer.error, p->token.offset,
                               "$job has .id, .attempt, .name and .time");
    }
    return new_node(p, job ? NODE_JOB : NODE_META, NULL, NULL, ret);
}

static int parse_array(struct parser *p, struct node **ret)
{
    struct node **elements = NULL;
    size_t n = 0;
    unsigned depth = 0;
    int r = advance(p);
    while (r == 0 && !at(p, "]")) {
        void *grown = elements;
        r = grow(p, &grown, n, sizeof *elements);
        elements = grown;
        if (r == 0)
            r = parse_alternative(p, &elements[n]);
        /* `,` binds closer than `|`: [.a, .b | not] has two results of `not`. */
        bool piped = r == 0 && at(p, "|");
        if (piped && n > 0)
            return expr_refuse(p->lexer.error, p->token.offset,
                               "`|` after `,` needs parentheses: [.a, (.b | not)]");
        if (piped)
            r = parse_pipe_rest(p, &elements[n]);
        if (piped && r == 0 && at(p, ","))
            return needs_libjq(p);
        if (r < 0)
            return r;
        depth = depth_of(elements[n]) > depth ? depth_of(elements[n]) : depth;
        n++;
        if (!at(p, ","))
            break;
        r = advance(p);
        if (r == 0 && at(p, "]"))
            return unexpected(p, "an element");
    }
    if (r == 0)
        r = expect_token(p, "]", "`]`");
    if (r == 0)
        r = new_node(p, NODE_ARRAY, NULL, NULL, ret);
    if (r < 0)
        return r;
    (*ret)->members = NULL;
    (*ret)->elements = elements;
    (*ret)->n = n;
    (*ret)->depth = depth + 1;
    return depth + 1 > EXPR_DEPTH_MAX ? too_deep(p) : 0;
}

static bool is_keyword(const struct token *t)
{
    static const char *const words[] = {"def",  "module", "import", "include", "if",  "then",
                                        "else", "elif",   "reduce", "foreach", "end", "and",
                                        "or",   "try",    "catch",  "label",   "as",  "__loc__"};
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        if (token_is(t, words[i]))
            return true;
    }
    return false;
}

/* An object's value: a term, or several between |; anything else needs parentheses. */
static int parse_member_value(struct parser *p, struct node **ret)
{
    int r = parse_term(p, ret);
    while (r == 0 && at(p, "|")) {
        struct node *right;
        r = advance(p);
        if (r == 0)
            r = parse_term(p, &right);
        if (r == 0)
            r = new_pipe(p, *ret, right, ret);
    }
    if (r == 0 && !at(p, ",") && !at(p, "}") && p->token.kind == TOKEN_PUNCT)
        return expr_refuse(p->lexer.error, p->token.offset,
                           "`%.*s` in an object needs parentheses: {name: (…)}",
                           shown_length(&p->token), p->token.text);
    return r;
}

/* `name: v`, `"name": v`, `(expr): v`, or for short `name`, `"name"`, `$job`. */
static int parse_member(struct parser *p, struct node_member *ret)
{
    const struct token t = p->token;
    const struct json_value *name = t.value;
    bool can_be_short = true;
    int r;
    if (at(p, "(")) {
        can_be_short = false;
        r = advance(p);
        if (r == 0)
            r = parse_pipe(p, &ret->key);
        if (r == 0)
            r = expect_token(p, ")", "`)`");
    } else if (t.kind == TOKEN_NAME || t.kind == TOKEN_STRING) {
        if (t.kind == TOKEN_NAME) {
            can_be_short = !is_keyword(&t);
            r = json_string(p->expr->arena, t.text, t.len, &name);
            if (r < 0)
                return no_room(p);
        }
        r = new_literal(p, name, &ret->key);
        if (r == 0)
            r = advance(p);
    } else if (t.kind == TOKEN_VARIABLE) {
        r = json_string(p->expr->arena, t.text, t.len, &name);
        if (r == 0)
            r = new_literal(p, name, &ret->key);
        return r < 0 ? r : parse_variable(p, &ret->value);
    } else {
        return t.kind == TOKEN_FORMAT ? needs_libjq(p) : unexpected(p, "a member's name");
    }
    if (r < 0)
        return r;

    if (!at(p, ":") && can_be_short && (at(p, ",") || at(p, "}"))) {
        r = new_path(p, NULL, &ret->value);
        return r < 0 ? r : add_step(p, ret->value, member_step(name));
    }
    r = expect_token(p, ":", "`:`");
    return r < 0 ? r : parse_member_value(p, &ret->value);
}

static int parse_object(struct parser *p, struct node **ret)
{
    struct node_member *members = NULL;
    size_t n = 0;
    unsigned depth = 0;
    int r = advance(p);
    while (r == 0 && !at(p, "}")) {
        void *grown = members;
        r = grow(p, &grown, n, sizeof *members);
        members = grown;
        if (r == 0)
            r = parse_member(p, &members[n]);
        if (r < 0)
            return r;
        unsigned key = depth_of(members[n].key), value = depth_of(members[n].value);
        depth = key > depth ? key : depth;
        depth = value > depth ? value : depth;
        n++;
        if (!at(p, ","))
            break;
        r = advance(p);
        if (r == 0 && at(p, "}"))
            return unexpected(p, "a member's name");
    }
    if (r == 0)
        r = expect_token(p, "}", "`}`");
    if (r == 0)
        r = new_node(p, NODE_OBJECT, NULL, NULL, ret);
    if (r < 0)
        return r;
    (*ret)->members = members;
    (*ret)->elements = NULL;
    (*ret)->n = n;
    (*ret)->depth = depth + 1;
    return depth + 1 > EXPR_DEPTH_MAX ? too_deep(p) : 0;
}

static int parse_delete(struct parser *p, struct node **ret)
{
    struct node *path;
    size_t offset;
    int r = advance(p);
    if (r == 0)
        r = expect_token(p, "(", "`(`");
    offset = p->token.offset;
    if (r == 0)
        r = parse_pipe(p, &path);
    if (r == 0 && !is_path(path))
        return expr_refuse(p->lexer.error, offset,
                           "del() of anything but a path needs libjq, which this build does not "
                           "have");
    if (r == 0)
        r = expect_token(p, ")", "`)`");
    return r < 0 ? r : new_node(p, NODE_DELETE, path, NULL, ret);
}

/* true, false, null, not, del(path); every other name is a function we do not have. */
static int parse_name(struct parser *p, struct node **ret)
{
    if (at(p, "del"))
        return parse_delete(p, ret);
    int r;
    if (at(p, "true") || at(p, "false"))
        r = new_literal(p, json_bool(at(p, "true")), ret);
    else if (at(p, "null"))
        r = new_literal(p, json_null(), ret);
    else if (at(p, "not"))
        r = new_node(p, NODE_NOT, NULL, NULL, ret);
    else if (at(p, "and") || at(p, "or"))
        return unexpected(p, "a value");
    else
        return needs_libjq(p);
    if (r == 0)
        r = advance(p);
    if (r == 0 && at(p, "("))
        return unexpected(p, "an operator");
    return r;
}

static int parse_negative(struct parser *p, struct node **ret)
{
    const struct token minus = p->token;
    int r = advance(p);
    if (r < 0)
        return r;
    if (p->token.kind != TOKEN_NUMBER) {
        p->token = minus;
        return needs_libjq(p);
    }
    size_t len;
    const char *digits = json_text(p->token.value, &len);
    char *text = arena_alloc(p->expr->arena, len + 1);
    if (!text)
        return no_room(p);
    text[0] = '-';
    memcpy(text + 1, digits, len);
    const struct json_value *v;
    if (json_number(p->expr->arena, text, len + 1, &v) < 0)
        return no_room(p);
    r = new_literal(p, v, ret);
    return r < 0 ? r : advance(p);
}

static int parse_bare_term(struct parser *p, struct node **ret)
{
    switch (p->token.kind) {
    case TOKEN_FIELD:
        return parse_path(p, ret);
    case TOKEN_VARIABLE:
        return parse_variable(p, ret);
    case TOKEN_FORMAT:
        return needs_libjq(p);
    case TOKEN_NAME:
        return parse_name(p, ret);
    case TOKEN_NUMBER:
    case TOKEN_STRING: {
        int r = new_literal(p, p->token.value, ret);
        return r < 0 ? r : advance(p);
    }
    default:
        break;
    }
    if (at(p, "."))
        return parse_path(p, ret);
    if (at(p, "["))
        return parse_array(p, ret);
    if (at(p, "{"))
        return parse_object(p, ret);
    if (at(p, "(")) {
        int r = advance(p);
        if (r == 0)
            r = parse_pipe(p, ret);
        return r < 0 ? r : expect_token(p, ")", "`)`");
    }
    return unexpected(p, "a value");
}

static int parse_term(struct parser *p, struct node **ret)
{
    if (p->nesting == EXPR_DEPTH_MAX)
        return too_deep(p);
    p->nesting++;
    int r = at(p, "-") ? parse_negative(p, ret) : parse_bare_term(p, ret);
    p->nesting--;
    return r < 0 ? r : parse_postfix(p, ret);
}

/* ---- operators ---- */

static int parse_comparison(struct parser *p, struct node **ret)
{
    static const char *const signs[] = {
        [COMPARE_EQ] = "==", [COMPARE_NE] = "!=", [COMPARE_LT] = "<",
        [COMPARE_LE] = "<=", [COMPARE_GT] = ">",  [COMPARE_GE] = ">="};
    int r = parse_term(p, ret);
    for (size_t i = 0; r == 0 && i < HR_ARRAY_LEN(signs); i++) {
        if (!at(p, signs[i]))
            continue;
        struct node *right;
        r = advance(p);
        if (r == 0)
            r = parse_term(p, &right);
        if (r == 0)
            r = new_node(p, NODE_COMPARE, *ret, right, ret);
        if (r < 0)
            return r;
        (*ret)->compare = (enum comparison)i;
        for (size_t j = 0; j < HR_ARRAY_LEN(signs); j++) {
            if (at(p, signs[j]))
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
    while (r == 0 && at(p, "and")) {
        struct node *right;
        r = advance(p);
        if (r == 0)
            r = parse_comparison(p, &right);
        if (r == 0)
            r = new_node(p, NODE_AND, *ret, right, ret);
    }
    return r;
}

static int parse_or(struct parser *p, struct node **ret)
{
    int r = parse_and(p, ret);
    while (r == 0 && at(p, "or")) {
        struct node *right;
        r = advance(p);
        if (r == 0)
            r = parse_and(p, &right);
        if (r == 0)
            r = new_node(p, NODE_OR, *ret, right, ret);
    }
    return r;
}

static int parse_assignment(struct parser *p, struct node **ret)
{
    int r = parse_or(p, ret);
    if (r < 0 || !at(p, "="))
        return r;
    if (!is_path(*ret))
        return expr_refuse(p->lexer.error, p->token.offset,
                           "an assignment to anything but a path needs libjq, which this build "
                           "does not have");
    struct node *right;
    r = advance(p);
    if (r == 0)
        r = parse_or(p, &right);
    if (r == 0 && at(p, "="))
        return expr_refuse(p->lexer.error, p->token.offset,
                           "assignments do not chain: use `|` between them");
    return r < 0 ? r : new_node(p, NODE_ASSIGN, *ret, right, ret);
}

static int parse_alternative(struct parser *p, struct node **ret)
{
    int r = parse_assignment(p, ret);
    if (r < 0 || !at(p, "//"))
        return r;
    if (p->nesting == EXPR_DEPTH_MAX)
        return too_deep(p);
    p->nesting++;
    struct node *right;
    r = advance(p);
    if (r == 0)
        r = parse_alternative(p, &right);
    p->nesting--;
    return r < 0 ? r : new_node(p, NODE_ALTERNATIVE, *ret, right, ret);
}

static int parse_pipe_rest(struct parser *p, struct node **ret)
{
    int r = 0;
    while (r == 0 && at(p, "|")) {
        struct node *right;
        r = advance(p);
        if (r == 0)
            r = parse_alternative(p, &right);
        if (r == 0)
            r = new_pipe(p, *ret, right, ret);
    }
    return r;
}

static int parse_pipe(struct parser *p, struct node **ret)
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

    struct parser p = {
        .lexer = {.program = copy, .arena = e->arena, .error = error},
          .expr = e
    };
    struct node *root;
    int r = advance(&p);
    if (r == 0)
        r = parse_pipe(&p, &root);
    if (r == 0 && p.token.kind != TOKEN_END)
        r = unexpected(&p, "an operator");
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

bool expr_uses_job(const struct expr *e)
{
    return e->uses_job;
}

bool expr_uses_meta(const struct expr *e)
{
    return e->uses_meta;
}
