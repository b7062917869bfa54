/* SPDX-License-Identifier: MIT */
/*
 * jq's total order over JSON values.
 *
 * Objects compare first by their keys, as sorted arrays, then by their values in the order of those
 * keys. Values are immutable and shared, so the sorting is done anew, in the arena.
 */
#include "daemon/item/json.h"
#include "daemon/item/number.h"

#include <string.h>

static int compare_text(const struct json_value *x, const struct json_value *y)
{
    size_t n, m;
    const char *a = json_text(x, &n), *b = json_text(y, &m);
    size_t shorter = n < m ? n : m;
    int r = shorter ? memcmp(a, b, shorter) : 0;
    return r ? r : (n > m) - (n < m);
}

static int compare_numbers(const struct json_value *x, const struct json_value *y)
{
    struct number a, b;
    size_t n, m;
    const char *p = json_text(x, &n), *q = json_text(y, &m);
    /* Only numbers get into values; equal texts are all that is left to say of others. */
    if (!number_parse(p, n, &a) || !number_parse(q, m, &b))
        return compare_text(x, y);
    return number_compare(&a, &b);
}

static int compare_arrays(struct arena *a, const struct json_value *x, const struct json_value *y,
                          int *ret)
{
    struct json_iter i = json_iter(x), j = json_iter(y);
    const struct json_value *key, *one, *other;
    while (json_next(&i, &key, &one)) {
        if (!json_next(&j, &key, &other)) {
            *ret = 1;
            return 0;
        }
        int order, r = json_compare(a, one, other, &order);
        if (r < 0)
            return r;
        if (order) {
            *ret = order;
            return 0;
        }
    }
    *ret = j.left ? -1 : 0;
    return 0;
}

static int by_key(const void *x, const void *y)
{
    const struct json_member *a = x, *b = y;
    return compare_text(a->key, b->key);
}

static struct json_member *sorted_members(struct arena *a, const struct json_value *object)
{
    size_t n = json_count(object);
    struct json_member *members = arena_alloc(a, n * sizeof *members);
    if (!members)
        return NULL;
    struct json_iter it = json_iter(object);
    for (size_t i = 0; json_next(&it, &members[i].key, &members[i].value);)
        i++;
    qsort(members, n, sizeof *members, by_key);
    return members;
}

static int compare_objects(struct arena *a, const struct json_value *x, const struct json_value *y,
                           int *ret)
{
    size_t n = json_count(x), m = json_count(y);
    struct json_member *ones = sorted_members(a, x), *others = ones ? sorted_members(a, y) : NULL;
    if (!others)
        return arena_error(a);

    for (size_t i = 0; i < n && i < m; i++) {
        int order = compare_text(ones[i].key, others[i].key);
        if (order) {
            *ret = order;
            return 0;
        }
    }
    if (n != m) {
        *ret = n < m ? -1 : 1;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        int order, r = json_compare(a, ones[i].value, others[i].value, &order);
        if (r < 0)
            return r;
        if (order) {
            *ret = order;
            return 0;
        }
    }
    *ret = 0;
    return 0;
}

int json_compare(struct arena *a, const struct json_value *x, const struct json_value *y, int *ret)
{
    enum json_type t = json_type(x), u = json_type(y);
    if (t != u) {
        *ret = t < u ? -1 : 1;
        return 0;
    }
    switch (t) {
    case JSON_NUMBER:
        *ret = compare_numbers(x, y);
        return 0;
    case JSON_STRING:
        *ret = compare_text(x, y);
        return 0;
    case JSON_ARRAY:
        return compare_arrays(a, x, y, ret);
    case JSON_OBJECT:
        return compare_objects(a, x, y, ret);
    default:
        *ret = 0;
        return 0;
    }
}
