/* SPDX-License-Identifier: MIT */
/*
 * A format is cut into words at its blanks; what is put in for %s or %b never splits a word. A word
 * that is nothing but one %s or %b goes out behind its length at once, a mixed one is written
 * first and moved behind its length after.
 */
#include "drivers/redis_format.h"

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"

#define HEADER_MAX 24 /* "$" 20 digits "\r\n" */

struct formatter {
    struct hr_buf *out;
    const char *at; /* in the format */
    va_list *args;
};

static size_t put_digits(char *to, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    return n;
}

static size_t make_header(char *to, char kind, size_t n)
{
    size_t len = 1;
    to[0] = kind;
    len += put_digits(to + 1, n);
    to[len++] = '\r';
    to[len++] = '\n';
    return len;
}

static int put_header(struct hr_buf *out, char kind, size_t n)
{
    char *to;
    int r = hr_buf_reserve(out, HEADER_MAX, &to);
    if (r == 0)
        hr_buf_commit(out, make_header(to, kind, n));
    return r;
}

static int put_whole(struct hr_buf *out, const char *bytes, size_t n)
{
    char *to;
    if (n > SIZE_MAX / 4)
        return -ENOMEM;
    int r = hr_buf_reserve(out, n + HEADER_MAX + 2, &to);
    if (r < 0)
        return r;
    size_t header = make_header(to, '$', n);
    if (n > 0)
        memcpy(to + header, bytes, n);
    memcpy(to + header + n, "\r\n", 2);
    hr_buf_commit(out, header + n + 2);
    return 0;
}

static int refuse(const char *what)
{
    return hr_fail(-EINVAL, "redis: the format of the command is wrong: %s", what);
}

static size_t count_words(const char *fmt)
{
    size_t n = 0;
    for (const char *at = fmt; *at; at++) {
        if (*at != ' ' && (at == fmt || at[-1] == ' '))
            n++;
    }
    return n;
}

/* Takes the bytes of a %s or %b. */
static int take_bytes(struct formatter *f, char conversion, const char **ret, size_t *ret_len)
{
    const char *bytes = va_arg(*f->args, const char *);
    size_t n = conversion == 'b' ? va_arg(*f->args, size_t) : bytes ? strlen(bytes) : 0;
    if (!bytes && (conversion == 's' || n > 0))
        return refuse("NULL stands for a string");
    *ret = bytes;
    *ret_len = n;
    return 0;
}

static int64_t take_signed(struct formatter *f, int longs, char size)
{
    if (size == 'z' || size == 't')
        return va_arg(*f->args, ptrdiff_t);
    if (size == 'j' || longs > 1)
        return va_arg(*f->args, long long);
    return longs == 1 ? va_arg(*f->args, long) : va_arg(*f->args, int);
}

static uint64_t take_unsigned(struct formatter *f, int longs, char size)
{
    if (size == 'z' || size == 't')
        return va_arg(*f->args, size_t);
    if (size == 'j' || longs > 1)
        return va_arg(*f->args, unsigned long long);
    return longs == 1 ? va_arg(*f->args, unsigned long) : va_arg(*f->args, unsigned);
}

