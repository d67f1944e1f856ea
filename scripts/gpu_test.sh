#!/usr/bin/env bash
# Runs the GPU tests of a package that scripts/package.sh made, or measures with it, on a machine that
# has an NVIDIA driver and a python3 with torch. Needs neither a network nor a build.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

test_seconds=300   # for one test program
verify_seconds=400 # for one cascade at all shares: 165 s on an H200 for heavy, longer with remedies
run_seconds=480    # for all that one run measures

cascades=(text cifar heavy)
stages_and_shares=57 # of a cascade: 3 stages, and a GPU's shares 10, 15, ..., 100 %

# KIND_CASCADE: measured by the function table_KIND, which writes JSON lines on the benchmark cascade to
# a file, or goes on with what an earlier run left there.
tables=(step_heavy plans_heavy grpc_heavy plans_cifar grpc_cifar plans_text grpc_text)
exit_ratios=0.5,0.5
batch_limits=16,32,64

package=
libexec=
work=

usage() {
  cat <<USAGE
usage: $(basename "$0") [--no-verify | --verify-only | --benchmark] [--cascade NAME] [--output FOLDER]
       PACKAGE
PACKAGE is an archive, or the folder that one was unpacked to. Runs all GPU tests, then compares the
answers of each benchmark cascade with right ones at all shares, which takes about six minutes.
  --no-verify     the tests only
  --verify-only   the benchmark cascades only
  --benchmark     measures instead: every table whose JSON is not yet in FOLDER
  --cascade NAME  of the benchmark cascades only this one: heavy, cifar or text
  --output FOLDER gets logs and results; without it that is
                  $PWD/gpu_test
torch is that of ESCAN_TORCH (a site-packages folder), else of the python3 in PATH.
USAGE
}

clean_up() { [ -z "$work" ] || rm -rf "$work"; }

# Sets $package.
open_package() {
  if [ -d "$1" ]; then
    package=$(realpath "$1")
  else
    [ -f "$1" ] || die "$1: no such archive or folder"
    tar --directory "$work" --extract --file "$1"
    package=$work/escan
  fi
  [ -x "$package/bin/escand" ] || die "$1: bin/escand is missing: expected a package of ESCAN"
}

# The site-packages folder of torch, found without importing it, which would take seconds.
find_torch() {
  if [ -n "${ESCAN_TORCH:-}" ]; then
    printf '%s' "$ESCAN_TORCH"
    return 0
  fi
  python3 - <<'PYTHON' || die "$(command -v python3 || echo python3) has no torch: name its site-packages folder in ESCAN_TORCH"
import importlib.util
import pathlib
import sys

found = importlib.util.find_spec('torch')
if found is None or found.origin is None:
  sys.exit(1)
print(pathlib.Path(found.origin).parent.parent, end='')
PYTHON
}

