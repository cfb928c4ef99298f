#!/bin/sh
# Installs, upgrades and removes metald on this host. Needs root and systemd, and no network; see --help.
#
# Everything is checked before anything is changed. From the first change on, a failure or an interruption puts back
# what was there before; where this script is killed outright, the next run does. The VMs are not touched by any of it.
set -eu
umask 022
LC_ALL=C
# What root runs here comes from where only root writes, whatever directories the caller goes through.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# With it, cd may go elsewhere, and says where.
unset CDPATH

unit_name=metald.service
marker="# metald's own unit: install.sh writes it and replaces it."
# A version that ends within this time after it said that it is ready counts as one that never was.
settle_seconds=2

action=install
start=yes
purge=no
root=

usage() {
  cat <<'HELP'
Usage: install.sh [--no-start] [--root DIR]
       install.sh --uninstall [--purge] [--root DIR]
       install.sh --help

Installs the metald beside this script (or in dist/ beside it), or upgrades an installed one, starts it, and waits until
it is ready. If the new version does not become ready, the old one is put back, and the exit status is 1. An upgrade
leaves it enabled or disabled, and running or stopped, as it was.

  --no-start    leave starting or restarting it to you
  --root DIR    install into the file system of another host, below DIR; starts nothing
  --uninstall   stop and remove metald; VMs run on, records, state and configuration stay
  --purge       with --uninstall: remove records, state and configuration, too; VMs run on
  --help        this text

Installs:
  /usr/local/bin/metald                 the program
  /etc/systemd/system/metald.service    its unit; changes of yours belong into a drop-in (systemctl edit metald)
  /etc/metald/config.jsonc              the configuration; one that you edited is never overwritten
  /var/lib/metald/vms                   one record for each VM
HELP
}

say() {
  printf '%s\n' "$*"
}

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

misuse() {
  printf 'install.sh: %s; --help shows what there is\n' "$*" >&2
  exit 64
}

parse_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --no-start) start=no ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    --root)
      # An empty one, from a variable that is not set, must not be taken for this very host.
      [ -n "${2-}" ] || misuse "Cannot use --root as a directory must follow it"
      root=$2
      shift
      ;;
    --root=*)
      root=${1#--root=}
      [ -n "$root" ] || misuse "Cannot use --root as a directory must follow it"
      ;;
    *) misuse "Cannot use this command line as there is no such option: current value is $1" ;;
    esac
    shift
  done
  [ "$purge" = no ] || [ "$action" = uninstall ] || misuse "Cannot purge as --purge must go with --uninstall"
  if [ -n "$root" ]; then
    [ -d "$root" ] || fail "Cannot use --root as it must be a directory: current value is $root"
    # To cd, - is another directory.
    [ "$root" != - ] || root=./-
    root=$(cd -- "$root" && pwd -P)
    [ "$root" != / ] || root=
  fi
}

name_paths() {
  program=$root/usr/local/bin/metald
  unit=$root/etc/systemd/system/$unit_name
  wants=$root/etc/systemd/system/multi-user.target.wants/$unit_name
  configuration_directory=$root/etc/metald
  configuration=$configuration_directory/config.jsonc
  state_directory=$root/var/lib/metald
  records=$state_directory/vms
  holds=$state_directory/state/holds
  # While files are being replaced: what there was before.
  pending=$configuration_directory/.installing
}

require_tools() {
  for tool in cmp flock od readlink sha256sum; do
    command -v "$tool" >/dev/null || fail "Cannot $action as the program $tool must be on this host: it is not"
  done
}

require_host() {
  # Into another file system, whoever may write there may install there.
  [ -z "$root" ] || return 0
  [ "$(id -u)" -eq 0 ] || fail "Cannot change this host as install.sh must be run as root: current user is $(id -un)"
  if ! [ -d /run/systemd/system ] || ! command -v systemctl >/dev/null; then
    fail "Cannot install as PID 1 of this host must be systemd: current value is $(cat /proc/1/comm)"
  fi
}

