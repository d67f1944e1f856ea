# shellcheck shell=bash
# What the scripts share: where things lie, and how programs are built. Sourced, never run.

escan_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
escan_cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/escan
escan_requirements=$escan_root/tests/integration/requirements.txt
system_python=/usr/bin/python3

# use_gpu: whether this machine is set up to serve on a GPU. ESCAN_GPU=on or off decides it; without
# that, whether there is an NVIDIA driver.
use_gpu() {
  case "${ESCAN_GPU:-}" in
    on) return 0 ;;
    off) return 1 ;;
    "") ;;
    *) die "ESCAN_GPU is \"$ESCAN_GPU\": expected on, off or nothing" ;;
  esac
  [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null ||
    /sbin/ldconfig -p | grep 'libnvidia-ml\.so\.1 ' >/dev/null
}

step() { printf '==> %s\n' "$*" >&2; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Where the wheels of torch are. A GPU needs many more, which have a folder of their own.
torch_folder() {
  local suffix=
  if use_gpu; then suffix=-cuda; fi
  printf '%s/torch-2.11.0%s' "$escan_cache" "$suffix"
}

# The compiler for CUDA: one of CUDA 13 that is installed, else that of the set-up, else none.
cuda_compiler() {
  local compiler
  for compiler in "$(command -v nvcc)" /usr/local/cuda/bin/nvcc "$(torch_folder)/nvidia/cu13/bin/nvcc"; do
    if [ -x "$compiler" ] && "$compiler" --version | grep 'release 13\.' >/dev/null; then
      printf '%s' "$compiler"
      return 0
    fi
  done
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
  local preset=$1 compiler cascade_python
  shift
  compiler=$(cuda_compiler)
  cascade_python=$("$escan_root/scripts/escan-cascade" where)
  step "building preset $preset${*:+: $*}"
  (
    cd "$escan_root" || exit
    cmake --preset "$preset" -DESCAN_TORCH_ROOT="$(torch_folder)" \
      -DESCAN_TEST_PYTHON="$(test_environment)/bin/python" \
      ${cascade_python:+-DESCAN_CASCADE_PYTHON="$cascade_python"} \
      ${compiler:+-DCMAKE_CUDA_COMPILER="$compiler" -DCUDAToolkit_ROOT="${compiler%/bin/nvcc}"}
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
