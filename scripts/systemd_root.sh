# shellcheck shell=bash
# Boots a root file system with its own systemd as the first process, in name spaces of its own, so that
# a unit is run by what will run it. Sourced, never run; needs root. The network is a loopback alone.

booted=

# What is done in the new name spaces before systemd takes over.
boot_program() {
  cat <<'PROGRAM'
set -euo pipefail
cd "$1"
mount --make-rprivate /
mount --bind . .
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
if [ "$(stat --file-system --format=%T /sys/fs/cgroup)" = cgroup2fs ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd,xattr cgroup sys/fs/cgroup/systemd
fi
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for device in null zero random urandom full tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir -p .before
pivot_root . .before
umount --lazy /.before
rmdir /.before
exec env -i container=escan PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=multi-user.target
PROGRAM
}

# boot_root FOLDER: returns when its systemd has started everything. It ends with the caller's process
# namespace, or by end_root.
boot_root() {
  unshare --mount --pid --fork --cgroup --uts --ipc --net --kill-child -- \
    bash -c "$(boot_program)" bash "$1" </dev/null >/dev/null 2>&1 &
  booted=$!
  local end=$((SECONDS + 60))
  until in_booted systemctl is-system-running --wait >/dev/null 2>&1; do
    if ! kill -0 "$booted" || ((SECONDS > end)); then
      die "systemd does not run: $(in_booted systemctl --failed --no-pager 2>&1)"
    fi
    sleep 0.2
  done
}

# in_booted COMMAND...: runs it as root in the booted system.
in_booted() {
  local children
  children=$(<"/proc/$booted/task/$booted/children")
  nsenter --target "${children%% *}" --mount --pid --cgroup --uts --ipc --net --root --wd=/ -- \
    /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}

end_root() {
  kill -KILL "$booted"
  wait "$booted" || true
}
