#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Proves that the packages work where they are meant to: installs them on a plain Debian of this
# machine's release, boots it with systemd, lets the service carry an item from Redis into MariaDB
# as a user would set it up, and purges them again.
#
#   packaging/test-deb.sh FOLDER      as root or with sudo; the folder holds the .deb files
# shellcheck disable=SC2016 # what stands in single quotes, inner shells expand
set -euo pipefail
[ "$(id -u)" = 0 ] || exec sudo bash "${BASH_SOURCE[0]}" "$@"

debs=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC1091 # the machine's own
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk -v r="$release" '$1 == r { print $2; exit }')

base=$(mktemp -d /var/tmp/headrace-deb.XXXXXX)
plain=$base/root
booted='' init=''
cgroup=/sys/fs/cgroup/unified
[ -d "$cgroup" ] || cgroup=/sys/fs/cgroup
cgroup=$cgroup/headrace-deb-$$

clean_up()
{
    if [ -n "$booted" ]; then
        [ -z "$init" ] || kill -KILL "$init" 2>/dev/null || true
        wait "$booted" 2>/dev/null || true
        find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    fi
    rm -rf --one-file-system "$base"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

step()
{
    printf '%4d s  %s\n' $SECONDS "$*"
}

fail()
{
    echo "test-deb: $*" >&2
    [ -z "$init" ] || inside journalctl --no-pager -u headraced -n 60 >&2 || true
    exit 1
}

# Runs a command in the root that is not booted; nothing it installs starts.
in_root()
{
    unshare --mount --propagation private --pid --fork sh -c '
        cd "$1"; shift
        mount --bind /dev dev; mount -t proc proc proc; mount -t tmpfs tmpfs run
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive chroot . "$@"' sh "$plain" "$@" </dev/null
}

# Boots the root with systemd as its process 1, with no network but loopback.
boot()
{
    mkdir "$cgroup"
    sh -c 'echo $$ >"$2/cgroup.procs"
        exec unshare --mount --propagation private --uts --ipc --net --pid --cgroup --fork sh -ec "
            mount --bind $1 $1; cd $1
            mount -t proc proc proc; mount -t sysfs -o ro sysfs sys
            mount -t cgroup2 cgroup2 sys/fs/cgroup
            mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs dev
            for node in null zero full random urandom tty; do
                touch dev/\$node; mount --bind /dev/\$node dev/\$node
            done
            ln -s /proc/self/fd dev/fd; mkdir dev/shm dev/pts
            mount -t tmpfs tmpfs dev/shm; mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
            ln -s pts/ptmx dev/ptmx
            hostname plain; chroot . ip link set lo up
            pivot_root . mnt
            exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin \
                chroot . sh -c \"umount -l /mnt; exec /lib/systemd/systemd\""' sh "$plain" "$cgroup" \
        </dev/null >"$base/console" 2>&1 &
    booted=$!
    local end=$((SECONDS + 120))
    until init=$(cat "/proc/$booted/task/$booted/children" 2>/dev/null) && init=${init% } &&
        [ -n "$init" ] && inside test -S /run/systemd/private; do
        kill -0 "$booted" 2>/dev/null || {
            cat "$base/console"
            fail "the system did not boot"
        }
        [ $SECONDS -lt "$end" ] || fail "the system does not finish booting"
        sleep 0.1
    done
    inside timeout 60 systemctl is-system-running --wait || fail "booted with $(inside systemctl --failed --plain)"
}

inside()
{
    nsenter --target "$init" --all --root --wd -- "$@" </dev/null 2>&1
}

# wait_for WHAT SECONDS COMMAND...: until the command succeeds
wait_for()
{
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt "$end" ] || fail "waited in vain: $what"
        sleep 0.2
    done
}

rows_are()
{
    [ "$(inside mariadb -NBe 'SELECT COUNT(*) FROM shop.orders')" = "$1" ]
}

push()
{
    inside redis-cli RPUSH orders "{\"uid\": \"$1\", \"amount\": 12.34}" >/dev/null
}

# --- a plain system with the packages on it

step "debootstrap $release"
debootstrap --variant=minbase "$release" "$plain" "$mirror" >"$base/log" 2>&1 || {
    tail "$base/log"
    fail "debootstrap failed"
}
cp /etc/resolv.conf "$plain/etc/"
printf '#!/bin/sh\nexit 101\n' >"$plain/usr/sbin/policy-rc.d"
chmod 755 "$plain/usr/sbin/policy-rc.d"

