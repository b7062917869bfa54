/* SPDX-License-Identifier: MIT */
/*
 * Values are yyjson's immutable ones: 16 bytes each, an array or object followed by all that is in
 * it, with its own length in bytes and no pointers between them. So any value is one stretch of
 * memory, and building an object from others is copying stretches.
 *
 * Numbers are read as raw text. Objects with equal keys are rebuilt after parsing, so that nobody
 * else has to think of them.
 */
#include "daemon/item/json.h"

#include <errno.h>
#include <string.h>
#include <yyjson.h>

#define CLASS "decode"

static yyjson_val *val(const struct json_value *v)
{
    return (yyjson_val *)v;
}

static const struct json_value *value(const yyjson_val *v)
{
    return (const struct json_value *)v;
}

/* The value's stretch in bytes. */
static size_t extent(yyjson_val *v)
{
    return (size_t)((char *)unsafe_yyjson_get_next(v) - (char *)v);
}

/* What became of a NULL from the arena. */
static int no_room(const struct arena *a, struct failure *why)
{
    if (arena_error(a) == -E2BIG)
        failure_set(why, CLASS, 0, "too large to be processed");
    return arena_error(a);
}

/* ---- types and access ---- */

enum json_type json_type(const struct json_value *v)
{
    static const enum json_type types[16] = {
        [YYJSON_TYPE_RAW] = JSON_NUMBER,
        [YYJSON_TYPE_NULL] = JSON_NULL,
        [YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE] = JSON_FALSE,
        [YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE] = JSON_TRUE,
        [YYJSON_TYPE_STR] = JSON_STRING,
        [YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC] = JSON_STRING,
        [YYJSON_TYPE_ARR] = JSON_ARRAY,
        [YYJSON_TYPE_OBJ] = JSON_OBJECT,
    };
    return types[unsafe_yyjson_get_tag(val(v)) & 15];
}

const char *json_type_name(const struct json_value *v)
{
    static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                        "string", "array",   "object"};
    return names[json_type(v)];
}

bool json_is_true(const struct json_value *v)
{
    return json_type(v) > JSON_FALSE;
}

const char *json_text(const struct json_value *v, size_t *ret_len)
{
    enum json_type t = json_type(v);
    bool has_text = t == JSON_STRING || t == JSON_NUMBER;
    *ret_len = has_text ? unsafe_yyjson_get_len(val(v)) : 0;
    return has_text ? unsafe_yyjson_get_str(val(v)) : NULL;
}

size_t json_count(const struct json_value *v)
{
    return unsafe_yyjson_is_ctn(val(v)) ? unsafe_yyjson_get_len(val(v)) : 0;
}

const struct json_value *json_get(const struct json_value *v, const char *key, size_t len)
{
    if (!unsafe_yyjson_is_obj(val(v)))
        return NULL;
    yyjson_val *k = unsafe_yyjson_get_first(val(v));
    for (size_t n = unsafe_yyjson_get_len(val(v)); n > 0; n--) {
        if (unsafe_yyjson_equals_strn(k, key, len))
            return value(k + 1);
        k = unsafe_yyjson_get_next(k + 1);
    }
    return NULL;
}

const struct json_value *json_at(const struct json_value *v, size_t index)
{
    return value(yyjson_arr_get(val(v), index));
}

struct json_iter json_iter(const struct json_value *v)
{
    size_t n = json_count(v);
    return (struct json_iter){
        .next = n ? value(unsafe_yyjson_get_first(val(v))) : NULL,
        .left = n,
        .object = unsafe_yyjson_is_obj(val(v)),
    };
}

bool json_next(struct json_iter *i, const struct json_value **ret_key,
               const struct json_value **ret_value)
{
    if (i->left == 0)
        return false;
    yyjson_val *v = val(i->next);
    *ret_key = i->object ? value(v) : NULL;
    v += i->object;
    *ret_value = value(v);
    i->next = value(unsafe_yyjson_get_next(v));
    i->left--;
    return true;
}

