/* SPDX-License-Identifier: MIT */
/*
 * The settings list of a man page, printed from the tables.
 */
#include <stdio.h>
#include <string.h>

#include "config/conf.h"

/* Prints text so that troff takes it as it is. */
static void put(FILE *out, const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s == '\\')
            fputs("\\e", out);
        else if (*s == '-')
            fputs("\\-", out);
        else if (*s == '\n')
            fputc(' ', out);
        else if (s == text && (*s == '.' || *s == '\''))
            fprintf(out, "\\&%c", *s);
        else
            fputc(*s, out);
    }
}

static void put_type(FILE *out, const struct hr_conf_field *f)
{
    switch (f->type) {
    case HR_CONF_TYPE_BOOL:
        fputs("true or false", out);
        break;
    case HR_CONF_TYPE_INT:
    case HR_CONF_TYPE_COUNT:
        fprintf(out, "count, %s to %s", f->min, f->max);
        break;
    case HR_CONF_TYPE_FACTOR:
        fprintf(out, "factor, %s to %s", f->min, f->max);
        break;
    case HR_CONF_TYPE_SPAN:
        fprintf(out, "span, %s to %s", f->min, f->max);
        break;
    case HR_CONF_TYPE_SIZE:
        fprintf(out, "size, %s to %s", f->min, f->max);
        break;
    case HR_CONF_TYPE_STR:
        fputs("text", out);
        break;
    case HR_CONF_TYPE_SECRET:
        fputs("secret text", out);
        break;
    case HR_CONF_TYPE_CHOICE:
    case HR_CONF_TYPE_SWITCH:
        for (const struct hr_conf_choice *c = f->choices; c->name; c++) {
            if (c != f->choices)
                fputs(" | ", out);
            put(out, c->name);
        }
        break;
    case HR_CONF_TYPE_STRINGS:
        fputs("list of texts", out);
        break;
    case HR_CONF_TYPE_LIST:
        fputs("list", out);
        break;
    case HR_CONF_TYPE_HOOK:
    case HR_CONF_TYPE_SECTION:
    case HR_CONF_TYPE_TABLE:
        break;
    }
}

/* `(span, 1s to 1h; default 30s)` behind the key. */
static void put_facts(FILE *out, const struct hr_conf_field *f)
{
    char *facts = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&facts, &len);
    if (!stream)
        return;
    put_type(stream, f);
    if (f->required)
        fprintf(stream, "%srequired", ftell(stream) > 0 ? "; " : "");
    if (f->fallback) {
        fprintf(stream, "%sdefault ", ftell(stream) > 0 ? "; " : "");
        put(stream, f->fallback);
    }
    fclose(stream);
    if (len > 0)
        fprintf(out, " (%s)", facts);
    free(facts);
}

void hr_conf_print_man(FILE *out, const struct hr_conf_section *section, const char *prefix)
{
    for (const struct hr_conf_field *f = section->fields; f->key; f++) {
        fputs(".TP\n\\fB", out);
        put(out, prefix);
        put(out, f->key);
        fputs("\\fR", out);
        put_facts(out, f);
        fputc('\n', out);
        put(out, f->doc ? f->doc : "");
        fputc('\n', out);
        if (!f->section)
            continue;
        char below[256];
        snprintf(below, sizeof(below), "%s%s%s", prefix, f->key,
                 f->type == HR_CONF_TYPE_TABLE  ? ".NAME."
                 : f->type == HR_CONF_TYPE_LIST ? "[]."
                                                : ".");
        hr_conf_print_man(out, f->section, below);
    }
}
