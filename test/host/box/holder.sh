#!/bin/sh
# Holds one throw-away host: its disk, its cgroup, and whatever runs in it. box.ts starts it and speaks to it.
#
#   unshare --mount --propagation private sh holder.sh <name> <lower root> <cgroup2 mount>
#
# It answers each line on stdin with one line on stdout:
#
#   boot     "started <pid>"   the process whose only child becomes PID 1 of the host
#   (end)    everything in the host is ended, and nothing of it is left on the machine
#
# The host ends with its stdin, so a test that is killed takes its host along. Where the holder itself is killed, the
# next one finds that nobody holds the lock in the state directory any more, and clears away what is left.
set -eu

name=$1 lower=$2 cgroups=$3
here=$(dirname "$0")
hosts=/run/metald-test-hosts

# Processes are found by the cgroup that they cannot leave, never by pid.
remove_host() {
  cgroup=$cgroups/metald-test-host-$1
  if [ -d "$cgroup" ]; then
    echo 1 >"$cgroup/cgroup.kill"
    tries=0
    while ! find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do
      tries=$((tries + 1))
      if [ "$tries" -gt 500 ]; then
        echo "Cannot remove $cgroup as something in it does not end" >&2
        return 1
      fi
      sleep 0.02
    done
  fi
  # Of this process's own host; the disk of another has gone with its holder.
  ! mountpoint -q "$hosts/$1/disk" || umount --lazy "$hosts/$1/disk"
  rm -rf "${hosts:?}/$1"
}

mkdir -p "$hosts"
exec 8>"$hosts/.lock"
flock 8
for left in "$hosts"/*/; do
  [ -d "$left" ] || continue
  left=$(basename "$left")
  # In a subshell, as the lock must be free again whatever happens.
  (flock -n 9 && remove_host "$left") 9>"$hosts/$left/lock" || true
done
mkdir "$hosts/$name" "$hosts/$name/disk"
exec 9>"$hosts/$name/lock"
flock 9
exec 8>&-
trap 'remove_host "$name"' EXIT
trap 'exit 1' HUP INT TERM

# This mount is seen in the namespace of this process only. It is the disk: what is written to it survives a reboot.
mount -t tmpfs -o mode=755 disk "$hosts/$name/disk"
mkdir "$hosts/$name/disk/upper" "$hosts/$name/disk/work" "$hosts/$name/disk/root"

leader=
while read -r request; do
  case $request in
  boot)
    if [ -n "$leader" ]; then
      wait "$leader" || true
      find "$cgroups/metald-test-host-$name" -mindepth 1 -depth -type d -exec rmdir {} +
    fi
    mkdir -p "$cgroups/metald-test-host-$name"
    # Into the cgroup first: the cgroup namespace that is made next has its root there.
    # shellcheck disable=SC2016 # the inner shell expands it
    setsid sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec unshare "$@"' enter "$cgroups/metald-test-host-$name" \
      --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup \
      sh "$here/boot.sh" "$name" "$lower" "$hosts/$name/disk" </dev/null >"$hosts/$name/boot.log" 2>&1 9>&- &
    leader=$!
    echo "started $leader"
    ;;
  esac
done