# An absolute link in another file system leads to this very host's.
refuse_ways_out() {
  [ -n "$root" ] || return 0
  for path in "$program" "$unit" "$wants" "$configuration" "$records" "$holds"; do
    directory=$(dirname "$path")
    target=$(readlink -m -- "$directory")
    case $target in
    "$root"/*) ;;
    *) fail "Cannot $action as $directory must lead to a directory below $root: current value is $target" ;;
    esac
  done
}

# Two at once would each take the other's half for the old version.
take_lock() {
  lock=${root:-/run/metald-install.lock}
  # Nobody else may open it, or anybody could keep installations off.
  [ -n "$root" ] || (umask 077 && : >>"$lock")
  exec 9<"$lock"
  flock -n 9 || fail "Cannot $action as another install.sh must end first: it is at work on ${root:-this host}"
}

is_ours() {
  [ "$(head -n 1 "$1" | cut -c "-${#marker}")" = "$marker" ]
}

refuse_foreign_unit() {
  for found in "$unit" "$root/run/systemd/system/$unit_name" "$root/usr/local/lib/systemd/system/$unit_name" \
    "$root/usr/lib/systemd/system/$unit_name" "$root/lib/systemd/system/$unit_name"; do
    [ -e "$found" ] || [ -L "$found" ] || continue
    if [ -L "$found" ] && [ "$(readlink "$found")" = /dev/null ]; then
      fail "Cannot $action as $unit_name must not be masked: systemctl unmask metald ends that"
    elif [ -L "$found" ]; then
      fail "Cannot $action as $found must be a file of metald's own: it is a link to $(readlink "$found")"
    fi
    is_ours "$found" || fail "Cannot $action as $found must be metald's own: somebody else wrote it"
  done
  [ -e "$unit" ] || [ ! -e "$program" ] ||
    fail "Cannot $action as $program must be metald's own: it is there without metald's unit, so move it away first"
}

# The architecture of an executable as its ELF header has it; empty for what is no such executable.
architecture_of() {
  [ "$(head -c 4 "$1" | tr -d '\177')" = ELF ] || return 0
  case $(od -An -t u1 -j 18 -N 1 "$1" | tr -d ' ') in
  62) echo x64 ;;
  183) echo arm64 ;;
  esac
}

find_architecture() {
  # Another file system may be that of another machine.
  if [ -n "$root" ] && [ -f "$root/bin/sh" ]; then
    architecture=$(architecture_of "$root/bin/sh")
    machine="that of $root/bin/sh"
  else
    machine=$(uname -m)
    case $machine in
    x86_64 | amd64) architecture=x64 ;;
    aarch64 | arm64) architecture=arm64 ;;
    *) architecture= ;;
    esac
  fi
  [ -n "$architecture" ] || fail "Cannot install as the architecture must be x86-64 or arm64: current value is $machine"
}

find_source() {
  # It may have been called through a link.
  script=$(readlink -f -- "$0")
  source=$(cd -- "$(dirname -- "$script")" && pwd)
  [ -f "$source/SHA256SUMS" ] || source=$source/dist
  [ -f "$source/SHA256SUMS" ] || fail "Cannot install as SHA256SUMS and the binary must be beside install.sh"
  binary=$source/metald-linux-$architecture
  [ -f "$binary" ] || binary=$source/metald
  [ -f "$binary" ] || fail "Cannot install as $source must hold metald-linux-$architecture"
  found=$(architecture_of "$binary")
  [ "$found" = "$architecture" ] ||
    fail "Cannot install $binary as it must be an executable for $architecture: current value is ${found:-none}"
}

# The second is a copy of the first, or the same: what is verified is what will run.
verify_checksum() {
  name=$(basename "$1")
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\)[ *]*$name\$/\1/p" "$source/SHA256SUMS")
  [ -n "$expected" ] || fail "Cannot install $1 as $source/SHA256SUMS must name it"
  found=$(sha256sum "$2" | cut -c -64)
  [ "$found" = "$expected" ] || fail "Cannot install $1 as its SHA-256 must be $expected: current value is $found"
}

version_of() {
  "$1" version 2>&1
}

remove_staged() {
  rm -f "$program.new" "$unit.new" "$configuration.part" "$program.old.part" "$unit.old.part" "$pending.part"
}

# Everything new is made beside what it replaces, so that one rename puts it there. What may stand in its place there is
# removed first, as cp would write through a link.
stage() {
  mkdir -p "$(dirname "$program")" "$(dirname "$unit")"
  remove_staged
  trap remove_staged EXIT
  trap 'exit 1' HUP INT PIPE TERM
  cp "$binary" "$program.new"
  verify_checksum "$binary" "$program.new"
  chmod 755 "$program.new"
  # Of a program for another machine, the unit and the configuration come from one for this machine.
  if [ -n "$root" ] && ! "$program.new" version >/dev/null 2>&1; then
    asker=$source/metald
    verify_checksum "$asker" "$asker"
  else
    asker=$program.new
  fi
  new_version=$(version_of "$asker") || fail "Cannot install $binary as it must run here: $new_version"
  "$asker" assets unit >"$unit.new"
  is_ours "$unit.new" || fail "Cannot install $binary as its unit must be metald's own"
  mkdir -p "$configuration_directory"
  (umask 077 && "$asker" assets config >"$configuration.part")
  if [ -f "$configuration" ] && [ -z "$root" ]; then
    errors=$("$asker" config check --config "$configuration" 2>&1) ||
      fail "Cannot install $new_version as $configuration must be valid for it: $errors"
  fi
  # The rename must not be on disk before the content is.
  persist "$program.new" "$unit.new" "$configuration.part"
}

persist() {
  # Not every sync takes names.
  sync "$@" 2>/dev/null || sync
}

# Replaces a configuration that nobody edited. Beside an edited one it puts the new defaults, where they have changed.
place_configuration() {
  if [ ! -e "$configuration" ]; then
    mv "$configuration.part" "$configuration"
    return
  fi
  ! cmp -s "$configuration.part" "$configuration" || return 0
  old_defaults=$([ ! -x "$program" ] || "$program" assets config 2>/dev/null || true)
  if [ -n "$old_defaults" ] && [ "$old_defaults" = "$(cat "$configuration")" ]; then
    mv "$configuration" "$configuration.old"
    mv "$configuration.part" "$configuration"
  elif [ "$old_defaults" != "$(cat "$configuration.part")" ]; then
    mv "$configuration.part" "$configuration.new"
    say "kept your $configuration; the new version's own is beside it as config.jsonc.new"
  fi
}

# What there was before; after an installation that was cut off, what there was before that, as half of it may be there.
look_at_host() {
  was_program=no
  was_unit=no
  was_offer=no
  was_enabled=no
  was_active=no
  if [ -f "$pending" ]; then
    for name in program unit offer enabled active; do
      if grep -q "^$name=yes\$" "$pending"; then eval "was_$name=yes"; fi
    done
    return
  fi
  [ ! -e "$program" ] || was_program=yes
  [ ! -e "$unit" ] || was_unit=yes
  [ ! -e "$configuration.new" ] || was_offer=yes
  [ ! -L "$wants" ] || was_enabled=yes
  # One that failed, or is started again and again, is to run.
  [ -n "$root" ] || [ "$(systemctl show --property ActiveState --value "$unit_name")" = inactive ] || was_active=yes
}

# Copies, as mv does not put a second link to the same file back; each is there whole or not at all.
keep_old_file() {
  if [ -e "$1" ]; then
    cp -p "$1" "$1.old.part"
    persist "$1.old.part"
    mv "$1.old.part" "$1.old"
    persist "$(dirname "$1")"
  fi
}

# From here on, until forget_old, the next run knows what to put back.
keep_old_files() {
  keep_old_file "$unit"
  keep_old_file "$program"
  printf '%s\n' "program=$was_program" "unit=$was_unit" "offer=$was_offer" "enabled=$was_enabled" \
    "active=$was_active" >"$pending.part"
  persist "$pending.part"
  mv "$pending.part" "$pending"
  persist "$configuration_directory"
}

# Only what was not there before may go.
put_back() {
  if [ -e "$1.old" ]; then
    mv "$1.old" "$1"
  elif [ "$2" = no ]; then
    rm -f "$1"
  fi
}

make_directories() {
  (umask 077 && mkdir -p "$records" "$holds")
}

place_files() {
  make_directories
  place_configuration
  mv "$unit.new" "$unit"
  mv "$program.new" "$program"
  # An upgrade leaves it to the operator, who may have disabled it.
  [ "$was_program" = yes ] || enable_at_boot
}

# The unit that is there without a program is what an installation that was cut off leaves; so the program goes first.
put_files_back() {
  put_back "$program" "$was_program"
  put_back "$unit" "$was_unit"
  put_back "$configuration.new" "$was_offer"
  [ ! -e "$configuration.old" ] || mv "$configuration.old" "$configuration"
  [ "$was_enabled" = yes ] || rm -f "$wants"
}

finish_interrupted() {
  if [ -f "$pending" ]; then
    put_files_back
    say "put back what an installation that was cut off had replaced"
  fi
  rm -f "$program.old" "$unit.old" "$configuration.old"
}

forget_old() {
  persist "$(dirname "$program")" "$(dirname "$unit")" "$configuration_directory"
  rm -f "$pending"
  # Or after a power failure some of the old might be put back, and some be gone.
  persist "$configuration_directory"
  rm -f "$program.old" "$unit.old" "$configuration.old" "$configuration.part"
}

enable_at_boot() {
  mkdir -p "$(dirname "$wants")"
  ln -sf "/etc/systemd/system/$unit_name" "$wants"
}

is_running() {
  [ -z "$root" ] && systemctl is-active --quiet "$unit_name"
}

main_pid() {
  systemctl show --property MainPID --value "$unit_name"
}

# systemctl comes back when the service has said READY=1, or has ended without.
restarts() {
  limit=$(systemctl show --property TimeoutStartUSec --value "$unit_name")
  # It must not keep the lock when this script is killed.
  systemctl restart "$unit_name" 2>/dev/null 9<&- &
  job=$!
  fifths=0
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2
    fifths=$((fifths + 1))
    # Nobody may be there to read it, which is no reason to end.
    [ $((fifths % 50)) -ne 25 ] || say "waiting until it is ready, for $((fifths / 5)) s of at most $limit" || true
  done
  wait "$job"
}

starts() {
  systemctl daemon-reload
  systemctl reset-failed "$unit_name" 2>/dev/null || true
  started_at=$(date +%s)
  restarts || return 1
  pid=$(main_pid)
  sleep "$settle_seconds"
  is_running && [ "$(main_pid)" = "$pid" ]
}

roll_back() {
  trap '' HUP INT PIPE TERM
  trap - EXIT
  remove_staged
  [ "$touches_service" = no ] || stop_and_ask
  put_files_back
  [ -n "$root" ] || systemctl daemon-reload
  runs_again=no
  # Before a word is said: where the terminal is gone, the first one ends this script.
  if [ "$touches_service" = yes ] && [ "$was_program" = yes ] && starts; then runs_again=yes; fi
  # Not sooner: the next run would take it for one that its operator stopped.
  forget_old
  if [ "$touches_service" = no ]; then
    fail "Cannot install $new_version as each step must succeed: one did not, and what was there before is back"
  fi
  [ -z "$said" ] || printf 'it said last:\n%s\n' "$said" >&2
  if [ "$was_program" = no ]; then
    systemctl reset-failed "$unit_name" 2>/dev/null || true
    fail "Cannot install $new_version as it must become ready: it did not, and only the configuration is left of it"
  elif [ "$runs_again" = yes ]; then
    fail "Cannot upgrade to $new_version as it must become ready: $old_version is back and running"
  fi
  fail "Cannot upgrade to $new_version as it must become ready: $old_version is back, and does not become ready either"
}

stop_and_ask() {
  journalctl --sync 2>/dev/null || true
  said=$(journalctl --quiet --no-pager --output cat --lines 5 --since "@${started_at:-0}" \
    "_SYSTEMD_UNIT=$unit_name" || true)
  systemctl stop "$unit_name" 2>/dev/null || true
}

install_metald() {
  find_architecture
  find_source
  refuse_foreign_unit
  stage
  look_at_host
  finish_interrupted
  old_version=
  [ ! -e "$program" ] || old_version=$(version_of "$program" || echo "the old version")

  if [ ! -f "$pending" ] && is_running && cmp -s "$program.new" "$program" && cmp -s "$unit.new" "$unit"; then
    place_configuration
    make_directories
    say "$new_version is installed and running"
    return
  fi

  # What was stopped stays stopped; what is new is to run.
  touches_service=no
  if [ -z "$root" ] && [ "$start" = yes ] && { [ "$was_active" = yes ] || [ "$was_program" = no ]; }; then
    touches_service=yes
  fi
  keep_old_files
  trap roll_back EXIT
  place_files
  if [ "$touches_service" = yes ]; then
    starts || exit 1
  elif [ -z "$root" ]; then
    systemctl daemon-reload
  fi
  trap - EXIT HUP INT PIPE TERM
  forget_old
  say_outcome
}

say_outcome() {
  if [ -n "$root" ]; then
    say "$new_version is installed below $root and will start when that boots"
  elif [ "$touches_service" = yes ] && [ -z "$old_version" ]; then
    say "$new_version is installed and running; put a record for each VM into $records"
  elif [ "$touches_service" = yes ] && [ "$old_version" = "$new_version" ]; then
    say "$new_version is installed again and running"
  elif [ "$touches_service" = yes ]; then
    say "$old_version was upgraded to $new_version, which is running"
  elif [ "$was_active" = yes ]; then
    say "$new_version is installed; $old_version runs until systemctl restart metald"
  elif [ "$was_program" = no ]; then
    say "$new_version is installed and enabled; systemctl start metald starts it"
  else
    say "$new_version is installed, and stopped as before; systemctl start metald starts it"
  fi
}

running_vms() {
  systemctl list-units --plain --no-legend --state active 'metald-vm-*.service' 2>/dev/null | cut -d ' ' -f 1
}

uninstall_metald() {
  refuse_foreign_unit
  if [ ! -e "$unit" ] && [ ! -e "$program" ] && [ "$purge" = no ]; then
    say "metald is not installed"
    return
  fi
  if [ -z "$root" ]; then
    systemctl stop "$unit_name" 2>/dev/null || true
    ! systemctl is-active --quiet "$unit_name" || fail "Cannot uninstall as $unit_name must stop first: it does not"
  fi
  # What could be put back goes first, and the unit last, by which the program is known as metald's own.
  rm -f "$pending"
  rm -f "$program.old" "$unit.old"
  remove_staged
  rm -f "$wants" "$program" "$unit"
  [ -n "$root" ] || systemctl daemon-reload
  [ -n "$root" ] || systemctl reset-failed "$unit_name" 2>/dev/null || true
  if [ "$purge" = yes ]; then
    rm -f "$configuration" "$configuration.new" "$configuration.old" "$configuration_directory/environment"
    rm -rf "$records" "$state_directory/state" "$unit.d"
    [ -n "$root" ] || rm -rf /run/metald /run/metald-lock
    say "metald is removed, with its records, state and configuration"
    for directory in "$configuration_directory" "$state_directory"; do
      [ ! -d "$directory" ] || rmdir "$directory" 2>/dev/null ||
        say "left $directory, which holds what is not metald's"
    done
  else
    say "metald is removed; records and state stay in $state_directory, the configuration in $configuration_directory"
  fi
  [ -n "$root" ] || [ -z "$(running_vms)" ] ||
    say "VMs that run on, and that nobody asks to shut down any more when the host does:" "$(running_vms | tr '\n' ' ')"
}

parse_arguments "$@"
name_paths
require_host
require_tools
refuse_ways_out
take_lock
case $action in
install) install_metald ;;
uninstall) uninstall_metald ;;
esac
