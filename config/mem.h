/* SPDX-License-Identifier: MIT */
/*
 * The memory of one loaded configuration: allocated piece by piece, freed at once.
 *
 * A configuration is built once and dropped whole, so its pieces need no owner of their own.
 * Secrets lie among them: everything is wiped before it is freed.
 */
#pragma once

#include "core/base.h"

struct hr_conf_mem;

/* NULL when out of memory. */
struct hr_conf_mem *hr_conf_mem_new(void);

/* Runs what hr_conf_own() recorded, latest first, then wipes and frees everything. */
struct hr_conf_mem *hr_conf_mem_free(struct hr_conf_mem *mem);
static inline void hr_conf_mem_freep(struct hr_conf_mem **mem)
{
    hr_conf_mem_free(*mem);
}

/* Whether any call below ever failed, or hr_conf_mem_fail() was called for somebody else's. */
bool hr_conf_mem_failed(const struct hr_conf_mem *mem);
void hr_conf_mem_fail(struct hr_conf_mem *mem);

/* size bytes of zeros (size 0 gives a valid pointer), or NULL. */
void *hr_conf_alloc(struct hr_conf_mem *mem, size_t size);

/* A copy of len bytes with a NUL behind them, or NULL. */
char *hr_conf_strndup(struct hr_conf_mem *mem, const char *text, size_t len);

/* Formatted text, or NULL. */
char *hr_conf_printf(struct hr_conf_mem *mem, const char *format, ...) hr_printf_like(2, 3);

/* Makes room for one more element of size bytes in an array that holds n, and moves it if need be.
 * Returns the array, or NULL (the old one stays). */
void *hr_conf_grow(struct hr_conf_mem *mem, void *array, size_t n, size_t size);

/* Frees an object made elsewhere together with this memory. On -ENOMEM it is freed at once. */
int hr_conf_own(struct hr_conf_mem *mem, void *object, void (*destroy)(void *object));
