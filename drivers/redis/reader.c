/* SPDX-License-Identifier: MIT */
/*
 * One pass over the bytes, which stay where they were received; what is unfinished when they end
 * is a line (kept aside) or a string (whose place in the arena is made, and is filled from what
 * comes next).
 *
 * Streamed aggregates ("*?") are refused: no server sends them.
 */
#include "drivers/redis/reader.h"

#include <errno.h>
#include <string.h>

#include "core/buf.h"
#include "core/error.h"
#include "drivers/number.h"
#include "drivers/redis/skeleton.h"

#define LONGEST_LINE ((size_t)64 * 1024) /* of a status, an error, a number */
#define ROOM_AN_ITEM 32                  /* a first guess at the bytes of an array's element */
#define ROOM_MAX     ((size_t)16 * 1024)

struct hr__redis_reader {
    const char *at, *end; /* what was fed, borrowed */
    int failed;

    size_t missing;   /* of a string, its line end included; 0: no string is being read */
    hr_reply *string; /* its place; NULL: it is dropped */
    char *fill;       /* where its next bytes go */
    bool verbatim;    /* "txt:" stands before its text */

    struct hr_buf line; /* the beginning of an unfinished line */
    struct hr__skeleton reply;
};

static int refuse(const char *what)
{
    return hr_fail(-EBADMSG, "the server does not speak the protocol: %s", what);
}

static int put_scalar(struct hr__redis_reader *reader, enum hr_reply_type type, int64_t value)
{
    hr_reply *at = NULL;
    int r = hr__skeleton_place(&reader->reply, 0, 0, &at);
    if (r < 0)
        return r;
    if (at) {
        at->type = type;
        at->len = 0;
        at->integer = value;
    }
    return hr__skeleton_step(&reader->reply);
}

/* A string that stands on its line. */
static int put_line(struct hr__redis_reader *reader, enum hr_reply_type type, const char *text,
                    size_t len)
{
    hr_reply *at = NULL;
    int r = hr__skeleton_place(&reader->reply, len + 1, 0, &at);
    if (r < 0)
        return r;
    if (at) {
        char *copy = hr__reply_alloc(reader->reply.root, len + 1);
        if (!copy)
            return hr__skeleton_refuse_memory();
        memcpy(copy, text, len);
        copy[len] = '\0';
        at->type = type;
        at->len = len;
        at->str = copy;
    }
    return hr__skeleton_step(&reader->reply);
}

/* The last byte was read. */
static int end_string(struct hr__redis_reader *reader)
{
    hr_reply *at = reader->string;
    if (at && reader->verbatim) {
        if (at->str[3] != ':')
            return refuse("a text does not tell its format");
        at->str += 4;
        at->len -= 4;
    }
    return hr__skeleton_step(&reader->reply);
}

/* Takes what has come of the string. As hr__skeleton_step(), or -EAGAIN: more has to come. */
static int fill_string(struct hr__redis_reader *reader)
{
    size_t n = (size_t)(reader->end - reader->at);
    size_t whole = reader->missing;
    if (hr_likely(n >= whole && whole > 2 && memcmp(reader->at + whole - 2, "\r\n", 2) == 0)) {
        if (reader->string)
            memcpy(reader->fill, reader->at, whole - 2);
        reader->at += whole;
        reader->missing = 0;
        return end_string(reader);
    }
    size_t body = reader->missing > 2 ? reader->missing - 2 : 0;
    if (body > n)
        body = n;
    if (reader->string && body > 0) {
        memcpy(reader->fill, reader->at, body);
        reader->fill += body;
    }
    reader->at += body;
    reader->missing -= body;
    while (reader->missing > 0 && reader->at < reader->end) {
        if (*reader->at++ != (reader->missing == 2 ? '\r' : '\n'))
            return refuse("a string does not end where it should");
        reader->missing--;
    }
    return reader->missing > 0 ? -EAGAIN : end_string(reader);
}

static int begin_string(struct hr__redis_reader *reader, enum hr_reply_type type, size_t len)
{
    if (len >= reader->reply.max)
        return hr__skeleton_refuse_size();
    hr_reply *at = NULL;
    int r = hr__skeleton_place(&reader->reply, len + 1, 0, &at);
    if (r < 0)
        return r;
    reader->string = at;
    reader->missing = len + 2;
    if (at) {
        char *str = hr__reply_alloc(reader->reply.root, len + 1);
        if (!str)
            return hr__skeleton_refuse_memory();
        str[len] = '\0';
        at->type = type;
        at->len = len;
        at->str = str;
        reader->fill = str;
    }
    return fill_string(reader);
}

