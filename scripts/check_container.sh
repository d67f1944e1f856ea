#!/usr/bin/env bash
# Proves docker/Dockerfile without a container engine: builds it with buildah on a fresh Debian root
# file system, runs it as its user on a root that cannot be written, asks it and drains it.
# check_container.sh [cpu|cuda]: the variant; without a GPU that for GPUs serves on the processor. Needs
# root, buildah, mmdebstrap and scripts/setup.sh --tests.
set -euo pipefail
# shellcheck source=scripts/debian_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian_root.sh"

# In name spaces of its own, so that every mount and process ends with this command.
if [ "${1:-}" != --isolated ]; then
  work=$(mktemp -d /var/tmp/escan-container.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  unshare --mount --pid --fork --mount-proc --kill-child -- "$0" --isolated "$work" "${1:-cpu}"
  exit
fi
variant=$3
work=$2
container=
service=
user=
variables=()

# Images and containers live in a store of this run's own.
image_tool() {
  buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" "$@"
}

# Runs a program as the image says: its user and variables, on its files, of which only the folders for
# which docs/installation.md asks for a tmpfs can be written.
in_container() {
  chroot --userspec="$user" "$work/root" /usr/bin/env -i "${variables[@]}" "$@"
}

mount_container() {
  container=$(image_tool from localhost/escan)
  user=$(image_tool inspect --format '{{.Docker.Config.User}}' "$container")
  mapfile -t variables < <(image_tool inspect \
    --format '{{range .Docker.Config.Env}}{{println .}}{{end}}' "$container" | grep '=')
  mkdir "$work/root"
  mount --bind "$(image_tool mount "$container")" "$work/root"
  mount -o remount,bind,ro "$work/root"
  mount -t proc proc "$work/root/proc"
  mount --rbind /dev "$work/root/dev"
  mount -t tmpfs -o "uid=${user%:*},gid=${user#*:},mode=0750" tmpfs "$work/root/run/escan"
  mount -t tmpfs tmpfs "$work/root/tmp"
  ! in_container touch /opt/escan/written 2>/dev/null || die "the root can be written"
}

make_base_image() {
  local base setting
  make_debian_root "$work/debian"
  base=$(image_tool from scratch)
  image_tool copy --quiet "$base" "$work/debian" / >/dev/null
  while read -r setting; do
    image_tool config --env "$setting" "$base"
  done < <(package_environment)
  image_tool commit --quiet --rm "$base" escan-base >/dev/null
  rm -rf "$work/debian"
}

build_image() {
  step "building docker/Dockerfile, variant $variant"
  copy_checkout "$work/checkout"
  image_tool bud --isolation chroot --format docker --build-arg BASE=localhost/escan-base \
    --build-arg "VARIANT=$variant" \
    --file "$work/checkout/docker/Dockerfile" --tag escan "$work/checkout"
}

# Runs what the image would run, on free ports, until it is healthy.
start_service() {
  local entrypoint
  mount_container
  entrypoint=$(image_tool inspect --format '{{index .Docker.Config.Entrypoint 0}}' "$container")
  step "running $entrypoint as $(in_container id)"
  in_container "$entrypoint" --config /etc/escan/escand.yaml --listen 127.0.0.1:0 \
    --metrics 127.0.0.1:0 2>"$work/log" &
  service=$!
  local end=$((SECONDS + 120))
  until in_container escanctl health >/dev/null 2>&1; do
    if ! kill -0 "$service" 2>/dev/null || ((SECONDS > end)); then
      cat "$work/log" >&2
      die "the container is not healthy"
    fi
    sleep 1
  done
}

ask() {
  step "asking $1"
  "$(test_environment)/bin/python" - "$1" <<'PYTHON'
import sys

import numpy as np
import tritonclient.grpc as triton

client = triton.InferenceServerClient(sys.argv[1])
image = triton.InferInput("image", [3, 28, 28], "UINT8")
image.set_data_from_numpy(np.zeros((3, 28, 28), np.uint8))
answer = client.infer("fashion_mnist", [image])
probabilities = answer.as_numpy("probabilities")
assert probabilities.shape == (3, 10), probabilities.shape
assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-3), probabilities
print("answered:", answer.as_numpy("exit_stage"), answer.as_numpy("confidence"))
PYTHON
}

main() {
  make_base_image
  build_image
  start_service
  ask "$(listening_address "$work/log")"
  in_container escanctl drain
  wait "$service" || die "the container ended with status $?"
  step "the container answered and drained; its image has" \
    "$(du -sm "$(image_tool mount "$container")" | cut -f 1) MB"
}

main "$@"
