#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Debian packages for the machine's own release into build/deb and has lintian read them.
#
#   packaging/deb.sh [--test]     --test: then installs, runs and purges them on a plain Debian
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=build/deb
version=$(sed -n "s/^    version: '\(.*\)',/\1/p" meson.build)
tree=$out/headrace-$version

rm -rf "$out"
mkdir -p "$tree"
tar -c --exclude='./build*' --exclude=./.git --exclude='__pycache__' . | tar -x -C "$tree"
cp -r packaging/debian "$tree/debian"
# Packages of several releases have to be told apart, and give way to the distribution's own.
# shellcheck disable=SC1091 # the machine's own
suffix=$(. /etc/os-release && echo "~${ID/debian/deb}$VERSION_ID")
sed -i "1s/)/$suffix)/" "$tree/debian/changelog"
# Debian 12 and Ubuntu 24.04 have no libyyjson: the package brings the one that deps fetched.
[ ! -d build/deps ] || cp -r build/deps "$tree/debian/carried"

# ./dev test has run the tests; a package built elsewhere runs them itself.
(cd "$tree" && DEB_BUILD_OPTIONS="nocheck parallel=2" dpkg-buildpackage --build=binary --no-sign \
    --build-profiles=nocheck >../build.log 2>&1) || {
    tail -n 60 "$out/build.log"
    exit 1
}
lintian --fail-on error,warning --allow-root "$out"/*.changes
ls "$out"/*.deb

if [ "${1:-}" = --test ]; then
    packaging/test-deb.sh "$out"
fi
