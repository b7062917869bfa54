/* SPDX-License-Identifier: MIT */
/*
 * What the tests of config/ share: a loading over text, and its diagnostics as one text.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/conf.h"

struct fixture {
    struct hr_conf_diags diags;
    struct hr_conf conf;
    const struct hr_conf_node *root;
    char said[8192]; /* the diagnostics as they are printed */
};

/* Reads text as the file "t.yaml". Yields what hr_conf_read_text() said. */
int fixture_read(struct fixture *f, const char *text);
int fixture_read_bytes(struct fixture *f, const char *text, size_t len);

/* Prints the diagnostics into f->said. */
const char *fixture_said(struct fixture *f);

void fixture_done(struct fixture *f);

/* One group of tests a file; each returns how many failed. */
int test_scalar(void);
int test_yaml(void);
int test_subst(void);
int test_schema(void);
int test_diag(void);
int test_torture(void);
