#!/usr/bin/env bash
# A store on a file system that is too small: every command fails with the right message or makes the right image,
# nothing half is visible, and with more space the same command passes. The size grows in steps of 64 KiB; by
# default only a sample is tried, with STAVE_E2E_FULL=1 all. The same for file systems with too few inodes.
# Needs root and a mount namespace; skipped without.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
export SOURCE_DATE_EPOCH=1000000000
# What the parent demands of failing commands.
EXIT_IO=6
EXIT_STEP=3
NO_SPACE='No space left on device'

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok $1"; }
bad() { failed=$((failed + 1)); echo "FAILED $1: $2"; }
finish() {
    echo "e2e-full: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
    skipped=1
    finish
    exit
fi
# Mounts of ours are nobody else's, and go with the last process.
if [ "${1:-}" != --inside ]; then
    exec unshare -m --propagation private "$0" --inside
fi

cleanup() {
    umount "$E2E_TMP/mount" 2>/dev/null || true
    e2e_cleanup
}
trap cleanup EXIT
e2e_tmp
e2e_bases busybox
# shellcheck disable=SC2031 # no subshell changes it
export STAVE_ROOT=$E2E_TMP/store
mkdir "$E2E_TMP/context" "$E2E_TMP/mount"
head -c 300000 /dev/urandom >"$E2E_TMP/context/f"
cat >"$E2E_TMP/context/Dockerfile" <<'END'
FROM busybox AS a
COPY f /f
RUN cat /f /f >/g && echo one >/one
FROM busybox
COPY --from=a /g /one /d/
RUN head -c 100000 /d/g | tail -c 50000 >/d/h
END

run_import() { "$STAVE" import -c 'CMD ["sh"]' "$E2E_BASES/busybox.tar" busybox; }
run_build() { "$STAVE" build -q -t x "$E2E_TMP/context"; }

# The results on a large disk, and how large and how many files the store is then.
run_import >/dev/null
declare -A want
want[import]=$("$STAVE" images --no-trunc -q busybox)
run_build >/dev/null
want[build]=$("$STAVE" images --no-trunc -q x)
max_kib=$(du -sk "$STAVE_ROOT" | cut -f1)
max_inodes=$(find "$STAVE_ROOT" | wc -l)
rm -rf --one-file-system "$STAVE_ROOT"
# shellcheck disable=SC2031
export STAVE_ROOT=$E2E_TMP/mount/store

declare -A name=([import]=busybox [build]=x)

# One command on the small disk; sets FAILED to 1 if it was too small.
attempt() {
    local what=$1 label=$2 status=0 got
    "run_$what" >"$E2E_TMP/out" 2>"$E2E_TMP/err" || status=$?
    if [ "$status" -eq 0 ]; then
        got=$("$STAVE" images --no-trunc -q "${name[$what]}" 2>&1) || true
        [ "$got" = "${want[$what]}" ] || bad "$label" "$what says OK and made '$got', not '${want[$what]}'"
        return
    fi
    FAILED=1
    # A RUN's own program may be the one that meets the end of the disk.
    if [ "$status" -ne $EXIT_IO ] && ! { [ "$status" -eq $EXIT_STEP ] && grep -qE "^[a-z/]+: .*$NO_SPACE" "$E2E_TMP/err"; }; then
        bad "$label" "$what ends with status $status: $(cat "$E2E_TMP/err")"
    elif ! grep -qF "$NO_SPACE" "$E2E_TMP/err"; then
        bad "$label" "$what does not say '$NO_SPACE': $(cat "$E2E_TMP/err")"
    elif [ "$(tail -n +2 "$E2E_TMP/err" | wc -l)" -eq 0 ]; then
        bad "$label" "$what gives no hint: $(cat "$E2E_TMP/err")"
    fi
}

# After a failure: nothing half is there, and more space makes it pass.
recover() {
    local label=$1 got what
    mount -o remount,size=256m,nr_inodes=100000 "$E2E_TMP/mount"
    if [ -e "$STAVE_ROOT/meta.db" ]; then
        got=$("$STAVE" images --no-trunc -q x 2>&1) || bad "$label" "images: $got"
        [ -z "$got" ] || bad "$label" "an image is there: $got"
        got=$("$STAVE" fsck 2>&1) || bad "$label" "fsck: $got"
    fi
    FAILED=0
    for what in import build; do attempt "$what" "$label, enlarged"; done
    [ "$FAILED" -eq 0 ] || bad "$label" "enlarged: $(cat "$E2E_TMP/err")"
    got=$("$STAVE" fsck 2>&1) || bad "$label" "fsck, enlarged: $got"
    got=$(ls -A "$STAVE_ROOT/tmp")
    [ -z "$got" ] || bad "$label" "in tmp: $got"
}

small_disk() {
    local label=$1 options=$2 before=$failed how=passes
    mount -t tmpfs -o "$options,mode=700" stave-e2e "$E2E_TMP/mount"
    FAILED=0
    attempt import "$label"
    if [ "$FAILED" -eq 0 ]; then attempt build "$label"; fi
    if [ "$FAILED" -ne 0 ]; then
        how=refused
        refused=$((refused + 1))
        recover "$label"
    fi
    umount "$E2E_TMP/mount" || bad "$label" "the file system is busy"
    [ "$failed" -ne "$before" ] || ok "$label ($how)"
}

# From nothing to 1.5 times what is needed.
refused=0
steps=24
[ -z "${STAVE_E2E_FULL:-}" ] || steps=100000
last=$((max_kib * 3 / 2 / 64))
for ((n = 1; n <= last; n += last / steps + 1)); do
    small_disk "size-$((n * 64))k" "size=$((n * 64))k"
done
last=$((max_inodes * 3 / 2))
for ((n = 3; n <= last; n += last / (steps / 2) + 1)); do
    small_disk "inodes-$n" "size=256m,nr_inodes=$n"
done
if [ "$refused" -lt 5 ]; then bad refused "only $refused disks were too small"; fi
finish
