/* SPDX-License-Identifier: MIT */
/*
 * A vector of buffers that is moved bit by bit. Inside core/patch/ only.
 */
#pragma once

#include <sys/uio.h>

#include "core/base.h"

/* What is left of the caller's vector, in a copy of it. */
struct hr__patch_vector {
    struct iovec *items;
    size_t count;
    size_t bytes; /* in all that is left */
    struct iovec *copy, few[8];
};

/* Copies a vector. False: no memory, in errno. */
bool hr__patch_vector_init(struct hr__patch_vector *vector, const struct iovec *items,
                           size_t count);
void hr__patch_vector_done(struct hr__patch_vector *vector);

/* That many bytes were moved. */
void hr__patch_vector_advance(struct hr__patch_vector *vector, size_t bytes);