static int put_signed(struct hr_buf *out, int64_t value)
{
    char text[21] = "-";
    size_t n = put_digits(text + 1, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    return value < 0 ? hr_buf_append(out, text, n + 1) : hr_buf_append(out, text + 1, n);
}

static int put_unsigned(struct hr_buf *out, uint64_t value)
{
    char text[20];
    return hr_buf_append(out, text, put_digits(text, value));
}

static int put_hexadecimal(struct hr_buf *out, uint64_t value)
{
    char text[20];
    int n = snprintf(text, sizeof(text), "%llx", (unsigned long long)value);
    return hr_buf_append(out, text, (size_t)n);
}

static int put_double(struct hr_buf *out, char conversion, double value)
{
    char text[DBL_MAX_10_EXP + 16];
    int n = conversion == 'f' ? snprintf(text, sizeof(text), "%f", value)
                              : snprintf(text, sizeof(text), "%.17g", value);
    return hr_buf_append(out, text, (size_t)n);
}

static int put_number(struct formatter *f, char conversion, int longs, char size)
{
    switch (conversion) {
    case 'd':
    case 'i':
        return put_signed(f->out, take_signed(f, longs, size));
    case 'u':
        return put_unsigned(f->out, take_unsigned(f, longs, size));
    case 'x':
        return put_hexadecimal(f->out, take_unsigned(f, longs, size));
    case 'f':
    case 'g':
        return put_double(f->out, conversion, va_arg(*f->args, double));
    default:
        return refuse("there is no such conversion (%s %b %d %u %x %f %g %%)");
    }
}

/* Stands behind the %. */
static int put_conversion(struct formatter *f)
{
    int longs = 0;
    char size = 0;
    for (; *f->at == 'l' || *f->at == 'z' || *f->at == 'j' || *f->at == 't'; f->at++) {
        if (*f->at == 'l')
            longs++;
        else
            size = *f->at;
    }
    char conversion = *f->at;
    if (conversion == '\0')
        return refuse("it ends behind a %");
    f->at++;
    if (conversion == '%')
        return hr_buf_append(f->out, "%", 1);
    if (conversion != 's' && conversion != 'b')
        return put_number(f, conversion, longs, size);

    const char *bytes = NULL;
    size_t n = 0;
    int r = take_bytes(f, conversion, &bytes, &n);
    return r < 0 ? r : hr_buf_append(f->out, bytes, n);
}

static int put_mixed_word(struct formatter *f)
{
    size_t from = hr_buf_size(f->out);
    while (*f->at && *f->at != ' ') {
        const char *literal = f->at;
        f->at += strcspn(f->at, " %");
        int r = hr_buf_append(f->out, literal, (size_t)(f->at - literal));
        if (r == 0 && *f->at == '%') {
            f->at++;
            r = put_conversion(f);
        }
        if (r < 0)
            return r;
    }

    char header[HEADER_MAX];
    size_t n = hr_buf_size(f->out) - from;
    size_t header_len = make_header(header, '$', n);
    char *end;
    int r = hr_buf_reserve(f->out, header_len + 2, &end);
    if (r < 0)
        return r;
    char *word = end - n;
    memmove(word + header_len, word, n);
    memcpy(word, header, header_len);
    memcpy(word + header_len + n, "\r\n", 2);
    hr_buf_commit(f->out, header_len + 2);
    return 0;
}

static int put_word(struct formatter *f)
{
    char conversion = f->at[0] == '%' ? f->at[1] : 0;
    if ((conversion == 's' || conversion == 'b') && (f->at[2] == ' ' || f->at[2] == '\0')) {
        const char *bytes = NULL;
        size_t n = 0;
        f->at += 2;
        int r = take_bytes(f, conversion, &bytes, &n);
        return r < 0 ? r : put_whole(f->out, bytes, n);
    }
    size_t len = strcspn(f->at, " %");
    if (f->at[len] != '%') {
        const char *literal = f->at;
        f->at += len;
        return put_whole(f->out, literal, len);
    }
    return put_mixed_word(f);
}

static int put_format(struct hr_buf *out, const char *fmt, va_list *args)
{
    struct formatter f = {.out = out, .at = fmt, .args = args};
    size_t words = count_words(fmt);
    if (words == 0)
        return refuse("it is empty");
    int r = put_header(out, '*', words);
    while (r == 0) {
        f.at += strspn(f.at, " ");
        if (!*f.at)
            break;
        r = put_word(&f);
    }
    return r;
}

static int put_array(struct hr_buf *out, const struct hr__redis_request *request)
{
    if (request->argc == 0)
        return refuse("it is empty");
    int r = put_header(out, '*', request->argc);
    for (size_t i = 0; r == 0 && i < request->argc; i++) {
        const char *arg = request->argv[i];
        r = put_whole(out, arg, request->lens ? request->lens[i] : strlen(arg));
    }
    return r;
}

int hr__redis_format(struct hr_buf *out, const struct hr__redis_request *request)
{
    size_t before = hr_buf_size(out);
    int r;
    if (request->bytes)
        r = hr_buf_append(out, hr_buf_data(request->bytes), hr_buf_size(request->bytes));
    else if (request->fmt)
        r = put_format(out, request->fmt, request->args);
    else
        r = put_array(out, request);
    if (r < 0)
        hr_buf_cut(out, before, hr_buf_size(out) - before);
    if (r == -ENOMEM || r == -ENOBUFS)
        return hr_fail(-ENOMEM, "redis: no memory for the command");
    return r;
}
