#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what a group of tasks needs (build, test, bench, demo, package) and leaves the machine
# as polite as it found it.
#
#   packaging/deps.sh [GROUP]...     default: build
#
# Debian 12 and 13 and Ubuntu 24.04. Nothing is asked, no apt source is edited, and no server is
# started or enabled. When nothing is missing it says nothing and takes a few milliseconds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
arm64=$root/build/arm64
mariadb=$root/build/mariadb
policy=/usr/sbin/policy-rc.d

declare -A group=(
    [build]="gcc libc6-dev meson ninja-build pkgconf python3-minimal libevent-dev libmariadb-dev
             libssl-dev libyaml-dev libsystemd-dev libxxhash-dev libcurl4-openssl-dev"
    [demo]="redis-server mariadb-server-core mariadb-client-core python3-minimal python3-redis python3-pymysql"
    [test]="clang libclang-rt-dev clang-tidy clang-format libcmocka-dev libhiredis-dev libpq-dev valgrind redis-server
            mariadb-server-core mariadb-client-core python3-pytest python3-redis python3-pymysql jq
            python3-gevent python3-greenlet python3-aiohttp python3-aiomysql ca-certificates gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
            nghttp2-server shellcheck openssl binutils procps groff-base"
    [bench]="redis-server mariadb-server-core mariadb-client-core python3-redis python3-pymysql
             python3-aiomysql python3-aiohttp python3-uvloop python3-gevent python3-greenlet
             golang-go golang-github-go-sql-driver-mysql-dev libhiredis-dev libuv1-dev libcurl4-openssl-dev"
    [package]="build-essential debhelper dpkg-dev lintian debootstrap valgrind-if-available systemd"
)
# Releases without yyjson, and who lends it to them. Its package needs no newer libc.
declare -A lender=([bookworm]=trixie [noble]=resolute)
# Who has the other MariaDB that tests run against: 11.8 for Debian 12, 10.11 for Debian 13.
declare -A other_mariadb=([bookworm]=trixie [trixie]=bookworm)

die()
{
    echo "deps: $*" >&2
    exit 1
}

# Prints those of the given packages that are not installed.
missing()
{
    local name
    declare -A have=()
    while read -r name _ _ status; do
        [ "$status" != installed ] || have[$name]=1
    done < <(dpkg-query -W -f '${Package} ${Status}\n' "$@" 2>/dev/null || true)
    for name; do
        [ -n "${have[$name]:-}" ] || echo "$name"
    done
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        die "neither root nor sudo: cannot install ${missing_packages[*]}"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Runs a command and shows what it said only when it fails.
quietly()
{
    local said
    said=$("$@" 2>&1 </dev/null) || die "$*: failed"$'\n'"$said"
}

put_policy_back()
{
    rm -f "$policy"
    [ ! -e "$policy.headrace-saved" ] || mv "$policy.headrace-saved" "$policy"
}

# Runs as root. While dpkg works, policy-rc.d denies every start; a machine's own is put back
# afterwards, also when a run before was killed half-way.
install_as_root()
{
    [ ! -e "$policy.headrace-saved" ] || put_policy_back
    [ ! -e "$policy" ] || mv "$policy" "$policy.headrace-saved"
    trap put_policy_back EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"

    local apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    quietly "${apt[@]}" update
    quietly "${apt[@]}" install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"

    # What was not there before shall not start with the machine either. The helper works for packages
    # only; systemctl is not on every machine.
    case " $* " in *" redis-server "*)
        DPKG_MAINTSCRIPT_PACKAGE=redis-server deb-systemd-helper disable redis-server.service >/dev/null || true
        update-rc.d redis-server disable >/dev/null 2>&1 || true
        ;;
    esac
}

# Prints this machine's own apt entries for its release's archive, asking for another suite instead
# (one-line entries become $1/entry.list, deb822 ones $1/entry.sources): mirror, keys and options
# stay what the user chose.
apt_entries_for()
{
    local dir=$1 suite=$2 release=$3 parts=main
    [ "$ID" != ubuntu ] || parts="main universe"
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        awk -v s="$suite" -v r="$release" -v parts="$parts" '
        $1 == "deb" {
            for (i = 2; i < NF; i++)
                if ($i == r) {
                    line = ""
                    for (n = 1; n < i; n++)
                        line = line $n " "
                    print line s " " parts
                }
        }' >"$dir/entry.list"
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
        awk -v s="$suite" -v r="$release" -v parts="$parts" '
        function flush()
        {
            if (wanted)
                print text
            text = ""
            wanted = 0
        }
        FNR == 1 || /^[ \t]*$/ { flush() }
        /^#/ || /^[ \t]*$/ { next }
        tolower($1) == "suites:" {
            for (i = 2; i <= NF; i++)
                wanted = wanted || $i == r
            $0 = "Suites: " s
        }
        tolower($1) == "components:" { $0 = "Components: " parts }
        tolower($1) == "types:" { $0 = "Types: deb" }
        { text = text $0 "\n" }
        END { flush() }' >"$dir/entry.sources"
    [ -s "$dir/entry.list" ] || [ -s "$dir/entry.sources" ]
}

