/* SPDX-License-Identifier: MIT */
/*
 * JSON values: parsed from an item, built by expressions, read without copying, written as text.
 *
 * A number is its digits: it is never a double, so 9007199254740993 leaves as it came. Values are
 * immutable and live in an arena until that is reset; parsing copies what it needs, so the item's
 * bytes may go. An item with two equal keys in one object means the last of them, at the place of
 * the first, as in jq.
 *
 * Calls that make values return 0, or
 *   -EBADMSG  the data is at fault; *why tells, with class decode
 *   -E2BIG    the arena's limit is reached; *why tells likewise
 *   -ENOMEM   the machine is out of memory; *why is not written, the item may be tried again
 * and write their result on success only.
 */
#pragma once

#include "core/base.h"
#include "daemon/item/arena.h"
#include "daemon/item/failure.h"

/* Nesting that is refused from: as deep as jq reads. */
#define JSON_DEPTH_MAX 256

/* In jq's order: every null is less than every false, … every array less than every object. */
enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value;

struct json_member {
    const struct json_value *key; /* a string */
    const struct json_value *value;
};

/* Reads one JSON text (RFC 8259, UTF-8, no byte order mark). The message names what is wrong and
 * at which byte, counted from 0. */
int json_parse(struct arena *a, const char *bytes, size_t len, const struct json_value **ret,
               struct failure *why);

/* Makes a string of len bytes, which are borrowed: an undecoded item (`decode: raw`). They need not
 * be UTF-8; then a binary column takes them, and json_write() refuses them. */
int json_string(struct arena *a, const char *bytes, size_t len, const struct json_value **ret);

/* Makes a number; text is a JSON number and borrowed. */
int json_number(struct arena *a, const char *text, size_t len, const struct json_value **ret);

/* The three constants need no memory. */
const struct json_value *json_null(void);
const struct json_value *json_bool(bool b);

/* Makes an array of n values, which are copied (arrays and objects whole). */
int json_array(struct arena *a, const struct json_value *const *values, size_t n,
               const struct json_value **ret);

/* Makes an object likewise; of equal keys the last counts, at the place of the first. */
int json_object(struct arena *a, const struct json_member *members, size_t n,
                const struct json_value **ret);

enum json_type json_type(const struct json_value *v);

/* What jq counts as true: all but null and false. */
bool json_is_true(const struct json_value *v);

/* The bytes of a string (not ended by NUL; NULs may be inside) or the digits of a number; NULL and
 * 0 for other types. Borrowed. */
const char *json_text(const struct json_value *v, size_t *ret_len);

/* Elements of an array or members of an object; 0 for other types. */
size_t json_count(const struct json_value *v);

/* The member of that name; NULL when v is no object or has none. */
const struct json_value *json_get(const struct json_value *v, const char *key, size_t len);

/* An array's element; NULL when v is no array or the index is past its end. */
const struct json_value *json_at(const struct json_value *v, size_t index);

/* Walks an array or an object:
 *     struct json_iter i = json_iter(v);
 *     while (json_next(&i, &key, &value)) …
 * key is NULL in arrays. Other types have nothing to walk. */
struct json_iter {
    const struct json_value *next;
    size_t left;
    bool object;
};
struct json_iter json_iter(const struct json_value *v);
bool json_next(struct json_iter *i, const struct json_value **ret_key,
               const struct json_value **ret_value);

/* Where x stands to y in jq's total order: *ret is < 0, 0 or > 0. Numbers are compared exactly,
 * digit by digit: unlike in jq 1.6, 9007199254740993 is greater than 9007199254740992. Comparing
 * objects takes memory for sorting their keys: 0, -E2BIG or -ENOMEM, without a message. */
int json_compare(struct arena *a, const struct json_value *x, const struct json_value *y, int *ret);

/* Writes the value as compact JSON, as `jq -c` does; numbers keep their digits. The text lies in
 * the arena, or in the value itself, and is not ended by NUL. */
int json_write(struct arena *a, const struct json_value *v, const char **ret, size_t *ret_len,
               struct failure *why);

/* "null", "boolean", "number", "string", "array", "object", as jq says it. */
const char *json_type_name(const struct json_value *v);

/* failure_set_value() with the text of a string or number, true, false, null, {…} or […]. */
void failure_set_json(struct failure *f, const struct json_value *v);
