/* SPDX-License-Identifier: MIT */
/*
 * What the TLS connections of one client share: settings, keys, sessions to take up again.
 */
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "drivers/tls_impl.h"

#define HR__TLS_FILES    3 /* authorities, certificate, key */
#define HR__TLS_SESSIONS 8

struct hr__tls_files {
    char *paths[HR__TLS_FILES]; /* NULL: none */
    enum hr_tls_verify verify;
};

/* Which version of a file was read; all 0: there is none. */
struct hr__tls_stamp {
    struct timespec changed;
    off_t size;
    ino_t inode;
    dev_t device;
};

struct hr__tls_session {
    char *host;
    SSL_SESSION *session;
};

struct hr__tls_context {
    unsigned refs;
    SSL_CTX *ctx;
    struct hr__tls_files files;
    struct hr__tls_stamp stamps[HR__TLS_FILES];
    struct hr__tls_session sessions[HR__TLS_SESSIONS]; /* the latest one first */
    hr_future *reading;                                /* the files are being looked at, or NULL */
    hr_usec look_at;                                   /* not before */
    hr_usec patience;                                  /* how long others wait for reading */
    char trouble[256]; /* why the files as they are now are not used; "": they are */
};

/* Reads the files, in whatever thread: 0; -EINVAL with the record naming the file, -ENOMEM. stamps
 * is filled in either case. */
int hr__tls_read_files(const struct hr__tls_files *files, SSL_CTX **ret,
                       struct hr__tls_stamp stamps[HR__TLS_FILES]);
void hr__tls_stat_files(const struct hr__tls_files *files,
                        struct hr__tls_stamp stamps[HR__TLS_FILES]);
int hr__tls_files_copy(const struct hr__tls_files *files, struct hr__tls_files *ret);
void hr__tls_files_done(struct hr__tls_files *files);

/* Looks, once a second at most and in a thread, whether the files have changed, and uses them as
 * they are from now on. Files that cannot be used leave all as it was, and trouble says why; so
 * does a disk that does not answer within a second. 0, or -ECANCELED. */
hr_async int hr__tls_reload(struct hr__tls_context *context);

/* Keeps a session for the next connection to this host; takes the reference. A session is used
 * once: NULL when there is none (left). */
void hr__tls_session_keep(struct hr__tls_context *context, const char *host, SSL_SESSION *session);
SSL_SESSION *hr__tls_session_take(struct hr__tls_context *context, const char *host);
void hr__tls_sessions_drop(struct hr__tls_context *context);

/* What OpenSSL complained about first. */
const char *hr__tls_reason(void);
