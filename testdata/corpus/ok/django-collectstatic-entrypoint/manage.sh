#!/bin/sh
set -eu
: "${SECRET_KEY:?}"
mkdir -p collected
for f in $(find static -type f | sort); do
	cp "$f" "collected/$(cksum <"$f" | cut -d' ' -f1).${f##*.}"
done
