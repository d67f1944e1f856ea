#!/usr/bin/env bash
# Proves the Debian package: makes it, has lintian look at it, and in a fresh Debian root file system
# installs it with apt, serves the example as the service's user, drains, removes and purges it. Needs
# root, mmdebstrap, lintian and the set-up of scripts/setup.sh.
set -euo pipefail
# shellcheck source=scripts/debian_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian_root.sh"

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
service=

in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
as_service() { in_root setpriv --reuid=escan --regid=escan --clear-groups "$@"; }
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
  step "serving the example as the user escan"
  cp -r "$root/usr/share/doc/escan/examples/fashion_mnist/." "$root/etc/escan/"
  in_root chown -R root:escan /etc/escan
  in_root install --directory --owner=escan --group=escan /run/escan
  as_service escand --config /etc/escan/escand.yaml --check-config --load >/dev/null
  as_service escand --config /etc/escan/escand.yaml --listen 127.0.0.1:0 --metrics off \
    2>"$root/root/log" &
  service=$!
  local end=$((SECONDS + 120))
  until as_service escanctl health >/dev/null 2>&1; do
    if ! kill -0 "$service" || ((SECONDS > end)); then die "not ready: $(cat "$root/root/log")"; fi
    sleep 1
  done
  as_service escan-loadgen --target "$(listening_address "$root/root/log")" --requests 200 \
    --warmup-requests 10
  as_service escanctl drain --wait
  wait "$service" || die "escand ended with status $?"
}

remove() {
  step "removing and purging it"
  in_root apt-get purge --yes escan
  [ ! -e "$root/usr/bin/escand" ] || die "/usr/bin/escand is left"
  [ ! -e "$root/usr/lib/escan" ] || die "/usr/lib/escan is left"
  [ -e "$root/etc/escan/escand.yaml" ] || die "the operator's configuration is gone"
}

step "lintian"
lintian --allow-root --fail-on error,warning "$escan_root"/build/release/packages/*.deb
install_package
check_files
serve
remove
step "the package was installed, served, drained and was purged"
