# shellcheck shell=bash
# What the scripts share: where things lie, and how programs are built. Sourced, never run.

escan_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
escan_cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/escan
escan_torch=$escan_cache/torch-2.11.0
escan_requirements=$escan_root/tests/integration/requirements.txt
system_python=/usr/bin/python3

step() { printf '==> %s\n' "$*" >&2; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Under sudo only Debian packages are installed as root. The cache and the build belong to the user
# who called sudo, if the checkout is that user's: starts the running script again as that user.
leave_sudo() {
  [ "$(id -u)" -eq 0 ] && [ "${SUDO_UID:-0}" -ne 0 ] || return 0
  [ "$(stat -c %u "$escan_root")" -eq "$SUDO_UID" ] || return 0
  local home
  home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
  exec runuser -u "$SUDO_USER" -- env HOME="$home" USER="$SUDO_USER" "$0" "$@"
}

# The virtual environment of the integration tests: another one for other requirements or another
# Python, so that checkouts share the cache without disturbing each other.
test_environment() {
  local key
  key=$({ "$system_python" --version; cat "$escan_requirements"; } | sha256sum | cut -c 1-12)
  printf '%s/python-%s' "$escan_cache" "$key"
}

# build_preset PRESET [TARGET...]: configures and builds in build/PRESET; without targets, everything.
build_preset() {
  local preset=$1
  shift
  step "building preset $preset${*:+: $*}"
  (
    cd "$escan_root" || exit
    cmake --preset "$preset" -DESCAN_TORCH_ROOT="$escan_torch" \
      -DESCAN_TEST_PYTHON="$(test_environment)/bin/python"
    cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
  )
}

# test_preset PRESET [CTEST ARGUMENT...]: builds everything, then runs the tests.
test_preset() {
  local preset=$1
  shift
  build_preset "$preset"
  step "testing preset $preset"
  (cd "$escan_root" && ctest --preset "$preset" --parallel "$(nproc)" "$@")
}

# listening_address LOG: where the daemon with this log answers clients.
listening_address() {
  sed -n 's/.*\blistening address=\([^ ]*\).*/\1/p' "$1" | head -n 1
}
