/* SPDX-License-Identifier: MIT */
/*
 * How it works: OpenSSL reads and writes through a BIO of ours, since its own would raise SIGPIPE.
 * It reads ahead, so a record costs one system call; what it holds back then is for
 * hr__tls_pending() to tell. What it writes is collected and sent from here. So a write never fails
 * half-way, with a record that has to be written again just as it was, and reading, which may have
 * to answer (a new key was asked for), never waits for it.
 */
#include "drivers/tls_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "core/buf.h"

struct hr__tls_context {
    unsigned refs;
    SSL_CTX *ctx;
    enum hr_tls_verify verify;
};

struct hr__tls {
    SSL *ssl;
    int fd;
    bool drained;      /* the latest read found nothing more */
    struct hr_buf out; /* encrypted, and not sent yet */
};

/* So many bytes are encrypted at once: four records. */
#define SEND_MAX (64 * 1024)

/* What may wait to be sent: those, or a handshake with a long chain of certificates. */
#define OUT_MAX (1024 * 1024)

/* --- the socket, as OpenSSL sees it */

static BIO_METHOD *socket_method;

static int socket_read(BIO *bio, char *buffer, int size)
{
    const struct hr__tls *tls = BIO_get_data(bio);
    ssize_t n;
    do {
        n = recv(tls->fd, buffer, (size_t)size, 0);
    } while (n < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (n < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    return (int)n;
}

static int socket_write(BIO *bio, const char *data, int size)
{
    struct hr__tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    int r = hr_buf_append(&tls->out, data, (size_t)size);
    if (r < 0)
        errno = ENOMEM;
    return r < 0 ? -1 : size;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static void make_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (method && BIO_meth_set_read(method, socket_read) &&
        BIO_meth_set_write(method, socket_write) && BIO_meth_set_ctrl(method, socket_ctrl))
        socket_method = method;
    else
        BIO_meth_free(method);
}

static BIO *socket_new(struct hr__tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_socket_method);
    BIO *bio = socket_method ? BIO_new(socket_method) : NULL;
    if (bio) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* --- settings */

/* What OpenSSL complained about first. */
static const char *reason(void)
{
    unsigned long error = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(error))
        return hr_error_text(-ERR_GET_REASON(error));
    const char *text = ERR_reason_error_string(error);
    return text ? text : "no reason given";
}

static int refuse_file(const char *what, const char *path)
{
    const char *why = reason();
    bool no_memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
    int r = no_memory ? hr_fail(-ENOMEM, "tls: no memory to read %s", path)
                      : hr_fail(-EINVAL, "tls: %s %s: %s", what, path, why);
    ERR_clear_error();
    return r;
}

static int load_files(SSL_CTX *ctx, const struct hr_tls_options *options, bool verified)
{
    if (options->ca && SSL_CTX_load_verify_file(ctx, options->ca) != 1)
        return refuse_file("the authorities in", options->ca);
    if (!options->ca && verified && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return refuse_file("the authorities of", "the system");
    if (!options->cert)
        return options->key ? hr_fail(-EINVAL, "tls: a key without a certificate") : 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, options->cert) != 1)
        return refuse_file("the certificate", options->cert);
    const char *key = options->key ? options->key : options->cert;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return refuse_file("the key", key);
    return 0;
}

/* A key under a password: nobody is there to be asked for it. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
    return -1;
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

static int make_context(const struct hr_tls_options *options, enum hr_tls_verify verify,
                        struct hr__tls_context **ret)
{
    ERR_clear_error();
    struct hr__tls_context *context = calloc(1, sizeof(*context));
    SSL_CTX *ctx = context ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (!ctx) {
        free(context);
        return hr_fail(-ENOMEM, "tls: no memory for the settings");
    }
    context->refs = 1;
    context->ctx = ctx;
    context->verify = verify;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    SSL_CTX_set_verify(ctx, verify == HR_TLS_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    int r = load_files(ctx, options, verify != HR_TLS_NONE);
    if (r < 0) {
        hr__tls_context_free(context);
        return r;
    }
    *ret = context;
    return 0;
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
    return make_context(options, verify, ret);
}

struct hr__tls_context *hr__tls_context_free(struct hr__tls_context *context)
{
    if (context && --context->refs == 0) {
        SSL_CTX_free(context->ctx);
        free(context);
    }
    return NULL;
}

struct hr__tls_context *hr__tls_context_ref(struct hr__tls_context *context)
{
    if (context)
        context->refs++;
    return context;
}

/* --- connections */

/* Who the peer has to be, and whom we say we call: an address has no place in SNI. */
static bool expect_host(SSL *ssl, enum hr_tls_verify verify, const char *host)
{
    struct in6_addr address;
    bool is_address =
        inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    if (!is_address && SSL_set_tlsext_host_name(ssl, host) != 1)
        return false;
    if (verify != HR_TLS_FULL)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
                      : SSL_set1_host(ssl, host) == 1;
}

