#!/usr/bin/env bash
# Prints the path of a launcher for an Asterisk >= 22.7 (the first with StasisBroadcast), and nothing else, on stdout.
#
# Uses `asterisk` on the PATH when it is new enough; else the unpacked copy in the cache; else resolves the closure of
# the packages below in Debian sid, with an apt state of its own, and unpacks it. Needs no root and touches nothing
# outside the cache folder. Beside an unpacked launcher lies `layout`, which names its modules, data and sounds.
#
#   CALLROUTER_CACHE           where to keep it (default: ~/.cache/callrouter)
#   CALLROUTER_DEBIAN_MIRROR   address of a Debian mirror (default: the one in this machine's apt sources)
set -euo pipefail

readonly OLDEST=22.7
readonly PACKAGES=(asterisk asterisk-core-sounds-en-gsm)
readonly CACHE="${CALLROUTER_CACHE:-${HOME:-/tmp}/.cache/callrouter}/asterisk"
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'asterisk/install: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing. $2"; }

new_enough() { # version
  [[ $1 =~ ^[0-9]+(\.[0-9]+)+ ]] && printf '%s\n%s\n' "$OLDEST" "${BASH_REMATCH[0]}" | sort --check=quiet --version-sort
}

on_path() {
  local found version
  found=$(command -v asterisk) || return 1
  version=$("$found" -V 2>/dev/null | sed -n 's/^Asterisk //p')
  new_enough "$version" || { say "$found is ${version:-of an unknown version}, older than $OLDEST: not used"; return 1; }
  echo "$found"
}

mirror() {
  if [[ -n ${CALLROUTER_DEBIAN_MIRROR:-} ]]; then
    echo "${CALLROUTER_DEBIAN_MIRROR%/}/"
    return
  fi
  # sid lives beside the stable suites, never on the security archive.
  apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(CREATED_BY)' 2>/dev/null |
    sed -n 's/^\([^|]*\)|Debian|Packages$/\1/p' | grep -v -m1 -e security -e debug
}

sid_apt() { # apt-get with a state that knows only sid, and an empty list of installed packages
  # The machine's own apt.conf is still read: it may name the proxy without which there is no network.
  apt-get -q -o Dir::Etc::sourcelist="$CACHE/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=- \
    -o Dir::State="$CACHE/apt/state" -o Dir::State::lists="$CACHE/apt/lists" \
    -o Dir::State::status="$CACHE/apt/state/status" -o Dir::State::extended_states="$CACHE/apt/state/extended" \
    -o Dir::Cache="$CACHE/apt/cache" -o Dir::Cache::archives="$CACHE/debs" \
    -o Dir::Log="$CACHE/apt/log" -o APT::Sandbox::User= -o APT::Install-Recommends=false \
    -o APT::Get::AllowUnauthenticated=false -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

download() {
  local uri
  need apt-get "Install Asterisk >= $OLDEST yourself and put it on the PATH; only Debian's apt can fetch it here."
  need dpkg "It unpacks the packages; it belongs to apt-get."
  uri=$(mirror) && [[ -n $uri ]] ||
    die "no Debian mirror in this machine's apt sources. Set CALLROUTER_DEBIAN_MIRROR to one (https://…/debian)."
  [[ -r $KEYRING ]] || die "$KEYRING is missing: install the package debian-archive-keyring."
  mkdir -p "$CACHE"/apt/{state,lists/partial,cache,log} "$CACHE/debs/partial"
  : >"$CACHE/apt/state/status"
  echo "deb [signed-by=$KEYRING] $uri sid main" >"$CACHE/apt/sources.list"
  sid_apt -o APT::Update::Error-Mode=any update >"$CACHE/apt/update.log" 2>&1 ||
    die "could not read the package lists of the mirror: is there a network? See $CACHE/apt/update.log."
  sid_apt -y --download-only install "${PACKAGES[@]}" >"$CACHE/apt/download.log" 2>&1 ||
    die "could not fetch the packages. See $CACHE/apt/download.log; running this again continues where it stopped."
}

closure() { # the .debs of the present closure, one path a line
  local name version arch
  sid_apt --simulate install "${PACKAGES[@]}" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) [^)]*\[\([^]]*\)\]).*/\1 \2 \3/p' |
    while read -r name version arch; do
      echo "$CACHE/debs/${name%%:*}_${version//:/%3a}_${arch}.deb"
    done
}

write_launcher() { # root
  local root=$1 loader lib modules
  loader=$(find "$root/usr" -path '*/lib*' -name 'ld-linux*.so.*' -type f -print -quit)
  [[ -n $loader ]] || die "the unpacked packages hold no loader: delete $CACHE and run this again."
  modules=$(find "$root/usr/lib" -type d -path '*/asterisk/modules' -print -quit)
  lib=$(dirname "$(dirname "$modules")")
  # The folder is moved into place when complete, so everything is named from the launcher's own place.
  cat >"$root/asterisk" <<LAUNCHER
#!/bin/sh
# Runs the unpacked Asterisk with the loader and libraries that it was built against, not this machine's.
root=\$(dirname "\$(readlink -f "\$0")")
exec "\$root/${loader#"$root"/}" --library-path "\$root/${lib#"$root"/}:\$root/usr/lib" "\$root/usr/sbin/asterisk" "\$@"
LAUNCHER
  chmod +x "$root/asterisk"
  printf '%s\n' "modules=${modules#"$root"/}" "data=usr/share/asterisk" >"$root/layout"
  # In the package this is a link made by its post-install script, which is never run here.
  mkdir -p "$root/usr/share/asterisk/sounds"
  [[ -e $root/usr/share/asterisk/sounds/en ]] ||
    ln -s en_US_f_Allison "$root/usr/share/asterisk/sounds/en"
}

unpack() {
  local root=$CACHE/unpacked.partial deb
  rm -rf "$root" && mkdir -p "$root"
  local debs
  mapfile -t debs < <(closure)
  ((${#debs[@]} > 0)) || die "apt resolved an empty closure: delete $CACHE/apt and run this again."
  for deb in "${debs[@]}"; do
    [[ -f $deb ]] || die "$deb was not fetched: run this again."
    dpkg -x "$deb" "$root"
  done
  write_launcher "$root"
  local version
  version=$("$root/asterisk" -V 2>&1 | sed -n 's/^Asterisk //p')
  new_enough "$version" || die "the mirror's Asterisk does not run, or is older than $OLDEST (found: ${version:-none})."
  rm -rf "$CACHE/unpacked" && mv "$root" "$CACHE/unpacked"
}

main() {
  on_path && return
  if [[ ! -x $CACHE/unpacked/asterisk ]]; then
    mkdir -p "$CACHE" || die "cannot write $CACHE: set CALLROUTER_CACHE to a folder that can be written."
    need flock "Install the package util-linux."
    exec 9>"$CACHE/lock"
    flock 9
    # Another run may have finished while this one waited.
    if [[ ! -x $CACHE/unpacked/asterisk ]]; then
      say "fetching Asterisk into $CACHE (once; about 110 MB, 270 MB unpacked)"
      download
      unpack
    fi
  fi
  echo "$CACHE/unpacked/asterisk"
}

main
