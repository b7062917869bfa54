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
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/buf.h"
#include "drivers/tls_context.h"

struct hr__tls {
    SSL *ssl;
    struct hr__tls_context *context;
    char *host;
    int fd;
    bool drained;      /* the latest read found nothing more */
    struct hr_buf out; /* encrypted, and not sent yet */
    char fault[96];    /* what is wrong with a certificate that is not accepted */
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

/* --- certificates */

static void print_name(const X509 *cert, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    const GENERAL_NAME *first =
        sk_GENERAL_NAME_num(names) > 0 ? sk_GENERAL_NAME_value(names, 0) : NULL;
    *text = '\0';
    if (first && first->type == GEN_DNS)
        snprintf(text, size, "%.*s", ASN1_STRING_length(first->d.dNSName),
                 (const char *)ASN1_STRING_get0_data(first->d.dNSName));
    else
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, (int)size);
    GENERAL_NAMES_free(names);
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    }
}

static void print_time(const ASN1_TIME *time, char *text, size_t size)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(text, size, "%F %R UTC", &tm) == 0)
        snprintf(text, size, "?");
}

/* What to do about it, where that can be said. */
static void find_fault(struct hr__tls *tls, int error, const X509 *cert)
{
    const char *ca = tls->context->files.paths[0];
    char text[48];
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        print_time(X509_get0_notAfter(cert), text, sizeof(text));
        snprintf(tls->fault, sizeof(tls->fault), "; it was valid until %s", text);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        print_time(X509_get0_notBefore(cert), text, sizeof(text));
        snprintf(tls->fault, sizeof(tls->fault), "; it is valid from %s", text);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        print_name(cert, text, sizeof(text));
        snprintf(tls->fault, sizeof(tls->fault), "; it is that of %s", text);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(tls->fault, sizeof(tls->fault), "; its authority is not in %.60s",
                 ca ? ca : "the system's store (tls ca)");
        break;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        snprintf(tls->fault, sizeof(tls->fault), "; %.60s has other lists", ca ? ca : "CA");
        break;
    default:
        tls->fault[0] = '\0';
    }
}

static int check_certificate(int accepted, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (!accepted && cert)
        find_fault(SSL_get_app_data(ssl), X509_STORE_CTX_get_error(store), cert);
    return accepted;
}

/* --- connections */

/* The server hands out what the next connection can begin with: half the work, and no certificates
 * on the way. A context that has read other files since has no use for it. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct hr__tls *tls = SSL_get_app_data(ssl);
    if (SSL_get_SSL_CTX(ssl) != tls->context->ctx || !SSL_SESSION_is_resumable(session))
        return 0;
    hr__tls_session_keep(tls->context, tls->host, session);
    return 1;
}

static bool take_up_session(struct hr__tls *tls)
{
    SSL_SESSION *session = hr__tls_session_take(tls->context, tls->host);
    bool fine = !session || SSL_set_session(tls->ssl, session) == 1;
    SSL_SESSION_free(session);
    return fine;
}

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

static bool set_up(struct hr__tls *tls)
{
    enum hr_tls_verify verify = tls->context->files.verify;
    tls->ssl = SSL_new(tls->context->ctx);
    BIO *bio = tls->ssl ? socket_new(tls) : NULL;
    if (!bio)
        return false;
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    SSL_CTX_sess_set_new_cb(tls->context->ctx, keep_session);
    SSL_set_verify(tls->ssl, verify == HR_TLS_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                   check_certificate);
    SSL_set_connect_state(tls->ssl);
    return expect_host(tls->ssl, verify, tls->host) && take_up_session(tls);
}

static struct hr__tls *make(struct hr__tls_context *context, int fd, const char *host)
{
    struct hr__tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return NULL;
    tls->fd = fd;
    tls->context = hr__tls_context_ref(context);
    tls->host = strdup(host);
    hr_buf_init(&tls->out, OUT_MAX);
    return tls->host && set_up(tls) ? tls : hr__tls_free(tls);
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
    const char *trouble = tls->context->trouble, *join = trouble[0] ? "; and " : "";
    if (rejected)
        r = hr_fail(-EPROTO, "tls: the server's certificate is not accepted: %s%s%s",
                    X509_verify_cert_error_string(verified), trouble[0] ? join : tls->fault,
                    trouble);
    else
        r = hr_fail(-EPROTO, "tls: %s%s%s", hr__tls_reason(), join, trouble);
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
    int r = hr__tls_reload(context);
    if (r < 0)
        return r;
    ERR_clear_error();
    struct hr__tls *tls = make(context, fd, host);
    if (!tls)
        return hr_fail(-ENOMEM, "tls: no memory for a connection");
    r = shake_hands(tls, io);
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
    hr__tls_context_free(tls->context);
    free(tls->host);
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

bool hr__tls_quiet(const struct hr__tls *tls)
{
    return !SSL_has_pending(tls->ssl);
}

bool hr__tls_resumed(const struct hr__tls *tls)
{
    return SSL_session_reused(tls->ssl);
}
