#!/usr/bin/env bash
# e2e-input.sh: what is wrong with the input gets its message, its place, its exit status, and changes nothing.
# packages: busybox-static python3 jq util-linux procps docker-registry
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031,SC2016
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A store with busybox and one built image; what it holds is remembered for unchanged.
start() {
    e2e_import busybox
    mkdir ctx
    echo one >ctx/a
    printf 'FROM busybox\nCOPY a /a\n' >ctx/Dockerfile
    "$STAVE" build -q -t before ctx >/dev/null
    rm ctx/Dockerfile
    WAS=$("$STAVE" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')
}

unchanged() {
    e2e_same 'images' "$("$STAVE" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')" "$WAS"
    e2e_same 'left in tmp' "$(ls -A "$STAVE_ROOT/tmp")" ''
    e2e_same 'mounts left' "$(grep -F "$STAVE_ROOT" /proc/self/mounts || true)" ''
    "$STAVE" fsck >fsck.out 2>&1 || e2e_fail "fsck: $(cat fsck.out)"
}

# refused STATUS ARG...: the build of ctx ends so, in 10 seconds, and leaves the store as it was.
refused() {
    local status=$1
    shift
    e2e_exits "$status" timeout -k 1 10 "$STAVE" build --progress=plain -t bad "$@" ctx
    unchanged
}

# bad STATUS DOCKERFILE TEXT...: so written it is refused with these texts in the message.
bad() {
    local status=$1 text
    start
    printf '%b' "$2" >ctx/Dockerfile
    shift 2
    refused "$status"
    for text in "$@"; do
        e2e_has 'message' "$E2E_ERR" "$text"
    done
}

# The same, where docker.io is a registry that has nothing.
bad_there() {
    printf '[[registry]]\nprefix = "docker.io"\nlocation = "%s"\n' "$E2E_REGISTRY" >registries.conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
    bad "$@"
}

no_dockerfile() {
    start
    refused 1
    e2e_has 'message' "$E2E_ERR" 'there is no Dockerfile in ctx'
    refused 1 -f nothing
    e2e_has 'message' "$E2E_ERR" nothing
    e2e_exits 1 "$STAVE" build nodirectory
    e2e_has 'message' "$E2E_ERR" nodirectory
    unchanged
}

usage() {
    start
    echo 'FROM busybox' >ctx/Dockerfile
    refused 2 --nonsense
    e2e_has 'message' "$E2E_ERR" "unknown option '--nonsense'"
    refused 2 --progress=loud
    refused 2 --shm-size=many
    refused 2 -t 'Bad Name'
    refused 2 -o type=zip
    e2e_exits 2 "$STAVE" frobnicate
    e2e_exits 2 "$STAVE" build
    refused 1 --target nowhere
    e2e_has 'message' "$E2E_ERR" "there is no stage 'nowhere'"
    unchanged
}

many_errors() {
    bad 1 'FRUM busybox\nRUN <<X\nX\nCOPY --frob=1 a b\nCMD ["a", 1]\n' ':1:1' ':4:6' ':5:' "did you mean 'FROM'"
}

ignored() {
    start
    printf 'x\na*\n' >ctx/.dockerignore
    printf 'FROM busybox\nCOPY a /y\n' >ctx/Dockerfile
    refused 1
    e2e_has 'message' "$E2E_ERR" 'ctx/Dockerfile:2:'
    e2e_has 'pattern' "$E2E_ERR" "line 2 of .dockerignore, 'a*'"
}

# Root reads everything; a user without privileges is another matter, and a file that gives an error on reading
# takes a file system for that.
unreadable() {
    local mnt=$PWD/ctx/broken
    start
    mkdir "$mnt"
    printf 'FROM busybox\nCOPY broken /y\n' >ctx/Dockerfile
    # Reading this member of /proc fails for root, too.
    e2e_exits 1 unshare -m bash -c '
        : >"$1/file" && mount --bind /proc/self/mem "$1/file" || exit 90
        exec timeout -k 1 10 "$2" build --progress=plain -t bad ctx' - "$mnt" "$STAVE"
    e2e_has 'message' "$E2E_ERR" 'broken/file'
    unchanged
}

# odd HOW: a thing in the context that is neither file, directory nor link.
odd() {
    local began=$SECONDS rc=0
    start
    (cd ctx && bash -c "$1")
    printf 'FROM busybox\nCOPY a /b\nRUN cat /b\n' >ctx/Dockerfile
    timeout -k 1 10 "$STAVE" build --progress=plain -t beside ctx 2>err || e2e_fail "beside it: $(tail -n 5 err)"
    printf 'FROM busybox\nCOPY . /y\nRUN ls -l /y\n' >ctx/Dockerfile
    timeout -k 1 10 "$STAVE" build --progress=plain -t whole ctx 2>err || rc=$?
    [ "$rc" -eq 0 ] || [ "$rc" -eq 1 ] || e2e_fail "status $rc: $(tail -n 5 err)"
    printf 'FROM busybox\nCOPY odd /y\n' >ctx/Dockerfile
    rc=0
    timeout -k 1 10 "$STAVE" build --progress=plain -t self ctx 2>err || rc=$?
    [ "$rc" -eq 0 ] || [ "$rc" -eq 1 ] || e2e_fail "status $rc: $(tail -n 5 err)"
    # As ADD and as the Dockerfile itself.
    printf 'FROM busybox\nADD odd /y\n' >ctx/Dockerfile
    rc=0
    timeout -k 1 10 "$STAVE" build --progress=plain -t self ctx 2>err || rc=$?
    [ "$rc" -eq 0 ] || [ "$rc" -eq 1 ] || e2e_fail "status $rc: $(tail -n 5 err)"
    e2e_exits 1 timeout -k 1 10 "$STAVE" build -f ctx/odd ctx
    [ $((SECONDS - began)) -lt 10 ] || e2e_fail 'it hangs'
    "$STAVE" fsck >/dev/null
}

failing_run() {
    bad 3 'FROM busybox\nRUN echo said; exit 9\n' 'ctx/Dockerfile:2:1' 'exit code 9' said 'stave logs'
    refused 9 --propagate-exit
    # What ran before the failure is kept, and not run again.
    printf 'FROM busybox\nRUN echo kept\nRUN exit 7\n' >ctx/Dockerfile
    refused 3
    refused 3
    e2e_has 'second time' "$E2E_ERR" CACHED
}

killed_run() {
    bad 3 'FROM busybox\nRUN sh -c "kill -9 \\$\\$"; exit $?\n' 'ctx/Dockerfile:2:1' 137
}

# archive KIND: an archive that only a test can make.
archive() {
    python3 "$here/hostile-archive.py" "$1" good.tar "$1.tar" || e2e_fail "cannot make $1"
}

loads() {
    local kind n want path
    start
    "$STAVE" save before >good.tar
    for kind in climbing-blob climbing-layer absolute-layer wrong-digest wrong-size bad-json deep-json no-manifest \
        link-blob device-layer link-out-layer missing-layer; do
        archive "$kind"
        WAS=$("$STAVE" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')
        case $kind in
            # What the layer holds may be taken in, but it stays inside.
            device-layer | absolute-layer | link-out-layer | climbing-layer) want='0|1' ;;
            # The digest is what counts.
            wrong-size) want='0|1' ;;
            *) want=1 ;;
        esac
        n=0
        timeout -k 1 10 "$STAVE" load -i "$kind.tar" >out 2>err || n=$?
        [[ $n =~ ^($want)$ ]] || e2e_fail "$kind: status $n: $(cat out err)"
        if [ "$n" -eq 0 ]; then
            timeout -k 1 10 "$STAVE" build -q - >out 2>err <<<$'FROM evil\nRUN true' || true
            "$STAVE" rmi -f evil >/dev/null
            "$STAVE" prune -f >/dev/null
        fi
        for path in /stave-e2e-escaped "$STAVE_ROOT/stave-e2e-escaped" "$PWD/stave-e2e-escaped"; do
            [ ! -e "$path" ] || e2e_fail "$kind wrote $path"
        done
        unchanged
    done
}

