#!/usr/bin/env bash
# Fuzzes every reader of what comes from outside, one after the other, SECONDS each (60). What makes
# one fail is left in build/fuzz/found, and ends the script with status 1 once all have run. Inputs
# that reach new code are kept in build/fuzz/corpus; tests/fuzz/corpus is read and not changed.
#
#   scripts/fuzz.sh [SECONDS [NAME...]]
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$escan_root"

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "found \"$seconds\" seconds, expected a whole number from 1 on"
shift $(($# > 0 ? 1 : 0))
names=("$@")
if [ ${#names[@]} -eq 0 ]; then mapfile -t names < <(ls tests/fuzz/corpus); fi
for name in "${names[@]}"; do
  [ -d "tests/fuzz/corpus/$name" ] || die "there is nothing named \"$name\" in tests/fuzz/corpus"
done

build_preset fuzz fuzz_programs
mkdir -p build/fuzz/found
failed=()
for name in "${names[@]}"; do
  kept=build/fuzz/corpus/$name
  mkdir -p "$kept"
  step "fuzzing $name for $seconds s"
  build/fuzz/bin/"fuzz-$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
    "$kept" "tests/fuzz/corpus/$name" || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}; the inputs are in build/fuzz/found"
