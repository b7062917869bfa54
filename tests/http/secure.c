/* SPDX-License-Identifier: MIT */
#include "tests/http/secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

struct test_secure {
    SSL *ssl;
    BIO *in, *out; /* the conversation's */
};

/* One for all, so that clients may resume. */
static SSL_CTX *context(void)
{
    static SSL_CTX *made;
    if (made)
        return made;
    const char *pem = test_certificate("server.pem");
    made = SSL_CTX_new(TLS_server_method());
    ASSERT_TRUE(made);
    ASSERT_EQ(SSL_CTX_use_certificate_chain_file(made, pem), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey_file(made, pem, SSL_FILETYPE_PEM), 1);
    return made;
}

struct test_secure *test_secure_new(void)
{
    struct test_secure *secure = malloc(sizeof(*secure));
    ASSERT_TRUE(secure);
    *secure = (struct test_secure){
        .ssl = SSL_new(context()), .in = BIO_new(BIO_s_mem()), .out = BIO_new(BIO_s_mem())};
    ASSERT_TRUE(secure->ssl && secure->in && secure->out);
    SSL_set_bio(secure->ssl, secure->in, secure->out);
    SSL_set_accept_state(secure->ssl);
    return secure;
}

struct test_secure *test_secure_free(struct test_secure *secure)
{
    if (secure)
        SSL_free(secure->ssl);
    free(secure);
    return NULL;
}

void test_secure_is_old(struct test_secure *secure)
{
    SSL_set_security_level(secure->ssl, 0);
    ASSERT_EQ(SSL_set_min_proto_version(secure->ssl, TLS1_VERSION), 1);
    ASSERT_EQ(SSL_set_max_proto_version(secure->ssl, TLS1_1_VERSION), 1);
}

bool test_secure_resumed(const struct test_secure *secure)
{
    return SSL_session_reused(secure->ssl);
}

void test_secure_leave(struct test_secure *secure)
{
    ASSERT_EQ(SSL_shutdown(secure->ssl), 0); /* the other side has not yet */
}

void test_secure_came(struct test_secure *secure, const void *bytes, size_t size)
{
    ASSERT_EQ(BIO_write(secure->in, bytes, (int)size), size);
}

size_t test_secure_take(struct test_secure *secure, void *bytes, size_t size)
{
    int n = BIO_read(secure->out, bytes, (int)size);
    return n > 0 ? (size_t)n : 0;
}

ssize_t test_secure_read(struct test_secure *secure, void *bytes, size_t size)
{
    ERR_clear_error();
    int n = SSL_read(secure->ssl, bytes, (int)size);
    if (n > 0)
        return n;
    switch (SSL_get_error(secure->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return -EPROTO;
    }
}

void test_secure_write(struct test_secure *secure, const void *bytes, size_t size)
{
    ASSERT_EQ(SSL_write(secure->ssl, bytes, (int)size), size);
}