truncated() {
    local size n rc
    start
    "$STAVE" save before >good.tar
    size=$(stat -c %s good.tar)
    export STAVE_ROOT=$PWD/.other
    e2e_import busybox
    WAS=$("$STAVE" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')
    for n in 0 1 511 512 1000 2048 10240 $((size / 2)) $((size - 12000)); do
        head -c "$n" good.tar >cut.tar
        rc=0
        timeout -k 1 10 "$STAVE" load -i cut.tar >out 2>err || rc=$?
        e2e_same "status of the first $n of $size bytes" "$rc" 1
        e2e_same "bytes on stdout" "$(cat out)" ''
        unchanged
    done
    head -c 100000 /dev/urandom >noise
    e2e_exits 1 "$STAVE" load -i noise
    e2e_exits 1 "$STAVE" load -i nothing.tar
    e2e_exits 1 "$STAVE" import noise noise
    unchanged
}

store_file() {
    mkdir ctx
    echo 'FROM scratch' >ctx/Dockerfile
    : >in-the-way
    export STAVE_ROOT=$PWD/in-the-way
    e2e_exits 6 "$STAVE" build ctx
    e2e_has 'message' "$E2E_ERR" in-the-way
    e2e_same 'the file' "$(stat -c %F:%s in-the-way)" 'regular empty file:0'
}

store_readonly() {
    start
    printf 'FROM busybox\nRUN true\n' >ctx/Dockerfile
    e2e_exits 6 unshare -m bash -c 'mount --bind "$STAVE_ROOT" "$STAVE_ROOT" &&
        mount -o remount,bind,ro "$STAVE_ROOT" && exec timeout 10 "$1" build --progress=plain -t bad ctx' - "$STAVE"
    e2e_has 'message' "$E2E_ERR" "$STAVE_ROOT"
    unchanged
}

store_foreign() {
    start
    printf 'FROM busybox\nRUN true\n' >ctx/Dockerfile
    chown 12345 "$STAVE_ROOT"
    e2e_exits 7 timeout 10 "$STAVE" build --progress=plain -t bad ctx
    e2e_has 'message' "$E2E_ERR" "$STAVE_ROOT"
    e2e_has 'owner' "$E2E_ERR" 12345
    chown 0 "$STAVE_ROOT"
    unchanged
}

# The base fits, the file does not.
store_full() {
    mkdir small
    mkdir ctx
    head -c 30000000 /dev/urandom >ctx/big
    printf 'FROM busybox\nCOPY big /big\n' >ctx/Dockerfile
    e2e_exits 0 unshare -m bash -c '
        mount -t tmpfs -o size=12m none small || exit 77
        export STAVE_ROOT=$PWD/small/store
        . "$2/e2e-lib.sh"
        e2e_import busybox
        rc=0
        timeout 20 "$1" build --progress=plain -t bad ctx 2>err || rc=$?
        echo "status $rc"
        "$1" fsck >&2 || exit 4
        "$1" images -q bad
        ls -A small/store/tmp' - "$STAVE" "$here"
    e2e_has 'message' "$(cat err)" 'No space left'
    e2e_same 'status, image and files left' "$E2E_OUT" 'status 6'
}

privileges() {
    start
    printf 'FROM busybox\nRUN true\n' >ctx/Dockerfile
    e2e_exits 7 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin timeout 10 "$STAVE" build --progress=plain --no-cache ctx
    e2e_has 'message' "$E2E_ERR" 'hint:'
    unchanged
}

# interrupted SIGNAL STATUS PATTERN: send it when the build's progress shows the pattern (or after 0.3 s without).
interrupted() {
    local pid i rc=0 sent ms
    "$STAVE" build --progress=json -t bad ctx >out 2>progress &
    pid=$!
    # shellcheck disable=SC2064 # this pid
    trap "kill -KILL $pid 2>/dev/null || true" EXIT
    if [ -n "$3" ]; then
        for ((i = 0; i < 400; i++)); do
            ! grep -q "$3" progress || break
            kill -0 "$pid" 2>/dev/null || e2e_fail "it ended: $(tail -n 5 progress)"
            sleep 0.02
        done
    fi
    sleep 0.3
    sent=$(date +%s%N)
    kill -s "$1" "$pid"
    wait "$pid" || rc=$?
    ms=$((($(date +%s%N) - sent) / 1000000))
    trap - EXIT
    e2e_same 'exit status' "$rc" "$2"
    [ "$ms" -lt 2000 ] || e2e_fail "it took $ms ms to end"
    unchanged
}

interrupted_run() {
    start
    # A number that no other process has in its command line.
    local mark=98$$
    printf 'FROM busybox\nRUN echo begins; sleep %s & sleep %s\n' "$mark" "$mark" >ctx/Dockerfile
    interrupted INT 130 begins
    ! pgrep -f "sleep $mark" >/dev/null || e2e_fail 'its processes are left'
    interrupted TERM 143 begins
    ! pgrep -f "sleep $mark" >/dev/null || e2e_fail 'its processes are left'
    # One that does not listen.
    printf 'FROM busybox\nRUN trap "" INT TERM; echo begins; while :; do sleep 1; done\n' >ctx/Dockerfile
    interrupted INT 130 begins
}

interrupted_copy() {
    start
    truncate -s 6G ctx/big
    printf 'FROM busybox\nCOPY big /big\n' >ctx/Dockerfile
    interrupted INT 130 ''
    rm ctx/big
    # Not sparse: the copy writes all of it.
    head -c 300M /dev/zero >ctx/big
    interrupted INT 130 '"step-started"'
}

e2e_case no-dockerfile no_dockerfile
e2e_case empty-file bad 1 '' 'ctx/Dockerfile:1:1' 'no instructions'
e2e_case only-comments bad 1 '# one\n\n# two\n' 'ctx/Dockerfile:' 'no instructions'
e2e_case from-missing bad 1 'RUN true\n' 'ctx/Dockerfile:1:1' 'before the first FROM'
e2e_case unknown-instruction bad 1 'FRUM busybox\n' "ctx/Dockerfile:1:1: error: unknown instruction 'FRUM'" \
    "did you mean 'FROM'"
e2e_case unknown-flag bad 1 'FROM busybox\nCOPY --frob=1 a b\n' 'ctx/Dockerfile:2:6' 'unknown flag --frob'
e2e_case many-errors many_errors
e2e_start_registry
e2e_case unknown-image bad_there 1 'FROM nothing:1\n' 'ctx/Dockerfile:1:6' "no image 'nothing:1'" 'manifest unknown'
e2e_case unknown-stage bad_there 1 'FROM busybox\nCOPY --from=nowhere /a /b\n' 'ctx/Dockerfile:2:' "'nowhere'"
e2e_case no-registry bad 4 'FROM nothing:1\n' 'ctx/Dockerfile:1:6' "no image 'nothing:1'" '127.0.0.1'
e2e_case own-stage bad 1 'FROM busybox AS a\nCOPY --from=a /x /y\n' 'ctx/Dockerfile:2:' 'its own source'
e2e_case later-stage bad 1 'FROM busybox AS a\nCOPY --from=b /x /y\nFROM busybox AS b\n' 'ctx/Dockerfile:2:' \
    "no stage 'b' before"
e2e_case later-stage-number bad 1 'FROM busybox\nCOPY --from=1 /x /y\nFROM busybox\n' 'ctx/Dockerfile:2:'
e2e_case copy-missing bad 1 'FROM busybox\nCOPY gone /y\n' 'ctx/Dockerfile:2:' '"/gone": not found'
e2e_case copy-missing-in-stage bad 1 'FROM busybox AS a\nFROM busybox\nCOPY --from=a /gone /y\n' 'ctx/Dockerfile:3:' \
    '/gone'
e2e_case copy-ignored ignored
e2e_case copy-outside bad 1 'FROM busybox\nCOPY ../.e2e-out /y\n' 'ctx/Dockerfile:2:' '.e2e-out": not found'
e2e_case unreadable unreadable
e2e_case fifo odd 'mkfifo odd'
e2e_case socket odd 'python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"odd\")"'
e2e_case device odd 'mknod odd c 1 5'
e2e_case block-device odd 'mknod odd b 7 99'
e2e_case unknown-user bad 1 'FROM busybox\nUSER nobodyhere\nRUN true\n' 'ctx/Dockerfile:3:' "user 'nobodyhere'"
e2e_case json-member bad 1 'FROM busybox\nCMD ["a", 1]\n' 'ctx/Dockerfile:2:11' 'no string'
e2e_case heredoc-without-end bad 1 'FROM busybox\nRUN <<END\ntrue\n' 'ctx/Dockerfile:2:5' "heredoc 'END' has no end"
e2e_case unset-variable bad 1 'FROM busybox\nENV a=${X:?is-needed}\n' 'ctx/Dockerfile:2:' is-needed
e2e_case failing-run failing_run
e2e_case killed-run killed_run
e2e_case run-not-found bad 3 'FROM busybox\nRUN ["/nope"]\n' 'ctx/Dockerfile:2:1' 127 /nope
e2e_case command-not-found bad 3 'FROM busybox\nRUN nope\n' 'ctx/Dockerfile:2:1' 127 'nope: not found'
e2e_case usage usage
e2e_case truncated-archive truncated
e2e_case hostile-archive loads
e2e_case store-is-file store_file
e2e_case store-read-only store_readonly
e2e_case store-of-another store_foreign
e2e_case store-full store_full
e2e_case without-privileges privileges
e2e_case interrupted-run interrupted_run
e2e_case interrupted-copy interrupted_copy
e2e_summary e2e-input
