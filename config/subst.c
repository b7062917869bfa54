/* SPDX-License-Identifier: MIT */
/*
 * Substitutions inside scalars.
 *
 * Diagnostics name the variable or credential, never its value: the node keeps what was written
 * and is marked, so that nobody above shows the text either.
 */
#include "config/subst.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config/file.h"

#define SUBSTITUTIONS_MAX 64
#define NAME_MAX_LEN      128

/* One ${…}: offsets into the written text. */
struct reference {
    size_t at;       /* of the $ */
    size_t end;      /* behind the } */
    bool credential; /* ${cred:NAME} */
    char name[NAME_MAX_LEN + 1];
    const char *fallback; /* of ${NAME:-fallback}, or NULL */
    size_t fallback_len;
};

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_credential_char(char c)
{
    return is_name_char(c) || c == '.' || c == '-';
}

static int scan(struct hr_conf *conf, const struct hr_conf_node *node, size_t at,
                struct reference *ret)
{
    const char *text = node->written;
    const char *s = text + at + 2;
    const char *end = strchr(s, '}');
    if (!end)
        return hr_conf_error_at(conf, node, at, "${ has no closing } ($${ stands for ${ itself)");

    *ret = (struct reference){.at = at, .end = (size_t)(end - text) + 1};
    ret->credential = strncmp(s, "cred:", 5) == 0;
    if (ret->credential)
        s += 5;
    size_t len = 0;
    while (ret->credential ? is_credential_char(s[len]) : is_name_char(s[len]))
        len++;
    bool named = len > 0 && len <= NAME_MAX_LEN && s[0] != '.' &&
                 (ret->credential || !isdigit((unsigned char)s[0]));
    if (named)
        memcpy(ret->name, s, len);
    s += len;
    if (named && !ret->credential && s[0] == ':' && s[1] == '-') {
        ret->fallback = s + 2;
        ret->fallback_len = (size_t)(end - ret->fallback);
        if (memmem(ret->fallback, ret->fallback_len, "${", 2))
            return hr_conf_error_at(conf, node, at, "a default cannot hold another ${…}");
        return 0;
    }
    if (!named || s != end) {
        return hr_conf_error_at(conf, node, at,
                                "not a substitution (write ${NAME}, ${NAME:-default}, "
                                "${cred:NAME}, or $${ for ${ itself)");
    }
    return 0;
}

static const char *look_up(const struct hr_conf *conf, const char *name)
{
    return conf->lookup ? conf->lookup(conf, name) : getenv(name);
}

static int read_variable(struct hr_conf *conf, const struct hr_conf_node *node,
                         const struct reference *ref, const char **ret, size_t *ret_len)
{
    const char *value = look_up(conf, ref->name);
    if (ref->fallback && (!value || !value[0])) {
        *ret = ref->fallback;
        *ret_len = ref->fallback_len;
        return 0;
    }
    if (!value) {
        return hr_conf_error_at(conf, node, ref->at,
                                "the environment variable %s is not set (a default can be given: "
                                "${%s:-…})",
                                ref->name, ref->name);
    }
    *ret = value;
    *ret_len = strlen(value);
    return 0;
}

/* A credential that cannot be read: an error, or with lenient_credentials a note. */
static int unreadable(struct hr_conf *conf, const struct hr_conf_node *node,
                      const struct reference *ref, const char *why, const char **ret,
                      size_t *ret_len)
{
    if (!conf->lenient_credentials) {
        return hr_conf_error_at(conf, node, ref->at, "the credential %s cannot be read: %s",
                                ref->name, why);
    }
    unsigned line, column;
    char path[256];
    hr_conf_locate(node, ref->at, &line, &column);
    hr_conf_diags_add(conf->diags, HR_CONF_NOTE, node->file->name, line, column,
                      hr_conf_path(node, path, sizeof(path)),
                      "the credential %s cannot be read: %s", ref->name, why);
    conf->credentials_unread = true;
    *ret = ref->name;
    *ret_len = strlen(ref->name);
    return 0;
}

static int read_credential(struct hr_conf *conf, const struct hr_conf_node *node,
                           const struct reference *ref, const char **ret, size_t *ret_len)
{
    const char *folder = look_up(conf, "CREDENTIALS_DIRECTORY");
    if (!folder || !folder[0])
        folder = look_up(conf, "HEADRACE_CREDENTIALS_DIRECTORY");
    if (!folder || !folder[0]) {
        return unreadable(conf, node, ref,
                          "neither CREDENTIALS_DIRECTORY nor HEADRACE_CREDENTIALS_DIRECTORY is set "
                          "(under systemd: LoadCredential=)",
                          ret, ret_len);
    }
    char *path = hr_conf_printf(conf->mem, "%s/%s", folder, ref->name);
    if (!path)
        return -ENOMEM;

    char *text;
    size_t len;
    int r = hr__conf_read_file(conf->mem, path, HR_CONF_CREDENTIAL_MAX, &text, &len);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        char why[512];
        snprintf(why, sizeof(why), "%s (%s)",
                 r == -EFBIG ? "it has more than 64 KiB" : strerror(-r), path);
        return unreadable(conf, node, ref, why, ret, ret_len);
    }
    if (len > 0 && text[len - 1] == '\n')
        len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
    if (memchr(text, '\0', len)) {
        return hr_conf_error_at(conf, node, ref->at, "the credential %s holds a NUL byte",
                                ref->name);
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* Appends n bytes to a text of memory; old copies are wiped with it. */
static char *append(struct hr_conf *conf, char *text, size_t *len, const char *more, size_t n)
{
    char *longer = hr_conf_alloc(conf->mem, *len + n + 1);
    if (!longer)
        return NULL;
    if (*len)
        memcpy(longer, text, *len);
    memcpy(longer + *len, more, n);
    *len += n;
    return longer;
}

int hr__conf_substitute(struct hr_conf *conf, struct hr_conf_node *node)
{
    const char *written = node->written;
    node->text = written;
    char *text = NULL;
    size_t len = 0, done = 0;
    unsigned count = 0;
    for (const char *s = strstr(written, "${"); s; s = strstr(written + done, "${")) {
        size_t at = (size_t)(s - written);
        if (++count > SUBSTITUTIONS_MAX)
            return hr_conf_error_at(conf, node, at, "more than %d substitutions in one value",
                                    SUBSTITUTIONS_MAX);
        struct reference ref = {.at = at, .end = at + 2};
        const char *value = "${";
        size_t value_len = 2;
        bool escaped = at > done && s[-1] == '$';
        if (!escaped) {
            int r = scan(conf, node, at, &ref);
            if (r == 0 && ref.credential)
                r = read_credential(conf, node, &ref, &value, &value_len);
            else if (r == 0)
                r = read_variable(conf, node, &ref, &value, &value_len);
            if (r < 0)
                return r;
        }
        text = append(conf, text, &len, written + done, at - done - (escaped ? 1 : 0));
        if (text)
            text = append(conf, text, &len, value, value_len);
        if (!text)
            return -ENOMEM;
        if (len > HR_CONF_FILE_MAX)
            return hr_conf_error_at(conf, node, at, "the value becomes longer than 1 MiB");
        done = ref.end;
    }
    if (!text)
        return 0;
    text = append(conf, text, &len, written + done, strlen(written + done));
    if (!text)
        return -ENOMEM;
    node->text = text;
    node->substituted = true;
    return 0;
}
