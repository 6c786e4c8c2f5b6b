#!/bin/sh
# bench/parse_speed.sh [N] - how fast Dockerfiles are parsed and planned: each
# figure is the median of N runs (default 15).  B is the build folder.
set -eu

build=${B:-build}
cd "$(dirname "$0")/.."
mkdir -p "$build/bench"
# shellcheck disable=SC2046
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -I. -o "$build/bench/parse_speed" \
	bench/parse_speed.c $(find "$build/core" "$build/parser" \
	"$build/cache" "$build/registry" "$build/builder" -name '*.o' \
	! -path '*/test/*' ! -path '*/fuzz/*') \
	$(pkg-config --libs libcrypto jansson sqlite3 libseccomp libisal \
	libdeflate libzstd) -pthread -ldl
"$build/bench/parse_speed" "$@"
