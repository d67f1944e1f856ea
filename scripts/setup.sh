#!/usr/bin/env bash
# Installs what is missing to build and run ESCAN on Debian 12 or Ubuntu 24.04, and nothing else.
# Safe to run again: a second run only looks. docs/installation.md says what goes where.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build_packages=(
  ca-certificates cmake dataset-fashion-mnist g++ libabsl-dev libbenchmark-dev libboost-dev
  libcli11-dev libgmock-dev libgrpc++-dev libgtest-dev libprotobuf-dev libspdlog-dev libssl-dev
  libsystemd-dev libyaml-cpp-dev ninja-build nlohmann-json3-dev pkgconf prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc python3 python3-venv zlib1g-dev
)
# systemd-analyze checks the unit, iproute2 makes networks, curl asks over HTTP, the others check
# completions and pages.
test_packages=(curl fish iproute2 mandoc systemd zsh)
package_packages=(patchelf)
ci_packages=(clang clang-format-14 git libclang-rt-dev shellcheck)

# The fewest wheels with which a C++ program links and runs libtorch on the CPU.
torch_wheels=(torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)

# What torch's metadata asks for beside those and its C++ libraries load on a GPU, at once or when an
# operator wants it. cuBLAS is a newer one: torch's own, 13.1.0.3, answers wrongly in FP16 at most
# thread percentages (docs/verification.md).
gpu_wheels=(
  nvidia-cublas==13.10.0.20 nvidia-cuda-nvrtc==13.0.88 nvidia-cudnn-cu13==9.19.0.56
  nvidia-cufft==12.0.0.61 nvidia-cufile==1.15.1.6 nvidia-curand==10.4.0.35
  nvidia-cusolver==12.0.4.66 nvidia-cusparse==12.6.3.3 nvidia-cusparselt-cu13==0.8.0
  nvidia-nccl-cu13==2.28.9 nvidia-nvjitlink==13.0.88 nvidia-nvshmem-cu13==3.4.5
)
compiler_wheels=(
  nvidia-cuda-cccl==13.0.85 nvidia-cuda-crt==13.0.88 nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88
)

usage() {
  cat <<USAGE
usage: $(basename "$0") [--tests | --package | --ci]
Installs Debian packages and libtorch; --tests adds the Python clients of the integration tests,
--package the tool of scripts/package.sh, --ci all of them and the tools of .ci/run. On a machine with
an NVIDIA driver (ESCAN_GPU=on: on any, ESCAN_GPU=off: on none) libtorch comes with what it needs on
a GPU and with the CUDA compiler.
Files outside of the package manager go to
$escan_cache
USAGE
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "not root and no sudo here: run as root: $*"
  fi
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  step "installing Debian packages: ${missing[*]}"
  as_root apt-get -o Acquire::Retries=3 update
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o Acquire::Retries=3 install --yes --no-install-recommends "${missing[@]}"
}

# The links without which neither CMake nor the linker takes the wheels for a toolkit.
complete_toolkit() {
  ln -s lib "$1/lib64"
  ln -s libcudart.so.13 "$1/lib/libcudart.so"
}

# The folder appears under its name when it is complete: an interrupted run leaves nothing half.
install_torch() {
  local folder wheels=("${torch_wheels[@]}") size="545 MB to download, 1.2 GB unpacked"
  folder=$(torch_folder)
  if use_gpu; then
    wheels+=("${gpu_wheels[@]}" "${compiler_wheels[@]}")
    size="2.6 GB to download, 4.1 GB unpacked"
  fi
  if [ "$(cat "$folder/.complete" 2>/dev/null)" = "${wheels[*]}" ] &&
    [ -e "$folder/torch/lib/libtorch_cpu.so" ]; then
    return 0
  fi
  step "installing from PyPI ($size) into $folder: ${wheels[*]}"
  local partial=$folder.partial
  rm -rf "$partial" "$folder"
  "$system_python" -m venv "$partial/venv"
  "$partial/venv/bin/python" -m pip install --no-cache-dir --no-compile --no-deps \
    --target "$partial/site" "${wheels[@]}"
  if use_gpu; then complete_toolkit "$partial/site/nvidia/cu13"; fi
  printf '%s\n' "${wheels[*]}" >"$partial/site/.complete"
  mv "$partial/site" "$folder"
  rm -rf "$partial"
}

# With which torch's Python, which compiles the packages of the tests, can be imported without a GPU.
make_stubs() {
  local folder
  folder=$(torch_folder)/stubs
  if use_gpu || [ -e "$folder/.complete" ]; then return 0; fi
  step "making stand-ins for CUDA's libraries in $folder"
  "$system_python" "$escan_root/scripts/stub_libraries.py" "$(torch_folder)/torch/lib" "$folder"
  touch "$folder/.complete"
}

install_test_environment() {
  local environment
  environment=$(test_environment)
  [ ! -e "$environment/.complete" ] || return 0
  step "installing the test clients from PyPI into $environment"
  "$system_python" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --no-cache-dir --requirement "$escan_requirements"
  touch "$environment/.complete"
}

# Debian's Prometheus and promtool, unpacked only: installed, its service would be started.
unpack_prometheus() {
  local folder=$escan_cache/prometheus
  [ ! -e "$folder/usr/bin/promtool" ] || return 0
  step "unpacking the Debian package prometheus into $folder"
  rm -rf "$folder" "$folder.partial"
  mkdir -p "$folder.partial"
  (cd "$folder.partial" && apt-get -o Acquire::Retries=3 download prometheus)
  dpkg-deb --extract "$folder.partial"/prometheus_*.deb "$folder.partial"
  rm "$folder.partial"/prometheus_*.deb
  mv "$folder.partial" "$folder"
}

main() {
  local packages=("${build_packages[@]}") tests=false
  case "${1:-}" in
    "") ;;
    --tests)
      tests=true
      packages+=("${test_packages[@]}")
      ;;
    --package) packages+=("${package_packages[@]}") ;;
    --ci)
      tests=true
      packages+=("${test_packages[@]}" "${package_packages[@]}" "${ci_packages[@]}")
      ;;
    --help)
      usage
      return 0
      ;;
    *)
      usage >&2
      return 2
      ;;
  esac
  install_packages "${packages[@]}"
  leave_sudo "$@"

  mkdir -p "$escan_cache"
  exec {lock}>"$escan_cache/lock"
  flock "$lock"
  install_torch
  if $tests; then
    make_stubs
    install_test_environment
    "$escan_root/scripts/escan-cascade" setup >/dev/null
    unpack_prometheus
  fi
  step "set-up is complete"
}

main "$@"
