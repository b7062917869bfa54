/* SPDX-License-Identifier: MIT */
/*
 * Runs the tree. Every node has exactly one result, so there is no backtracking and nothing to
 * collect; recursion is as deep as the tree, which is bounded.
 */
#include "daemon/item/expr.h"

#include "daemon/item/expr_tree.h"

#include <errno.h>

#define CLASS "expression"

struct run {
    struct arena *arena;
    const struct expr_env *env;
    struct failure *why;
};

static int eval(struct run *run, const struct node *n, const struct json_value *in,
                const struct json_value **ret);

/* Passes a builder's code on; a value that outgrew the arena is the expression's fault. */
static int built(struct run *run, int r)
{
    if (r == -E2BIG)
        failure_set(run->why, CLASS, 0, "the expression's result is too large");
    return r;
}

static int no_index(struct run *run, const struct json_value *v, const struct step *s)
{
    const char *type = json_type_name(v);
    if (!s->key)
        return failure_set(run->why, CLASS, 0, "Cannot index %s with number", type);
    char key[FAILURE_COLUMN_MAX];
    text_excerpt(key, sizeof key, s->text, s->len);
    failure_set(run->why, CLASS, 0, "Cannot index %s with \"%s\"", type, key);
    failure_set_column(run->why, key);
    return -EBADMSG;
}

/* The place an index means; false when it is before the beginning. */
static bool place_of(const struct json_value *array, const struct step *s, size_t *ret)
{
    int64_t place = s->index < 0 ? s->index + (int64_t)json_count(array) : s->index;
    *ret = place < 0 ? 0 : (size_t)place;
    return place >= 0;
}

/* One step down. Absent is null, and null has everything, all of it null. */
static int take_step(struct run *run, const struct json_value *v, const struct step *s,
                     const struct json_value **ret)
{
    enum json_type t = json_type(v);
    const struct json_value *found = NULL;
    size_t place;
    if (t == JSON_OBJECT && s->key)
        found = json_get(v, s->text, s->len);
    else if (t == JSON_ARRAY && !s->key)
        found = place_of(v, s, &place) ? json_at(v, place) : NULL;
    else if (t != JSON_NULL)
        return no_index(run, v, s);
    *ret = found ? found : json_null();
    return 0;
}

static int eval_path(struct run *run, const struct node *n, const struct json_value *in,
                     const struct json_value **ret)
{
    const struct json_value *v = in;
    if (n->base) {
        int r = eval(run, n->base, in, &v);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < n->n_steps; i++) {
        int r = take_step(run, v, &n->steps[i], &v);
        if (r < 0)
            return r;
    }
    *ret = v;
    return 0;
}

/* ---- changing a place ---- */

/* v with one member set, appended where it is new, or taken out (value NULL). */
static int with_member(struct run *run, const struct json_value *v, const struct step *s,
                       const struct json_value *value, const struct json_value **ret)
{
    struct json_member *members = arena_alloc(run->arena, (json_count(v) + 1) * sizeof *members);
    if (!members)
        return built(run, arena_error(run->arena));
    const struct json_value *old = json_get(v, s->text, s->len);
    struct json_iter i = json_iter(v);
    size_t n = 0;
    while (json_next(&i, &members[n].key, &members[n].value)) {
        if (members[n].value != old) {
            n++;
        } else if (value) {
            members[n++].value = value;
        }
    }
    if (value && !old)
        members[n++] = (struct json_member){s->key, value};
    return built(run, json_object(run->arena, members, n, ret));
}

/* Likewise for an element; a place past the end is reached over nulls. */
static int with_element(struct run *run, const struct json_value *v, size_t place,
                        const struct json_value *value, const struct json_value **ret)
{
    size_t count = json_count(v), n = value && place >= count ? place + 1 : count;
    const struct json_value **values = arena_alloc(run->arena, (n + 1) * sizeof *values);
    if (!values)
        return built(run, arena_error(run->arena));
    struct json_iter i = json_iter(v);
    const struct json_value *key;
    size_t kept = 0;
    for (size_t at = 0; at < n; at++) {
        if (!json_next(&i, &key, &values[kept]))
            values[kept] = json_null();
        if (at != place)
            kept++;
        else if (value)
            values[kept++] = value;
    }
    return built(run, json_array(run->arena, values, kept, ret));
}

/* v with what lies at the path replaced, or deleted (value NULL). */
static int change(struct run *run, const struct json_value *v, const struct step *steps, size_t n,
                  const struct json_value *value, const struct json_value **ret)
{
    if (n == 0) {
        *ret = value ? value : json_null();
        return 0;
    }
    const struct json_value *inner = NULL;
    int r = take_step(run, v, steps, &inner);
    if (r < 0)
        return r;
    if (!value && (json_type(v) == JSON_NULL || (n > 1 && json_type(inner) == JSON_NULL))) {
        *ret = v; /* nothing there to delete */
        return 0;
    }
    if (n > 1 || value) {
        r = change(run, inner, steps + 1, n - 1, value, &value);
        if (r < 0)
            return r;
    }
    if (steps->key)
        return with_member(run, v, steps, value, ret);
    size_t place;
    if (place_of(v, steps, &place))
        return with_element(run, v, place, value, ret);
    if (value)
        return failure_set(run->why, CLASS, 0, "Out of bounds negative array index");
    *ret = v;
    return 0;
}

