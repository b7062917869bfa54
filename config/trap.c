/* SPDX-License-Identifier: MIT */
/*
 * What a YAML syntax error probably means.
 *
 * libyaml's messages speak of tokens and contexts. The mistakes people make are few: an expression
 * in { } without quotes, a tab, a quote or bracket left open, a colon in a value.
 */
#include "config/trap.h"

#include <errno.h>
#include <string.h>

/* The byte `index` characters into the file, libyaml's way of counting. */
static const char *char_at(const struct hr_conf_file *file, size_t index)
{
    const char *end = file->text + file->len;
    const char *s = file->text;
    if (file->len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        s += 3;
    for (; index > 0 && s < end; index--) {
        do {
            s++;
        } while (s < end && ((unsigned char)*s & 0xc0) == 0x80);
    }
    return s;
}

static char byte_at(const struct hr_conf_file *file, const char *s)
{
    return s >= file->text && s < file->text + file->len ? *s : '\0';
}

static int report(struct hr_conf *conf, const struct hr_conf_file *file,
                  const struct hr__conf_mark *mark, const char *text)
{
    hr_conf_diags_add(conf->diags, HR_CONF_ERROR, file->name, mark->line, mark->column, "", "%s",
                      text);
    return -EINVAL;
}

/* Bytes that are not text: libyaml gives an offset only. */
static int report_bytes(struct hr_conf *conf, const struct hr_conf_file *file,
                        const struct hr__conf_syntax_error *error)
{
    struct hr__conf_mark mark = {.line = 1, .column = 1};
    for (size_t i = 0; i < error->offset && i < file->len; i++) {
        bool is_break = file->text[i] == '\n';
        mark.line += is_break;
        mark.column = is_break ? 1 : mark.column + (((unsigned char)file->text[i] & 0xc0) != 0x80);
    }
    bool control = strstr(error->problem, "control");
    return report(conf, file, &mark,
                  control ? "a control character (it may stand in double quotes as \\xNN)"
                          : "this is not UTF-8 text");
}

/* A flow map or list that goes on where it should not. */
static int report_flow(struct hr_conf *conf, const struct hr_conf_file *file,
                       const struct hr__conf_syntax_error *error)
{
    const char *s = char_at(file, error->at.index);
    char here = byte_at(file, s), before = byte_at(file, s - 1);
    if (here == '{' && before == '$') {
        return report(conf, file, &error->at,
                      "inside { } and [ ] a value with ${…} needs quotes (\"${NAME}\")");
    }
    if ((here == '[' || here == '{') && before && !strchr(" \t\n,:[{", before)) {
        return report(conf, file, &error->at,
                      "inside { } and [ ] an expression with brackets needs quotes "
                      "({a: \".tags[1]\"})");
    }
    if (error->at.line != error->context.line) {
        return report(conf, file, &error->context,
                      byte_at(file, char_at(file, error->context.index)) == '['
                          ? "this [ is not closed"
                          : "this { is not closed");
    }
    return report(conf, file, &error->at,
                  "a comma or the closing bracket is expected here (a value with quotes, commas or "
                  "brackets inside { } needs quotes around it)");
}

static int report_bad_start(struct hr_conf *conf, const struct hr_conf_file *file,
                            const struct hr__conf_syntax_error *error)
{
    char here = byte_at(file, char_at(file, error->at.index));
    if (here == '\t')
        return report(conf, file, &error->at, "a tab (indent with spaces)");
    char text[80];
    snprintf(text, sizeof(text), "a value that begins with %c needs quotes", here);
    return report(conf, file, &error->at, text);
}

static const struct {
    const char *problem;
    bool at_context; /* report it where the construct begins */
    const char *text;
} meanings[] = {
    {"mapping values are not allowed in this context",        false,
     "a second \": \" (a value that holds one needs quotes; or the line is indented too far)"  },
    {"did not find expected alphabetic or numeric character", false,
     "a key or value that begins with * or & needs quotes"                                     },
    {"found unexpected end of stream",                        true,  "this quote is not closed"},
    {"found unexpected document indicator",                   true,  "this quote is not closed"},
    {"did not find expected comment or line break",           false,
     "after | or > the text begins on the next line, indented"                                 },
    {"found unknown escape character",                        false,
     "in double quotes a backslash begins an escape (in single quotes it is itself)"           },
    {"did not find expected key",                             false,
     "a new key is expected here (look at the indentation, and at quotes that end too early)"  },
    {"did not find expected '-' indicator",                   false,
     "another \"- \" is expected here (look at the indentation)"                               },
    {"did not find expected node content",                    false, "a value is expected here"},
    {"could not find expected ':'",                           false,
     "a key without a colon (write \"key: value\"; a text of several lines begins with |)"     },
};

int hr__conf_report_syntax(struct hr_conf *conf, const struct hr_conf_file *file,
                           const struct hr__conf_syntax_error *error)
{
    if (error->undecodable)
        return report_bytes(conf, file, error);
    const char *problem = error->problem;
    if (strncmp(problem, "did not find expected ','", 25) == 0)
        return report_flow(conf, file, error);
    if (strcmp(problem, "found character that cannot start any token") == 0)
        return report_bad_start(conf, file, error);
    for (size_t i = 0; i < HR_ARRAY_LEN(meanings); i++) {
        if (strcmp(problem, meanings[i].problem) == 0) {
            const struct hr__conf_mark *mark =
                meanings[i].at_context ? &error->context : &error->at;
            return report(conf, file, mark, meanings[i].text);
        }
    }
    char text[200];
    snprintf(text, sizeof(text), "not YAML: %s", problem);
    return report(conf, file, &error->at, text);
}

/* How many ( are open at the end, and whether a double quote is. */
static int count_open(const char *text, bool *ret_quote)
{
    int open = 0;
    *ret_quote = false;
    for (; *text; text++) {
        *ret_quote ^= *text == '"';
        open += *text == '(' ? 1 : *text == ')' ? -1 : 0;
    }
    return open;
}

bool hr__conf_is_cut_short(const char *text)
{
    bool quote;
    return count_open(text, &quote) > 0 || quote;
}

bool hr__conf_is_left_over(const char *text)
{
    bool quote;
    return count_open(text, &quote) < 0 || quote;
}
