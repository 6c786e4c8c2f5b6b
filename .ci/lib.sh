# shellcheck shell=bash
# Functions of the scripts in .ci; source it.
#
# A suite ends with one line that others can add up:
#	NAME: 12 passed, 0 failed[, 3 skipped]

# suite_line NAME PASSED FAILED [SKIPPED]
suite_line()
{
	local skipped=
	[ "${4:-0}" -eq 0 ] || skipped=", $4 skipped"
	echo "$1: $2 passed, $3 failed$skipped"
}

# suite_sum FILE: "PASSED FAILED SKIPPED" over all suite lines in FILE.
suite_sum()
{
	sed -nE 's/^[a-z0-9-]+: ([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p' "$1" |
		awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }'
}

# sanitizer_reports PREFIX: show reports at PREFIX.*; status 1 where there are.
sanitizer_reports()
{
	local f found=0
	for f in "$1".*; do
		[ -s "$f" ] || continue
		found=1
		echo "--- $f"
		head -n 60 "$f"
	done
	return $found
}
