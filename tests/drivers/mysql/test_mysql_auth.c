/* SPDX-License-Identifier: MIT */
/*
 * Every plugin to log in with: against the real server where it has them, and scripted ones that
 * check what a client has to know.
 */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/drivers/mysql/script.h"
#include "tests/support/certificates.h"

/* The real server. */

static bool has_library(const char *soname)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT LOAD_FILE(CONCAT(@@plugin_dir, '%s.so')) IS NOT NULL",
             soname);
    return mysql_test_number(sql) > 0;
}

static void make_user(const char *via)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "CREATE OR REPLACE USER way@localhost IDENTIFIED VIA %s;"
             "GRANT SELECT ON test.* TO way@localhost",
             via);
    mariadb_server_sql(mariadb_server_shared(), sql);
}

/* What becomes of a loan; native: the number of the refusal, or 0. */
static int log_in(const char *user, const char *password, int *ret_native)
{
    char url[160];
    snprintf(url, sizeof(url), "mysql://%s@/?socket=%s", user, mariadb_server_shared()->socket);
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url, .password = password});
    hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    *ret_native = r < 0 ? hr_last_error()->native : 0;
    if (r >= 0)
        ASSERT_STR(mysql_test_value(conn, "SELECT USER()", HR_NO_ARGS),
                   strcat(strcpy(url, user), "@localhost"));
    hr_mysql_release(conn);
    mysql_test_done(pool);
    return r;
}

static void log_in_by(const char *plugin)
{
    char via[64];
    int native;
    snprintf(via, sizeof(via), "%s USING PASSWORD('o\\'pen')", plugin);
    make_user(via);
    ASSERT_ERR(log_in("way", "o'pen", &native), 0);
    ASSERT_ERR(log_in("way", "shut", &native), HR_EREPLY);
    ASSERT_EQ(native, 1045);
    ASSERT_ERR(log_in("way", "", &native), HR_EREPLY);
}

TEST_REAL(s23_1_a_login_by_password_goes_by_each_plugin_that_the_server_has)
{
    log_in_by("mysql_native_password");
    static const char *const apart[] = {"ed25519", "parsec"}; /* packaged so */
    for (size_t i = 0; i < HR_ARRAY_LEN(apart); i++) {
        char name[32], sql[128];
        snprintf(name, sizeof(name), "auth_%s", apart[i]);
        if (!has_library(name))
            continue;
        snprintf(sql, sizeof(sql), "INSTALL SONAME '%s'", name);
        mariadb_server_sql(mariadb_server_shared(), sql);
        log_in_by(apart[i]);
        snprintf(sql, sizeof(sql), "DROP USER way@localhost; UNINSTALL SONAME '%s'", name);
        mariadb_server_sql(mariadb_server_shared(), sql);
    }
}

TEST_REAL(s23_1_a_login_by_unix_socket_needs_the_right_user_and_no_password)
{
    const char *me = getpwuid(geteuid())->pw_name;
    char sql[256];
    int native;
    snprintf(sql, sizeof(sql),
             "CREATE USER IF NOT EXISTS '%s'@localhost;"
             "ALTER USER '%s'@localhost IDENTIFIED VIA unix_socket",
             me, me);
    mariadb_server_sql(mariadb_server_shared(), sql);
    int r = log_in(me, "no matter", &native);
    snprintf(sql, sizeof(sql), "ALTER USER '%s'@localhost IDENTIFIED BY ''", me);
    mariadb_server_sql(mariadb_server_shared(), sql);
    ASSERT_ERR(r, 0);
    make_user("unix_socket");
    ASSERT_ERR(log_in("way", "", &native), HR_EREPLY);
    ASSERT_EQ(native, 1698);
}

/* Scripted ones. */

TEST_REAL(s23_1_a_plugin_that_is_not_there_is_named)
{
    static const char other[] = "\24\0\0\2\376auth_gssapi_client";
    struct script script = {.capabilities = SCRIPT_CAPABILITIES,
                            .plugin = "mysql_native_password",
                            .answer = other,
                            .answer_size = sizeof(other)};
    script_open(&script, "");
    ASSERT_ERR(script_play(&script, hr_seconds(5), NULL), HR_EREPLY);
    script_expect_said("auth_gssapi_client");
}

/* MariaDB's keys are made of passwords of any length as Ed25519 makes them of its seed of 32 bytes;
 * so one of that length is such a seed, and everybody's Ed25519 can verify the answer. */
TEST_REAL(s23_1_ed25519_signs_what_the_server_asks_for)
{
    static const char password[] = "thirty-two bytes of a password..";
    static const char nonce[] = "nonces are thirty-two bytes long";
    static const char request[] = "\60\0\0\2\376client_ed25519";
    enum { NONCE = 32, KEY = 32, SIGNATURE = 64, HEADER = 4 };
    char answer[128];
    memcpy(answer, request, sizeof(request));
    memcpy(answer + sizeof(request), nonce, NONCE);
    struct script script = {.capabilities = SCRIPT_CAPABILITIES,
                            .plugin = "mysql_native_password",
                            .answer = answer,
                            .answer_size = sizeof(request) + NONCE};
    script_open(&script, "");
    ASSERT_ERR(script_play(&script, hr_seconds(5), password), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1045); /* which is all that it ever says */
    ASSERT_EQ(script.n_heard, HEADER + SIGNATURE);

    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)password, KEY);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT_EQ(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key), 1);
    ASSERT_EQ(EVP_DigestVerify(context, (const unsigned char *)script.heard + HEADER, SIGNATURE,
                               (const unsigned char *)nonce, NONCE),
              1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
}

#define SHA256_SIZE 32

