#!/usr/bin/env bash
# Checks configs/kubernetes (or the FILES that are named) against the published schemas: of Kubernetes by
# the PyPI package kubernetes-validate, of KServe by the data types of its own package. Unknown keys and
# missing ones are mistakes. Downloads 25 MB to a folder of its own in the cache, once.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kubernetes=1.37.0
kserve=0.21.0
environment=$escan_cache/kubernetes-$kubernetes-$kserve
if [ ! -e "$environment/.complete" ]; then
  step "installing the schemas from PyPI into $environment"
  "$system_python" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --quiet --no-cache-dir "kubernetes-validate==$kubernetes"
  # Its data types alone: they need none of what the server around them does.
  "$environment/bin/python" -m pip install --quiet --no-cache-dir --no-deps "kserve==$kserve"
  touch "$environment/.complete"
fi
[ $# -gt 0 ] || set -- "$escan_root"/configs/kubernetes/*.yaml
exec "$environment/bin/python" -B "$escan_root/scripts/packaging/check_kubernetes.py" \
  "v$kubernetes" "$@"