/* Begins n elements. */
static int begin_items(struct hr__redis_reader *reader, enum hr_reply_type type, size_t n)
{
    if (n > reader->reply.max / sizeof(hr_reply))
        return hr__skeleton_refuse_size();
    size_t guess = n < ROOM_MAX / ROOM_AN_ITEM ? n * ROOM_AN_ITEM : ROOM_MAX;
    hr_reply *at = NULL;
    int r = hr__skeleton_place(&reader->reply, n * sizeof(hr_reply), guess, &at);
    if (r < 0)
        return r;
    hr_reply *items = NULL;
    if (at && n > 0) {
        items = hr__reply_alloc(reader->reply.root, n * sizeof(*items));
        if (!items)
            return hr__skeleton_refuse_memory();
    }
    if (at) {
        at->type = type;
        at->len = n;
        at->items = items;
    }
    return n > 0 ? hr__skeleton_open(&reader->reply, items, n, false)
                 : hr__skeleton_step(&reader->reply);
}

/* Elements that say something about the value behind them, which nobody has asked to know. */
static int begin_attribute(struct hr__redis_reader *reader, size_t n)
{
    if (n > reader->reply.max / sizeof(hr_reply))
        return hr__skeleton_refuse_size();
    return n > 0 ? hr__skeleton_open(&reader->reply, NULL, n, true) : 0;
}

/* Most lines are so short that a call takes longer than to look at them. */
static inline const char *find_newline(const char *at, size_t n)
{
    const char *near = at + (n < 8 ? n : 8);
    for (; at < near; at++, n--) {
        if (*at == '\n')
            return at;
    }
    return n > 0 ? memchr(at, '\n', n) : NULL;
}

/* Steps over the line at hand. 0 and its text without the end of line, or -EAGAIN: it has not come
 * as a whole, and what there is of it is kept. */
static inline int take_line(struct hr__redis_reader *reader, const char **ret, size_t *ret_len)
{
    if (reader->at == reader->end)
        return -EAGAIN;
    const char *newline = find_newline(reader->at, (size_t)(reader->end - reader->at));
    const char *text = reader->at;
    size_t n = (size_t)((newline ? newline + 1 : reader->end) - text);
    reader->at += n;
    if (hr_unlikely(!newline || hr_buf_size(&reader->line) > 0)) {
        int r = hr_buf_append(&reader->line, text, n);
        if (r < 0)
            return r == -ENOBUFS ? refuse("a line is too long") : hr__skeleton_refuse_memory();
        text = hr_buf_data(&reader->line);
        n = hr_buf_size(&reader->line);
    }
    if (!newline)
        return -EAGAIN;
    if (n < 3 || text[n - 2] != '\r')
        return refuse("a line does not begin or end as it should");
    *ret = text;
    *ret_len = n - 2;
    return 0;
}

