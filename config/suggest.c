/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean …?": the known word nearest to a misspelt one, by edit distance.
 */
#include "config/suggest.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 40

static char fold(char c)
{
    return c == '-' || c == '.' ? '_' : (char)tolower((unsigned char)c);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Letters to insert, delete, change or swap with their neighbour to get from a to b. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b_len; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            bool equal = fold(a[i - 1]) == fold(b[j - 1]);
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (equal ? 0 : 1));
            bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                           fold(a[i - 2]) == fold(b[j - 1]);
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_len];
}

const char *hr_conf_suggest(const char *word, const void *names, size_t n, size_t stride)
{
    size_t len = strlen(word);
    const char *best = NULL;
    /* A third of the letters may be wrong, but not all of them; beyond that a guess is noise. */
    unsigned best_distance = len < 2 ? 1 : (unsigned)(len + 2) / 3 + 1;
    for (size_t i = 0; len <= WORD_MAX && i < n; i++) {
        const char *name = *(const char *const *)((const char *)names + i * stride);
        if (!name)
            break;
        size_t name_len = strlen(name);
        if (name_len > WORD_MAX)
            continue;
        unsigned d = distance(word, len, name, name_len);
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}
