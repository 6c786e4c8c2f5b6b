#!/usr/bin/env bash
# packages: gcc python3 busybox-static
# What a RUN may do and see, and what it leaves behind. Needs root; skipped without.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok $1"; }
bad() { failed=$((failed + 1)); echo "FAILED $1: $2"; }
finish() {
    echo "e2e-sandbox: $passed passed, $failed failed, $skipped skipped"
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
export STAVE_ROOT=$E2E_TMP/store
e2e_import busybox
"${CC:-cc}" -O1 -o "$E2E_TMP/killat" "$here/killat.c"
C=$E2E_TMP/context
mkdir "$C"

# in_run SCRIPT: what SCRIPT prints as a RUN; its errors too. The output lies in OUT.
OUT=$E2E_TMP/tree/out
in_run() {
    rm -rf "$E2E_TMP/tree"
    printf '%s\n' "$1" >"$C/script"
    printf 'FROM busybox\nCOPY script /script\nRUN sh /script >/out 2>&1 || echo "status $?" >>/out\n' >"$C/Dockerfile"
    "$STAVE" build -q --no-cache -o "type=local,dest=$E2E_TMP/tree" "$C" >"$E2E_TMP/log" 2>&1 ||
        echo "the build fails: $(cat "$E2E_TMP/log")" >"$E2E_TMP/log2"
    [ -f "$OUT" ] || { mkdir -p "$E2E_TMP/tree"; cp "$E2E_TMP/log2" "$OUT"; }
}

# expect NAME SCRIPT TEXT: it prints exactly that.
expect() {
    in_run "$2"
    if [ "$(cat "$OUT")" = "$3" ]; then ok "$1"; else bad "$1" "'$(cat "$OUT")', not '$3'"; fi
}

# refused NAME SCRIPT: it fails, and prints a reason of the kernel.
refused() {
    in_run "$2"
    if grep -q '^status' "$OUT" && grep -qiE 'not permitted|denied|no such device' "$OUT"; then
        ok "$1"
    else
        bad "$1" "$(cat "$OUT")"
    fi
}

# layer FILE: what the last layer of the saved image holds.
layer() {
    "$STAVE" save -o "$E2E_TMP/save.tar" "$1"
    python3 - "$E2E_TMP/save.tar" <<'END'
import io
import json
import sys
import tarfile

with tarfile.open(sys.argv[1]) as outer:
    def read(name):
        return outer.extractfile(name).read()
    layers = json.loads(read("manifest.json"))[0]["Layers"]
    with tarfile.open(fileobj=io.BytesIO(read(layers[-1])), mode="r:*") as t:
        print(" ".join(sorted(m.name.strip("/") for m in t)))
END
}

# "/" is what the image says it is, not what the builder's directory happens to be.
mkdir -m 0711 "$E2E_TMP/odd"
mkdir "$E2E_TMP/odd/bin"
cp "$(command -v busybox)" "$E2E_TMP/odd/bin/busybox"
ln -s busybox "$E2E_TMP/odd/bin/sh"
chown 5:6 "$E2E_TMP/odd"
tar -C "$E2E_TMP/odd" -cf "$E2E_TMP/odd.tar" .
"$STAVE" import "$E2E_TMP/odd.tar" odd >/dev/null 2>"$E2E_TMP/log"
printf 'FROM odd\nRUN busybox stat -c "%%a %%u:%%g" / >/out\n' >"$C/Dockerfile"
if "$STAVE" build -q --no-cache -o "type=local,dest=$E2E_TMP/odd-tree" "$C" >"$E2E_TMP/log" 2>&1 &&
    [ "$(cat "$E2E_TMP/odd-tree/out")" = '711 5:6' ]; then
    ok root-attributes
else
    bad root-attributes "$(cat "$E2E_TMP/odd-tree/out" "$E2E_TMP/log" 2>&1)"
fi

caps='00000000a80425fb'
expect capabilities "grep -E '^Cap(Prm|Eff|Bnd|Amb|Inh)' /proc/self/status | cut -f2 | tr '\n' ' '" \
    "0000000000000000 $caps $caps $caps 0000000000000000 "
expect seccomp "grep -E '^Seccomp:' /proc/self/status | cut -f2" 2
expect descriptors 'ls /proc/self/fd | tr "\n" " "' '0 1 2 3 '
expect environment "tr '\\0' '\\n' </proc/1/environ | sort" "$(printf '%s\n' HOME=/root \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)"
# The RUN's shell and the script's.
expect processes 'set -- /proc/[0-9]*; echo $#' 2
expect ids 'id -u; id -g; id -G; umask; pwd' "$(printf '0\n0\n0\n0022\n/')"

# The host's disk can be made as a node, and not read.
disk=$(stat -c '%d' / | { read -r d; echo "$((d >> 8 & 0xfff)) $((d & 0xff))"; })
refused disk "mknod /disk b $disk && dd if=/disk of=/dev/null bs=512 count=1"
refused disk-write "mknod /disk b $disk && dd if=/dev/null of=/disk bs=512 count=1"
refused kmem 'mknod /kmsg c 1 11 && cat /kmsg'
expect null-device 'mknod /n c 1 3 && echo x >/n && head -c 3 /dev/zero | wc -c' 3

refused unshare-user 'unshare -U true'
refused unshare-mount 'unshare -m true'
refused unshare-net 'unshare -n true'
refused mount-tmpfs 'mount -t tmpfs none /srv'
refused mount-proc 'mount -t proc none /srv'
refused remount-sys 'mount -o remount,rw /sys'
refused umount 'umount /proc'
refused pivot-root 'mkdir /srv/old; pivot_root /srv /srv/old'
refused setns 'nsenter -m -t 1 true'
refused hostname 'hostname other'
# shellcheck disable=SC2016 # the script is for the RUN
expect set-time 'date -s "$(date "+%F %T")" 2>&1 | grep -c "not permitted"' 1
refused kernel-log dmesg
in_run 'echo 1 >/proc/sys/kernel/printk; echo 1 >/sys/kernel/profiling'
if [ "$(grep -ciE 'read-only|denied|not permitted' "$OUT")" -eq 2 ]; then
    ok kernel-settings
else
    bad kernel-settings "$(cat "$OUT")"
fi

# Nothing of the host's paths is seen: neither the file behind our own output nor the store's place.
see_host() {
    local mark=stave-behind-stdout-$$
    in_run 'cat /proc/self/mountinfo /proc/mounts; ls -l /proc/*/fd /proc/*/cwd /proc/*/root /proc/*/exe; true'
    if grep -qF "$E2E_TMP" "$OUT"; then bad host-paths "$(grep -F "$E2E_TMP" "$OUT")"; else ok host-paths; fi
    printf 'FROM busybox\nRUN ls -l /proc/self/fd /proc/1/fd >/out; ls /proc/1/root/ >>/out\n' >"$C/Dockerfile"
    rm -rf "$E2E_TMP/tree"
    "$STAVE" build --progress=plain --no-cache -o "type=local,dest=$E2E_TMP/tree" "$C" \
        >"$E2E_TMP/$mark" 2>&1 <"$C/script"
    if grep -qE "$mark|script|/context" "$OUT"; then bad behind-stdout "$(cat "$OUT")"; else ok behind-stdout; fi
    expect masked 'cat /proc/keys /proc/timer_list /proc/interrupts /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware' 0
}
see_host

# What is mounted for a RUN leaves nothing in its layer, even where the image lacks the directories.
layers() {
    local got
    printf 'FROM busybox\nRUN cat /etc/resolv.conf /etc/hosts >/dev/null; echo x >/dev/shm/x; echo 1 >/one\n' \
        >"$C/Dockerfile"
    "$STAVE" build -q --no-cache -t layer "$C" >/dev/null
    got=$(layer layer)
    if [ "$got" = one ]; then ok layer; else bad layer "it holds $got"; fi
    cp "$(command -v busybox)" "$C/busybox"
    printf 'FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "touch", "/one"]\n' >"$C/Dockerfile"
    "$STAVE" build -q --no-cache -t layer "$C" >/dev/null
    got=$(layer layer)
    if [ "$got" = one ]; then ok layer-of-scratch; else bad layer-of-scratch "it holds $got"; fi
    printf 'FROM busybox\nRUN true\n' >"$C/Dockerfile"
    "$STAVE" build -q --no-cache -t layer "$C" >/dev/null
    expect resolv-read-only 'echo x >/etc/resolv.conf' "$(printf '%s\n%s' \
        "/script: line 1: can't create /etc/resolv.conf: Read-only file system" 'status 1')"
}
if command -v busybox >/dev/null; then layers; else skipped=$((skipped + 1)); fi

# Is a process with this word in its command line there?
running() {
    local f
    for f in /proc/[0-9]*/cmdline; do
        [ "$f" != "/proc/$$/cmdline" ] || continue
        if { tr '\0' ' ' <"$f" | grep -q "sleep $1"; } 2>/dev/null; then return 0; fi
    done
    return 1
}

# clean NAME LOG MOUNTS: after a run under killat nothing is left.
clean() {
    local pid left
    pid=$(sed -n 's/^killat: \([0-9]*\) .*/\1/p' "$2" | tail -1)
    if grep -q '^killat: process' "$2"; then bad "$1" "$(tail -n 3 "$2")"; return; fi
    left=$(find /sys/fs/cgroup -maxdepth 8 -name "stave-$pid-*" 2>/dev/null || true)
    if [ -n "$left" ]; then bad "$1" "cgroup $left"; return; fi
    if grep -qF "$E2E_TMP" /proc/self/mountinfo; then bad "$1" "a mount is left"; return; fi
    left=$(ls -A "$STAVE_ROOT/tmp")
    if [ -n "$left" ]; then bad "$1" "in tmp: $left"; return; fi
    ok "$1"
}

processes_end() {
    local word=1000$$.25 status=0
    printf 'FROM busybox\nRUN sleep %s & setsid sleep %s & nohup sh -c "trap : TERM HUP; sleep %s" & echo x\n' \
        "$word" "$word" "$word" >"$C/Dockerfile"
    timeout 60 "$E2E_TMP/killat" 0 "$STAVE" build -q --no-cache "$C" >/dev/null 2>"$E2E_TMP/log" || status=$?
    [ "$status" -eq 0 ] || bad background "status $status: $(tail -n 3 "$E2E_TMP/log")"
    if running "$word"; then bad background "a process is left"; else ok background; fi
    clean clean-after-build "$E2E_TMP/log"
    printf 'FROM busybox\nRUN sleep %s & exit 7\n' "$word" >"$C/Dockerfile"
    "$E2E_TMP/killat" 0 "$STAVE" build -q --no-cache "$C" >/dev/null 2>"$E2E_TMP/log" || true
    grep -q 'ended 3 ' "$E2E_TMP/log" || bad failing-run "$(tail -n 3 "$E2E_TMP/log")"
    clean clean-after-failure "$E2E_TMP/log"
}
processes_end

# stop SIGNAL STATUS: a build that is stopped ends soon, with that status, and leaves nothing.
stop() {
    local word=2000$$.$2 pid status=0 i begin
    printf 'FROM busybox\nRUN trap "" INT TERM HUP; sleep %s\n' "$word" >"$C/Dockerfile"
    env --default-signal="$1" "$STAVE" build -q --no-cache "$C" >/dev/null 2>"$E2E_TMP/log" &
    pid=$!
    for ((i = 0; i < 200; i++)); do
        if running "$word"; then break; fi
        sleep 0.05
    done
    begin=$(date +%s%N)
    kill "-$1" "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq "$2" ] || bad "signal-$1" "status $status, not $2"
    i=$((($(date +%s%N) - begin) / 1000000))
    [ "$i" -le 4000 ] || bad "signal-$1" "it took $i ms"
    if running "$word"; then bad "signal-$1" "a process is left"; fi
    echo "killat: $pid stopped" >>"$E2E_TMP/log"
    clean "signal-$1" "$E2E_TMP/log"
}
stop INT 130
stop TERM 143

finish
