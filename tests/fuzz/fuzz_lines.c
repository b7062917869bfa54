/* SPDX-License-Identifier: MIT */
/*
 * What a worker may say: the same lines come out whether the bytes come at once or one by one, none
 * is longer than the bound, and put together they are what came.
 */
#include <errno.h>
#include <string.h>

#include "drivers/process/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out, each line with its end again. */
struct told {
    char *bytes;
    size_t size;
};

static void tell(struct told *told, const char *line, size_t size, bool ended)
{
    memcpy(told->bytes + told->size, line, size);
    told->size += size;
    if (ended)
        told->bytes[told->size++] = '\n';
}

/* Takes out what can be; false when a line is too long. */
static bool drain(struct hr__lines *lines, size_t max, struct told *told)
{
    const char *line = NULL;
    size_t size = 0;
    int r;
    while ((r = hr__lines_next(lines, &line, &size)) == 1) {
        if (size > max || line[size] != '\0' || memchr(line, '\n', size))
            __builtin_trap();
        tell(told, line, size, true);
    }
    return r == 0;
}

/* Reads all, fed in pieces. False when a line was too long: the rest is then taken as it is. */
static bool read_all(const uint8_t *data, size_t size, size_t max, size_t piece, struct told *told)
{
    struct hr__lines lines;
    bool good = true;
    const char *rest;
    char *room;
    size_t n;
    hr__lines_init(&lines, max);
    for (size_t at = 0; at < size; at += n) {
        if (hr__lines_room(&lines, &room, &n) < 0)
            __builtin_trap();
        n = n < piece ? n : piece;
        n = n < size - at ? n : size - at;
        memcpy(room, data + at, n);
        hr__lines_commit(&lines, n);
        good = good && drain(&lines, max, told);
    }
    while (hr__lines_rest(&lines, &rest, &n) == 1) {
        if (n > max || n == 0)
            __builtin_trap();
        tell(told, rest, n, false);
    }
    hr__lines_done(&lines);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t max = size > 0 ? data[0] % 64 + 1 : 1;
    char *bytes = malloc(2 * size + 2);
    struct told whole = {bytes, 0}, split = {bytes + size + 1, 0};
    if (!bytes)
        return 0;
    bool whole_good = read_all(data, size, max, SIZE_MAX, &whole);
    bool split_good = read_all(data, size, max, 1, &split);
    if (whole_good != split_good || whole.size != size || split.size != size ||
        memcmp(whole.bytes, data, size) != 0 || memcmp(split.bytes, data, size) != 0)
        __builtin_trap();
    free(bytes);
    return 0;
}
