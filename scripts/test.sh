#!/usr/bin/env bash
# Installs what is missing, builds everything in build/release and runs all tests.
# Arguments go to ctest: scripts/test.sh -R Scheduler
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$escan_root/scripts/setup.sh" --tests
leave_sudo "$@"
test_preset release "$@"