/* ---- building ---- */

const struct json_value *json_null(void)
{
    static const yyjson_val v = {.tag = YYJSON_TYPE_NULL};
    return value(&v);
}

const struct json_value *json_bool(bool b)
{
    static const yyjson_val v[] = {{.tag = YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE},
                                   {.tag = YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE}};
    return value(&v[b]);
}

int json_string(struct arena *a, const char *bytes, size_t len, const struct json_value **ret)
{
    yyjson_val *v = arena_alloc(a, sizeof *v);
    if (!v)
        return arena_error(a);
    *v = (yyjson_val){0};
    unsafe_yyjson_set_strn(v, bytes, len);
    *ret = value(v);
    return 0;
}

int json_number(struct arena *a, const char *text, size_t len, const struct json_value **ret)
{
    yyjson_val *v = arena_alloc(a, sizeof *v);
    if (!v)
        return arena_error(a);
    *v = (yyjson_val){0};
    unsafe_yyjson_set_raw(v, text, len);
    *ret = value(v);
    return 0;
}

/* Begins an array or object of n things at v; it ends where the caller stops writing. */
static void begin(yyjson_val *v, bool object, size_t n)
{
    v->tag = 0;
    if (object)
        unsafe_yyjson_set_obj(v, n);
    else
        unsafe_yyjson_set_arr(v, n);
}

static char *append(char *p, const struct json_value *v)
{
    size_t n = extent(val(v));
    memcpy(p, v, n);
    return p + n;
}

int json_array(struct arena *a, const struct json_value *const *values, size_t n,
               const struct json_value **ret)
{
    size_t size = sizeof(yyjson_val);
    for (size_t i = 0; i < n; i++)
        size += extent(val(values[i]));
    yyjson_val *v = arena_alloc(a, size);
    if (!v)
        return arena_error(a);

    begin(v, false, n);
    char *p = (char *)(v + 1);
    for (size_t i = 0; i < n; i++)
        p = append(p, values[i]);
    v->uni.ofs = size;
    *ret = value(v);
    return 0;
}

struct slot {
    yyjson_val *key, *value;
    size_t place;
};

static int compare_slots(const void *x, const void *y)
{
    const struct slot *a = x, *b = y;
    size_t n = unsafe_yyjson_get_len(a->key), m = unsafe_yyjson_get_len(b->key);
    if (n != m)
        return n < m ? -1 : 1;
    int r = n ? memcmp(unsafe_yyjson_get_str(a->key), unsafe_yyjson_get_str(b->key), n) : 0;
    return r ? r : (a->place > b->place) - (a->place < b->place);
}

static int compare_places(const void *x, const void *y)
{
    const struct slot *a = x, *b = y;
    return (a->place > b->place) - (a->place < b->place);
}

/* Leaves each key once, where it stood first, with its last value; returns how many are left. */
static size_t make_unique(struct slot *slots, size_t n)
{
    if (n < 2)
        return n;
    qsort(slots, n, sizeof *slots, compare_slots);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++) {
        struct slot *last = &slots[kept - 1];
        if (yyjson_equals_strn(slots[i].key, unsafe_yyjson_get_str(last->key),
                               unsafe_yyjson_get_len(last->key)))
            last->value = slots[i].value;
        else
            slots[kept++] = slots[i];
    }
    qsort(slots, kept, sizeof *slots, compare_places);
    return kept;
}

static struct slot *new_slots(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / sizeof(struct slot))
        n = SIZE_MAX / sizeof(struct slot);
    return arena_alloc(a, n * sizeof(struct slot));
}

