/* SPDX-License-Identifier: MIT */
/*
 * A format is cut into words at its blanks; what is put in for %s or %b never splits a word.
 *
 * One walk does it: the header of a command and that of a mixed word ("session:%s") are written
 * after what they count, into a gap for the usual number of digits; the rare other number moves
 * the bytes behind it. A word that is nothing but one %s or %b is copied once.
 */
#include "drivers/redis/format.h"

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "drivers/number.h"

#define HEADER_MAX 24  /* "$" 20 digits "\r\n" */
#define SLACK      256 /* asked for beyond what is needed, so that it is asked seldom */
#define ARRAY_GAP  4   /* "*3\r\n" */
#define WORD_GAP   5   /* "$12\r\n" */

/* A word that is copied as it is read has one digit of bytes. */
#define LITERAL_SHORT 10
#define LITERAL_GAP   4 /* "$3\r\n" */

/* Where the command is written: room at the end of the buffer, taken into it by grow(). */
struct writer {
    struct hr_buf *out;
    char *from, *at, *end;
    size_t before; /* bytes of the command that are in the buffer already */
};

struct formatter {
    struct writer w;
    const char *fmt, *at; /* what it reads, and how far it is */
    va_list *args;
};

static int grow(struct writer *w, size_t n)
{
    size_t written = (size_t)(w->at - w->from);
    if (written > 0)
        hr_buf_commit(w->out, written);
    w->before += written;
    w->from = w->at = w->end = NULL;
    if (n > SIZE_MAX / 4)
        return -ENOMEM;
    int r = hr_buf_reserve(w->out, n + SLACK, &w->from);
    if (r < 0)
        return r;
    w->at = w->from;
    w->end = w->from + n + SLACK;
    return 0;
}

static inline int reserve(struct writer *w, size_t n)
{
    return hr_likely((size_t)(w->end - w->at) >= n) ? 0 : grow(w, n);
}

/* Bytes of the command so far. */
static inline size_t position(const struct writer *w)
{
    return w->before + (size_t)(w->at - w->from);
}

static int put(struct writer *w, const char *bytes, size_t n)
{
    int r = reserve(w, n);
    if (r < 0)
        return r;
    if (n > 0)
        memcpy(w->at, bytes, n);
    w->at += n;
    return 0;
}

static inline size_t count_digits(uint64_t value)
{
    size_t n = 1;
    for (; hr_unlikely(value >= 10); value /= 10)
        n++;
    return n;
}

