#!/usr/bin/env bash
# check-layers.sh [B]: do includes follow the direction of docs/architecture.md?
# It reads the .d files that the compiler wrote below B (build).
set -euo pipefail
cd "$(dirname "$0")/.."
b=${1:-build}

# folder: what its files may include besides their own folder.
allowed()
{
	case $1 in
	core) ;;
	parser | cache | registry) echo core ;;
	builder/sandbox) echo core ;;
	builder) echo core parser cache registry builder/sandbox ;;
	cmd) echo core parser cache registry builder builder/sandbox ;;
	esac
}

folder_of()
{
	case $1 in
	builder/sandbox/*) echo builder/sandbox ;;
	*) echo "${1%%/*}" ;;
	esac
}

bad=0 n=0
while IFS= read -r d; do
	object=${d#"$b"/}
	from=$(folder_of "$object")
	case $from in core | parser | cache | registry | builder | builder/sandbox | cmd) ;; *) continue ;; esac
	n=$((n + 1))
	ok=" $from $(allowed "$from") "
	# Only the first rule: the others are -MP's empty ones.
	for h in $(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$d" | head -n 1 | cut -d: -f2); do
		case $h in
		core/* | parser/* | cache/* | registry/* | builder/* | cmd/*) ;;
		*) continue ;;
		esac
		to=$(folder_of "$h")
		if [[ $ok != *" $to "* ]]; then
			echo "${object%.d}: $from must not include $h"
			bad=$((bad + 1))
		elif [[ $h == *internal.h && $to != "$from" && $object != builder/test/* ]]; then
			echo "${object%.d}: $h is private to $to"
			bad=$((bad + 1))
		fi
	done
done < <(find "$b" -name '*.d' -path "$b/[cpbr]*/*" | grep -Ev "^$b/(alone|analyze|tidy|test|cov|asan|tsan|fuzz|replay|lint|cppcheck)/" | sort)
[ $n -gt 0 ] || { echo "check-layers: nothing was built in $b"; exit 1; }

# Names that say nothing.
while IFS= read -r f; do
	echo "$f: a file must have a noun for its name"
	bad=$((bad + 1))
done < <(find core parser cache registry builder cmd -regextype egrep -regex '.*/(util|utils|misc|common|helper|helpers)\.[ch]')
[ $bad -eq 0 ]