static struct hr__tls *make(struct hr__tls_context *context, int fd, const char *host)
{
    struct hr__tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return NULL;
    tls->fd = fd;
    hr_buf_init(&tls->out, OUT_MAX);
    tls->ssl = SSL_new(context->ctx);
    BIO *bio = tls->ssl ? socket_new(tls) : NULL;
    if (bio)
        SSL_set_bio(tls->ssl, bio, bio);
    if (!bio || !expect_host(tls->ssl, context->verify, host))
        return hr__tls_free(tls);
    SSL_set_connect_state(tls->ssl);
    return tls;
}

/* What a call of OpenSSL means that gave r ≤ 0: 0 at the end, else a code as of hr__tls_recv(). */
static int judge(struct hr__tls *tls, int r, int saved_errno)
{
    switch (SSL_get_error(tls->ssl, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return saved_errno ? -saved_errno : -ECONNRESET;
    }
    long verified = SSL_get_verify_result(tls->ssl);
    bool rejected = ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    if (rejected)
        r = hr_fail(-EPROTO, "tls: the server's certificate is not accepted: %s",
                    X509_verify_cert_error_string(verified));
    else
        r = hr_fail(-EPROTO, "tls: %s", reason());
    ERR_clear_error();
    return r;
}

int hr__tls_flush(struct hr__tls *tls)
{
    while (hr_buf_size(&tls->out) > 0) {
        ssize_t n = send(tls->fd, hr_buf_data(&tls->out), hr_buf_size(&tls->out), MSG_NOSIGNAL);
        if (n >= 0)
            hr_buf_consume(&tls->out, (size_t)n);
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* One step: 0 when it is done; the direction to wait for; or why it failed. */
static int shake(struct hr__tls *tls)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_do_handshake(tls->ssl);
    r = r == 1 ? 1 : judge(tls, r, errno);
    int flushed = hr__tls_flush(tls); /* an alert as well */
    if (r == -EPROTO)
        return r;
    if (flushed == -EAGAIN)
        return HR_WRITE;
    if (flushed < 0 || (r < 0 && r != -EAGAIN) || r == 0) {
        int code = r < 0 && r != -EAGAIN ? r : flushed < 0 ? flushed : -ECONNRESET;
        return hr_fail(code, "tls: %s", hr_error_text(code));
    }
    return r == 1 ? 0 : HR_READ;
}

static hr_async int shake_hands(struct hr__tls *tls, hr_io *io)
{
    int r;
    while ((r = shake(tls)) > 0) {
        r = hr_io_wait(io, r);
        if (r < 0)
            return r;
    }
    return r;
}

int hr__tls_open(struct hr__tls_context *context, int fd, hr_io *io, const char *host,
                 struct hr__tls **ret)
{
    ERR_clear_error();
    struct hr__tls *tls = make(context, fd, host);
    if (!tls)
        return hr_fail(-ENOMEM, "tls: no memory for a connection");
    int r = shake_hands(tls, io);
    if (r < 0)
        hr__tls_free(tls);
    else
        *ret = tls;
    return r;
}

struct hr__tls *hr__tls_free(struct hr__tls *tls)
{
    if (!tls)
        return NULL;
    if (tls->ssl && SSL_is_init_finished(tls->ssl) && SSL_shutdown(tls->ssl) >= 0)
        (void)hr__tls_flush(tls);
    SSL_free(tls->ssl);
    ERR_clear_error();
    hr_buf_done(&tls->out);
    free(tls);
    return NULL;
}

ssize_t hr__tls_recv(struct hr__tls *tls, void *buffer, size_t size)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(tls->ssl, buffer, size < INT_MAX ? (int)size : INT_MAX);
    tls->drained = n <= 0;
    return n > 0 ? n : judge(tls, n, errno);
}

ssize_t hr__tls_send(struct hr__tls *tls, const void *data, size_t size)
{
    int r = hr__tls_flush(tls);
    if (r < 0)
        return r;
    ERR_clear_error();
    errno = 0;
    int n = SSL_write(tls->ssl, data, size < SEND_MAX ? (int)size : SEND_MAX);
    if (n <= 0) {
        n = judge(tls, n, errno);
        return n == 0 ? -EPIPE : n;
    }
    r = hr__tls_flush(tls);
    return r < 0 && r != -EAGAIN ? r : n;
}

bool hr__tls_pending(const struct hr__tls *tls)
{
    return !tls->drained;
}

enum hr_io_direction hr__tls_direction(const void *ssl)
{
    return SSL_want(ssl) == SSL_WRITING ? HR_WRITE : HR_READ;
}

const char *hr__tls_system_folder(void)
{
    return X509_get_default_cert_dir();
}
