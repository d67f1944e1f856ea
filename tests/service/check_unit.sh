#!/usr/bin/env bash
# check_unit.sh FOLDER PROGRAM: the unit and the user in FOLDER hold before systemd's own checks, with
# PROGRAM in the place of the installed daemon. 77: skipped.
set -euo pipefail
folder=$(realpath "$1") program=$2

if ! command -v systemd-analyze >/dev/null; then
  echo "skipped: no systemd-analyze here"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -E "s#^Exec(Start|Reload)=[^ ]*#Exec\1=$program#" "$folder/escand.service" >"$work/escand.service"

# `verify` exits with 0 on an unknown key: any word of it is a failure.
systemd-analyze verify "$work/escand.service" 2>&1 | tee "$work/complaints"
[ ! -s "$work/complaints" ]
systemd-analyze security --offline=true --threshold=20 "$work/escand.service"
systemd-sysusers --dry-run "$folder/escan.sysusers"
