#!/usr/bin/env bash
# Proves the Debian package: makes it, has lintian look at it, and in a fresh Debian root file system
# installs it with apt, serves the example under a real systemd, has its watchdog restart it, drains and
# purges it. Needs root, mmdebstrap, lintian and the set-up of scripts/setup.sh.
set -euo pipefail
# shellcheck source=scripts/debian_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian_root.sh"
# shellcheck source=scripts/systemd_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/systemd_root.sh"

# In name spaces of its own, so that every mount and process ends with this command.
if [ "${1:-}" != --isolated ]; then
  build_preset release programs pages
  (cd "$escan_root/build/release" && rm -rf packages && cpack -G DEB)
  work=$(mktemp -d /var/tmp/escan-package.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  unshare --mount --pid --fork --mount-proc --kill-child -- "$0" --isolated "$work"
  exit
fi
root=$2/root

in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
expect() { "$@" || die "failed: $*"; }

install_package() {
  make_debian_root "$root"
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/dev/shm"
  cp "$escan_root"/build/release/packages/escan_*.deb "$root/root/escan.deb"
  step "apt install ./escan.deb"
  local environment
  mapfile -t environment < <(package_environment)
  in_root "${environment[@]}" DEBIAN_FRONTEND=noninteractive \
    sh -c 'cd /root && apt-get update && apt-get install --yes --no-install-recommends ./escan.deb'
}

check_files() {
  expect in_root getent passwd escan
  [ "$(in_root stat -c '%a %U %G' /etc/escan)" = "750 root escan" ] ||
    die "/etc/escan: expected mode 750, root, escan"
  expect grep --quiet '^ExecStart=/usr/bin/escand ' "$root/usr/lib/systemd/system/escand.service"
  in_root systemd-analyze verify /usr/lib/systemd/system/escand.service 2>&1 | tee "$root/root/said"
  [ ! -s "$root/root/said" ] || die "systemd-analyze verify: expected no word"
}

serve() {
  step "starting the service under a systemd of the root's own"
  cp -r "$root/usr/share/doc/escan/examples/fashion_mnist/." "$root/etc/escan/"
  in_root chown -R root:escan /etc/escan
  umount "$root/proc" "$root/dev/shm"
  boot_root "$root"
  in_booted systemctl start escand || die "$(in_booted journalctl --unit=escand --no-pager)"
  in_booted systemctl show escand --property=User,MainPID,StatusText,NoNewPrivileges
  [ "$(in_booted systemctl show escand --property=StatusText --value)" = ready ] ||
    die "status: expected ready"
  in_booted setpriv --reuid=nobody --regid=escan --clear-groups escanctl health
  in_booted escan-loadgen --requests 500 --warmup-requests 10
  [ -d "$root/var/cache/escan" ] || die "no cache folder"
}

# A daemon that stands still is ended by systemd within WatchdogSec and started anew.
watchdog() {
  step "stopping the daemon's process: the watchdog restarts it"
  local end=$((SECONDS + 120))
  in_booted systemctl kill --kill-whom=main --signal=STOP escand
  until [ "$(in_booted systemctl show escand --property=NRestarts --value)" = 1 ] &&
    in_booted escanctl --timeout 1s health >/dev/null 2>&1; do
    ((SECONDS < end)) || die "not restarted: $(in_booted journalctl --unit=escand --no-pager)"
    sleep 1
  done
  in_booted journalctl --unit=escand --no-pager | grep --max-count=1 'Watchdog timeout' ||
    die "restarted, but not by the watchdog"
}

stop() {
  step "systemctl stop drains"
  in_booted systemctl stop escand
  [ "$(in_booted systemctl show escand --property=Result --value)" = success ] ||
    die "the service did not end well"
  in_booted journalctl --unit=escand --no-pager | grep --max-count=1 draining || die "not drained"
}

# Also while it runs.
remove() {
  step "removing and purging it"
  in_booted systemctl start escand
  in_booted apt-get purge --yes escan
  ! in_booted systemctl is-active --quiet escand || die "the service still runs"
  end_root
  [ ! -e "$root/usr/bin/escand" ] || die "/usr/bin/escand is left"
  [ ! -e "$root/usr/lib/escan" ] || die "/usr/lib/escan is left"
  [ -e "$root/etc/escan/escand.yaml" ] || die "the operator's configuration is gone"
}

step "lintian"
lintian --allow-root --fail-on error,warning "$escan_root"/build/release/packages/*.deb
install_package
check_files
serve
watchdog
stop
remove
step "the package was installed, served, was restarted, drained and was purged"
