#!/bin/sh
# bench/run_cost.sh [N] - what one RUN costs over the command itself: N
# sandboxes (default 200) with busybox's true, as root.  B is the build folder.
set -eu

n=${1:-200}
build=${B:-build}
cd "$(dirname "$0")/.."
busybox=$(command -v busybox)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM

mkdir -p "$build/bench" "$tmp/rootfs/bin"
cp "$busybox" "$tmp/rootfs/bin/busybox"
ln -s busybox "$tmp/rootfs/bin/true"
# shellcheck disable=SC2046
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -I. -o "$build/bench/run_cost" \
	bench/run_cost.c "$build"/builder/sandbox/*.o \
	"$build"/core/err.o "$build"/core/buf.o "$build"/core/mem.o \
	"$build"/core/strs.o "$build"/core/fsat.o "$build"/core/stream.o \
	"$build"/core/digest.o $(pkg-config --libs libseccomp libcrypto)

echo "the command alone (fork and exec of the same file):"
python3 - "$tmp/rootfs/bin/true" "$n" <<'PY'
import subprocess, sys, time
times = []
for _ in range(int(sys.argv[2])):
    t = time.perf_counter()
    subprocess.run([sys.argv[1]], check=True)
    times.append((time.perf_counter() - t) * 1e3)
times.sort()
print("%d runs: median %.2f ms" % (len(times), times[len(times) // 2]))
PY
echo "in the sandbox, the host's network:"
"$build/bench/run_cost" "$tmp" "$n" true
echo "in the sandbox, no network:"
"$build/bench/run_cost" -n "$tmp" "$n" true
