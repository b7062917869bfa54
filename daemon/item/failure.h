/* SPDX-License-Identifier: MIT */
/*
 * Why an item failed, in the words of its dead letter: class, code, message, column, value.
 *
 * A struct failure is filled where something goes wrong and travels by value: into the batch's
 * outcome, the envelope of a retried item, the dead letter. Logs and metrics show error_class, code
 * and column only: message and value may quote the item.
 */
#pragma once

#include "core/base.h"

#include <stdarg.h>

/* Room for each text with its final NUL. A column name is at most 64 characters of 3 bytes. */
#define FAILURE_CLASS_MAX   16
#define FAILURE_MESSAGE_MAX 256
#define FAILURE_COLUMN_MAX  200
#define FAILURE_VALUE_MAX   132

struct failure {
    char error_class[FAILURE_CLASS_MAX]; /* decode, expect, expression, precision, row, … */
    int code;                            /* MySQL's errno, or 0 */
    char message[FAILURE_MESSAGE_MAX];
    char column[FAILURE_COLUMN_MAX]; /* column, parameter or field; "" when none is to blame */
    char value[FAILURE_VALUE_MAX];   /* the value or how it begins, valid UTF-8; "" when none */
};

/* Fills in class, code and message; column and value become empty. A message that is too long is
 * cut. Returns -EBADMSG: the item is at fault, and f says why. */
int failure_set(struct failure *f, const char *error_class, int code, const char *format, ...)
    hr_printf_like(4, 5);
#ifdef __clang_analyzer__ /* it does not look into it */
#define failure_set(...) (failure_set(__VA_ARGS__), -1)
#endif

/* Notes where it happened. NULL or empty names nothing. */
void failure_set_column(struct failure *f, const char *column);

/* Notes the offending value: at most FAILURE_VALUE_MAX − 1 bytes, cut at a character with "…" at
 * the end. Bytes that are not UTF-8 become U+FFFD and NULs become "\0", so that it is text. */
void failure_set_value(struct failure *f, const char *bytes, size_t len);

/* Copies len bytes into a buffer of size bytes as text: the rule of failure_set_value(), for any
 * text from outside. Returns the bytes written without the NUL. */
size_t text_excerpt(char *ret, size_t size, const char *bytes, size_t len);

/* vsnprintf() for messages: what does not fit is cut by the same rule. */
void text_format(char *ret, size_t size, const char *format, va_list args) hr_printf_like(3, 0);

/* Whether len bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(const char *bytes, size_t len);

/* Characters of len bytes of UTF-8. */
size_t text_characters(const char *bytes, size_t len);