# What a program that is linked with libtorch needs as LD_LIBRARY_PATH.
library_path() {
  local folder path=$ESCAN_TORCH/torch/lib
  for folder in "$ESCAN_TORCH"/nvidia/*/lib; do
    [ ! -d "$folder" ] || path+=:$folder
  done
  printf '%s' "$path${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

# measured COMMAND [ARGUMENT...]: what a table runs, ended when the run's time is over.
measured() {
  local left=$((run_seconds - SECONDS))
  ((left > 0)) || die "the time of this run is over: another one goes on with what is missing"
  timeout --foreground --kill-after=10 "$left" "$@"
}

# cascade_folder CASCADE: the benchmark cascade, written when it is first asked for.
cascade_folder() {
  local folder=$work/cascades/$1
  [ -e "$folder/escand.yaml" ] ||
    python3 "$libexec/evaluate.py" cascades --cascades "$1" --output "$work/cascades" >&2
  printf '%s' "$folder"
}

rows_of_a_request() {
  case $1 in
    heavy) echo 1 ;;
    cifar) echo 16 ;;
    text) echo 8 ;;
  esac
}

# One step of a worker against the bare replay of its graph.
table_step() {
  local folder
  folder=$(cascade_folder "$1")
  measured "${with_torch[@]}" "$libexec/escan-step-benchmark" --model "$folder/medium.pt" \
    --input UINT8:224x224x3 --input FP32:1 --output FP32:1000 --output FP32:1 \
    --score output --score-output 1 --buckets 1,4,16,64 --cache "$work/cache" >"$2"
}

# All plans without gRPC, and each stage alone with the device saturated.
table_plans() {
  local folder plans
  folder=$(cascade_folder "$1")
  printf -v plans '%s,' "$folder"/plans/*.yaml
  measured "$libexec/escan-cascade-benchmark" --config "$folder/escand.yaml" --plans "${plans%,}" \
    --limits "$batch_limits" --exit-ratios "$exit_ratios" --rows "$(rows_of_a_request "$1")" \
    --seconds 2 --stage-limits --output "$2"
}

# The best of those plans through gRPC.
table_grpc() {
  local folder
  folder=$(cascade_folder "$1")
  mkdir -p "$work/grpc"
  measured python3 "$libexec/evaluate.py" grpc --bin "$ESCAN_BIN" --echo "$libexec/escan-echo-server" \
    --folder "$work/cascades" --cascade "$1" --plans "$output/plans_$1.json" \
    --rows "$(rows_of_a_request "$1")" --exit-ratios "$exit_ratios" --work "$work/grpc" --output "$2"
}

# What both test frameworks print about a test, as "passed", "failed" or "skipped" and its name.
results_in() {
  sed -nE \
    -e 's/^\[       OK \] ([^ ]+) \(.*/passed \1/p' \
    -e 's/^\[  FAILED  \] ([^ ,]+).* \([0-9]+ ms\)$/failed \1/p' \
    -e 's/^\[  SKIPPED \] ([^ ]+) \(.*/skipped \1/p' \
    -e 's/^(.+) \.\.\. ok$/passed \1/p' \
    -e 's/^(.+) \.\.\. (FAIL|ERROR)$/failed \1/p' \
    -e 's/^(.+) \.\.\. skipped .*$/skipped \1/p' "$1"
}

# run_test NAME COMMAND [ARGUMENT...]: a program that does not come to its end counts as a failed test,
# as does one that fails without naming a test.
run_test() {
  local name=$1 log=$output/$1.log status=0 start=$SECONDS results reason last
  shift
  step "running $name"
  timeout --foreground --kill-after=10 "$test_seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
  results=$(results_in "$log")
  if ((status > 1)) || { ((status == 1)) && ! grep --quiet '^failed ' <<<"$results"; }; then
    reason="ended with status $status"
    ((SECONDS - start < test_seconds)) || reason="took longer than $test_seconds s"
    last=$(sed -n 's/^\[ RUN      \] //p' "$log" | tail -n 1)
    results+=$'\n'"failed ($reason${last:+, after it began $last})"
  fi
  sed -n "s/^\([a-z]*\) \(.*\)/\1 $name: \2/p" <<<"$results" >>"$output/results.txt"
}

# verify_cascade CASCADE: a passed test where a GPU answers rightly at each stage, share and bucket.
verify_cascade() {
  local log=$output/verify_$1.log status=0 right folder verdict=passed remark=
  step "verifying $1 at all shares"
  folder=$(cascade_folder "$1")
  timeout --foreground --kill-after=10 "$verify_seconds" "$ESCAN_BIN/escand" --verify --all-shares \
    --config "$folder/escand.yaml" >"$log" 2>&1 </dev/null || status=$?
  # A processor has no multiprocessors, the third column.
  right=$(grep --count -E '^\| [a-z]+ \| [0-9]+ % \| [0-9]+ \| right( by remedy)? \|' "$log" || true)
  if ((status != 0 || right != stages_and_shares)); then
    verdict=failed
    remark=" (status $status, $right of $stages_and_shares stages and shares right on a GPU)"
  fi
  echo "$verdict verify: $1$remark" >>"$output/results.txt"
}

run_test_programs() {
  local program
  "${with_torch[@]}" "$libexec/escan-make-test-models" "$work/models"
  export ESCAN_TEST_MODELS=$work/models
  # Without, the tests of packages are skipped.
  if python3 "$libexec/make_packages.py" --device cuda "$work/packages" >"$output/packages.log" 2>&1; then
    export ESCAN_TEST_PACKAGES=$work/packages
  else
    echo "failed make_packages: see $output/packages.log" >>"$output/results.txt"
  fi
  for program in "$libexec"/*_test; do
    [ ! -x "$program" ] || run_test "$(basename "$program")" "${with_torch[@]}" "$program"
  done
  for program in "$libexec"/test_*.py; do
    [ ! -e "$program" ] || run_test "$(basename "$program" .py)" \
      env PYTHONPATH="$libexec" python3 -m unittest -v "$(basename "$program" .py)"
  done
}

run_tests() {
  local name passed failed skipped
  : >"$output/results.txt"
  [ "$mode" = verify ] || run_test_programs
  if [ "$mode" != tests ]; then
    for name in ${cascade:-"${cascades[@]}"}; do verify_cascade "$name"; done
  fi
  passed=$(grep --count '^passed ' "$output/results.txt" || true)
  failed=$(grep --count '^failed ' "$output/results.txt" || true)
  skipped=$(grep --count '^skipped ' "$output/results.txt" || true)
  grep -E '^(failed|skipped) ' "$output/results.txt" || true
  echo "$passed passed, $failed failed, $skipped skipped; logs in $output"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# run_table NAME: nothing where it has been measured.
run_table() {
  local result=$output/$1.json
  if [ -e "$result" ]; then
    step "$1: $result exists"
    return 0
  fi
  step "measuring $1"
  "table_${1%_*}" "${1#*_}" "$result.partial" >"$output/$1.log" 2>&1 </dev/null || {
    tail -n 20 "$output/$1.log" >&2
    return 1
  }
  mv "$result.partial" "$result"
}

run_tables() {
  local table failed=()
  for table in "${tables[@]}"; do
    [ -z "$cascade" ] || [[ $table == *_"$cascade" ]] || continue
    run_table "$table" || failed+=("$table")
  done
  [ ${#failed[@]} -eq 0 ] || die "not measured: ${failed[*]}; logs in $output"
}

main() {
  local mode=all cascade='' output=$PWD/gpu_test archive='' with_torch
  while [ $# -gt 0 ]; do
    case $1 in
      --no-verify) mode=tests ;;
      --verify-only) mode=verify ;;
      --benchmark) mode=benchmark ;;
      --cascade) cascade=${2:?--cascade needs a name} && shift ;;
      --output) output=${2:?--output needs a folder} && shift ;;
      --help)
        usage
        return 0
        ;;
      -*)
        usage >&2
        return 2
        ;;
      *) archive=$1 ;;
    esac
    shift
  done
  if [ -z "$archive" ]; then
    usage >&2
    return 2
  fi
  [[ -z $cascade || " ${cascades[*]} " == *" $cascade "* ]] ||
    die "no cascade $cascade: expected one of ${cascades[*]}"
  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir -p "$output"
  output=$(realpath "$output")
  open_package "$archive"
  ESCAN_TORCH=$(find_torch)
  [ -e "$ESCAN_TORCH/torch/lib/libtorch_cpu.so" ] ||
    die "$ESCAN_TORCH has no torch/lib/libtorch_cpu.so: expected a site-packages folder with torch"
  export ESCAN_TORCH ESCAN_BIN=$package/bin
  libexec=$package/libexec/escan
  with_torch=(env LD_LIBRARY_PATH="$(library_path)")  # before a program that is linked with libtorch
  step "testing $package with the torch in $ESCAN_TORCH"
  if [ "$mode" = benchmark ]; then run_tables; else run_tests; fi
}

main "$@"
