/* SPDX-License-Identifier: MIT */
#include "drivers/tls_context.h"

#include <errno.h>
#include <string.h>

enum { CA, CERT, KEY };

const char *hr__tls_reason(void)
{
    unsigned long error = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(error))
        return hr_error_text(-ERR_GET_REASON(error));
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
        return "no TLS is spoken at this port (wrong version number)";
    const char *text = ERR_reason_error_string(error);
    return text ? text : "no reason given";
}

static int refuse_file(const char *what, const char *path)
{
    const char *why = hr__tls_reason();
    bool no_memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
    int r = no_memory ? hr_fail(-ENOMEM, "tls: no memory to read %s", path)
                      : hr_fail(-EINVAL, "tls: %s %s: %s", what, path, why);
    ERR_clear_error();
    return r;
}

/* Lists of revoked certificates may stand in the file of the authorities: then they count. */
static void heed_revocations(SSL_CTX *ctx)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL) {
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
            return;
        }
    }
}

static int load_own(SSL_CTX *ctx, const char *cert, const char *key)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return refuse_file("the certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return refuse_file("the key", key);
    return 0;
}

static int load_files(SSL_CTX *ctx, const struct hr__tls_files *files)
{
    const char *ca = files->paths[CA], *cert = files->paths[CERT], *key = files->paths[KEY];
    if (ca && SSL_CTX_load_verify_file(ctx, ca) != 1)
        return refuse_file("the authorities in", ca);
    if (!ca && files->verify != HR_TLS_NONE && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return refuse_file("the authorities of", "the system");
    heed_revocations(ctx);
    if (!cert)
        return key ? hr_fail(-EINVAL, "tls: a key without a certificate") : 0;
    return load_own(ctx, cert, key ? key : cert);
}

/* A key under a password: nobody is there to be asked for it. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
    return -1;
}

void hr__tls_stat_files(const struct hr__tls_files *files,
                        struct hr__tls_stamp stamps[HR__TLS_FILES])
{
    memset(stamps, 0, HR__TLS_FILES * sizeof(stamps[0])); /* they are compared as bytes */
    for (size_t i = 0; i < HR__TLS_FILES; i++) {
        struct stat st;
        if (!files->paths[i] || stat(files->paths[i], &st) < 0)
            continue;
        stamps[i].changed = st.st_mtim;
        stamps[i].size = st.st_size;
        stamps[i].inode = st.st_ino;
        stamps[i].device = st.st_dev;
    }
}

int hr__tls_read_files(const struct hr__tls_files *files, SSL_CTX **ret,
                       struct hr__tls_stamp stamps[HR__TLS_FILES])
{
    ERR_clear_error();
    hr__tls_stat_files(files, stamps); /* before: a change in between is seen the next time */
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return hr_fail(-ENOMEM, "tls: no memory for the settings");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    int r = load_files(ctx, files);
    if (r < 0)
        SSL_CTX_free(ctx);
    else
        *ret = ctx;
    return r;
}

void hr__tls_files_done(struct hr__tls_files *files)
{
    for (size_t i = 0; i < HR__TLS_FILES; i++)
        free(files->paths[i]);
    *files = (struct hr__tls_files){0};
}

int hr__tls_files_copy(const struct hr__tls_files *files, struct hr__tls_files *ret)
{
    struct hr__tls_files copy = {.verify = files->verify};
    for (size_t i = 0; i < HR__TLS_FILES; i++) {
        copy.paths[i] = files->paths[i] ? strdup(files->paths[i]) : NULL;
        if (files->paths[i] && !copy.paths[i]) {
            hr__tls_files_done(&copy);
            return hr_fail(-ENOMEM, "tls: no memory for the settings");
        }
    }
    *ret = copy;
    return 0;
}

int hr__tls_choose(const struct hr_url *url, const struct hr_tls_options *options,
                   enum hr_tls_verify *ret)
{
    bool has_files = options->ca || options->cert || options->key;
    enum hr_tls_verify verify = options->verify;
    if (verify == HR_TLS_OFF)
        verify = has_files ? HR_TLS_FULL : url->tls;
    if (verify != HR_TLS_OFF && url->socket)
        return hr_fail(-EINVAL, "tls: not on a unix socket");
    *ret = verify;
    return 0;
}

static void context_freep(struct hr__tls_context **context)
{
    *context = hr__tls_context_free(*context);
}

int hr__tls_context_new(const struct hr_url *url, const struct hr_tls_options *options,
                        struct hr__tls_context **ret)
{
    enum hr_tls_verify verify = HR_TLS_OFF;
    int r = hr__tls_choose(url, options, &verify);
    if (r < 0 || verify == HR_TLS_OFF) {
        *ret = NULL;
        return r;
    }
    const struct hr__tls_files files = {
        .paths = {(char *)options->ca, (char *)options->cert, (char *)options->key},
        .verify = verify,
    };
    hr_auto(context_freep) struct hr__tls_context *context = calloc(1, sizeof(*context));
    if (!context)
        return hr_fail(-ENOMEM, "tls: no memory for the settings");
    context->refs = 1;
    r = hr__tls_files_copy(&files, &context->files);
    if (r == 0)
        r = hr__tls_read_files(&files, &context->ctx, context->stamps);
    if (r == 0)
        *ret = hr_take(context);
    return r;
}

struct hr__tls_context *hr__tls_context_ref(struct hr__tls_context *context)
{
    if (context)
        context->refs++;
    return context;
}

struct hr__tls_context *hr__tls_context_free(struct hr__tls_context *context)
{
    if (context && --context->refs == 0) {
        hr__tls_sessions_drop(context);
        hr_future_unref(context->reading);
        SSL_CTX_free(context->ctx);
        hr__tls_files_done(&context->files);
        free(context);
    }
    return NULL;
}

/* --- sessions */

static void session_done(struct hr__tls_session *session)
{
    free(session->host);
    SSL_SESSION_free(session->session);
    *session = (struct hr__tls_session){0};
}

static struct hr__tls_session *find_session(struct hr__tls_context *context, const char *host)
{
    for (size_t i = 0; i < HR__TLS_SESSIONS; i++) {
        struct hr__tls_session *session = &context->sessions[i];
        if (session->host && strcmp(session->host, host) == 0)
            return session;
    }
    return NULL;
}

void hr__tls_session_keep(struct hr__tls_context *context, const char *host, SSL_SESSION *session)
{
    struct hr__tls_session *place = find_session(context, host);
    if (!place)
        place = &context->sessions[HR__TLS_SESSIONS - 1];
    session_done(place);
    size_t before = (size_t)(place - context->sessions);
    memmove(&context->sessions[1], context->sessions, before * sizeof(*place));
    context->sessions[0] = (struct hr__tls_session){strdup(host), session};
    if (!context->sessions[0].host)
        session_done(&context->sessions[0]);
}

SSL_SESSION *hr__tls_session_take(struct hr__tls_context *context, const char *host)
{
    struct hr__tls_session *found = find_session(context, host);
    if (!found)
        return NULL;
    SSL_SESSION *session = hr_take(found->session);
    session_done(found);
    return session;
}

void hr__tls_sessions_drop(struct hr__tls_context *context)
{
    for (size_t i = 0; i < HR__TLS_SESSIONS; i++)
        session_done(&context->sessions[i]);
}
