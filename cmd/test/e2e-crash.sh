#!/usr/bin/env bash
# packages: gcc
# Kills stave with SIGKILL in front of every 37th of a build's system calls and a sample of other commands', and demands
# that nothing is left and that the same command then succeeds with the result of an undisturbed run. STAVE_E2E_FULL=N:
# in front of every Nth call (1: each).
# Needs root and ptrace; skipped without.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
export SOURCE_DATE_EPOCH=1000000000

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok $1"; }
bad() { failed=$((failed + 1)); echo "FAILED $1: $2"; }
finish() {
    echo "e2e-crash: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
if [ "$(id -u)" -ne 0 ]; then
    skipped=1
    finish
    exit
fi

trap e2e_cleanup EXIT
e2e_tmp
"${CC:-cc}" -O1 -o "$E2E_TMP/killat" "$here/killat.c"
# shellcheck disable=SC2031 # no subshell changes it
export STAVE_ROOT=$E2E_TMP/pristine
e2e_import busybox
# shellcheck disable=SC2031
export STAVE_ROOT=$E2E_TMP/store

mkdir "$E2E_TMP/context"
echo A >"$E2E_TMP/context/f"
cat >"$E2E_TMP/context/Dockerfile" <<'END'
FROM busybox AS a
COPY f /f
RUN mkdir /d && echo one >/d/one && ln /d/one /d/two && rm -r /opt
FROM busybox AS b
RUN echo b >/b
FROM busybox
COPY --from=a /d /d
COPY --from=b /b /b
RUN rm /d/one; mkdir -p /x/y/z
END

# The commands to kill. prepare_NAME makes the store, run_NAME COMMAND... runs stave behind COMMAND, and
# result_NAME prints what must be as in an undisturbed run.
prepare_build() { cp -a "$E2E_TMP/pristine" "$STAVE_ROOT"; }
run_build() { "$@" "$STAVE" build -q -t x "$E2E_TMP/context"; }
result_build() { "$STAVE" images --no-trunc -q x; }

prepare_import() { :; }
run_import() { "$@" "$STAVE" import "$E2E_BASES/busybox.tar" x; }
result_import() { "$STAVE" images --no-trunc -q x; }

prepare_prune() {
    cp -a "$E2E_TMP/pristine" "$STAVE_ROOT"
    "$STAVE" build -q --no-sync "$E2E_TMP/context" >/dev/null
}
run_prune() { "$@" "$STAVE" prune --all --force; }
result_prune() { "$STAVE" images --no-trunc -q; }

prepare_save() {
    cp -a "$E2E_TMP/pristine" "$STAVE_ROOT"
    rm -f "$E2E_TMP/x.tar"
}
run_save() { "$@" "$STAVE" save -o "$E2E_TMP/x.tar" busybox; }
result_save() { sha256sum <"$E2E_TMP/x.tar"; }

# FROM a registry, whose layers are unpacked while they arrive.
prepare_from() { :; }
run_from() { "$@" "$STAVE" build -q -t y "$E2E_TMP/from"; }
result_from() { "$STAVE" images --no-trunc -q y; }

push_base() {
    local STAVE_ROOT=$E2E_TMP/pushed
    export STAVE_ROOT
    cp -a "$E2E_TMP/pristine" "$STAVE_ROOT"
    "$STAVE" build -q -t "$E2E_REGISTRY/base" "$E2E_TMP/context" >/dev/null
    "$STAVE" push -q "$E2E_REGISTRY/base"
    mkdir "$E2E_TMP/from"
    printf 'FROM %s/base\nRUN rm /d/two\n' "$E2E_REGISTRY" >"$E2E_TMP/from/Dockerfile"
}

KILLED=()

# How a store that went through a kill has to be. Prints what is wrong.
check_store() {
    local what=$1 want=$2 got
    if ! got=$("run_$what" 2>&1 >/dev/null); then
        echo "the same command fails then: $got"
    elif ! got=$("result_$what" 2>&1) || [ "$got" != "$want" ]; then
        echo "the result is '$got', not '$want'"
    elif ! got=$("$STAVE" fsck 2>&1); then
        echo "fsck: $got"
    elif [ -n "$(ls -A "$STAVE_ROOT/tmp")" ]; then
        echo "in tmp: $(ls -A "$STAVE_ROOT/tmp")"
    elif grep -qF "$E2E_TMP" /proc/self/mountinfo; then
        echo "a mount is left: $(grep -F "$E2E_TMP" /proc/self/mountinfo)"
    fi
}

one_point() {
    local what=$1 n=$2 want=$3 status=0 why
    rm -rf --one-file-system "$STAVE_ROOT"
    "prepare_$what"
    "run_$what" "$E2E_TMP/killat" "$n" >"$E2E_TMP/out" 2>"$E2E_TMP/err" || status=$?
    KILLED+=("$(sed -n 's/^killat: \([0-9]*\) .*/\1/p' "$E2E_TMP/err" | tail -1)")
    case $status in
        0) return 1 ;;
        3) why=$(check_store "$what" "$want") ;;
        *) why=$(cat "$E2E_TMP/err") ;;
    esac
    [ -z "$why" ] || bad "kill-$what-$n" "$why"
}