static void sha256(const void *data, size_t size, unsigned char ret[SHA256_SIZE])
{
    ASSERT_EQ(EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL), 1);
}

/* What caching_sha2_password sends first: SHA256(password) XOR
 * SHA256(SHA256(SHA256(password)), salt). */
static void scramble(unsigned char ret[SHA256_SIZE])
{
    unsigned char once[SHA256_SIZE], twice[SHA256_SIZE + sizeof(SCRIPT_SALT) - 1];
    sha256(SCRIPT_PASSWORD, sizeof(SCRIPT_PASSWORD) - 1, once);
    sha256(once, sizeof(once), twice);
    memcpy(twice + SHA256_SIZE, SCRIPT_SALT, sizeof(SCRIPT_SALT) - 1);
    sha256(twice, sizeof(twice), ret);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        ret[i] ^= once[i];
}

TEST_REAL(s23_1_caching_sha2_password_proves_the_password_and_goes_on_where_it_is_known)
{
    static const char known[] = "\2\0\0\2\1\3\7\0\0\3\0\0\0\2\0\0\0"; /* and OK */
    struct script script = {.capabilities = SCRIPT_CAPABILITIES,
                            .plugin = "caching_sha2_password",
                            .answer = known,
                            .answer_size = sizeof(known) - 1};
    script_open(&script, "");
    ASSERT_TRUE(script_play(&script, hr_seconds(5), NULL) < 0); /* it knows no statement */
    unsigned char proof[SHA256_SIZE];
    scramble(proof);
    ASSERT_TRUE(memmem(script.login, script.n_login, proof, sizeof(proof)));
    ASSERT_TRUE(memmem(script.heard, script.n_heard, "SET NAMES", 9));
}

static const char whole_login[] = "\2\0\0\2\1\4"; /* the server does not know him yet */

TEST_REAL(s23_1_caching_sha2_password_is_not_encrypted_with_a_key_from_whoever_answers)
{
    struct script script = {.capabilities = SCRIPT_CAPABILITIES,
                            .plugin = "caching_sha2_password",
                            .answer = whole_login,
                            .answer_size = sizeof(whole_login) - 1};
    script_open(&script, "");
    ASSERT_ERR(script_play(&script, hr_seconds(5), NULL), -ENOTCONN);
    script_expect_said("ask for TLS (?tls=full), or use the unix socket");
    ASSERT_EQ(script.n_heard, 0);
}

/* Whoever stands in between could put it there, and it would pass for the server's. */
TEST_REAL(s23_1_nothing_that_comes_before_tls_is_taken_for_what_comes_under_it)
{
    static const char early[] = "\7\0\0\2\0\0\0\2\0\0\0"; /* that the login is accepted */
    struct script script = {.capabilities = SCRIPT_CAPABILITIES | SCRIPT_WITH_TLS,
                            .plugin = "mysql_native_password",
                            .early = early,
                            .early_size = sizeof(early) - 1};
    script_open(&script, "?tls=none");
    ASSERT_ERR(script_play(&script, hr_seconds(5), NULL), -ENOTCONN);
    script_expect_said("the server said more than its greeting before TLS");
    ASSERT_EQ(script.n_login, 0);
}

/* In a thread: the script with TLS under it. */
static void *serve_tls(void *arg)
{
    struct script *script = arg;
    char packet[128];
    size_t size = script_greeting(script, packet);
    int fd = accept(script->listener, NULL, NULL);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const char *file = test_certificate("server.pem");
    SSL *ssl = NULL;
    bool good = SSL_CTX_use_certificate_chain_file(context, file) == 1 &&
                SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1 &&
                (ssl = SSL_new(context)) && SSL_set_fd(ssl, fd) == 1 &&
                send(fd, packet, size, MSG_NOSIGNAL) == (ssize_t)size &&
                recv(fd, packet, 36, MSG_WAITALL) == 36 && SSL_accept(ssl) == 1;
    int n = good ? SSL_read(ssl, script->login, sizeof(script->login)) : 0;
    script->n_login = n > 0 ? (size_t)n : 0;
    if (n > 0 && SSL_write(ssl, script->answer, (int)script->answer_size) > 0)
        n = SSL_read(ssl, script->heard, sizeof(script->heard));
    script->n_heard = n > 0 ? (size_t)n : 0;
    static const char denied[] = "\17\0\0\5\377\25\4#28000denied";
    if (n > 0)
        (void)!SSL_write(ssl, denied, sizeof(denied) - 1);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return NULL;
}

TEST_TICKING(s23_1_caching_sha2_password_tells_the_whole_password_under_tls_only)
{
    static const char whole_login_3[] = "\2\0\0\3\1\4"; /* the request for TLS was one, too */
    struct script script = {.capabilities = SCRIPT_CAPABILITIES | SCRIPT_WITH_TLS,
                            .plugin = "caching_sha2_password",
                            .answer = whole_login_3,
                            .answer_size = sizeof(whole_login_3) - 1};
    {
        TICKER_EXCUSED();
        (void)test_certificates();
    }
    script_open(&script, "?tls=full");
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, serve_tls, &script), 0);
    hr_mysql_pool *pool = hr_mysql_pool_new(
        &(struct hr_mysql_options){.url = script.url, .tls.ca = test_certificate("ca.pem")});
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1045);
    mysql_test_done(pool);
    {
        TICKER_EXCUSED();
        pthread_join(thread, NULL);
    }
    close(script.listener);
    ASSERT_EQ(script.n_heard, 4 + sizeof(SCRIPT_PASSWORD));
    ASSERT_STR(script.heard + 4, SCRIPT_PASSWORD);
}
