/* SPDX-License-Identifier: MIT */
/*
 * A loading over text; and main(), which runs the groups.
 */
#include "tests/config/fixture.h"

#include <stdio.h>
#include <string.h>

int fixture_read_bytes(struct fixture *f, const char *text, size_t len)
{
    if (!f->conf.mem)
        f->conf.mem = hr_conf_mem_new();
    assert_non_null(f->conf.mem);
    f->conf.diags = &f->diags;
    struct hr_conf_node *root = NULL;
    int r = hr_conf_read_text(&f->conf, "t.yaml", text, len, &root);
    f->root = root;
    return r;
}

int fixture_read(struct fixture *f, const char *text)
{
    return fixture_read_bytes(f, text, strlen(text));
}

const char *fixture_said(struct fixture *f)
{
    FILE *out = fmemopen(f->said, sizeof(f->said), "w");
    assert_non_null(out);
    hr_conf_diags_print(&f->diags, out);
    fclose(out);
    return f->said;
}

void fixture_done(struct fixture *f)
{
    hr_conf_diags_done(&f->diags);
    f->conf.mem = hr_conf_mem_free(f->conf.mem);
}

int main(void)
{
    int failed =
        test_scalar() + test_yaml() + test_subst() + test_schema() + test_diag() + test_torture();
    return failed ? 1 : 0;
}