/* ---- the other nodes ---- */

static int eval_object(struct run *run, const struct node *n, const struct json_value *in,
                       const struct json_value **ret)
{
    struct json_member *members = arena_alloc(run->arena, n->n * sizeof *members);
    if (!members)
        return built(run, arena_error(run->arena));
    for (size_t i = 0; i < n->n; i++) {
        int r = eval(run, n->members[i].key, in, &members[i].key);
        if (r < 0)
            return r;
        if (json_type(members[i].key) != JSON_STRING)
            return failure_set(run->why, CLASS, 0, "Cannot use %s as object key",
                               json_type_name(members[i].key));
        r = eval(run, n->members[i].value, in, &members[i].value);
        if (r < 0)
            return r;
    }
    return built(run, json_object(run->arena, members, n->n, ret));
}

static int eval_array(struct run *run, const struct node *n, const struct json_value *in,
                      const struct json_value **ret)
{
    const struct json_value **values = arena_alloc(run->arena, n->n * sizeof *values);
    if (!values)
        return built(run, arena_error(run->arena));
    for (size_t i = 0; i < n->n; i++) {
        int r = eval(run, n->elements[i], in, &values[i]);
        if (r < 0)
            return r;
    }
    return built(run, json_array(run->arena, values, n->n, ret));
}

static int eval_comparison(struct run *run, const struct node *n, const struct json_value *in,
                           const struct json_value **ret)
{
    const struct json_value *left, *right;
    int order, r = eval(run, n->left, in, &left);
    if (r == 0)
        r = eval(run, n->right, in, &right);
    if (r == 0)
        r = built(run, json_compare(run->arena, left, right, &order));
    if (r != 0)
        return r;
    const bool answers[] = {
        [COMPARE_EQ] = order == 0,
        [COMPARE_NE] = order != 0,
        [COMPARE_LT] = order<0, [COMPARE_LE] = order <= 0, [COMPARE_GT] = order> 0,
        [COMPARE_GE] = order >= 0,
    };
    *ret = json_bool(answers[n->compare]);
    return 0;
}

/* The right side of and, or is looked at only when the left leaves it open; so is that of //. */
static int eval_logic(struct run *run, const struct node *n, const struct json_value *in,
                      const struct json_value **ret)
{
    const struct json_value *v;
    int r = eval(run, n->left, in, &v);
    if (r < 0)
        return r;
    bool open = json_is_true(v) == (n->kind == NODE_AND);
    if (open) {
        r = eval(run, n->right, in, &v);
        if (r < 0)
            return r;
    }
    *ret = n->kind == NODE_ALTERNATIVE ? v : json_bool(json_is_true(v));
    return 0;
}

static int eval_pipe(struct run *run, const struct node *n, const struct json_value *in,
                     const struct json_value **ret)
{
    const struct json_value *between;
    int r = eval(run, n->left, in, &between);
    return r == 0 ? eval(run, n->right, between, ret) : r;
}

static int eval_change(struct run *run, const struct node *n, const struct json_value *in,
                       const struct json_value **ret)
{
    const struct json_value *value = NULL;
    if (n->kind == NODE_ASSIGN) {
        int r = eval(run, n->right, in, &value);
        if (r < 0)
            return r;
    }
    return change(run, in, n->left->steps, n->left->n_steps, value, ret);
}

static int eval(struct run *run, const struct node *n, const struct json_value *in,
                const struct json_value **ret)
{
    const struct json_value *v;
    switch (n->kind) {
    case NODE_PATH:
        return eval_path(run, n, in, ret);
    case NODE_OBJECT:
        return eval_object(run, n, in, ret);
    case NODE_ARRAY:
        return eval_array(run, n, in, ret);
    case NODE_COMPARE:
        return eval_comparison(run, n, in, ret);
    case NODE_AND:
    case NODE_OR:
    case NODE_ALTERNATIVE:
        return eval_logic(run, n, in, ret);
    case NODE_PIPE:
        return eval_pipe(run, n, in, ret);
    case NODE_ASSIGN:
    case NODE_DELETE:
        return eval_change(run, n, in, ret);
    case NODE_JOB:
        v = run->env ? run->env->job : NULL;
        break;
    case NODE_META:
        v = run->env ? run->env->meta : NULL;
        break;
    case NODE_NOT:
        v = json_bool(!json_is_true(in));
        break;
    default:
        v = n->literal;
        break;
    }
    *ret = v ? v : json_null();
    return 0;
}

int expr_eval(const struct expr *e, struct arena *a, const struct json_value *item,
              const struct expr_env *env, const struct json_value **ret, struct failure *why)
{
    struct run run = {a, env, why};
    return eval(&run, e->root, item, ret);
}
