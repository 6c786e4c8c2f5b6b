#!/usr/bin/env bash
# check-needed.sh [PROGRAM]: which libraries the dynamic linker loads at each
# start.  Starting is most of a cached build's time, so the slow ones (libarchive,
# libcurl) are loaded when first used; and a hardened program stays one.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-build/stave}
bad=0

while read -r lib; do
	case $lib in
	libc.so.* | libcrypto.so.* | libjansson.so.* | libsqlite3.so.* | libseccomp.so.* | libisal.so.* | \
		libdeflate.so.* | libzstd.so.* | libm.so.* | libdl.so.* | libpthread.so.* | ld-linux*) ;;
	*)
		echo "$program needs $lib at each start"
		bad=1
		;;
	esac
done < <(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')

dynamic=$(readelf -d -W "$program")
segments=$(readelf -l -W "$program")
grep -q 'BIND_NOW\|Flags:.*NOW' <<<"$dynamic" || { echo "$program: not linked with -z now"; bad=1; }
grep -q GNU_RELRO <<<"$segments" || { echo "$program: no RELRO"; bad=1; }
grep -q 'Type:.*DYN' <<<"$(readelf -h "$program")" || { echo "$program: not position independent"; bad=1; }
if grep GNU_STACK <<<"$segments" | grep -q 'RWE'; then echo "$program: executable stack"; bad=1; fi
[ $bad -eq 0 ]
