/* SPDX-License-Identifier: MIT */
/*
 * TLS settings, as every driver takes them.
 *
 * TLS 1.2 and newer. The server's certificate is verified, and its name is the host's as the URL
 * has it, unless that is switched off. Files are read once, when the client is made.
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
    const char *ca;   /* file of the trusted authorities, PEM; NULL: the system's */
    const char *cert; /* the client's certificate with its chain, PEM; NULL: none */
    const char *key;  /* its private key, PEM; NULL: it stands in cert */
};