static char *put_digits(char *to, uint64_t value)
{
    char *end = to + count_digits(value);
    char *at = end;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

static inline char *put_header(char *to, char kind, size_t n)
{
    *to++ = kind;
    if (hr_likely(n < 10))
        *to++ = (char)('0' + n);
    else
        to = put_digits(to, n);
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static inline int put_whole(struct writer *w, const char *bytes, size_t n)
{
    if (hr_unlikely(n > SIZE_MAX / 4))
        return -ENOMEM;
    int r = reserve(w, n + HEADER_MAX + 2);
    if (r < 0)
        return r;
    char *at = put_header(w->at, '$', n);
    if (n > 0)
        memcpy(at, bytes, n);
    at[n] = '\r';
    at[n + 1] = '\n';
    w->at = at + n + 2;
    return 0;
}

/* Writes the header into the gap that was left size bytes before the end. */
static int fill_gap(struct writer *w, size_t gap, size_t size, char kind, size_t n)
{
    int r = reserve(w, HEADER_MAX);
    if (r < 0)
        return r;
    char *start = w->at - size;
    size_t len = 3 + count_digits(n);
    if (hr_unlikely(len != gap)) {
        memmove(start + len, start + gap, size - gap);
        w->at = start + len + (size - gap);
    }
    (void)put_header(start, kind, n);
    return 0;
}

static int refuse(const struct formatter *f, const char *what)
{
    return hr_fail(-EINVAL, "redis: the format of the command is wrong at character %zu: %s",
                   (size_t)(f->at - f->fmt), what);
}

static int refuse_empty(void)
{
    return hr_fail(-EINVAL, "redis: the command is empty");
}

/* Takes the bytes of a %s or %b. */
static int take_bytes(struct formatter *f, char conversion, const char **ret, size_t *ret_len)
{
    const char *bytes = va_arg(*f->args, const char *);
    size_t n = conversion == 'b' ? va_arg(*f->args, size_t) : bytes ? strlen(bytes) : 0;
    if (!bytes && (conversion == 's' || n > 0))
        return refuse(f, "NULL stands for a string");
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

static int put_unsigned(struct writer *w, uint64_t value)
{
    int r = reserve(w, HEADER_MAX);
    if (r == 0)
        w->at = put_digits(w->at, value);
    return r;
}

static int put_signed(struct writer *w, int64_t value)
{
    if (value >= 0)
        return put_unsigned(w, (uint64_t)value);
    int r = put(w, "-", 1);
    return r < 0 ? r : put_unsigned(w, 0 - (uint64_t)value);
}

static int put_hexadecimal(struct writer *w, uint64_t value)
{
    char text[20];
    int n = snprintf(text, sizeof(text), "%llx", (unsigned long long)value);
    return put(w, text, (size_t)n);
}

static int put_double(struct writer *w, char conversion, double value)
{
    char text[DBL_MAX_10_EXP + 16];
    if (conversion == 'f')
        snprintf(text, sizeof(text), "%f", value);
    else
        snprintf(text, sizeof(text), "%.17g", value);
    hr__put_point(text);
    return put(w, text, strlen(text));
}

static int put_number(struct formatter *f, char conversion, int longs, char size)
{
    switch (conversion) {
    case 'd':
    case 'i':
        return put_signed(&f->w, take_signed(f, longs, size));
    case 'u':
        return put_unsigned(&f->w, take_unsigned(f, longs, size));
    case 'x':
        return put_hexadecimal(&f->w, take_unsigned(f, longs, size));
    case 'f':
    case 'g':
        return put_double(&f->w, conversion, va_arg(*f->args, double));
    default:
        return hr_fail(-EINVAL,
                       "redis: the format of the command is wrong at character %zu: there is no "
                       "%%%c (%%s %%b %%d %%u %%x %%f %%g %%%%, with l ll z j but no width)",
                       (size_t)(f->at - f->fmt), conversion);
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
        return refuse(f, "it ends behind a %");
    f->at++;
    if (conversion == '%')
        return put(&f->w, "%", 1);
    if (conversion != 's' && conversion != 'b')
        return put_number(f, conversion, longs, size);

    const char *bytes = NULL;
    size_t n = 0;
    int r = take_bytes(f, conversion, &bytes, &n);
    return r < 0 ? r : put(&f->w, bytes, n);
}

/* Whether a literal goes on. */
static inline bool is_plain(char c)
{
    /* Letters and digits stand behind all that ends it. */
    return hr_likely((unsigned char)c > '%') || (c && c != ' ' && c != '%');
}

static inline const char *end_of_literal(const char *at)
{
    while (is_plain(*at))
        at++;
    return at;
}

static int put_mixed_word(struct formatter *f)
{
    int r = reserve(&f->w, WORD_GAP);
    if (r < 0)
        return r;
    size_t start = position(&f->w);
    f->w.at += WORD_GAP;
    while (*f->at && *f->at != ' ') {
        const char *literal = f->at;
        f->at = end_of_literal(literal);
        r = put(&f->w, literal, (size_t)(f->at - literal));
        if (r == 0 && *f->at == '%') {
            f->at++;
            r = put_conversion(f);
        }
        if (r < 0)
            return r;
    }
    size_t size = position(&f->w) - start;
    r = fill_gap(&f->w, WORD_GAP, size, '$', size - WORD_GAP);
    return r < 0 ? r : put(&f->w, "\r\n", 2);
}

static int put_converted_word(struct formatter *f)
{
    char conversion = f->at[0] == '%' ? f->at[1] : 0;
    if ((conversion == 's' || conversion == 'b') && (f->at[2] == ' ' || f->at[2] == '\0')) {
        const char *bytes = NULL;
        size_t n = 0;
        f->at += 2;
        int r = take_bytes(f, conversion, &bytes, &n);
        return r < 0 ? r : put_whole(&f->w, bytes, n);
    }
    return put_mixed_word(f);
}

/* Most words are short and stand in the format as they are: they are copied as they are read.
 * False, and nothing was put: it is another one. */
static inline bool put_short_literal(struct formatter *f)
{
    if (hr_unlikely((size_t)(f->w.end - f->w.at) < LITERAL_SHORT + HEADER_MAX))
        return false;
    const char *from = f->at, *most = from + LITERAL_SHORT;
    char *start = f->w.at, *to = start + LITERAL_GAP;
    while (from < most && is_plain(*from))
        *to++ = *from++;
    if (hr_unlikely(from == most || *from == '%'))
        return false;
    (void)put_header(start, '$', (size_t)(from - f->at));
    to[0] = '\r';
    to[1] = '\n';
    f->w.at = to + 2;
    f->at = from;
    return true;
}

static inline int put_word(struct formatter *f)
{
    if (hr_likely(put_short_literal(f)))
        return 0;
    const char *from = f->at, *end = end_of_literal(from);
    if (*end == '%')
        return put_converted_word(f);
    f->at = end;
    return put_whole(&f->w, from, (size_t)(end - from));
}

static int put_format(struct formatter *f)
{
    size_t words = 0;
    int r = reserve(&f->w, ARRAY_GAP);
    if (r < 0)
        return r;
    f->w.at += ARRAY_GAP;
    while (r == 0) {
        while (*f->at == ' ')
            f->at++;
        if (!*f->at)
            break;
        r = put_word(f);
        words++;
    }
    if (r == 0 && words == 0)
        r = refuse_empty();
    if (hr_likely(r == 0 && words < 10 && f->w.before == 0)) {
        (void)put_header(f->w.from, '*', words);
        return 0;
    }
    return r < 0 ? r : fill_gap(&f->w, ARRAY_GAP, position(&f->w), '*', words);
}

static int refuse_null(size_t i)
{
    return hr_fail(-EINVAL, "redis: word %zu of the command is NULL", i + 1);
}

static int put_array(struct writer *w, const struct hr__redis_request *request)
{
    if (request->argc == 0)
        return refuse_empty();
    int r = reserve(w, HEADER_MAX);
    if (r < 0)
        return r;
    w->at = put_header(w->at, '*', request->argc);
    for (size_t i = 0; r == 0 && i < request->argc; i++) {
        size_t len = 0;
        const char *arg = hr__redis_argv_at(request, i, &len);
        r = arg ? put_whole(w, arg, len) : refuse_null(i);
    }
    return r;
}

int hr__redis_format(struct hr_buf *out, const struct hr__redis_request *request)
{
    struct formatter f = {.w = {.out = out}, .fmt = request->fmt, .at = request->fmt};
    struct writer *w = &f.w;
    int r;
    if (request->data) {
        r = put(w, request->data, request->len);
    } else if (request->fmt) {
        va_list args;
        va_copy(args, *request->args);
        f.args = &args;
        r = put_format(&f);
        va_end(args);
    } else {
        r = put_array(w, request);
    }

    size_t written = (size_t)(w->at - w->from);
    if (r == 0 && written > 0)
        hr_buf_commit(out, written);
    if (r < 0)
        hr_buf_cut(out, hr_buf_size(out) - w->before, w->before);
    if (r == -ENOMEM || r == -ENOBUFS)
        return hr_fail(-ENOMEM, "redis: no memory for the command");
    return r;
}

/* A word as it is sent: "$6", the word, each with CR LF behind it. Returns where the next is. */
static const char *read_word(const char *at, const char **ret, size_t *ret_len)
{
    *ret_len = strtoul(at + 1, NULL, 10);
    *ret = strchr(at, '\n') + 1;
    return *ret + *ret_len + 2;
}

/* The first word of the command that has n before it: each is "*2" and so many words. */
static void find_word(const char *at, size_t n, const char **ret, size_t *ret_len)
{
    for (;; n--) {
        unsigned long words = strtoul(at + 1, NULL, 10);
        at = read_word(strchr(at, '$'), ret, ret_len);
        if (n == 0)
            return;
        for (; words > 1; words--)
            at = read_word(at, ret, ret_len);
    }
}

void hr__redis_name_command(const struct hr__redis_request *request, size_t n,
                            char ret[HR__REDIS_COMMAND_MAX])
{
    const char *word = NULL;
    size_t len = 0, i = 0;
    if (request->data) {
        find_word(request->data, n, &word, &len);
    } else if (request->fmt) {
        word = request->fmt + strspn(request->fmt, " ");
        len = strcspn(word, " %");
        if (word[len] == '%')
            len = 0;
    } else if (request->argc > 0) {
        word = hr__redis_argv_at(request, 0, &len);
    }
    for (; word && i < len && i + 1 < HR__REDIS_COMMAND_MAX && word[i] > ' ' && word[i] < 0x7f; i++)
        ret[i] = word[i];
    ret[i] = '\0';
}