int json_object(struct arena *a, const struct json_member *members, size_t n,
                const struct json_value **ret)
{
    struct slot *slots = new_slots(a, n);
    if (!slots)
        return arena_error(a);
    for (size_t i = 0; i < n; i++)
        slots[i] = (struct slot){val(members[i].key), val(members[i].value), i};
    n = make_unique(slots, n);

    size_t size = sizeof(yyjson_val);
    for (size_t i = 0; i < n; i++)
        size += sizeof(yyjson_val) + extent(slots[i].value);
    yyjson_val *v = arena_alloc(a, size);
    if (!v)
        return arena_error(a);

    begin(v, true, n);
    char *p = (char *)(v + 1);
    for (size_t i = 0; i < n; i++) {
        p = append(p, value(slots[i].key));
        p = append(p, value(slots[i].value));
    }
    v->uni.ofs = size;
    *ret = value(v);
    return 0;
}

/* ---- parsing ---- */

static void *give(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void *regive(void *arena, void *p, size_t old, size_t size)
{
    return arena_resize(arena, p, old, size);
}

static void keep(void *arena, void *p) {}

/* The byte at which the nesting exceeds the limit, in a text that is valid JSON. */
static size_t too_deep_at(const char *bytes, size_t len)
{
    size_t depth = 0;
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        if (inside && bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            inside = !inside;
        else if (!inside && (bytes[i] == '[' || bytes[i] == '{') && ++depth > JSON_DEPTH_MAX)
            return i;
        else if (!inside && (bytes[i] == ']' || bytes[i] == '}'))
            depth--;
    }
    return len;
}

/* Whether an object may have equal keys: a filter over length and three bytes of each. */
static bool may_repeat_keys(yyjson_val *object)
{
    uint64_t seen[8] = {0};
    yyjson_val *key = unsafe_yyjson_get_first(object);
    for (size_t n = unsafe_yyjson_get_len(object); n > 0; n--) {
        const unsigned char *text = (const unsigned char *)unsafe_yyjson_get_str(key);
        size_t len = unsafe_yyjson_get_len(key);
        uint32_t mix = (uint32_t)len << 24;
        if (len > 0)
            mix ^= (uint32_t)text[0] << 16 | (uint32_t)text[len / 2] << 8 | text[len - 1];
        uint32_t hash = (mix * UINT32_C(0x9e3779b1)) >> 23;
        uint64_t bit = UINT64_C(1) << (hash & 63);
        if (seen[hash >> 6] & bit)
            return true;
        seen[hash >> 6] |= bit;
        key = unsafe_yyjson_get_next(key + 1);
    }
    return false;
}

/* Copies v to *at, with each key of its objects once. 0, or the arena's error. */
static int copy_unique(struct arena *a, yyjson_val *v, yyjson_val **at)
{
    yyjson_val *copy = (*at)++;
    *copy = *v;
    if (!unsafe_yyjson_is_ctn(v))
        return 0;

    size_t n = unsafe_yyjson_get_len(v);
    bool object = unsafe_yyjson_is_obj(v);
    struct slot *slots = new_slots(a, n);
    if (!slots)
        return arena_error(a);
    yyjson_val *next = unsafe_yyjson_get_first(v);
    for (size_t i = 0; i < n; i++) {
        slots[i] = (struct slot){next, next + object, i};
        next = unsafe_yyjson_get_next(next + object);
    }
    if (object)
        n = make_unique(slots, n);
    for (size_t i = 0; i < n; i++) {
        if (object)
            *(*at)++ = *slots[i].key;
        int r = copy_unique(a, slots[i].value, at);
        if (r < 0)
            return r;
    }
    unsafe_yyjson_set_len(copy, n);
    copy->uni.ofs = (size_t)((char *)*at - (char *)copy);
    return 0;
}

/* Whether arrays and objects nest deeper than allowed. */
static bool is_too_deep(yyjson_val *root, size_t n)
{
    yyjson_val *ends[JSON_DEPTH_MAX];
    size_t depth = 0;
    for (yyjson_val *v = root; v < root + n; v++) {
        while (depth > 0 && v >= ends[depth - 1])
            depth--;
        if (!unsafe_yyjson_is_ctn(v))
            continue;
        if (depth == JSON_DEPTH_MAX)
            return true;
        ends[depth++] = unsafe_yyjson_get_next(v);
    }
    return false;
}

static int explain(const char *bytes, size_t len, const yyjson_read_err *err, struct failure *why)
{
    size_t at = err->pos < len ? err->pos : len;
    size_t blank = 0;
    while (blank < len && memchr(" \t\r\n", bytes[blank], 4))
        blank++;
    if (blank == len)
        return failure_set(why, CLASS, 0, "not JSON: empty");
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        return failure_set(why, CLASS, 0, "not JSON: begins with a byte order mark");
    if (at < len && bytes[at] == 0)
        return failure_set(why, CLASS, 0, "not JSON: NUL byte at byte %zu", at);
    if (err->code == YYJSON_READ_ERROR_UNEXPECTED_END)
        return failure_set(why, CLASS, 0, "not JSON: ends too early, at byte %zu", at);
    failure_set(why, CLASS, 0, "not JSON: %s at byte %zu", err->msg, at);
    failure_set_value(why, bytes + at, len - at);
    return -EBADMSG;
}

int json_parse(struct arena *a, const char *bytes, size_t len, const struct json_value **ret,
               struct failure *why)
{
    yyjson_alc alc = {.malloc = give, .realloc = regive, .free = keep, .ctx = a};
    yyjson_read_err err = {0};
    /* Without YYJSON_READ_INSITU the input is only read; the cast is the interface's. */
    yyjson_doc *doc = yyjson_read_opts((char *)bytes, len, YYJSON_READ_NUMBER_AS_RAW, &alc, &err);
    if (!doc && err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return no_room(a, why);
    if (!doc)
        return explain(bytes, len, &err, why);

    yyjson_val *root = yyjson_doc_get_root(doc);
    size_t n = yyjson_doc_get_val_count(doc), containers = 0;
    bool repeats = false;
    for (yyjson_val *v = root; v < root + n; v++) {
        if (!unsafe_yyjson_is_ctn(v))
            continue;
        containers++;
        if (!repeats && unsafe_yyjson_is_obj(v))
            repeats = may_repeat_keys(v);
    }
    if (containers > JSON_DEPTH_MAX && is_too_deep(root, n))
        return failure_set(why, CLASS, 0, "nested deeper than %d levels, at byte %zu",
                           JSON_DEPTH_MAX, too_deep_at(bytes, len));
    if (repeats) {
        yyjson_val *copy = arena_alloc(a, n * sizeof *copy), *at = copy;
        if (!copy || copy_unique(a, root, &at) < 0)
            return no_room(a, why);
        root = copy;
    }
    *ret = value(root);
    return 0;
}

/* ---- writing ---- */

int json_write(struct arena *a, const struct json_value *v, const char **ret, size_t *ret_len,
               struct failure *why)
{
    if (json_type(v) == JSON_NUMBER) {
        *ret = json_text(v, ret_len);
        return 0;
    }
    yyjson_alc alc = {.malloc = give, .realloc = regive, .free = keep, .ctx = a};
    yyjson_write_err err = {0};
    const char *text = yyjson_val_write_opts(val(v), YYJSON_WRITE_NOFLAG, &alc, ret_len, &err);
    if (text) {
        *ret = text;
        return 0;
    }
    if (err.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION)
        return no_room(a, why);
    return failure_set(why, CLASS, 0, "a string is not valid UTF-8");
}

void failure_set_json(struct failure *f, const struct json_value *v)
{
    static const char *const others[] = {"null", "false", "true", "", "", "[…]", "{…}"};
    size_t len;
    const char *text = json_text(v, &len);
    if (!text) {
        text = others[json_type(v)];
        len = strlen(text);
    }
    failure_set_value(f, text, len);
}
