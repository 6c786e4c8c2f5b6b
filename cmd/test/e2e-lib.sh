# shellcheck shell=bash
# packages: docker-registry curl python3 openssl util-linux
# Functions for the end-to-end test scripts. Source it under `set -euo pipefail`, and `trap e2e_cleanup EXIT`.
# Everything that a function starts is remembered by its process id (and start time) and ended by e2e_cleanup.
#
#   e2e_tmp                    sets E2E_TMP: a temporary directory, deleted at the end
#   e2e_bases NAME...          makes the bases; sets E2E_BASES, where NAME.tar and NAME.changes lie
#   e2e_import NAME...         makes the bases and imports them into $STAVE's store
#   e2e_start_registry         a docker-registry on loopback, with the lines of E2E_YAML in its configuration; sets
#                              E2E_REGISTRY (host:port)
#   e2e_serve_registry DIR YAML...   the same in DIR, with these lines behind "http:"; DIR/log has its requests
#   e2e_make_certs DIR         an authority (ca.crt, ca.key), and a certificate of it for 127.0.0.1 (cert.pem, key.pem)
#   e2e_start_dockerd DIR      a dockerd with all it has in DIR; sets E2E_DOCKER, the client's command; 1: it cannot start here
#   e2e_start_http             the server of the ADD cases; sets E2E_HTTP
#   e2e_start_reference        the reference builder, unless it runs already; sets E2E_REFD
#   e2e_serve COMMAND...       any background process, remembered
#   e2e_cleanup                end and delete all of that
#
# A suite calls e2e_case for each of its cases and ends with e2e_summary:
#
#   e2e_case NAME FUNCTION [ARG...]   runs the function in a subshell with errexit, in an empty directory and with
#                              a new store (STAVE_ROOT) in it; prints "ok NAME", "FAILED NAME: why" or
#                              "skipped NAME: why". With E2E_ONLY set only the names that match that pattern.
#   e2e_fail WHY, e2e_skip WHY       end the case
#   e2e_need PROGRAM                 skips it where that is not installed
#   e2e_own                          what the case starts from here on ends with it
#   e2e_same WHAT GOT WANT     e2e_has WHAT TEXT PART     e2e_hasnt WHAT TEXT PART     end it where that is not so
#   e2e_exits STATUS COMMAND...      runs it, output in $E2E_OUT and $E2E_ERR; ends the case at another status
#   e2e_summary SUITE          the last line; returns 1 if a case failed

E2E_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
E2E_PIDS=()
E2E_TMP=
E2E_STARTED_REF=
STAVE=${STAVE:-$E2E_TOP/build/stave}
# What is not in the store is not looked for on the Internet.
export CONTAINERS_REGISTRIES_CONF=$E2E_TOP/testdata/registry/offline.conf

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

e2e_serve_registry() {
    local dir=$1 port i
    port=$(e2e_free_port)
    shift
    mkdir -p "$dir"
    {
        echo 'version: 0.1'
        echo 'log: {level: error}'
        echo "storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}"
        echo 'http:'
        echo "  addr: 127.0.0.1:$port"
        printf '%s\n' "$@"
    } >"$dir/config.yml"
    e2e_serve docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1
    # shellcheck disable=SC2034 # for the sourcing script
    E2E_REGISTRY=127.0.0.1:$port
    # One that speaks TLS answers too, with a complaint.
    for ((i = 0; i < 100; i++)); do
        curl -ks -o /dev/null "http://$E2E_REGISTRY/v2/" && return 0
        sleep 0.05
    done
    e2e_die "no registry at $E2E_REGISTRY"
}

e2e_start_registry() {
    e2e_tmp
    e2e_serve_registry "$(mktemp -d "$E2E_TMP/registry.XXXXXX")" "" "${E2E_YAML:-}"
}

