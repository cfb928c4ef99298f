#!/bin/sh
# Becomes PID 1 of a throw-away host: an overlay over <lower root>, file systems of its own, then systemd.
#
#   sh boot.sh <name> <lower root> <disk>      in fresh mount, pid, uts, ipc, net and cgroup namespaces
#
# What a container must be given, and what systemd makes of it: https://systemd.io/CONTAINER_INTERFACE/
set -eu

name=$1 lower=$2 disk=$3
root=$disk/root

mount -t overlay -o "lowerdir=$lower,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# Read-only, or systemd-sysctl in the host sets the sysctls of the machine.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/sys"
# Each boot has an identity of its own, as on a machine; the kernel's is that of the machine below.
cat /proc/sys/kernel/random/uuid >"$disk/boot_id"
mount --bind "$disk/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount -o remount,bind,ro "$root/proc/sys/kernel/random/boot_id"
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net" "$root/dev/mqueue" "$root/dev/hugepages"
node() { mknod -m "$1" "$root/dev/$2" c "$3" "$4"; }
node 666 null 1 3
node 666 zero 1 5
node 666 full 1 7
node 666 random 1 8
node 666 urandom 1 9
node 666 tty 5 0
# A node of its own that swallows all: the machine's, bound here, would have its mode changed by a getty.
node 600 console 1 3
node 666 net/tun 10 200
[ ! -e /dev/kvm ] || node 660 kvm 10 232
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
# Some suites run the project's own sources in the host, which may be checked out where it has a file system of its own.
project=$(cd "$(dirname "$0")/../../.." && pwd)
case $lower:$project in
/:/tmp/* | /:/run/*)
  mkdir -p "$root$project"
  mount --bind "$project" "$root$project"
  mount -o remount,bind,ro "$root$project"
  ;;
esac

if [ ! -e "$disk/installed" ]; then
  # What this machine's administrator and packages enabled is no part of a host of ours.
  rm -rf "$root/etc/systemd/system" "$root/var/log/journal" "$root/etc/fstab"
  # The journal outlives a reboot where this directory is there.
  mkdir -p "$root/etc/systemd/system" "$root/var/log/journal"
  : >"$root/etc/machine-id"
  echo "$name" >"$root/etc/hostname"
  rm -f "$root/etc/resolv.conf"
  # Without a seat, a clock and a disk of its own, and with nobody at the console.
  for unit in getty.target console-getty.service systemd-logind.service systemd-timesyncd.service \
    systemd-journald-audit.socket systemd-udevd.service e2scrub_reap.service e2scrub_all.timer fstrim.timer \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer; do
    ln -s /dev/null "$root/etc/systemd/system/$unit"
  done
  ln -s /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
  : >"$disk/installed"
fi
# Only the lower root's ip may be there, and without it the loopback device stays down.
! command -v ip >/dev/null || ip link set lo up

mkdir -p "$root/run/old"
cd "$root"
pivot_root . run/old
# What a host must not do to the machine below it: load modules, set the clock, read the kernel's log.
denied=-sys_module,-sys_rawio,-sys_time,-syslog,-wake_alarm,-block_suspend
denied=$denied,-audit_control,-audit_read,-mac_admin,-mac_override
exec env -i container=metald-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set "$denied" \
  chroot . /bin/sh -c 'umount -l /run/old; rmdir /run/old; exec /lib/systemd/systemd --show-status=no'
