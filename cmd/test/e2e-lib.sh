# shellcheck shell=bash
# packages: docker-registry curl python3
# Functions for the end-to-end test scripts. Source it under `set -euo pipefail`, and `trap e2e_cleanup EXIT`.
# Everything that a function starts is remembered by its process id (and start time) and ended by e2e_cleanup.
#
#   e2e_tmp                    sets E2E_TMP: a temporary directory, deleted at the end
#   e2e_bases NAME...          makes the bases; sets E2E_BASES, where NAME.tar and NAME.changes lie
#   e2e_import NAME...         makes the bases and imports them into $STAVE's store
#   e2e_start_registry [PORT]  a docker-registry on loopback; sets E2E_REGISTRY (host:port)
#   e2e_start_http             the server of the ADD cases; sets E2E_HTTP
#   e2e_start_reference        the reference builder, unless it runs already; sets E2E_REFD
#   e2e_serve COMMAND...       any background process, remembered
#   e2e_cleanup                end and delete all of that

E2E_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
E2E_PIDS=()
E2E_TMP=
E2E_STARTED_REF=
STAVE=${STAVE:-$E2E_TOP/build/stave}

e2e_die() { echo "e2e: $*" >&2; exit 1; }

e2e_tmp() {
    [ -n "$E2E_TMP" ] || E2E_TMP=$(mktemp -d "${TMPDIR:-/var/tmp}/stave-e2e.XXXXXX")
}

# A process is the one we started only if it has the same start time.
e2e_start_time() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

e2e_serve() {
    "$@" </dev/null &
    local pid=$!
    E2E_PIDS+=("$pid $(e2e_start_time "$pid")")
}

e2e_bases() {
    local name
    E2E_BASES=${STAVE_BASES_DIR:-/var/tmp/stave-bases}
    for name in "$@"; do
        "$E2E_TOP/testdata/bases/make-base" "$name" "$E2E_BASES"
    done
}

e2e_import() {
    local name line changes
    e2e_bases "$@"
    for name in "$@"; do
        changes=()
        while IFS= read -r line; do
            [ -z "$line" ] || changes+=(-c "$line")
        done <"$E2E_BASES/$name.changes"
        "$STAVE" import "${changes[@]}" "$E2E_BASES/$name.tar" "$name" >/dev/null
    done
}

e2e_free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

e2e_wait_http() {
    local i
    for ((i = 0; i < 100; i++)); do
        curl -fsS -o /dev/null "$1" 2>/dev/null && return 0
        sleep 0.05
    done
    e2e_die "nothing answers at $1"
}

e2e_start_registry() {
    local port=${1:-$(e2e_free_port)} dir
    e2e_tmp
    dir=$(mktemp -d "$E2E_TMP/registry.XXXXXX")
    cat >"$dir/config.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}
http: {addr: 127.0.0.1:$port}
END
    e2e_serve docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1
    e2e_wait_http "http://127.0.0.1:$port/v2/"
    # shellcheck disable=SC2034 # for the sourcing script
    E2E_REGISTRY=127.0.0.1:$port
}

e2e_start_http() {
    local port
    port=$(e2e_free_port)
    e2e_serve python3 "$E2E_TOP/testdata/e2e/httpd.py" "$port" >/dev/null
    E2E_HTTP=http://127.0.0.1:$port
    e2e_wait_http "$E2E_HTTP/stave-e2e"
}

e2e_start_reference() {
    E2E_REFD=$E2E_TOP/testdata/reference/refd
    if [ "$("$E2E_REFD" status || true)" != running ]; then
        "$E2E_REFD" start
        E2E_STARTED_REF=1
    fi
}

# Is the process there and no zombie, and still the one that we started?
e2e_alive() {
    [ -n "$2" ] && [ "$(e2e_start_time "$1")" = "$2" ] || return 1
    [ "$(sed 's/^.*) //;s/ .*//' "/proc/$1/stat" 2>/dev/null)" != Z ]
}

e2e_cleanup() {
    local entry pid at i
    for entry in "${E2E_PIDS[@]}"; do
        pid=${entry% *} at=${entry#* }
        e2e_alive "$pid" "$at" || continue
        kill -TERM "$pid" 2>/dev/null || true
        for ((i = 0; i < 40; i++)); do
            e2e_alive "$pid" "$at" || break
            sleep 0.05
        done
        if e2e_alive "$pid" "$at"; then kill -KILL "$pid" 2>/dev/null || true; fi
        wait "$pid" 2>/dev/null || true
    done
    E2E_PIDS=()
    [ -z "$E2E_STARTED_REF" ] || "$E2E_REFD" stop
    E2E_STARTED_REF=
    [ -z "$E2E_TMP" ] || rm -rf --one-file-system "$E2E_TMP"
    E2E_TMP=
}
