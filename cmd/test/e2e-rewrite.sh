#!/usr/bin/env bash
# e2e-rewrite.sh: what 'stave fmt' and 'stave check --fix' make of the Dockerfiles of testdata/corpus builds the same.
# packages: python3
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
passed=0 failed=0
for how in fmt fix; do
    # The cases below testdata/e2e are as good; the corpus is the quicker one.
    line=$("$here/run-golden" --rewrite "$how" "${@:-corpus-ok}" | tee /dev/stderr | tail -n 1) || true
    if [[ $line =~ ^agree\ ([0-9]+),\ differ\ ([0-9]+), ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
done
echo "e2e-rewrite: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
