/* SPDX-License-Identifier: MIT */
#include "daemon/item/moment.h"

#include <stdio.h>
#include <string.h>

#define DAY 86400

struct reader {
    const char *p, *end;
};

/* Reads exactly n digits; false when they are not there. */
static bool digits(struct reader *r, unsigned n, int *ret)
{
    if ((size_t)(r->end - r->p) < n)
        return false;
    int value = 0;
    for (unsigned i = 0; i < n; i++) {
        char c = r->p[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    r->p += n;
    *ret = value;
    return true;
}

static bool one_of(struct reader *r, const char *set)
{
    if (r->p == r->end || *r->p == 0 || !strchr(set, *r->p))
        return false;
    r->p++;
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days between 1970-01-01 and the date. Years begin in March here, so that the leap day is last;
 * 146097 days are 400 years. */
static int64_t days_since_1970(int year, int month, int day)
{
    int y = month > 2 ? year : year - 1;
    int era = y / 400, in_era = y % 400;
    int in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static bool read_date(struct reader *r, int64_t *ret_days)
{
    int year, month, day;
    if (!digits(r, 4, &year) || !one_of(r, "-") || !digits(r, 2, &month) || !one_of(r, "-") ||
        !digits(r, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of(year, month))
        return false;
    *ret_days = days_since_1970(year, month, day);
    return true;
}

static void set_fraction(struct moment *m, const char *text, size_t n)
{
    while (n > 0 && text[n - 1] == '0')
        n--;
    m->fraction = text;
    m->n_fraction = n;
}

static bool read_time(struct reader *r, struct moment *m)
{
    int hour, minute, second;
    if (!digits(r, 2, &hour) || !one_of(r, ":") || !digits(r, 2, &minute) || !one_of(r, ":") ||
        !digits(r, 2, &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    m->seconds += hour * 3600 + minute * 60 + second;
    if (one_of(r, ".")) {
        const char *start = r->p;
        while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
            r->p++;
        if (r->p == start)
            return false;
        set_fraction(m, start, (size_t)(r->p - start));
    }
    return true;
}

/* Years 1 to 9999. An offset may move a moment out of them. */
static bool in_range(const struct moment *m)
{
    return m->seconds >= INT64_C(-62135596800) && m->seconds <= INT64_C(253402300799);
}

bool moment_parse_rfc3339(const char *text, size_t len, struct moment *ret)
{
    struct reader r = {text, text + len};
    struct moment m = {0};
    int64_t days;
    if (!read_date(&r, &days) || !one_of(&r, "Tt ") || !read_time(&r, &m))
        return false;
    m.seconds += days * DAY;
    if (!one_of(&r, "Zz")) {
        bool west = r.p < r.end && *r.p == '-';
        int hours, minutes;
        if (!one_of(&r, "+-") || !digits(&r, 2, &hours) || !one_of(&r, ":") ||
            !digits(&r, 2, &minutes) || hours > 23 || minutes > 59)
            return false;
        int offset = hours * 3600 + minutes * 60;
        m.seconds += west ? offset : -offset;
    }
    if (r.p != r.end || !in_range(&m))
        return false;
    *ret = m;
    return true;
}

bool moment_parse_sql(const char *text, size_t len, struct moment *ret)
{
    struct reader r = {text, text + len};
    struct moment m = {0};
    int64_t days;
    if (!read_date(&r, &days))
        return false;
    if (r.p != r.end && (!one_of(&r, "T ") || !read_time(&r, &m)))
        return false;
    if (r.p != r.end)
        return false;
    m.seconds += days * DAY;
    *ret = m;
    return true;
}

bool moment_from_number(const struct number *n, struct moment *ret)
{
    struct moment m = {0};
    if (n->negative || number_whole_digits(n) > 12)
        return false;
    if (number_decimals(n) == 0) {
        if (!number_to_int64(n, &m.seconds))
            return false;
    } else {
        if (!n->plain)
            return false;
        const char *p = n->first;
        for (unsigned i = 0; i < number_whole_digits(n); i++)
            m.seconds = m.seconds * 10 + (*p++ - '0');
        /* A number below 1 begins after its leading zeros; they are the text just before. */
        size_t zeros = n->magnitude < 0 ? (size_t)-n->magnitude : 0;
        const char *fraction = n->point ? n->point + 1 : n->first - zeros;
        set_fraction(&m, fraction, number_decimals(n));
    }
    if (!in_range(&m))
        return false;
    *ret = m;
    return true;
}

size_t moment_write(const struct moment *m, unsigned n, char ret[MOMENT_MAX])
{
    int64_t days = m->seconds / DAY, rest = m->seconds % DAY;
    if (rest < 0) {
        rest += DAY;
        days--;
    }
    /* The inverse of days_since_1970(). */
    int64_t z = days + 719468;
    int era = (int)(z / 146097), in_era = (int)(z % 146097);
    int y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int in_year = in_era - (365 * y + y / 4 - y / 100);
    int shifted = (5 * in_year + 2) / 153;
    int day = in_year - (153 * shifted + 2) / 5 + 1;
    int month = shifted < 10 ? shifted + 3 : shifted - 9;
    int year = era * 400 + y + (month <= 2);
    int second = (int)rest;

    const int parts[] = {year / 100,    year % 100,       month,      day,
                         second / 3600, second / 60 % 60, second % 60};
    static const char after[] = "\0-- ::";
    char *p = ret;
    for (size_t i = 0; i < HR_ARRAY_LEN(parts); i++) {
        *p++ = (char)('0' + parts[i] / 10);
        *p++ = (char)('0' + parts[i] % 10);
        if (i < sizeof after - 1 && after[i])
            *p++ = after[i];
    }
    if (n > 0) {
        *p++ = '.';
        for (unsigned i = 0; i < n && i < 6; i++)
            *p++ = i < m->n_fraction ? m->fraction[i] : '0';
    }
    *p = 0;
    return (size_t)(p - ret);
}

void moment_write_ms(int64_t ms, char ret[MOMENT_MAX])
{
    int64_t seconds = ms / 1000;
    int rest = (int)(ms % 1000);
    if (rest < 0) {
        rest += 1000;
        seconds--;
    }
    struct moment m = {.seconds = seconds};
    if (!in_range(&m))
        m.seconds = rest = 0;
    size_t n = moment_write(&m, 0, ret);
    ret[10] = 'T';
    snprintf(ret + n, MOMENT_MAX - n, ".%03dZ", rest);
}

bool moment_parse_ms(const char *text, size_t len, int64_t *ret)
{
    struct moment m;
    if (!moment_parse_rfc3339(text, len, &m))
        return false;
    int64_t ms = m.seconds * 1000;
    for (size_t i = 0, scale = 100; i < m.n_fraction && scale > 0; i++, scale /= 10)
        ms += (int64_t)scale * (m.fraction[i] - '0');
    *ret = ms;
    return true;
}
