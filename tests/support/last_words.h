/* SPDX-License-Identifier: MIT */
/*
 * What a program says before it ends itself, since it was used as it must not be.
 */
#pragma once

#include <stddef.h>

/* Runs it in a child, which has to end by SIGABRT. said is the beginning of what it wrote to its
 * standard error: as much as there is room for, and a NUL. */
void test_last_words(int (*run)(void *arg), void *arg, char *said, size_t size);
