#!/usr/bin/env bash
# Runs the benchmarks of tests/benchmarks and prints their figures as the tables of
# docs/performance.md. Takes about four minutes; nothing else should run on the machine.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

results=$escan_root/build/benchmarks
work=
running=

usage() {
  cat <<USAGE
usage: $(basename "$0") [--bin FOLDER]
Builds the release preset and measures it; with --bin, measures the programs in FOLDER as they are.
The figures are printed, and kept with every single measurement in
$results
USAGE
}

# Also when the script is interrupted. The servers that a benchmark started end with it.
clean_up() {
  [ -z "$running" ] || kill -TERM "$running" 2>/dev/null || true
  wait
  [ -z "$work" ] || rm -rf "$work"
}

# measure PROGRAM [FLAG...]: every measurement goes to $results/PROGRAM.json, what it says to .log.
# Its temporary files lie where clean_up finds them.
measure() {
  local program=$1
  shift
  step "running $program"
  TMPDIR=$work "$bin/$program" --benchmark_out="$results/$program.json" \
    --benchmark_out_format=json "$@" >"$results/$program.log" 2>&1 &
  running=$!
  wait "$running" || { cat "$results/$program.log" >&2 && die "$program failed"; }
  running=
}

main() {
  local bin=$escan_root/build/release/bin build=true
  case "${1:-}" in
    "") ;;
    --bin)
      bin=${2:?--bin needs a folder}
      build=false
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

  if $build; then
    "$escan_root/scripts/setup.sh"
    leave_sudo "$@"
    build_preset release front_end_benchmark engine_benchmark scheduler_benchmark
  fi

  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir -p "$results"
  measure scheduler_benchmark --benchmark_repetitions=5
  measure engine_benchmark
  measure front_end_benchmark
  "$system_python" "$escan_root/scripts/evaluate.py" benchmark-report "$results" |
    tee "$results/figures.md"
}

main "$@"
