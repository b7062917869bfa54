/* SPDX-License-Identifier: MIT */
/*
 * TLS settings, as every driver takes them.
 *
 * TLS 1.2 and newer. The server's certificate is verified, and its name is the host's as the URL
 * has it, unless that is switched off. The host's name is sent along (SNI), and a connection goes
 * on with the session of an earlier one where the server lets it.
 *
 * Files are read when the client is made, and that blocks; mistakes in them are found there. Before
 * a connection is opened a thread looks whether they have changed since, at most once a second, and
 * connections from then on use what stands in them. While they cannot be used (a key that does not
 * fit its certificate yet, a file that is gone) the former ones are, and the message of a handshake
 * that fails says so. Those of HTTP libcurl reads when a connection is opened (drivers/http.h).
 */
#pragma once

#include "core/base.h"

enum hr_tls_verify {
    HR_TLS_OFF,  /* as the URL says (rediss://, tls=); if it does not: no TLS */
    HR_TLS_FULL, /* a trusted authority has signed the certificate, and it is this host's */
    HR_TLS_CA,   /* a trusted authority has signed it, for whatever host */
    HR_TLS_NONE, /* encrypted, with whoever answers */
};

/* Zeros: no TLS, or as the URL says. A file without verify means HR_TLS_FULL. */
struct hr_tls_options {
    enum hr_tls_verify verify;
    const char *ca;   /* file of the trusted authorities, PEM; NULL: the system's. Lists of revoked
                         certificates (CRL) may stand in it, one for each authority then */
    const char *cert; /* the client's certificate with its chain, PEM; NULL: none */
    const char *key;  /* its private key, PEM; NULL: it stands in cert */
};
