#!/usr/bin/env bash
# bench/transfer.sh [ROUNDS [TOOL...]]: what push and pull cost: stave, BuildKit in Debian's dockerd, and buildah, in one run.
# packages: docker-registry buildah docker.io busybox-static python3 curl util-linux
#
# The tools (default: stave docker buildah, those that are here) take turns within each round (default 3); the medians
# go into the section "Push and pull" of bench/results.md. A last round takes the memory, and no times.
# MB=N: what is pushed, in MB (default 500; what is pulled has three fifths of it). Needs root.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/../cmd/test/e2e-lib.sh"
trap cleanup EXIT
STAVE=$(realpath "$STAVE")
# All are on loopback, where clear text is allowed.
unset CONTAINERS_REGISTRIES_CONF

rounds=${1:-3}
[ $# -eq 0 ] || shift
MB=${MB:-500}
RESULTS=${RESULTS:-$here/results.md}
N_PULL_LAYERS=6
memory=()

cleanup() {
    umount "$E2E_TMP/buildah/overlay" 2>/dev/null || true
    e2e_cleanup
}

# write_files DIR MB N MARK: N files that nobody has seen, together so large. gzip makes 0.56 of them: three quarters are
# of this machine's programs, the rest is noise.
write_files() {
    mkdir -p "$1"
    python3 - "$@" <<'PY'
import os, pathlib, sys

out, size, n = pathlib.Path(sys.argv[1]), int(sys.argv[2]) * 1000000, int(sys.argv[3])
programs = sorted((p for d in ("/usr/bin", "/usr/lib/x86_64-linux-gnu") for p in pathlib.Path(d).iterdir()
                   if p.is_file() and not p.is_symlink()), key=lambda p: -p.stat().st_size)
text, want = b"", min(size, 200000000)
for p in programs:
    with open(p, "rb") as f:
        text += f.read(20000000)
    if len(text) >= want:
        break
at, piece = 0, 16384
for i in range(n):
    left = size // n
    with open(out / f"f{i}", "wb") as f:
        while left > 0:
            part = min(left, 4 * piece)
            noise = os.urandom(part // 3 + 1)
            f.write((noise + text[at:at + part - len(noise)])[:part])
            at = (at + 3 * piece) % max(1, len(text) - 3 * piece)
            left -= part
PY
    sync -f "$1"
}

# measure WHAT TOOL COMMAND...: one line of the results.
measure() {
    local what=$1 tool=$2 got
    shift 2
    sync
    got=$(python3 "$here/cost.py" "${memory[@]}" "${DAEMON[@]}" "$@")
    printf '%s\t%s\t%s\n' "$what" "$tool" "$(tr ' ' '\t' <<<"$got")" >>"$E2E_TMP/times"
    echo "$what, $tool: $got"
}

# both WHAT TOOL: the last two results together.
both() {
    tail -n 2 "$E2E_TMP/times" | awk -F '\t' -v OFS='\t' -v what="$1" -v tool="$2" \
        '{ s += $3; c += $4; if ($5 > p) p = $5 } END { print what, tool, s, c, p + 0 }' >"$E2E_TMP/both"
    cat "$E2E_TMP/both" >>"$E2E_TMP/times"
}

# A fresh registry with what lies in directory $1, if any.
fresh_registry() {
    local dir
    dir=$(mktemp -d "$E2E_TMP/registry.XXXXXX")
    [ -z "${1-}" ] || cp -al "$1/data" "$dir/data"
    e2e_serve_registry "$dir" ''
}

# retire DIR: out of the way, and deleted at the end: ext4 looks through all inodes that were deleted in the last minutes
# before it gives a new file one, which would be the next tool's time. What is large goes at once.
retire() {
    [ -e "$1" ] || return 0
    find "$1" -xdev -type f -size +10M -delete
    mv "$1" "$(mktemp -d "$E2E_TMP/used.XXXXXX")"
}

# TOOL_new: an empty store.
stave_new() { retire "$E2E_TMP/stave"; DAEMON=(); }
buildah_new() {
    umount "$E2E_TMP/buildah/overlay" 2>/dev/null || true
    retire "$E2E_TMP/buildah"
    retire "$E2E_TMP/buildah-run"
    DAEMON=()
}
docker_new() {
    local pids
    stop_docker
    retire "$E2E_TMP/dockerd"
    pids=("${E2E_PIDS[@]}")
    E2E_DOCKER_DRIVER=overlay2 e2e_start_dockerd "$E2E_TMP/dockerd"
    DOCKER_ENTRY=("${E2E_PIDS[@]:${#pids[@]}}")
    DAEMON=(--daemon "${DOCKER_ENTRY[0]% *}")
}
DOCKER_ENTRY=()
stop_docker() {
    local all=("${E2E_PIDS[@]}") entry tmp=$E2E_TMP
    [ ${#DOCKER_ENTRY[@]} -gt 0 ] || return 0
    E2E_PIDS=("${DOCKER_ENTRY[@]}") E2E_TMP=
    e2e_cleanup
    E2E_TMP=$tmp DAEMON=()
    for entry in "${all[@]}"; do
        [ "$entry" = "${DOCKER_ENTRY[0]}" ] || E2E_PIDS+=("$entry")
    done
    DOCKER_ENTRY=()
}

# TOOL_build REF CONTEXT, TOOL_push REF: the commands; run by bench/cost.py.
stave_build() { CMD=(env "STAVE_ROOT=$E2E_TMP/stave" "$STAVE" build -q -t "$1" "$2"); }
stave_push() { CMD=(env "STAVE_ROOT=$E2E_TMP/stave" "$STAVE" push -q "$1"); }
buildah() { CMD=(buildah --root "$E2E_TMP/buildah" --runroot "$E2E_TMP/buildah-run" --storage-driver overlay "$@"); }
buildah_build() { buildah build -q --layers --isolation chroot --network host --tls-verify=false -t "$1" "$2"; }
buildah_push() { buildah push -q --tls-verify=false "$1" "docker://$1"; }
docker_build() { CMD=(env DOCKER_BUILDKIT=1 "${E2E_DOCKER[@]}" build -q --network host -t "$1" "$2"); }
docker_push() { CMD=("${E2E_DOCKER[@]}" push -q "$1"); }

# A fresh registry, an empty store, and a context that nobody has seen; sets REF.
begin_push() {
    fresh_registry
    REF=$E2E_REGISTRY/bench/push:1
    "${1}_new"
    rm -rf "$E2E_TMP/ctx"
    write_files "$E2E_TMP/ctx/files" "$MB" 4
    printf 'FROM scratch\nCOPY files /files\n' >"$E2E_TMP/ctx/Dockerfile"
}

# In one command, where it can; else the sum of both counts.
has_build_push() { [ "$1" = stave ] && [[ $("$STAVE" build --help) == *' --push'* ]]; }

push_round() {
    local tool=$1 ref
    begin_push "$tool"
    ref=$REF
    "${tool}_build" "$ref" "$E2E_TMP/ctx"
    measure "W7: build of $MB MB" "$tool" "${CMD[@]}"
    "${tool}_push" "$ref"
    measure "W7: its push to a fresh registry" "$tool" "${CMD[@]}"
    has_build_push "$tool" || both "W7: build and push" "$tool"
    measure "W7b: the push again" "$tool" "${CMD[@]}"
    has_build_push "$tool" || return 0
    begin_push stave
    measure "W7: build and push" stave env "STAVE_ROOT=$E2E_TMP/stave" "$STAVE" build -q --push -t "$REF" "$E2E_TMP/ctx"
}

# The base of all pulls, in the registry's files.
make_base() {
    local i
    [ -z "${BASE-}" ] || return 0
    mkdir "$E2E_TMP/base"
    e2e_serve_registry "$E2E_TMP/base-registry" ''
    BASE=$E2E_TMP/base-registry
    cp "$(command -v busybox)" "$E2E_TMP/base/busybox"
    printf 'FROM scratch\nCOPY busybox /bin/sh\n' >"$E2E_TMP/base/Dockerfile"
    for ((i = 1; i <= N_PULL_LAYERS; i++)); do
        write_files "$E2E_TMP/base/layer$i" $((MB * 3 / 5 / N_PULL_LAYERS)) 500
        printf 'COPY layer%d /layer%d\n' "$i" "$i" >>"$E2E_TMP/base/Dockerfile"
    done
    stave_build "$E2E_REGISTRY/bench/base:1" "$E2E_TMP/base"
    "${CMD[@]}" >/dev/null
    stave_push "$E2E_REGISTRY/bench/base:1"
    "${CMD[@]}" >/dev/null
    retire "$E2E_TMP/stave"
}

pull_round() {
    local tool=$1
    make_base
    fresh_registry "$BASE"
    "${tool}_new"
    mkdir -p "$E2E_TMP/run"
    printf 'FROM %s/bench/base:1\nRUN true\n' "$E2E_REGISTRY" >"$E2E_TMP/run/Dockerfile"
    "${tool}_build" bench-pull "$E2E_TMP/run"
    measure "W8: FROM of $((MB * 3 / 5)) MB in $N_PULL_LAYERS layers, RUN true" "$tool" "${CMD[@]}"
}

a_round() {
    local shift=$1 i tool
    for ((i = 0; i < ${#tools[@]}; i++)); do
        tool=${tools[(i + shift) % ${#tools[@]}]}
        push_round "$tool"
        pull_round "$tool"
        "${tool}_new"
    done
    stop_docker
}

# The section in place of the one before.
write_results() {
    python3 "$here/cost.py" --table "$E2E_TMP/times" "${tools[@]}" >"$E2E_TMP/table"
    RESULTS=$RESULTS python3 - "$E2E_TMP/table" "$rounds" <<'PY'
import os, platform, re, sys
path, title = os.environ["RESULTS"], "## Push and pull"
text = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
section = (f"{title}\n\nBy `bench/transfer.sh`: wall time and, in brackets, processor seconds (a daemon's too, not the "
           f"registry's), medians of\n{sys.argv[2]} rounds in which the tools took turns. docker-registry on loopback, fresh each time, as "
           f"each store is. {os.cpu_count()} processors, Linux\n{platform.release().split('-')[0]}; load "
           f"{os.getloadavg()[0]:.0f} at the end.\n\n{open(sys.argv[1], encoding='utf-8').read()}\n")
before, found, rest = text.partition(title)
after = re.search(r"\n## ", rest)
text = before.rstrip("\n") + "\n\n" + section + (rest[after.start() + 1:] if after else "")
open(path, "w", encoding="utf-8").write(text)
PY
    cat "$E2E_TMP/table"
}

main() {
    local r
    [ "$(id -u)" -eq 0 ] || e2e_die 'needs root'
    e2e_tmp
    for ((r = 0; r < rounds; r++)); do a_round "$r"; done
    memory=(--memory)
    a_round 0
    write_results
}

tools=("$@")
if [ ${#tools[@]} -eq 0 ]; then
    tools=(stave)
    [ ! -x /usr/sbin/dockerd ] || tools+=(docker)
    ! command -v buildah >/dev/null || tools+=(buildah)
fi
main
