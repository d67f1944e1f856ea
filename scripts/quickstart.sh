#!/usr/bin/env bash
# From a bare machine to answers: installs what is missing, builds, serves the Fashion-MNIST cascade,
# sends it the 10,000 test images and compares with the large stage alone.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bin=$escan_root/build/release/bin
configs=$escan_root/configs/fashion_mnist
dataset=/usr/share/datasets/fashion-mnist
work=
daemon=

usage() {
  cat <<USAGE
usage: $(basename "$0") [--serve]
--serve listens on 127.0.0.1:8001, metrics on 127.0.0.1:8002, and goes on after the report until
Ctrl-C. Without it the ports are free ones and nothing is left running.
USAGE
}

# Also when the script fails or is interrupted.
clean_up() {
  [ -z "$daemon" ] || kill -TERM "$daemon" 2>/dev/null || true
  wait
  [ -z "$work" ] || rm -rf "$work"
}

admin_address() { printf 'unix:%s/%s.sock' "$work" "$1"; }

# start_daemon NAME [FLAG...]: serves $configs/NAME.yaml and waits until it is ready. In a session of
# its own, for a Ctrl-C is this script's alone: the daemon would take the SIGTERM that follows for
# the second signal, which ends it without draining.
start_daemon() {
  local name=$1
  shift
  step "starting escand on configs/fashion_mnist/$name.yaml"
  setsid "$bin/escand" --config "$configs/$name.yaml" --admin "$(admin_address "$name")" "$@" \
    2>"$work/$name.log" &
  daemon=$!
  local end=$((SECONDS + 120))
  until "$bin/escanctl" --admin "$(admin_address "$name")" health >/dev/null 2>&1; do
    if ! kill -0 "$daemon" 2>/dev/null || ((SECONDS > end)); then
      cat "$work/$name.log" >&2
      die "escand is not ready"
    fi
    sleep 0.2
  done
}

stop_daemon() {
  kill -TERM "$daemon"
  wait "$daemon" || die "escand ended with status $?"
  daemon=
}

# measure NAME: sends every test image once to the daemon NAME; the report is $work/NAME.json.
measure() {
  step "sending 10,000 images to $1"
  "$bin/escan-loadgen" --target "$(listening_address "$work/$1.log")" --model fashion_mnist \
    --samples "$dataset/t10k-images-idx3-ubyte.gz" --labels "$dataset/t10k-labels-idx1-ubyte.gz" \
    --once --rows 4 --concurrency 16 --json "$work/$1.json" >"$work/$1.txt" ||
    { cat "$work/$1.txt" && die "the load generator failed"; }
}

serve() {
  cat <<HINT

Serving model fashion_mnist on 127.0.0.1:8001, metrics on http://127.0.0.1:8002/metrics. Try:
  $bin/escan-loadgen --target 127.0.0.1:8001 --model fashion_mnist \\
    --samples $dataset/t10k-images-idx3-ubyte.gz --duration 10s
  $bin/escanctl --admin $(admin_address escand) status
Ctrl-C ends it.
HINT
  trap 'exit 0' INT TERM
  wait "$daemon"
}

main() {
  local free_ports=(--listen 127.0.0.1:0 --metrics 127.0.0.1:0) serve=false
  local ports=("${free_ports[@]}")
  case "${1:-}" in
    "") ;;
    --serve)
      serve=true
      ports=(--listen 127.0.0.1:8001 --metrics 127.0.0.1:8002)
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

  "$escan_root/scripts/setup.sh"
  leave_sudo "$@"
  build_preset release programs

  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  start_daemon large_only "${free_ports[@]}"
  measure large_only
  stop_daemon
  start_daemon escand "${ports[@]}"
  measure escand
  $serve || stop_daemon

  "$system_python" "$escan_root/scripts/quickstart_report.py" \
    "$work/escand.json" "$work/large_only.json"
  if $serve; then serve; fi
}

main "$@"
