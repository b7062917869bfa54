/* SPDX-License-Identifier: MIT */
/*
 * Terms: what stands between operators. A member of an object takes a term, or terms between |.
 */
#include "daemon/item/expr_parser.h"

#include "daemon/item/number.h"

#include <string.h>

/* After `[` of a path: an index or a key, and `]`. */
static int parse_index(struct parser *p, struct step *ret)
{
    bool negative = parser_at(p, "-");
    int r = negative ? parser_advance(p) : 0;
    if (r < 0)
        return r;
    struct token t = p->token;
    if (t.kind == TOKEN_STRING && !negative) {
        *ret = step_of_member(t.value);
    } else if (t.kind == TOKEN_NUMBER) {
        struct number number;
        size_t len;
        const char *text = json_text(t.value, &len);
        if (!number_parse(text, len, &number) || !number_to_int64(&number, &ret->index) ||
            ret->index > INT32_MAX)
            return expr_refuse(p->lexer.error, t.offset, "an index is a whole number");
        ret->key = NULL;
        ret->index = negative ? -ret->index : ret->index;
    } else if (parser_at(p, "]")) {
        return expr_refuse(p->lexer.error, t.offset, "`.[]`" EXPR_BEYOND);
    } else {
        return expr_refuse(p->lexer.error, t.offset, "an index that is no literal" EXPR_BEYOND);
    }
    r = parser_advance(p);
    if (r < 0)
        return r;
    if (parser_at(p, ":"))
        return expr_refuse(p->lexer.error, p->token.offset, "a slice" EXPR_BEYOND);
    return parser_expect(p, "]", "`]`");
}

/* What may follow a term: .name, ."name", [index]. */
static int parse_postfix(struct parser *p, struct node **term)
{
    for (;;) {
        struct step step = {0};
        struct token t = p->token;
        int r;
        if (t.kind == TOKEN_FIELD) {
            step = step_of_member(t.value);
            r = parser_advance(p);
        } else if (parser_at(p, ".")) {
            r = parser_advance(p);
            if (r < 0)
                return r;
            if (p->token.kind != TOKEN_STRING)
                return parser_unexpected(p, "a name");
            step = step_of_member(p->token.value);
            r = parser_advance(p);
        } else if (parser_at(p, "[")) {
            r = parser_advance(p);
            if (r == 0)
                r = parse_index(p, &step);
        } else if (parser_at(p, "?") || parser_at(p, "as")) {
            return parser_beyond(p);
        } else {
            return 0;
        }
        if (r == 0 && (*term)->kind != NODE_PATH)
            r = node_new_path(p, *term, term);
        if (r == 0)
            r = node_add_step(p, *term, step);
        if (r < 0)
            return r;
    }
}

/* `.`, `.name`, `."name"`; a `[` behind the dot is a postfix like any other. */
static int parse_path(struct parser *p, struct node **ret)
{
    int r = node_new_path(p, NULL, ret);
    if (r < 0 || p->token.kind == TOKEN_FIELD)
        return r;
    r = parser_advance(p);
    if (r < 0 || p->token.kind != TOKEN_STRING)
        return r;
    r = node_add_step(p, *ret, step_of_member(p->token.value));
    return r < 0 ? r : parser_advance(p);
}

static int parse_variable(struct parser *p, struct node **ret)
{
    static const char *const fields[] = {"id", "attempt", "name", "time"};
    const struct token t = p->token;
    bool job = t.len == 3 && memcmp(t.text, "job", 3) == 0;
    bool meta = t.len == 4 && memcmp(t.text, "meta", 4) == 0;
    if (!job && !meta)
        return expr_refuse(p->lexer.error, t.offset, "$%.*s is not known; there are $job and $meta",
                           token_shown(&t), t.text);
    p->expr->uses_job |= job;
    p->expr->uses_meta |= meta;
    int r = parser_advance(p);
    if (r < 0)
        return r;
    if (job && p->token.kind == TOKEN_FIELD) {
        struct step s = step_of_member(p->token.value);
        bool known = false;
        for (size_t i = 0; i < HR_ARRAY_LEN(fields); i++)
            known |= s.len == strlen(fields[i]) && memcmp(s.text, fields[i], s.len) == 0;
        if (!known)
            return expr_refuse(p->lexer.error, p->token.offset,
                               "$job has .id, .attempt, .name and .time");
    }
    return node_new(p, job ? NODE_JOB : NODE_META, NULL, NULL, ret);
}

