# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts share; to be sourced. Every script runs from the root of the repository, needs no
# terminal and asks nothing.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Debian's own interpreter: python3-pytest belongs to it, whatever else is first in PATH.
# shellcheck disable=SC2034
python=/usr/bin/python3

say() { printf '%s\n' "$*" >&2; }
die() {
  say "${0##*/}: $*"
  exit 1
}

# packages_of GROUP...: the names that scripts/packages.txt lists for them.
packages_of() {
  awk -v wanted=" $* " '
    { sub(/#.*/, "") }
    /^\[/ { gsub(/[][ ]/, ""); inside = index(wanted, " " $0 " ") > 0; next }
    NF && inside { print $1 }' scripts/packages.txt
}

# missing_of GROUP...: those of them that are not installed, and that nothing installed provides.
missing_of() {
  comm -23 <(packages_of "$@" | sort -u) <(
    # shellcheck disable=SC2016
    dpkg-query -W -f '${db:Status-Status}|${Package}, ${Provides}\n' |
      sed -n 's/^installed|//p' | sed 's/([^)]*)//g' | tr -d ' ' | tr ',' '\n' | sort -u)
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

# install_packages GROUP...: installs what is missing, and touches neither apt nor the network when
# nothing is. Services that come along (PostgreSQL, Redis) are not started: the tests run their own.
install_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is not Debian; install the equivalents of these and run build steps with cmake:" \
      "$(packages_of "$@" | xargs)"
  local missing
  mapfile -t missing < <(missing_of "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "these packages are missing, and only root may install them: ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  # shellcheck disable=SC2016
  as_root sh -c '
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap "rm -f $policy" EXIT
      printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy" || exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    wait="-o DPkg::Lock::Timeout=300"
    apt-get $wait -q update && apt-get $wait -q -y --no-install-recommends install "$@"
    ' install "${missing[@]}" </dev/null >&2 ||
    die "apt-get could not install: ${missing[*]}"
}

# page_tools: what builds the page and what drives a browser, from npm, as the lock file has them.
page_tools() {
  local installed=dashboard/node_modules/.package-lock.json
  [ -e "$installed" ] && [ ! dashboard/package-lock.json -nt "$installed" ] && return
  install_packages page
  say "installing the tools of the dashboard by npm"
  (cd dashboard && npm ci --ignore-scripts --no-audit --no-fund >&2 && touch "../$installed")
}

# page_sources: a digest of all that the page is made of.
page_sources() {
  (cd dashboard && LC_ALL=C && cat package-lock.json build.mjs src/* | sha256sum | cut -d ' ' -f 1)
}

# build_page: brings dashboard/built, which is kept in the repository, up to date. Without a change
# in dashboard/ it needs neither node nor npm.
build_page() {
  local built=dashboard/built/sources.sha256
  [ "$(cat "$built" 2>/dev/null)" != "$(page_sources)" ] || return 0
  say "building the dashboard's page"
  if ! page_tools || ! node dashboard/build.mjs; then
    say "dashboard/ has changed, and its page could not be built: that takes node, npm and what npm" \
      "installs from its registry. Without them: git checkout dashboard, which holds a built page."
    return 1
  fi
  page_sources >"$built"
}

# build PRESET [TARGET...]: configures when there is nothing to build from yet or the presets
# changed (ninja notices changed CMake files itself), then builds.
build() {
  local preset=$1
  shift
  build_page || return
  local made=build/$preset/build.ninja
  if [ ! -e "$made" ] || [ CMakePresets.json -nt "$made" ]; then
    cmake --preset "$preset" >&2 || return
  fi
  cmake --build --preset "$preset" ${1:+--target "$@"} >&2
}

# without_aslr COMMAND...: gcc 12's thread sanitizer cannot start where the kernel randomizes more
# address bits than it knows of, so it runs with a fixed layout where that is allowed.
without_aslr() {
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    setarch "$(uname -m)" -R "$@"
  else
    "$@"
  fi
}

# Stages. A run keeps a table and JUnit files in $results; scripts/tally adds them up.

# begin_stages DIRECTORY: where this run's results go.
begin_stages() {
  results=$PWD/$1
  rm -rf "$results"
  mkdir -p "$results"
}

# stage KIND NAME COMMAND...: runs one stage in a process of its own and notes how it ended and how
# long it took. KIND is "tests" (the command writes $results/NAME.xml), "check" (counts as one test),
# "step" (counts only when it fails) or "run" (a whole run, whose results are in build/results/NAME).
# Never ends the script; returns the command's status.
stage() {
  local kind=$1 name=$2 status=0 began=$SECONDS
  shift 2
  say "== $name"
  ("$@") </dev/null || status=$?
  printf '%s\t%s\t%s\t%s\n' "$name" "$kind" "$status" "$((SECONDS - began))" \
    >>"$results/stages.tsv"
  return "$status"
}

# unit_tests PRESET NAME: the unit tests of a build, as stage NAME.
unit_tests() {
  ctest --test-dir "build/$1" --output-on-failure --no-tests=error --parallel "$(nproc)" \
    --output-junit "$results/$2.xml"
}

# python_tests NAME ARGUMENT...: pytest, as stage NAME.
python_tests() {
  local name=$1
  shift
  "$python" -m pytest -q --junitxml="$results/$name.xml" "$@"
}
