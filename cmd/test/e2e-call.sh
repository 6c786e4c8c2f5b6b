#!/usr/bin/env bash
# e2e-call.sh: stave build --call, held against what docker buildx answers.
# packages: jq
#
#   e2e-call.sh             compare with the recorded answers in testdata/call/NAME
#   e2e-call.sh --record    record them afresh with the reference (testdata/reference/refd, running)
#
# A case is a Dockerfile, perhaps args (one a line), and the answers: outline, targets and their JSON. Things that stand
# in one line come out of BuildKit in any order; no case has two of a kind in one line.
# Each case is a subshell of its own.
# shellcheck disable=SC2031,SC2016
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
cases=$E2E_TOP/testdata/call
calls=('outline' 'targets' 'outline,format=json' 'targets,format=json')

# The arguments of a case, in $args.
read_args() {
    args=()
    [ ! -e "$1/args" ] || mapfile -t args <"$1/args"
}

record() {
    local dir call
    for dir in "$cases"/*/; do
        read_args "$dir"
        for call in "${calls[@]}"; do
            (cd "$dir" && "$E2E_TOP/testdata/reference/refd" docker buildx build "--call=$call" "${args[@]}" . \
                >"${call/,format=/.}" 2>/dev/null)
        done
    done
}

compare() {
    local dir=$cases/$1 call
    read_args "$dir"
    for call in "${calls[@]}"; do
        e2e_exits 0 "$STAVE" build "--call=$call" "${args[@]}" "$dir"
        e2e_same "$call" "$E2E_OUT" "$(cat "$dir/${call/,format=/.}")"
        [ ! -e "$STAVE_ROOT/meta.db" ] || e2e_fail "a store was made"
    done
}

describe() {
    printf 'FROM scratch\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --call=subrequests.describe .
    e2e_has 'the list' "$E2E_OUT" 'outline              1.0.0   List all parameters'
    e2e_has 'the list' "$E2E_OUT" 'subrequests.describe 1.0.0   List available'
    e2e_exits 0 "$STAVE" build --call=subrequests.describe,format=json .
    e2e_same 'the names' "$(jq -r '.[].name' <<<"$E2E_OUT" | tr '\n' ' ')" \
        'frontend.outline frontend.targets frontend.subrequests.describe '
}

# Images that a named context could stand for: stave's own addition.
contexts() {
    printf '# busybox:1 is small\nFROM busybox:1 AS a\nFROM scratch\nCOPY --from=a / /\nCOPY --from=tool / /t\n%s' \
        $'# tool2 compiles\nRUN --mount=from=tool2,target=/x y\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --call=outline .
    e2e_same 'the table' "$E2E_OUT" "$(printf '%s\n' 'CONTEXT     DESCRIPTION' 'busybox:1   is small' 'tool        ' \
        'tool2       compiles')"
    e2e_exits 0 "$STAVE" build --call=outline,format=json .
    e2e_same 'JSON' "$(jq -rc '.contexts[] | [.name, .description]' <<<"$E2E_OUT" | tr '\n' ' ')" \
        '["busybox:1","is small"] ["tool",null] ["tool2","compiles"] '
}

refusals() {
    printf 'FROM scratch\n' >Dockerfile
    e2e_exits 2 "$STAVE" build --call=outlines .
    e2e_has 'the message' "$E2E_ERR" "there is no method 'outlines'"
    e2e_has 'the hint' "$E2E_ERR" "Did you mean 'outline'?"
    e2e_exits 2 "$STAVE" build --call=outline,format=xml .
    e2e_has 'the message' "$E2E_ERR" 'format=xml'
    e2e_exits 1 "$STAVE" build --call=outline --target=nope .
    e2e_has 'the message' "$E2E_ERR" "there is no stage 'nope'"
    printf 'FROM scratch\nRUN --mount=type=secret,id=${x:?none} a\n' >Dockerfile
    e2e_exits 1 "$STAVE" build --call=outline .
    e2e_has 'the place' "$E2E_ERR" 'Dockerfile:2:'
    printf 'FORM scratch\n' >Dockerfile
    e2e_exits 1 "$STAVE" build --call=targets .
    e2e_has 'the message' "$E2E_ERR" "did you mean 'FROM'"
    e2e_same 'stdout' "$E2E_OUT" ''
}

# "build" is the default, said aloud.
build() {
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --call=build -q .
    e2e_has 'the image ID' "$E2E_OUT" 'sha256:'
}

# Text of the file must not steer the terminal.
escapes() {
    printf 'FROM scratch AS a\n# X \033[2J\nARG X="\033]0;t\007"\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --call=outline .
    e2e_hasnt 'the output' "$E2E_OUT" $'\033'
}

if [ "${1-}" = --record ]; then
    record
    exit 0
fi
for dir in "$cases"/*/; do
    name=$(basename "$dir")
    e2e_case "$name" compare "$name"
done
e2e_case describe describe
e2e_case contexts contexts
e2e_case refusals refusals
e2e_case build build
e2e_case escapes escapes
e2e_summary e2e-call
