#!/bin/sh
# Runs a TypeScript program of this repository with the pinned tool chain, which it installs first where it is missing
# or older than the lock file. Needs Node 20 with npm, nothing else.
#
#   sh test/tool/toolchain.sh <program> [argument...]
set -eu

cd "$(dirname "$0")/../.."

# npm writes this file last, so an installation that was interrupted counts as none.
installed=node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  echo "installing the tool chain: npm ci" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
fi

# Neither the Bun that runs the tools nor the one inside the binary may be steered by the caller's environment.
unset BUN_BE_BUN BUN_OPTIONS

exec node_modules/.bin/bun "$@"
