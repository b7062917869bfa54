#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes a private authority for tests of TLS: certificates.sh FOLDER
#
#   ca.pem        the authority that signed the following
#   server.pem    certificate and key of localhost and 127.0.0.1
#   wrong.pem     of another host
#   wild.pem      of all hosts of example.org, and of db1, db2, … of example.net
#   client.pem    of a client
#   stranger.pem  an authority that signed nothing here
#   expired.pem   of localhost, until years ago
#   revoked.pem   of localhost, and taken back by the list in
#   listed.pem    the authority with its list of revoked certificates
#   locked.pem    of a client whose key is under a password
set -euo pipefail
cd "$1"

# openssl says what it does on standard error.
quietly()
{
    local said
    said=$("$@" 2>&1) || {
        echo "$said" >&2
        return 1
    }
}

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

authority()
{
    quietly openssl req -x509 "${new_key[@]}" -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
}

by_ca()
{
    quietly openssl ca -config list.conf -batch -cert ca.pem -keyfile ca.key "$@"
}

# signed NAME SUBJECT-ALTERNATIVE-NAMES [OPTION...]
signed()
{
    quietly openssl req "${new_key[@]}" -subj "/CN=$1" -addext "subjectAltName=$2" -keyout "$1.key" -out "$1.csr"
    by_ca -in "$1.csr" -notext -out "$1.crt" "${@:3}"
    cat "$1.crt" "$1.key" >"$1.pem"
    rm "$1.csr" "$1.crt" "$1.key"
}

cat >list.conf <<END
[ca]
default_ca = here
[here]
database = list.index
new_certs_dir = list.new
rand_serial = yes
unique_subject = no
policy = named
copy_extensions = copy
default_days = 30
default_md = sha256
[named]
commonName = supplied
END
touch list.index
mkdir list.new

authority ca
authority stranger
signed server DNS:localhost,IP:127.0.0.1
signed wrong DNS:other.example
signed wild 'DNS:*.example.org,DNS:db*.example.net'
signed client DNS:client.example
signed expired DNS:localhost,IP:127.0.0.1 -startdate 20200101000000Z -enddate 20200201000000Z
signed revoked DNS:localhost,IP:127.0.0.1

by_ca -revoke revoked.pem
by_ca -gencrl -crldays 30 -out list.pem
cat ca.pem list.pem >listed.pem
rm -r list.*

openssl x509 -in client.pem >locked.pem
openssl pkey -in client.pem -aes128 -passout pass:secret >>locked.pem
