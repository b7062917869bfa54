/* SPDX-License-Identifier: MIT */
/*
 * Certificates for tests of TLS, made once a program by certificates.sh, which says what they are.
 */
#pragma once

/* Their folder; it is gone when the program ends. Fails the test when openssl is not there. */
const char *test_certificates(void);

/* The path of one of them ("server.pem"), for as long as the program runs. */
const char *test_certificate(const char *name);
