#!/bin/sh
# SPDX-License-Identifier: MIT
# register-server.sh: runs a server that adds itself to a pool of lb when it starts, and takes itself
# out again when it is told to stop (SIGTERM, SIGINT): first no new clients, then, once its work is
# done, the signal for the server.
#
#   LB_ADMIN=https://lb.internal:9900 LB_ADMIN_CA=ca.pem LB_ADMIN_TOKEN=... \
#     register-server.sh POOL NAME HOST PORT COMMAND [ARGUMENT...]
#
# LB_ADMIN: where lb's admin address is (default http://127.0.0.1:9900; unix:/run/lb/admin.sock for a
# unix socket). LB_ADMIN_CA: for https://, the authority of its certificate (default: this system's).
# LB_CHECK_PATH: an http check of its own. LB_DRAIN_S: how long work that is open may take (default
# 30). Needs curl.
set -eu

[ $# -ge 5 ] || { echo "usage: $0 POOL NAME HOST PORT COMMAND [ARGUMENT...]" >&2; exit 2; }
pool=$1 name=$2 host=$3 port=$4
shift 4
admin=${LB_ADMIN:-http://127.0.0.1:9900}

call() { # METHOD PATH [BODY]: what lb answers, on stdout
  method=$1 path=$2
  shift 2
  set -- --silent --show-error --max-time 60 --request "$method" ${1:+--data "$1"}
  [ -z "${LB_ADMIN_CA:-}" ] || set -- "$@" --cacert "$LB_ADMIN_CA"
  case $admin in
    unix:*) set -- "$@" --unix-socket "${admin#unix:}" "http://localhost$path" ;;
    *://*) set -- "$@" "$admin$path" ;;
    *) set -- "$@" "http://$admin$path" ;;
  esac
  # By stdin: arguments can be seen by everybody on the machine.
  printf 'header = "Authorization: Bearer %s"\n' "${LB_ADMIN_TOKEN:-}" | curl --config - "$@"
}

find_id() { # the id of this server; nothing when lb has none
  call GET "/api/servers?pool=$pool" | sed 's/},{/}\n{/g' | grep -F "\"name\":\"$name\"" |
    sed -n 's/.*"serverId":"\([0-9a-f]*\)".*/\1/p' | head -n 1
}

check=
[ -z "${LB_CHECK_PATH:-}" ] || check=",\"healthCheckPath\":\"$LB_CHECK_PATH\""

"$@" &
server=$!
stopping=
trap 'stopping=1' TERM INT

answer=$(call POST /api/servers \
  "{\"pool\":\"$pool\",\"name\":\"$name\",\"host\":\"$host\",\"port\":$port$check}") || answer=
id=$(find_id) || id=
if [ -z "$id" ]; then
  echo "$0: lb did not take $pool/$name: ${answer:-no answer}" >&2
  kill "$server"
  exit 1
fi

while [ -z "$stopping" ] && kill -0 "$server" 2>/dev/null; do
  wait "$server" || true # a signal ends this wait
done

call DELETE "/api/servers/$id" >/dev/null || echo "$0: lb does not answer" >&2
left=${LB_DRAIN_S:-30}
while [ "$left" -gt 0 ] && kill -0 "$server" 2>/dev/null && [ -n "$(find_id || true)" ]; do
  sleep 1
  left=$((left - 1))
done
kill "$server" 2>/dev/null || true
wait "$server" 2>/dev/null || true
