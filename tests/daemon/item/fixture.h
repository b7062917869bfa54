/* SPDX-License-Identifier: MIT */
/*
 * What the tests of daemon/item share: short ways to parse, run and write, in one arena a test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "daemon/item/expr.h"

/* A fresh arena of 4 MiB for each test; and the last failure. */
extern struct arena *arena;
extern struct failure why;

int fixture_setup(void **state);
int fixture_teardown(void **state);

#define ITEM_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Parses text that must be JSON. */
const struct json_value *json(const char *text);

/* The value as compact JSON, ended by NUL. */
const char *written(const struct json_value *v);

/* Runs a program that must compile over an item: its result as JSON, or jq's message. */
const char *run(const char *program, const char *item);

/* One group of tests a file; each returns how many failed. */
int test_bind(void);
int test_bind_time(void);
int test_deadletter(void);
int test_envelope(void);
int test_expect(void);
int test_expr(void);
int test_expr_jq(void);
int test_json(void);
int test_memory(void);
int test_moment(void);
int test_number(void);
int test_redact(void);