# step_for COMMAND POINTS [MAX]: a step that makes about so many kill points of the command's calls.
step_for() {
    local what=$1 points=$2 max=${3:-1000000} calls
    rm -rf --one-file-system "$STAVE_ROOT"
    "prepare_$what"
    "run_$what" "$E2E_TMP/killat" 0 >/dev/null 2>"$E2E_TMP/err" || e2e_die "$(cat "$E2E_TMP/err")"
    calls=$(sed -n 's/^killat: .* after \([0-9]*\) calls$/\1/p' "$E2E_TMP/err")
    STEP=$((calls / points + 1))
    if [ "$STEP" -gt "$max" ]; then STEP=$max; fi
    STEP=${STAVE_E2E_FULL:-$STEP}
}

sweep() {
    local what=$1 n want step before=$failed points=0
    step_for "$what" "$2" "${3:-}"
    step=$STEP
    want=$("result_$what")
    for ((n = 1 + RANDOM % step; ; n += step)); do
        one_point "$what" "$n" "$want" || break
        points=$((points + 1))
    done
    if [ "$points" -lt 3 ]; then
        bad "kill-$what" "only $points kill points"
    elif [ "$failed" -eq "$before" ]; then
        ok "kill-$what ($points points)"
    fi
}

# Dead builders' cgroups go with the next command that makes one.
check_cgroups() {
    local pid left=
    "$STAVE" build -q --no-cache "$E2E_TMP/context" >/dev/null
    for pid in "${KILLED[@]}"; do
        left+=$(find /sys/fs/cgroup -maxdepth 8 -name "stave-$pid-*" 2>/dev/null || true)
    done
    if [ -n "$left" ]; then bad no-cgroup-left "$left"; else ok no-cgroup-left; fi
}

# A tag names the old or the new image, whenever the build of the new one dies.
check_tag() {
    local n old new='' got status before=$failed
    step_for build "$1"
    old=$("$STAVE" images --no-trunc -q busybox)
    for ((n = 1 + RANDOM % STEP; ; n += STEP)); do
        rm -rf --one-file-system "$STAVE_ROOT"
        cp -a "$E2E_TMP/pristine" "$STAVE_ROOT"
        "$STAVE" tag busybox x
        status=0
        run_build "$E2E_TMP/killat" "$n" >/dev/null 2>"$E2E_TMP/err" || status=$?
        got=$("$STAVE" images --no-trunc -q x)
        if [ "$status" -eq 0 ]; then new=$got; break; fi
        [ "$got" = "$old" ] || echo "$got" >>"$E2E_TMP/tags"
    done
    if [ -f "$E2E_TMP/tags" ] && grep -vxF "$new" "$E2E_TMP/tags" >"$E2E_TMP/wrong"; then
        bad tag "names $(cat "$E2E_TMP/wrong")"
    fi
    [ "$failed" -ne "$before" ] || ok tag-old-or-new
}

sweep build 40 37
sweep import 6
sweep prune 8
sweep save 4
e2e_start_registry
push_base
sweep from 12
check_tag 6
check_cgroups
finish