static int parse_array(struct parser *p, struct node **ret)
{
    struct node **elements = NULL;
    size_t n = 0;
    unsigned depth = 0;
    int r = parser_advance(p);
    while (r == 0 && !parser_at(p, "]")) {
        void *grown = elements;
        r = parser_grow(p, &grown, n, sizeof *elements);
        elements = grown;
        if (r == 0)
            r = parse_alternative(p, &elements[n]);
        /* `,` binds closer than `|`: [.a, .b | not] has two results of `not`. */
        bool piped = r == 0 && parser_at(p, "|");
        if (piped && n > 0)
            return expr_refuse(p->lexer.error, p->token.offset,
                               "`|` after `,` needs parentheses: [.a, (.b | not)]");
        if (piped)
            r = parse_pipe_rest(p, &elements[n]);
        if (piped && r == 0 && parser_at(p, ","))
            return parser_beyond(p);
        if (r < 0)
            return r;
        depth = node_depth(elements[n]) > depth ? node_depth(elements[n]) : depth;
        n++;
        if (!parser_at(p, ","))
            break;
        r = parser_advance(p);
        if (r == 0 && parser_at(p, "]"))
            return parser_unexpected(p, "an element");
    }
    if (r == 0)
        r = parser_expect(p, "]", "`]`");
    if (r == 0)
        r = node_new(p, NODE_ARRAY, NULL, NULL, ret);
    if (r != 0)
        return r;
    (*ret)->members = NULL;
    (*ret)->elements = elements;
    (*ret)->n = n;
    (*ret)->depth = depth + 1;
    return depth + 1 > EXPR_DEPTH_MAX ? parser_too_deep(p) : 0;
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
    while (r == 0 && parser_at(p, "|")) {
        struct node *right;
        r = parser_advance(p);
        if (r == 0)
            r = parse_term(p, &right);
        if (r == 0)
            r = node_new_pipe(p, *ret, right, ret);
    }
    if (r == 0 && !parser_at(p, ",") && !parser_at(p, "}") && p->token.kind == TOKEN_PUNCT)
        return expr_refuse(p->lexer.error, p->token.offset,
                           "`%.*s` in an object needs parentheses: {name: (…)}",
                           token_shown(&p->token), p->token.text);
    return r;
}

/* `name: v`, `"name": v`, `(expr): v`, or for short `name`, `"name"`, `$job`. */
static int parse_member(struct parser *p, struct node_member *ret)
{
    const struct token t = p->token;
    const struct json_value *name = t.value;
    bool can_be_short = true;
    int r;
    if (parser_at(p, "(")) {
        can_be_short = false;
        r = parser_advance(p);
        if (r == 0)
            r = parse_pipe(p, &ret->key);
        if (r == 0)
            r = parser_expect(p, ")", "`)`");
    } else if (t.kind == TOKEN_NAME || t.kind == TOKEN_STRING) {
        if (t.kind == TOKEN_NAME) {
            can_be_short = !is_keyword(&t);
            r = json_string(p->expr->arena, t.text, t.len, &name);
            if (r < 0)
                return parser_no_room(p);
        }
        r = node_new_literal(p, name, &ret->key);
        if (r == 0)
            r = parser_advance(p);
    } else if (t.kind == TOKEN_VARIABLE) {
        r = json_string(p->expr->arena, t.text, t.len, &name);
        if (r == 0)
            r = node_new_literal(p, name, &ret->key);
        return r < 0 ? r : parse_variable(p, &ret->value);
    } else {
        return t.kind == TOKEN_FORMAT ? parser_beyond(p) : parser_unexpected(p, "a member's name");
    }
    if (r < 0)
        return r;

    if (!parser_at(p, ":") && can_be_short && (parser_at(p, ",") || parser_at(p, "}"))) {
        r = node_new_path(p, NULL, &ret->value);
        return r < 0 ? r : node_add_step(p, ret->value, step_of_member(name));
    }
    r = parser_expect(p, ":", "`:`");
    return r < 0 ? r : parse_member_value(p, &ret->value);
}