e2e_make_certs() {
    local dir=$1
    mkdir -p "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stave-test-ca -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout "$dir/key.pem" -out "$dir/csr" 2>/dev/null
    printf 'subjectAltName=IP:127.0.0.1\n' >"$dir/ext"
    openssl x509 -req -in "$dir/csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -extfile "$dir/ext" \
        -out "$dir/cert.pem" 2>/dev/null
}

e2e_start_dockerd() {
    local dir=$1 pid i
    [ -x /usr/sbin/dockerd ] || { echo 'dockerd (Debian docker.io) is not installed'; return 1; }
    mkdir -p "$dir"
    # Debian's own client: another one on PATH may be newer than the daemon.
    E2E_DOCKER=(/usr/bin/docker -H "unix://$dir/sock")
    # In a mount namespace of its own: it may leave its data directory mounted upon itself.
    e2e_serve unshare --mount /usr/sbin/dockerd --data-root "$dir/data" --exec-root "$dir/exec" -H "unix://$dir/sock" \
        -p "$dir/pid" --bridge none --iptables=false --storage-driver "${E2E_DOCKER_DRIVER:-vfs}" >"$dir/log" 2>&1
    pid=${E2E_PIDS[-1]% *}
    for ((i = 0; i < 300; i++)); do
        "${E2E_DOCKER[@]}" version >/dev/null 2>&1 && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "dockerd cannot start here: $(tail -n 1 "$dir/log")"
    return 1
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

E2E_PASSED=0 E2E_FAILED=0 E2E_SKIPPED=0

e2e_fail() { echo "$*"; exit 1; }
e2e_skip() { echo "$*"; exit 77; }
e2e_need() { command -v "$1" >/dev/null || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || e2e_skip "$1 is not installed"; }

e2e_own() {
    E2E_PIDS=() E2E_TMP='' E2E_STARTED_REF=''
    trap e2e_cleanup EXIT
}

e2e_same() { [ "$2" = "$3" ] || e2e_fail "$1: '$2' instead of '$3'"; }
e2e_has() { case $2 in *"$3"*) ;; *) e2e_fail "$1: no '$3' in: $2" ;; esac; }
e2e_hasnt() { case $2 in *"$3"*) e2e_fail "$1: '$3' in: $2" ;; esac; }

e2e_exits() {
    local want=$1 rc=0
    shift
    "$@" >.e2e-out 2>.e2e-err || rc=$?
    # shellcheck disable=SC2034 # for the sourcing script
    E2E_OUT=$(tr -d '\0' <.e2e-out)
    # shellcheck disable=SC2034  # for the suites
    E2E_ERR=$(tr -d '\0' <.e2e-err)
    [ "$rc" -eq "$want" ] || e2e_fail "exit status $rc instead of $want of: $* | $(tail -c 1500 .e2e-err)"
}

e2e_case() {
    local name=$1 rc why dir
    shift
    # shellcheck disable=SC2053 # a pattern
    [[ $name == ${E2E_ONLY:-*} ]] || return 0
    e2e_tmp
    dir=$E2E_TMP/case
    mkdir "$dir"
    set +e
    # The output goes to a file: a process that a failed case left behind must not keep us waiting.
    (
        set -e
        trap - EXIT
        cd "$dir"
        export STAVE_ROOT=$dir/.store
        "$@"
    ) >"$E2E_TMP/case.out" 2>&1 </dev/null
    rc=$?
    set -e
    why=$(tail -n 25 "$E2E_TMP/case.out")
    case $rc in
        0) echo "ok $name"; E2E_PASSED=$((E2E_PASSED + 1)) ;;
        77) echo "skipped $name: $why"; E2E_SKIPPED=$((E2E_SKIPPED + 1)) ;;
        *) echo "FAILED $name: ${why:-status $rc}"; E2E_FAILED=$((E2E_FAILED + 1)) ;;
    esac
    rm -rf --one-file-system "$dir"
}

e2e_summary() {
    echo "$1: $E2E_PASSED passed, $E2E_FAILED failed, $E2E_SKIPPED skipped"
    [ "$E2E_FAILED" -eq 0 ]
}
