#!/usr/bin/env bash
# check-shell.sh: ShellCheck over every shell script of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts=()
while IFS= read -r f; do
	[ -f "$f" ] || continue
	case $f in
	# setup.sh of a case is a list of commands, its context is data
	testdata/e2e/* | testdata/corpus/*) continue ;;
	*.sh) scripts+=("$f") ;;
	*.*) ;;
	*) if head -c 100 "$f" | head -n 1 | grep -qaE '^#!.*\b(ba)?sh\b'; then scripts+=("$f"); fi ;;
	esac
done < <(git ls-files -co --exclude-standard)
shellcheck -x "${scripts[@]}"