# Makes an apt whose state is all its own, of this machine's sources: leaves its folder in tmp, which
# goes with this process, and its options in apt_options. own_apt SUITE [OPTION]...
own_apt()
{
    local suite=$1
    shift
    mkdir -p "$root/build"
    tmp=$(mktemp -d "$root/build/deps.XXXXXX")
    # shellcheck disable=SC2064 # tmp is wanted as it is now
    trap "rm -rf '$tmp'" EXIT
    mkdir -p "$tmp"/{sources,lists/partial,cache/archives/partial,debs,root,out/lib/pkgconfig}
    apt_entries_for "$tmp/sources" "$suite" "$VERSION_CODENAME" || return
    apt_options=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$tmp/sources"
        -o Dir::Etc::PreferencesParts=/dev/null
        -o "Dir::State::Lists=$tmp/lists" -o "Dir::Cache=$tmp/cache"
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@")
    # An entry of somebody else's that has no such suite fails here; what counts is the download.
    apt-get -qq "${apt_options[@]}" update || true
}

# Downloads packages with that apt and unpacks them into $tmp/root.
unpack()
{
    (cd "$tmp/debs" && apt-get -qq "${apt_options[@]}" download "$@") || return
    local deb
    for deb in "$tmp"/debs/*.deb; do
        dpkg -x "$deb" "$tmp/root"
    done
}

drop_own_apt()
{
    rm -rf "$tmp"
    trap - EXIT
}

# What is lent is unpacked into build/deps (include, lib, lib/pkgconfig).
fetch_yyjson()
{
    [ -e "$deps/lib/pkgconfig/yyjson.pc" ] && return
    echo "deps: fetching libyyjson0 and libyyjson-dev of $1 into build/deps"
    own_apt "$1" ||
        die "no apt source of this machine serves $VERSION_CODENAME, so where to get libyyjson-dev is unknown"
    unpack libyyjson0 libyyjson-dev
    cp -r "$tmp/root/usr/include" "$tmp/out/"
    cp -P "$tmp"/root/usr/lib/*/libyyjson.so* "$tmp/out/lib/"
    cp "$tmp/root/usr/share/doc/libyyjson0/copyright" "$tmp/out/copyright"
    # shellcheck disable=SC2016 # pkg-config expands them
    sed -e 's|^prefix=.*|prefix=${pcfiledir}/../..|' -e 's|^libdir=.*|libdir=${prefix}/lib|' \
        -e 's|^includedir=.*|includedir=${prefix}/include|' \
        "$tmp"/root/usr/lib/*/pkgconfig/yyjson.pc >"$tmp/out/lib/pkgconfig/yyjson.pc"
    chmod -R u=rwX,go=rX "$tmp/out"
    rm -rf "$deps"
    mv "$tmp/out" "$deps"
    drop_own_apt
}

# What the runtime and its tests need on 64-bit ARM is unpacked into build/arm64; the machine itself
# learns of no foreign architecture. Without it that stage of the tests is skipped: not every mirror
# has other architectures.
fetch_arm64()
{
    [ -e "$arm64/where.ini" ] && return
    echo "deps: fetching libevent and cmocka for arm64 into build/arm64"
    local event=()
    if own_apt "$VERSION_CODENAME" -o APT::Architecture=arm64 -o APT::Architectures=arm64 &&
        mapfile -t event < <(apt-cache "${apt_options[@]}" pkgnames libevent-core) &&
        unpack libevent-dev libcmocka-dev libcmocka0 "${event[@]}"; then
        printf "[constants]\nlibraries = '%s'\n" "$arm64" >"$tmp/root/where.ini"
        chmod -R u=rwX,go=rX "$tmp/root"
        rm -rf "$arm64"
        mv "$tmp/root" "$arm64"
    else
        echo "deps: this machine's apt sources have no arm64; the tests do without" >&2
    fi
    drop_own_apt
}

# Lets the programs of a foreign release in $1/usr run by that release's own libraries.
bring_libraries()
{
    local program
    for program in "$1"/usr/bin/* "$1"/usr/sbin/*; do
        if [ -L "$program" ] || [ "$(head -c 4 "$program" | tail -c 3)" != ELF ]; then
            continue
        fi
        mv "$program" "$program.elf"
        cat >"$program" <<'SH'
#!/bin/sh
# Runs this program of another release by that release's own libraries, wherever its folder lies.
program=$(readlink -f "$0")
root=${program%/usr/*}
libraries=''
for folder in "$root"/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu; do
    [ ! -d "$folder" ] || libraries=$libraries${libraries:+:}$folder
    for found in "$folder"/ld-linux-*.so.*; do
        [ ! -e "$found" ] || loader=$found
    done
done
case $program in
*/mariadbd) set -- "$@" --basedir="$root/usr" ;;
esac
exec "$loader" --library-path "$libraries" "$program.elf" "$@"
SH
        chmod 755 "$program"
    done
}

