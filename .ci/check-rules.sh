#!/usr/bin/env bash
# check-rules.sh: each rule of the linter has a paragraph in man/stave-rules.7 and a good and a bad fixture, each
# paragraph and fixture has its rule, and what can be corrected has its corrected text.
set -euo pipefail
cd "$(dirname "$0")/.."
table=parser/lint_rules.c
bad=0

complain() { echo "$1"; bad=$((bad + 1)); }

mapfile -t rules < <(grep -oE '\] =[[:space:]]*\{"[A-Za-z]+"' <(tr -d '\n' <$table | sed 's/\t//g') | grep -oE '[A-Za-z]{3,}' | sort)
# Without a pipe: its writer would be killed where grep ends early, which pipefail takes for "no".
has() { grep -qx "$1" <<<"$(printf '%s\n' "${rules[@]}")"; }
[ ${#rules[@]} -gt 0 ] || { echo "check-rules: $table has no rules"; exit 1; }
for rule in "${rules[@]}"; do
	grep -qx ".It $rule" man/stave-rules.7 || complain "man/stave-rules.7: no paragraph on $rule"
	for kind in good bad; do
		for f in "$kind/Dockerfile" "$kind.expected"; do
			[ -f "testdata/lint/$rule/$f" ] || complain "testdata/lint/$rule/$f is missing"
		done
	done
	grep -q " $rule: " "testdata/lint/$rule/bad.expected" || complain "testdata/lint/$rule/bad does not show it"
done
while read -r rule; do
	has "$rule" || complain "man/stave-rules.7: there is no rule $rule"
done < <(sed -n '/^\.Sh THE CHECK LINE/q; s/^\.It \([A-Z][A-Za-z]*\)$/\1/p' man/stave-rules.7)
for d in testdata/lint/*/; do
	d=$(basename "$d")
	has "$d" || complain "testdata/lint/$d: there is no such rule"
done
# Rules whose row says has_fix, as many as there are corrected texts.
n=$(grep -c 'has_fix = true' $table)
[ "$n" -eq "$(find testdata/lint -name fixed | wc -l)" ] || complain "testdata/lint: not $n corrected texts"
[ $bad -eq 0 ]