/* A decimal number that is the whole text. */
static bool parse_any_number(const char *text, size_t len, int64_t *ret)
{
    bool negative = len > 0 && text[0] == '-';
    bool sign = negative || (len > 0 && text[0] == '+');
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
    if (len == (size_t)sign || len > 20)
        return false;
    for (size_t i = sign; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9 || value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = (int64_t)(negative ? 0 - value : value);
    return true;
}

static inline bool parse_number(const char *text, size_t len, int64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;
    for (unsigned digit; i < len && i < 18 && (digit = (unsigned char)text[i] - '0') <= 9; i++)
        value = value * 10 + digit;
    if (hr_unlikely(i < len ||
                    len == 0)) /* a sign, something else, or so many that it may not fit */
        return parse_any_number(text, len, ret);
    *ret = (int64_t)value;
    return true;
}

static bool is_digits(const char *text, size_t len)
{
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    for (size_t i = sign; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return len > sign;
}

/* What the line announces has n bytes or elements. */
static int begin_counted(struct hr__redis_reader *reader, char kind, int64_t n)
{
    if (n == -1 && (kind == '$' || kind == '*'))
        return put_scalar(reader, HR_REPLY_NIL, 0);
    if (n < 0)
        return refuse("a length is negative");
    reader->verbatim = kind == '=';
    if (reader->verbatim && n < 4)
        return refuse("a text does not tell its format");
    if ((kind == '%' || kind == '|') && n > INT64_MAX / 2)
        return hr__skeleton_refuse_size();
    switch (kind) {
    case '$':
    case '=':
        return begin_string(reader, HR_REPLY_STR, (size_t)n);
    case '!':
        return begin_string(reader, HR_REPLY_ERROR, (size_t)n);
    case '*':
        return begin_items(reader, HR_REPLY_ARRAY, (size_t)n);
    case '%':
        return begin_items(reader, HR_REPLY_MAP, (size_t)n * 2);
    case '~':
        return begin_items(reader, HR_REPLY_SET, (size_t)n);
    case '|':
        return begin_attribute(reader, (size_t)n * 2);
    default: /* '>' */
        if (reader->reply.depth > 0)
            return refuse("a message stands inside a reply");
        return begin_items(reader, HR_REPLY_PUSH, (size_t)n);
    }
}

static int read_line(struct hr__redis_reader *reader, const char *line, size_t len)
{
    char kind = *line++;
    int64_t number = 0;
    double real;
    len--;
    switch (kind) {
    case '+':
        return put_line(reader, HR_REPLY_STATUS, line, len);
    case '-':
        return put_line(reader, HR_REPLY_ERROR, line, len);
    case ':':
        if (!parse_number(line, len, &number))
            return refuse("an integer is none");
        return put_scalar(reader, HR_REPLY_INT, number);
    case '$':
    case '*':
    case '%':
    case '~':
    case '>':
    case '=':
    case '!':
    case '|':
        if (!parse_number(line, len, &number))
            return refuse("a length is no number");
        return begin_counted(reader, kind, number);
    case '_':
        return len == 0 ? put_scalar(reader, HR_REPLY_NIL, 0) : refuse("a nil has a text");
    case '#':
        if (len != 1 || (*line != 't' && *line != 'f'))
            return refuse("a boolean is neither t nor f");
        return put_scalar(reader, HR_REPLY_BOOL, *line == 't');
    case ',':
        if (!hr__parse_double(line, len, &real))
            return refuse("a double is none");
        return put_line(reader, HR_REPLY_DOUBLE, line, len);
    case '(':
        if (!is_digits(line, len))
            return refuse("a big number is none");
        return put_line(reader, HR_REPLY_BIG, line, len);
    default:
        return refuse("a reply of no known type");
    }
}

static int read_value(struct hr__redis_reader *reader)
{
    const char *line = NULL;
    size_t len = 0;
    int r = take_line(reader, &line, &len);
    if (r < 0)
        return r;
    r = read_line(reader, line, len);
    size_t kept = hr_buf_size(&reader->line);
    if (hr_unlikely(kept > 0))
        hr_buf_consume(&reader->line, kept);
    return r;
}

struct hr__redis_reader *hr__redis_reader_new(size_t max_reply)
{
    struct hr__redis_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return NULL;
    reader->reply.max = max_reply;
    hr_buf_init(&reader->line, LONGEST_LINE);
    return reader;
}

void hr__redis_reader_free(struct hr__redis_reader *reader)
{
    if (!reader)
        return;
    (void)hr_reply_free(reader->reply.root);
    hr_buf_done(&reader->line);
    free(reader);
}

void hr__redis_reader_feed(struct hr__redis_reader *reader, const char *bytes, size_t n)
{
    hr_assert(reader->at == reader->end || reader->failed < 0);
    reader->at = bytes;
    reader->end = bytes + n;
}

int hr__redis_reader_next(struct hr__redis_reader *reader, hr_reply **ret)
{
    if (reader->failed < 0)
        return hr_fail(reader->failed, "the stream of replies is broken");
    int r = 0;
    while (r == 0)
        r = reader->missing > 0 ? fill_string(reader) : read_value(reader);
    if (hr_likely(r == 1)) {
        *ret = hr_take(reader->reply.root);
        return 1;
    }
    if (r == -EAGAIN)
        return 0;
    reader->failed = r;
    reader->reply.root = hr_reply_free(reader->reply.root);
    return r;
}
