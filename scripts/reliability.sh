#!/usr/bin/env bash
# Builds, then holds the daemon under load, each load for SECONDS (600): a soak, clients that
# do little, and a log that is full. Prints a line of figures for each; ctest runs the same for 4 s each.
#
#   scripts/reliability.sh [SECONDS]
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$escan_root"

seconds=${1:-600}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "found \"$seconds\" seconds, expected a whole number from 1 on"

build_preset release escand escan-worker escan-loadgen escanctl
cd tests/integration
ESCAN_BIN=$escan_root/build/release/bin ESCAN_RELIABILITY_SECONDS=$seconds PYTHONDONTWRITEBYTECODE=1 \
  "$(test_environment)/bin/python" -m unittest -v test_reliability
