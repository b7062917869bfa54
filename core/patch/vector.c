/* SPDX-License-Identifier: MIT */
/*
 * Short vectors, which most are, need no memory of their own.
 */
#include "core/patch/vector.h"

#include <errno.h>
#include <string.h>

bool hr__patch_vector_init(struct hr__patch_vector *vector, const struct iovec *items, size_t count)
{
    vector->copy = vector->few;
    if (count > HR_ARRAY_LEN(vector->few))
        vector->copy = reallocarray(NULL, count, sizeof(*items));
    if (!vector->copy) {
        errno = ENOMEM;
        return false;
    }
    vector->items = vector->copy;
    vector->count = count;
    vector->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        vector->items[i] = items[i];
        vector->bytes += items[i].iov_len;
    }
    return true;
}

void hr__patch_vector_done(struct hr__patch_vector *vector)
{
    if (vector->copy != vector->few)
        free(vector->copy);
}

void hr__patch_vector_advance(struct hr__patch_vector *vector, size_t bytes)
{
    vector->bytes -= bytes;
    while (vector->count > 0 && bytes >= vector->items->iov_len) {
        bytes -= vector->items->iov_len;
        vector->items++;
        vector->count--;
    }
    if (bytes > 0) {
        vector->items->iov_base = (char *)vector->items->iov_base + bytes;
        vector->items->iov_len -= bytes;
    }
}
