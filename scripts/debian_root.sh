# shellcheck shell=bash
# Fresh Debian root file systems for the checks that need one. Sourced, never run; needs root and
# mmdebstrap. Sources come from mmdebstrap's default mirror, or from what ESCAN_MIRROR names in a
# form that mmdebstrap takes (an address, a sources.list line, a file).

# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The variables of pip and of proxies that hold in a root made here, as NAME=VALUE lines.
package_environment() {
  env | grep -E '^(PIP_|https?_proxy=|HTTPS?_PROXY=|no_proxy=|NO_PROXY=)' | grep -v '^PIP_CERT=' || true
  [ -z "${PIP_CERT:-}" ] || echo PIP_CERT=/etc/ssl/escan-package-index.crt
}

# make_debian_root FOLDER: Debian 12, as small as it comes, with the host's settings of pip.
make_debian_root() {
  local root=$1
  step "making a fresh Debian root file system in $root"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$root" \
    ${ESCAN_MIRROR:+"$ESCAN_MIRROR"}
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  [ -z "${PIP_CERT:-}" ] || cp "$PIP_CERT" "$root/etc/ssl/escan-package-index.crt"
  [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
}

# copy_checkout FOLDER: the checkout as git would carry it, changes that are not committed included.
copy_checkout() {
  mkdir -p "$1"
  git -C "$escan_root" ls-files -z --cached --others --exclude-standard |
    tar -C "$escan_root" --null --files-from=- --create | tar -C "$1" --extract
}
