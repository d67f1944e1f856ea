#!/usr/bin/env bash
# Proves the set-up: runs a script of this checkout (scripts/quickstart.sh unless another is named,
# with its arguments) in a fresh Debian root file system. Needs root, mmdebstrap and git.
set -euo pipefail
# shellcheck source=scripts/debian_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian_root.sh"

[ $# -gt 0 ] || set -- scripts/quickstart.sh
root=$(mktemp -d /var/tmp/escan-root.XXXXXX)
trap 'rm -rf "$root"' EXIT
make_debian_root "$root"
copy_checkout "$root/root/escan"
mapfile -t environment < <(package_environment)

# Mounts and processes live in name spaces of their own, so that they end with this command.
step "running $* in it"
# shellcheck disable=SC2016
unshare --mount --pid --fork --kill-child -- bash -c '
  set -euo pipefail
  root=$1
  shift
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/dev/shm"
  exec chroot "$root" "$@"' bash "$root" \
  /usr/bin/env -i "${environment[@]}" HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  bash -c 'cd /root/escan && exec "$@"' bash "$@"