step "install"
mkdir "$plain/debs"
find "$debs" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' -exec cp {} "$plain/debs/" \;
in_root sh -ec '
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends /debs/*.deb
    # What a user of the libraries has: a compiler, pkg-config and our headers.
    apt-get -qq install -y --no-install-recommends gcc libc6-dev pkgconf
    apt-get -qq install -y --no-install-recommends systemd-sysv redis-server mariadb-server iproute2
    ' >"$base/log" 2>&1 || {
    tail -n 40 "$base/log"
    fail "the packages do not install"
}
rm "$plain/usr/sbin/policy-rc.d"
# The kernel is not its own.
ln -s /dev/null "$plain/etc/systemd/system/systemd-modules-load.service"

step "the libraries are found by a program that uses them"
mkdir "$plain/app"
cp "$here/test-app.c" "$plain/app/"
in_root sh -ec 'cd /app
    cc -Wall -Werror -std=gnu17 test-app.c -o test-app $(pkg-config --cflags --libs headrace-clients)
    ./test-app' || fail "a program cannot use the libraries"

# --- the service, as its user sets it up

step "boot"
boot
[ "$(inside systemctl is-active headraced)" = inactive ] || fail "runs without a configuration"
[ "$(inside systemctl is-enabled headraced)" = enabled ] || fail "is not enabled"
inside systemd-analyze verify --man=no headraced.service headraced@2.service || fail "systemd minds the units"

step "a job"
inside mariadb -e "
    CREATE DATABASE shop;
    CREATE TABLE shop.orders (uid VARCHAR(36) PRIMARY KEY, amount DECIMAL(10,2) NOT NULL);
    CREATE USER headrace@localhost IDENTIFIED VIA unix_socket;
    GRANT ALL ON shop.* TO headrace@localhost" || fail "MariaDB does not answer"
cat >"$plain/etc/headrace/headrace.yaml" <<'YAML'
version: 1
instance: "%H-%i"
servers:
  queue: { redis: { url: "redis://127.0.0.1:6379/0" } }
  shop: { mysql: { url: "mysql://headrace@/shop?socket=/run/mysqld/mysqld.sock" } }
YAML
cat >"$plain/etc/headrace/jobs.d/orders.yaml" <<'YAML'
source: { redis_list: { server: queue, key: orders, lease: 5s } }
decode: json
sink:
  mysql:
    server: shop
    statement: INSERT INTO orders (uid, amount) VALUES (:uid, :amount)
    params: { uid: .uid, amount: .amount }
YAML
inside headracectl check --config /etc/headrace || fail "headracectl check refuses the configuration"
inside systemctl start headraced || fail "the service does not start"
push first
wait_for "the first row" 20 rows_are 1
inside setpriv --reuid nobody --regid headrace --clear-groups headracectl status ||
    fail "a member of the group cannot ask for the status"
! inside setpriv --reuid nobody --regid nogroup --clear-groups headracectl status >/dev/null ||
    fail "anyone can ask for the status"
inside systemctl show -P StatusText headraced
[ "$(inside stat -c '%a %G' /run/headrace/admin.sock)" = '660 headrace' ] ||
    fail "the admin socket is $(inside stat -c '%a %U:%G' /run/headrace/admin.sock)"

step "reload, kill, a second instance"
inside systemctl reload headraced || fail "reload fails"
pid=$(inside systemctl show -P MainPID headraced)
inside systemctl kill --signal=KILL headraced
wait_for "a restart" 20 sh -c "[ \"\$(nsenter -t $init -a -r systemctl show -P MainPID headraced)\" -gt 0 ] &&
    [ \"\$(nsenter -t $init -a -r systemctl show -P MainPID headraced)\" != $pid ]"
push second
wait_for "a row after the restart" 20 rows_are 2
inside systemctl start headraced@2 || fail "a second instance does not start"
inside headracectl status --socket /run/headrace/2/admin.sock >/dev/null || fail "the second instance does not answer"
inside systemctl stop headraced headraced@2 || fail "the services do not stop"
[ "$(inside systemctl show -P Result headraced)" = success ] || fail "it did not stop cleanly"

step "purge"
inside sh -ec 'rm /etc/headrace/headrace.yaml /etc/headrace/jobs.d/orders.yaml
    dpkg --purge headrace libheadrace-dev libheadrace-http0 libheadrace-clients0 libheadrace-patch0 libheadrace0' >"$base/log" || {
    cat "$base/log"
    fail "purging fails"
}
left=$(inside sh -c 'ls -d /etc/headrace /usr/lib/headrace /usr/include/headrace /run/headrace \
    /lib/systemd/system/headraced* /etc/systemd/system/*/headraced* /usr/lib/*/libheadrace* 2>/dev/null' || true)
[ -z "$left" ] || fail "left behind: $left"
step "installed, ran and purged on a plain $release"
