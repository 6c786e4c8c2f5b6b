#!/usr/bin/env bash
# Many builders on one store at once: each gets its serial result, nothing is executed twice, pruning and killed
# builders hurt nobody, and a context that changes while it is read never poisons the cache.
# STAVE_E2E_FULL=1: more rounds.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
export SOURCE_DATE_EPOCH=1000000000
MANY=64 FLIPS=60 PRUNES=6 KILLS=12
[ -z "${STAVE_E2E_FULL:-}" ] || FLIPS=500 PRUNES=60 KILLS=120

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok $1"; }
bad() { failed=$((failed + 1)); echo "FAILED $1: $2"; }
finish() {
    echo "e2e-many: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
if [ "$(id -u)" -ne 0 ]; then
    skipped=1
    finish
    exit
fi

trap e2e_cleanup EXIT
e2e_tmp
# shellcheck disable=SC2031 # no subshell changes it
export STAVE_ROOT=$E2E_TMP/pristine
e2e_import busybox

new_store() {
    rm -rf --one-file-system "$E2E_TMP/store"
    cp -a "$E2E_TMP/pristine" "$E2E_TMP/store"
    # shellcheck disable=SC2031
    export STAVE_ROOT=$E2E_TMP/store
}

# context DIR N: one of the different builds.
context() {
    mkdir -p "$1"
    echo "file $2" >"$1/f"
    cat >"$1/Dockerfile" <<END
FROM busybox AS a
COPY f /f
RUN echo "$2" >/a && ln /a /b
FROM busybox
RUN echo same >/same
COPY --from=a /a /b /d/
RUN rm /d/a; cat /d/b >/c
END
}

# The store is in order; test NAME.
check_store() {
    local got
    got=$("$STAVE" fsck 2>&1) || bad "$1" "fsck: $got"
    got=$(ls -A "$STAVE_ROOT/tmp")
    [ -z "$got" ] || bad "$1" "in tmp: $got"
}

# What each of the eight gives when nobody else is there.
serial_digests() {
    local i
    SERIAL=()
    new_store
    for ((i = 0; i < 8; i++)); do
        context "$E2E_TMP/context$i" "$i"
        SERIAL[i]=$("$STAVE" build -q --no-cache "$E2E_TMP/context$i")
    done
}

# eight NAME ARGUMENT...: all eight at once, each with its serial digest.
eight() {
    local name=$1 i pids=() got
    shift
    for ((i = 0; i < 8; i++)); do
        "$STAVE" build -q -t "t$i" "$@" "$E2E_TMP/context$i" >"$E2E_TMP/out$i" 2>"$E2E_TMP/err$i" &
        pids[i]=$!
    done
    for ((i = 0; i < 8; i++)); do
        if ! wait "${pids[i]}"; then
            bad "$name" "build $i: $(cat "$E2E_TMP/err$i")"
        elif got=$(cat "$E2E_TMP/out$i") && [ "$got" != "${SERIAL[i]}" ]; then
            bad "$name" "build $i gives $got, alone ${SERIAL[i]}"
        fi
    done
}

test_different() {
    local before=$failed
    new_store
    eight different
    eight different --no-cache
    check_store different
    [ "$failed" -ne "$before" ] || ok different
}

# Counts the events of a kind in all logs.
count() { cat "$E2E_TMP"/same.*.log | grep -c "$1" || true; }

test_same() {
    local before=$failed i pids=() steps done_ n
    new_store
    for ((i = 0; i < MANY; i++)); do
        "$STAVE" build --progress=json --iidfile "$E2E_TMP/same.$i.id" "$E2E_TMP/context0" \
            >"$E2E_TMP/same.$i.log" 2>&1 &
        pids[i]=$!
    done
    for ((i = 0; i < MANY; i++)); do
        wait "${pids[i]}" || bad same "build $i: $(tail -n 3 "$E2E_TMP/same.$i.log")"
    done
    n=$(cat "$E2E_TMP"/same.*.id | sed 's/$/\n/' | sort -u | grep -c sha256)
    [ "$n" -eq 1 ] || bad same "$n different digests"
    grep -qF "${SERIAL[0]}" "$E2E_TMP/same.0.id" || bad same "not the serial digest"
    # Five steps do something: two COPY and three RUN.
    steps=5
    done_=$(count '"event":"step-done"')
    [ "$done_" -eq "$steps" ] || bad same "$done_ steps were executed, not $steps"
    check_store same
    [ "$failed" -ne "$before" ] || ok "same ($MANY builds)"
}

# Changes the file between two contents, in both ways, until there is a file "stop".
flip() {
    local a=$1 b=$2 f=$3
    while [ ! -e "$E2E_TMP/stop" ]; do
        cp "$a" "$f.new"; mv "$f.new" "$f"
        cat "$b" >"$f"
        cp "$b" "$f.new"; mv "$f.new" "$f"
        cat "$a" >"$f"
    done
}

test_flip() {
    local before=$failed i c=$E2E_TMP/flip which pid refused=0
    new_store
    mkdir "$c"
    # Of one size, and large enough that reading takes a while.
    head -c 200000 /dev/zero | tr '\0' A >"$E2E_TMP/A"
    head -c 200000 /dev/zero | tr '\0' B >"$E2E_TMP/B"
    cp "$E2E_TMP/A" "$c/f"
    printf 'FROM busybox\nCOPY f /f\n' >"$c/Dockerfile"
    flip "$E2E_TMP/A" "$E2E_TMP/B" "$c/f" &
    pid=$!
    for ((i = 0; i < FLIPS; i++)); do
        # It may refuse a file that changes, but not store it wrongly. A record of a mix is no lie under its own key.
        "$STAVE" build -q "$c" >/dev/null 2>"$E2E_TMP/err" || refused=$((refused + 1))
        if [ "$((i % 10))" -eq 9 ]; then
            touch "$E2E_TMP/stop"
            wait "$pid"
            for which in A B; do
                cp "$E2E_TMP/$which" "$c/f"
                rm -rf "$E2E_TMP/tree"
                "$STAVE" build -q -o "type=local,dest=$E2E_TMP/tree" "$c" >/dev/null 2>"$E2E_TMP/err" ||
                    bad flip "$(cat "$E2E_TMP/err")"
                cmp -s "$E2E_TMP/$which" "$E2E_TMP/tree/f" || bad flip "not the content $which (round $i)"
            done
            rm "$E2E_TMP/stop"
            flip "$E2E_TMP/A" "$E2E_TMP/B" "$c/f" &
            pid=$!
        fi
    done
    touch "$E2E_TMP/stop"
    wait "$pid"
    check_store flip
    [ "$failed" -ne "$before" ] || ok "flip ($FLIPS builds, $refused refused)"
}

prune_loop() {
    while [ ! -e "$E2E_TMP/stop-prune" ]; do
        "$STAVE" prune --force >/dev/null 2>>"$E2E_TMP/prune.err" || echo "status $?" >>"$E2E_TMP/prune.err"
    done
}

test_prune() {
    local before=$failed i round pid got
    new_store
    : >"$E2E_TMP/prune.err"
    prune_loop &
    pid=$!
    for ((round = 0; round < PRUNES; round++)); do
        eight "prune" --no-sync
        for ((i = 0; i < 8; i++)); do
            got=$("$STAVE" save "t$i" 2>&1 >/dev/null) || bad prune "t$i is not whole: $got"
            [ "$((round % 2))" -ne 0 ] || "$STAVE" rmi "t$i" >/dev/null
        done
    done
    touch "$E2E_TMP/stop-prune"
    wait "$pid"
    [ ! -s "$E2E_TMP/prune.err" ] || bad prune "$(sort "$E2E_TMP/prune.err" | uniq -c | head -n 5)"
    "$STAVE" prune --force >/dev/null
    check_store prune
    [ "$failed" -ne "$before" ] || ok "prune ($PRUNES rounds)"
}

# Builders die; the others do not notice.
test_kill() {
    local before=$failed round pid
    new_store
    for ((round = 0; round < KILLS / 3; round++)); do
        local pids=()
        for i in 0 1 2; do
            context "$E2E_TMP/victim$i" "victim $round $i"
            "$STAVE" build -q --no-cache "$E2E_TMP/victim$i" >/dev/null 2>&1 &
            pids+=("$!")
        done
        (
            for pid in "${pids[@]}"; do
                sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
                kill -KILL "$pid" 2>/dev/null || true
            done
        ) &
        # One of the victims' keys is also waited for by another, who goes on.
        "$STAVE" build -q "$E2E_TMP/victim0" >/dev/null 2>"$E2E_TMP/err" || bad kill "$(cat "$E2E_TMP/err")"
        eight kill --no-sync
        for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
        wait
    done
    "$STAVE" build -q "$E2E_TMP/victim0" >/dev/null
    check_store kill
    [ "$failed" -ne "$before" ] || ok "kill ($KILLS builders)"
}

serial_digests
test_different
test_same
test_flip
test_prune
test_kill 2>/dev/null
finish
