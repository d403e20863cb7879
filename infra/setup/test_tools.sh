#!/usr/bin/env bash
# What the tests need beside Python: SIPp, flite and espeak-ng (voices), Chromium, PostgreSQL, Redis, Kamailio, OpenSSH, Alertmanager, Asterisk. Installs
# Debian packages as root; without root it says what is missing, and the tests that need it skip loudly.
set -eu
cd "$(dirname "$0")/../.."

PATH=$PATH:/usr/sbin  # where Debian puts servers
missing=()
for pair in cc:gcc sipp:sip-tester flite:flite espeak-ng:espeak-ng chromium:chromium kamailio:kamailio \
  sshd:openssh-server prometheus-alertmanager:prometheus-alertmanager redis-server:redis-server redis-sentinel:redis-sentinel redis-cli:redis-tools; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
done

compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)  # with cc: the fault tests' wall clock is built from C

if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing ${missing[*]} …"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "!! missing: ${missing[*]}" >&2
    echo "!! as root: apt-get install ${missing[*]}   (tests that need them will be skipped)" >&2
  fi
fi

bash infra/asterisk/install.sh >/dev/null || echo "!! no Asterisk 22.7 or newer: the SIP tests will be skipped" >&2

.venv/bin/python -m tests.spoken