# A MariaDB of another series than this release's is unpacked into build/mariadb with all that it
# needs; the machine itself keeps its own. Without it that stage of the tests is skipped.
fetch_mariadb()
{
    [ -e "$mariadb/usr/sbin/mariadbd" ] && return
    echo "deps: fetching the MariaDB of $1 into build/mariadb"
    local names=()
    # To an apt that knows of nothing installed, all that it would install is what has to be there.
    if own_apt "$1" -o Dir::State::Status=/dev/null &&
        mapfile -t names < <(apt-get "${apt_options[@]}" -s --no-install-recommends install \
            mariadb-server-core mariadb-client-core 2>/dev/null | awk '$1 == "Inst" { print $2 }') &&
        [ ${#names[@]} -gt 0 ] && unpack "${names[@]}"; then
        rm -rf "$tmp"/root/usr/share/{doc,man,locale}
        chmod -R u=rwX,go=rX "$tmp/root"
        bring_libraries "$tmp/root"
        rm -rf "$mariadb"
        mv "$tmp/root" "$mariadb"
    else
        echo "deps: this machine's apt sources have no $1; the tests do without its MariaDB" >&2
    fi
    drop_own_apt
}

# The peers on Node.js, where the machine has npm; the benchmark says when it does without them.
fetch_node_peers()
{
    local wanted=$root/tests/bench/peers/node/package.json
    command -v npm >/dev/null || return 0
    cmp -s "$wanted" "$deps/node/package.json" && return
    echo "deps: fetching the benchmark's peers on Node.js into build/deps/node"
    mkdir -p "$deps/node"
    cp "$wanted" "$deps/node/package.json"
    npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix "$deps/node" ||
        rm -rf "$deps/node"
}

if [ "${1:-}" = --install-as-root ]; then
    shift
    install_as_root "$@"
    exit
fi

command -v apt-get >/dev/null || die "this machine has no apt-get; see packaging/deps.sh for what is needed"
# shellcheck disable=SC1091 # the machine's own
. /etc/os-release

[ $# -gt 0 ] || set -- build
wanted=()
yyjson=''
cross=no
mariadb_of=''
node=no
for name; do
    [ -n "${group[$name]:-}" ] || die "no such group: $name (there are: ${!group[*]})"
    read -r -d '' -a names <<<"${group[$name]}" || true
    wanted+=("${names[@]}")
    if [ "$name" = build ]; then
        yyjson=${lender[${VERSION_CODENAME:-}]:-}
        [ -n "$yyjson" ] || wanted+=(libyyjson-dev)
    fi
    # Debian 12 has it in systemd.
    [ "$name" != package ] || [ "${VERSION_CODENAME:-}" = bookworm ] || wanted+=(systemd-dev)
    if [ "$name" = test ]; then
        cross=yes
        mariadb_of=${other_mariadb[${VERSION_CODENAME:-}]:-}
    fi
    [ "$name" != bench ] || node=yes
done

mapfile -t missing_packages < <(missing "${wanted[@]}" | sort -u)
if [ ${#missing_packages[@]} -gt 0 ]; then
    echo "deps: installing ${missing_packages[*]}"
    as_root bash "${BASH_SOURCE[0]}" --install-as-root "${missing_packages[@]}"
fi
[ -z "$yyjson" ] || fetch_yyjson "$yyjson"
[ "$cross" = no ] || fetch_arm64
[ -z "$mariadb_of" ] || fetch_mariadb "$mariadb_of"
[ "$node" = no ] || fetch_node_peers
