#!/usr/bin/env bash
# Makes one archive that runs on another Linux distribution: programs, the libraries that they need,
# examples and GPU tests. What it leaves to the machine: glibc, libtorch, CUDA and the NVIDIA driver.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

largest_megabytes=45
# What a program of the package may need and not bring along.
of_the_machine='^(ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv)|lib(torch|c10|cuda)[a-z_]*)\.so'
work=

usage() {
  cat <<USAGE
usage: $(basename "$0") [--output FILE]
Builds the release preset and packs it into FILE, by default
$escan_root/build/escan.tar.gz
USAGE
}

clean_up() { [ -z "$work" ] || rm -rf "$work"; }

# elf_files FOLDER: programs and libraries, each once.
elf_files() {
  local file
  while read -r file; do
    if readelf --file-header "$file" >/dev/null 2>&1; then echo "$file"; fi
  done < <(find "$1" -type f)
}

# Libraries that need each other find each other beside themselves. A DT_RPATH of the programs would
# do without patchelf, but takes precedence over the LD_LIBRARY_PATH that names libtorch.
set_library_paths() {
  find "$1/lib/escan" -type f -exec patchelf --set-rpath "\$ORIGIN" {} +
}

# The terms under which the libraries may be passed on.
copy_terms() {
  local package
  mkdir -p "$1/share/doc/escan/libraries"
  while read -r package; do
    cp "/usr/share/doc/$package/copyright" "$1/share/doc/escan/libraries/$package"
  done < <(for library in "$1"/lib/escan/*; do dpkg-query --search "*/$(basename "$library")"; done |
    cut -d : -f 1 | sort -u)
}

# Every library is in the package or the machine's, and nothing refers to this machine's folders.
check() {
  local file entries path library
  while read -r file; do
    entries=$(readelf --dynamic --wide "$file")
    path=$(sed -n 's/.*R\(UN\)\?PATH).*\[\(.*\)\]/\2/p' <<<"$entries")
    [[ $path =~ ^(\$ORIGIN(/[a-z./]*)?)?$ ]] || die "${file#"$1/"} looks for libraries in $path"
    while read -r library; do
      [ -e "$1/lib/escan/$library" ] || [[ $library =~ $of_the_machine ]] ||
        die "${file#"$1/"} needs $library, which is not in the package"
    done < <(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$entries")
    ! readelf --version-info --wide "$file" | grep --quiet -E 'GLIBC_2\.(3[7-9]|[4-9][0-9])' ||
      die "${file#"$1/"} needs a newer glibc than 2.36"
  done < <(elf_files "$1")
}

# The same files give the same archive. gzip, because every distribution can unpack it.
pack() {
  local output=$1 megabytes
  mkdir -p "$(dirname "$output")"
  tar --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 \
    --create escan | gzip -9 --no-name >"$output.partial"
  mv "$output.partial" "$output"
  megabytes=$(du --apparent-size --block-size=1M "$output" | cut -f 1)
  [ "$megabytes" -le "$largest_megabytes" ] ||
    die "$output has $megabytes MB: expected $largest_megabytes at most"
  step "$output: $megabytes MB"
}

main() {
  local output=$escan_root/build/escan.tar.gz component
  case "${1:-}" in
    "") ;;
    --output) output=$(realpath --canonicalize-missing "${2:?--output needs a file}") ;;
    --help)
      usage
      return 0
      ;;
    *)
      usage >&2
      return 2
      ;;
  esac
  "$escan_root/scripts/setup.sh" --package
  leave_sudo "$@"
  build_preset release package_contents

  work=$(mktemp -d)
  trap clean_up EXIT
  local package=$work/escan
  for component in programs gpu_programs libraries examples gpu_tests; do
    DESTDIR='' cmake --install "$escan_root/build/release" --prefix "$package" --strip \
      --component "$component" >/dev/null
  done
  set_library_paths "$package"
  copy_terms "$package"
  check "$package"
  [ -e "$package/bin/escan-worker-cuda" ] || step "no CUDA 13 compiler here: the package is for CPUs"
  pack "$output"
}

main "$@"
