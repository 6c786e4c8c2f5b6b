#!/usr/bin/env bash
# check-todo.sh: nothing is left for later without an issue, and no package
# registry of the machine that we work on is named.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
later='\b(TO''DO|FIX''ME|X''XX|HA''CK)\b'
if git grep -nIE "$later" -- core parser cache registry builder cmd man docs .ci Makefile README.md; then
	echo "todo: finish it, or open an issue"
	bad=1
fi
# The recipes take the machine's settings at test time; none is committed.  Which
# ones these are is read from the machine itself.
hosts=$({
	grep -rhoE 'https?://[^/ ]+' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null || true
	npm config get registry 2>/dev/null || true
} | sed -nE 's#^https?://([^/:]+).*#\1#p' | sort -u)
for name in $hosts; do
	if git grep -nIF "$name" -- .; then
		echo "todo: the name of a package registry"
		bad=1
	fi
done
[ $bad -eq 0 ]