static int parse_object(struct parser *p, struct node **ret)
{
    struct node_member *members = NULL;
    size_t n = 0;
    unsigned depth = 0;
    int r = parser_advance(p);
    while (r == 0 && !parser_at(p, "}")) {
        void *grown = members;
        r = parser_grow(p, &grown, n, sizeof *members);
        members = grown;
        if (r == 0)
            r = parse_member(p, &members[n]);
        if (r < 0)
            return r;
        unsigned key = node_depth(members[n].key), value = node_depth(members[n].value);
        depth = key > depth ? key : depth;
        depth = value > depth ? value : depth;
        n++;
        if (!parser_at(p, ","))
            break;
        r = parser_advance(p);
        if (r == 0 && parser_at(p, "}"))
            return parser_unexpected(p, "a member's name");
    }
    if (r == 0)
        r = parser_expect(p, "}", "`}`");
    if (r == 0)
        r = node_new(p, NODE_OBJECT, NULL, NULL, ret);
    if (r != 0)
        return r;
    (*ret)->members = members;
    (*ret)->elements = NULL;
    (*ret)->n = n;
    (*ret)->depth = depth + 1;
    return depth + 1 > EXPR_DEPTH_MAX ? parser_too_deep(p) : 0;
}

static int parse_delete(struct parser *p, struct node **ret)
{
    struct node *path;
    size_t offset;
    int r = parser_advance(p);
    if (r == 0)
        r = parser_expect(p, "(", "`(`");
    offset = p->token.offset;
    if (r == 0)
        r = parse_pipe(p, &path);
    if (r == 0 && !node_is_path(path))
        return expr_refuse(p->lexer.error, offset, "del() of anything but a path" EXPR_BEYOND);
    if (r == 0)
        r = parser_expect(p, ")", "`)`");
    return r == 0 ? node_new(p, NODE_DELETE, path, NULL, ret) : r;
}

/* true, false, null, not, del(path); every other name is a function we do not have. */
static int parse_name(struct parser *p, struct node **ret)
{
    if (parser_at(p, "del"))
        return parse_delete(p, ret);
    int r;
    if (parser_at(p, "true") || parser_at(p, "false"))
        r = node_new_literal(p, json_bool(parser_at(p, "true")), ret);
    else if (parser_at(p, "null"))
        r = node_new_literal(p, json_null(), ret);
    else if (parser_at(p, "not"))
        r = node_new(p, NODE_NOT, NULL, NULL, ret);
    else if (parser_at(p, "and") || parser_at(p, "or"))
        return parser_unexpected(p, "a value");
    else
        return parser_beyond(p);
    if (r == 0)
        r = parser_advance(p);
    if (r == 0 && parser_at(p, "("))
        return parser_unexpected(p, "an operator");
    return r;
}

static int parse_negative(struct parser *p, struct node **ret)
{
    const struct token minus = p->token;
    int r = parser_advance(p);
    if (r < 0)
        return r;
    if (p->token.kind != TOKEN_NUMBER) {
        p->token = minus;
        return parser_beyond(p);
    }
    size_t len;
    const char *digits = json_text(p->token.value, &len);
    char *text = arena_alloc(p->expr->arena, len + 1);
    if (!text)
        return parser_no_room(p);
    text[0] = '-';
    memcpy(text + 1, digits, len);
    const struct json_value *v;
    if (json_number(p->expr->arena, text, len + 1, &v) < 0)
        return parser_no_room(p);
    r = node_new_literal(p, v, ret);
    return r < 0 ? r : parser_advance(p);
}

static int parse_bare_term(struct parser *p, struct node **ret)
{
    switch (p->token.kind) {
    case TOKEN_FIELD:
        return parse_path(p, ret);
    case TOKEN_VARIABLE:
        return parse_variable(p, ret);
    case TOKEN_FORMAT:
        return parser_beyond(p);
    case TOKEN_NAME:
        return parse_name(p, ret);
    case TOKEN_NUMBER:
    case TOKEN_STRING: {
        int r = node_new_literal(p, p->token.value, ret);
        return r < 0 ? r : parser_advance(p);
    }
    default:
        break;
    }
    if (parser_at(p, "."))
        return parse_path(p, ret);
    if (parser_at(p, "["))
        return parse_array(p, ret);
    if (parser_at(p, "{"))
        return parse_object(p, ret);
    if (parser_at(p, "(")) {
        int r = parser_advance(p);
        if (r == 0)
            r = parse_pipe(p, ret);
        return r == 0 ? parser_expect(p, ")", "`)`") : r;
    }
    return parser_unexpected(p, "a value");
}

int parse_term(struct parser *p, struct node **ret)
{
    if (p->nesting == EXPR_DEPTH_MAX)
        return parser_too_deep(p);
    p->nesting++;
    int r = parser_at(p, "-") ? parse_negative(p, ret) : parse_bare_term(p, ret);
    p->nesting--;
    return r == 0 ? parse_postfix(p, ret) : r;
}
