/* SPDX-License-Identifier: MIT */
/*
 * The server names row r: the r - 1 rows before it go in (they are good, unless one fails now, and
 * then that answer counts), r is set aside, the rest follows. It names none: halve. Where more than
 * a tenth is bad or a hundred statements were sent, one row a statement is cheaper.
 */
#include "daemon/sink/isolate.h"

#include "daemon/errors.h"

#define STATEMENTS_MAX 100

/* Errors that are about a row, or may be: the others end the attempt. */
static bool about_a_row(struct isolate *isolate, int code, const struct hr_error *error)
{
    if (code == -ECANCELED)
        return false;
    if (isolate->refused_ahead && isolate->refused_ahead(isolate->arg, isolate->tx))
        return false;
    enum error_class class = error_classify(code, error);
    return class == CLASS_ROW || class == CLASS_SIZE || class == CLASS_UNKNOWN;
}

static bool too_many(const struct isolate *isolate)
{
    return isolate->statements >= STATEMENTS_MAX || isolate->bad * 10 > isolate->rows;
}

static int set_aside(struct isolate *isolate, size_t row, int code, const struct hr_error *error)
{
    isolate->bad++;
    return isolate->refused(isolate->arg, row, code, error);
}

static int send_each(struct isolate *isolate, size_t from, size_t n)
{
    for (size_t row = from; row < from + n; row++) {
        isolate->statements++;
        int r = isolate->send(isolate->arg, isolate->tx, row, 1);
        if (r >= 0)
            continue;
        hr_auto(hr_error_done) struct hr_error error;
        hr_error_copy(&error, hr_last_error());
        if (about_a_row(isolate, r, &error))
            r = set_aside(isolate, row, r, &error);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The rows [from, from + n) were refused as a whole with this code: which row was it (1-based)? 0
 * when the server cannot tell, or a code when it could not be asked. */
static int find_refused(struct isolate *isolate, size_t n, int code)
{
    if (code != HR_EREPLY || !isolate->refused_row)
        return 0;
    int row = isolate->refused_row(isolate->arg, isolate->tx);
    return row > 0 && (size_t)row > n ? 0 : row;
}

int isolate_send(struct isolate *isolate, size_t from, size_t n)
{
    while (n > 0) {
        if (n == 1 || too_many(isolate))
            return send_each(isolate, from, n);

        isolate->statements++;
        int code = isolate->send(isolate->arg, isolate->tx, from, n);
        if (code >= 0)
            return 0;
        hr_auto(hr_error_done) struct hr_error error;
        hr_error_copy(&error, hr_last_error());
        if (!about_a_row(isolate, code, &error))
            return code;
        int row = find_refused(isolate, n, code);
        if (row < 0)
            return row;

        size_t before = row ? (size_t)row - 1 : n / 2;
        int r = isolate_send(isolate, from, before);
        if (r >= 0 && row)
            r = set_aside(isolate, from + before, code, &error);
        if (r < 0)
            return r;
        before += row ? 1 : 0;
        from += before;
        n -= before;
    }
    return 0;
}
