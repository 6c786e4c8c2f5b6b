#!/usr/bin/env bash
# e2e-check.sh: each rule of 'stave check' finds what its bad fixture has and nothing in its good one, agrees with
# BuildKit where it is BuildKit's, and corrects what it can. STAVE_ACCEPT=1 rewrites the expectations.
# packages: jq busybox-static python3 util-linux curl
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031,SC2016
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
LINT=$E2E_TOP/testdata/lint

# The images that fixtures begin from.
images() {
    tar -cf empty.tar --files-from /dev/null
    "$STAVE" import --platform linux/amd64 -c 'ENV FROM_BASE=1' empty.tar check-native:1 >/dev/null
    "$STAVE" import --platform linux/s390x empty.tar check-foreign:1 >/dev/null
}

# The arguments of a fixture, in $args.
arguments() {
    args=()
    [ ! -e "$1/args" ] || mapfile -t args <"$1/args"
}

expect() {
    if [ -n "${STAVE_ACCEPT:-}" ]; then printf '%s\n' "$2" >"$1"; fi
    e2e_same "$1" "$2" "$(cat "$1")"
}

# The findings of a fixture: "RULE LINE", sorted.
lines_of() {
    jq -r '.warnings[] | .ruleName + " " + (.location.ranges[0].start.line | tostring)' | LC_ALL=C sort
}

# fixture RULE: text and status of both.
fixture() {
    local kind text status json
    images
    for kind in good bad; do
        arguments "$LINT/$1/$kind"
        status=0
        text=$(cd "$LINT/$1/$kind" && "$STAVE" check --platform linux/amd64 "${args[@]}" .) || status=$?
        expect "$LINT/$1/$kind.expected" "$text"
        json=$(cd "$LINT/$1/$kind" && "$STAVE" check --platform linux/amd64 "${args[@]}" --format json .) || true
        if [ $kind = good ]; then
            e2e_hasnt "$1/good" "$text" " $1: "
        else
            e2e_has "$1/bad" "$text" " $1: "
            text=$(cd "$LINT/$1/$kind" && "$STAVE" check --platform linux/amd64 "${args[@]}" \
                --build-arg BUILDKIT_DOCKERFILE_CHECK="skip=$1" .) || true
            e2e_hasnt 'skipping it' "$text" " $1: "
        fi
        e2e_same 'status' "$status" "$(jq '[.warnings[] | select(.severity == "warning")] | length > 0 | if . then 1 else 0 end' <<<"$json")"
        reference "$1" "$kind" "$json"
    done
}

# BuildKit finds the same; what differs is named here, with the reason.
reference() {
    local file=$LINT/$1/$2.reference ours theirs
    [ -e "$file" ] || return 0
    ours=$(lines_of <<<"$3" | grep -E "^$1 " || true)
    theirs=$(LC_ALL=C sort "$file" | grep -E "^$1 " || true)
    case $1/$2 in
    # Newer ones than 0.25 leave these names alone, and so do we.
    SecretsUsedInArgOrEnv/good) theirs= ;;
    # A '!' brings back something of the directory; newer ones say nothing either.
    CopyIgnoredFile/good) theirs= ;;
    # It names the line behind the empty one.
    NoEmptyContinuation/bad) theirs='NoEmptyContinuation 3' ;;
    # It names the first line of an instruction with a heredoc, we the variable's.
    UndefinedVar/bad) theirs=${theirs/ 4/ 5} ;;
    esac
    e2e_same "$1/$2 as BuildKit" "$ours" "$theirs"
}

# fixed RULE: the correction, after which nothing of the rule is found and the tree is the same.
fixed() {
    cp -r "$LINT/$1/bad" ctx
    chmod 640 ctx/Dockerfile
    "$STAVE" check --fix ctx >fix.out 2>fix.err || true
    e2e_hasnt 'after the correction' "$(cat fix.out)" " $1: "
    e2e_has 'what was done' "$(cat fix.err)" "corrected"
    e2e_same 'mode' "$(stat -c %a ctx/Dockerfile)" 640
    expect "$LINT/$1/fixed" "$(cat ctx/Dockerfile)"
    cp ctx/Dockerfile before
    "$STAVE" check --fix ctx >fix.out 2>fix.err || true
    e2e_same 'twice' "$(cat ctx/Dockerfile)" "$(cat before)"
}

# Other text is not touched: comments, blanks, heredocs, CRLF and what the rules do not know.
fix_keeps() {
    printf '# x  \r\nFROM scratch as a \r\n\r\n  env   A  b c   \r\nCOPY <<EOF /x\r\n  from a as b\r\nEOF\r\n' >Dockerfile
    ln -s Dockerfile link
    "$STAVE" check --fix link >/dev/null 2>&1 || true
    e2e_same 'text' "$(od -c Dockerfile)" "$(printf '# x  \r\nFROM scratch AS a \r\n\r\n  ENV   A="b c"   \r\nCOPY <<EOF /x\r\n  from a as b\r\nEOF\r\n' | od -c)"
    [ -L link ] || e2e_fail 'the link is gone'
    e2e_exits 2 "$STAVE" check --fix - <Dockerfile
}

# Who may not give it back to its owner leaves it as it is.
fix_keeps_owner() {
    [ "$(id -u)" = 0 ] || e2e_skip 'needs root'
    printf 'FROM scratch as a\n' >Dockerfile
    chown 1234:4321 Dockerfile
    e2e_exits 0 "$STAVE" check --fix Dockerfile
    e2e_same 'the owner' "$(stat -c %u:%g Dockerfile)" 1234:4321
    mkdir -m 777 d
    printf 'FROM scratch as a\n' >d/Dockerfile
    chmod 755 "$E2E_TMP" "$PWD"
    # The sources may lie where only root gets to.
    cp "$STAVE" d/stave
    local rc=0
    setpriv --reuid=4321 --regid=4321 --clear-groups env STAVE_ROOT="$PWD/d/store" d/stave check --fix d/Dockerfile >out 2>err || rc=$?
    e2e_same "the status ($(cat err))" "$rc" 1
    e2e_has 'the message' "$(cat err)" 'cannot keep the owner of'
    e2e_same 'the file' "$(stat -c %u d/Dockerfile) $(cat d/Dockerfile)" '0 FROM scratch as a'
}

inputs() {
    mkdir ctx
    printf 'from scratch as x\n' >ctx/Dockerfile
    e2e_exits 0 "$STAVE" check ctx
    e2e_exits 0 "$STAVE" check ctx/Dockerfile
    e2e_exits 0 "$STAVE" check -f ctx/Dockerfile
    e2e_exits 0 "$STAVE" check - <ctx/Dockerfile
    e2e_has 'name' "$E2E_OUT" '<stdin>: checked, nothing found'
    printf 'FROM scratch as x\n' >ctx/Dockerfile
    e2e_exits 1 "$STAVE" check ctx
    e2e_exits 1 "$STAVE" check nothing
    e2e_exits 2 "$STAVE" check --format yaml ctx
    e2e_exits 2 "$STAVE" check -f ctx/Dockerfile ctx/Dockerfile
    # A note alone is no failure.
    mkdir -p note/a/b
    printf 'FROM scratch\nCOPY . /\n' >note/Dockerfile
    echo b >note/.dockerignore
    e2e_exits 0 "$STAVE" check note
    e2e_has 'note' "$E2E_OUT" 'note: IgnoreOnlyAtTop'
    # What hangs or is special in a context is no matter.
    mkfifo note/id_rsa
    ln -s /etc/passwd note/.env
    e2e_exits 0 timeout 10 "$STAVE" check note
}

mistakes() {
    printf 'FROM scratch\nCOPPY a b\n' >Dockerfile
    e2e_exits 1 "$STAVE" check .
    e2e_has 'text' "$E2E_OUT" "Dockerfile:2:1: error: unknown instruction 'COPPY'"
    e2e_exits 1 "$STAVE" check --format json .
    e2e_same 'json' "$(jq -r '.errors[0].location.ranges[0].start.line, .buildError.message' <<<"$E2E_OUT" | paste -sd' ' | cut -c1-22)" '2 unknown instruction '
    e2e_exits 1 "$STAVE" check --format sarif .
    e2e_same 'sarif' "$(jq -r '.runs[0].results[0].level' <<<"$E2E_OUT")" error
    printf '# check=skp=all\nFROM scratch\n' >Dockerfile
    e2e_exits 1 "$STAVE" check .
    e2e_has 'directive' "$E2E_OUT" "Dockerfile:1:9: error: invalid check option 'skp'"
    e2e_exits 1 "$STAVE" build .
    e2e_has 'directive' "$E2E_ERR" "Dockerfile:1:9: error: invalid check option 'skp'"
    printf '# check=error=maybe\nFROM scratch\n' >Dockerfile
    e2e_exits 1 "$STAVE" check .
    printf '# check=skip=all\nfrom scratch AS X\nENV a b\n' >Dockerfile
    e2e_exits 0 "$STAVE" check .
    e2e_exits 1 "$STAVE" check --build-arg BUILDKIT_DOCKERFILE_CHECK= .
    e2e_exits 1 "$STAVE" check --build-arg BUILDKIT_DOCKERFILE_CHECK=nothing .
}

formats() {
    cp -r "$LINT/ReservedStageName/bad" ctx
    e2e_exits 1 "$STAVE" check --format json ctx
    e2e_same 'json' "$(jq -c '.warnings[0] | [.ruleName, .url, .severity, .fixable, .location.ranges[0].start]' <<<"$E2E_OUT")" \
        '["ReservedStageName","https://docs.docker.com/go/dockerfile/rule/reserved-stage-name/","warning",false,{"line":1,"character":17}]'
    e2e_exits 1 "$STAVE" check --format sarif ctx
    e2e_same 'sarif' "$(jq -c '.version, (.runs[0] | .tool.driver.rules[.results[0].ruleIndex].id, .results[0].locations[0].physicalLocation)' <<<"$E2E_OUT" | paste -sd' ')" \
        '"2.1.0" "ReservedStageName" {"artifactLocation":{"uri":"ctx/Dockerfile"},"region":{"startLine":1,"startColumn":17,"endLine":1,"endColumn":24}}'
    mkdir 'a b'
    cp ctx/Dockerfile 'a b/ä%'
    e2e_exits 1 "$STAVE" check --format sarif 'a b/ä%'
    e2e_same 'a URI' "$(jq -r '.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri' <<<"$E2E_OUT")" 'a%20b/%C3%A4%25'
    e2e_exits 1 "$STAVE" check --format sarif - <ctx/Dockerfile
    e2e_same 'no file' "$(jq -r '.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri' <<<"$E2E_OUT")" stdin
    e2e_same 'all addresses' "$("$STAVE" check --format sarif ctx | jq -r '.runs[0].tool.driver.rules[].helpUri // empty' | wc -l)" 22
}

# build --check and --call=check say what check says, and build nothing.
calls() {
    cp -r "$LINT/StageNameCasing/bad" ctx
    local want
    want=$("$STAVE" check ctx || true)
    e2e_exits 1 "$STAVE" build --check -t x ctx
    e2e_same '--check' "$E2E_OUT" "$want"
    e2e_exits 1 "$STAVE" build --call=check -t x ctx
    e2e_same '--call=check' "$E2E_OUT" "$want"
    e2e_exits 1 "$STAVE" build --call=check,format=json -t x ctx
    e2e_same '--call=check,format=json' "$E2E_OUT" "$("$STAVE" check --format json ctx || true)"
    e2e_same 'images' "$("$STAVE" images -q)" ''
    e2e_exits 2 "$STAVE" build --call=nothing ctx
}

# A Dockerfile from a URL is checked with the files of the directory.
fetched() {
    local url=$E2E_HTTP/Dockerfile-scratch
    mkdir -p ctx/context
    echo TOKEN=abcdefgh >ctx/context/.env
    e2e_exits 1 "$STAVE" build --check -f "$url" ctx
    e2e_has 'finding' "$E2E_OUT" "$url:2:6: warning: CopySecretFile: this takes in 'context/.env'"
    echo '**/.env' >ctx/.dockerignore
    e2e_exits 0 "$STAVE" build --check -f "$url" ctx
    e2e_exits 1 "$STAVE" build --check -f "$E2E_HTTP/gone" ctx
    e2e_has 'why' "$E2E_ERR" "answered 404"
    e2e_exits 1 "$STAVE" build --check "$E2E_HTTP/gone"
}

# An ordinary build shows BuildKit's rules, at the end, and no others.
builds() {
    printf 'FROM scratch as x\nLABEL a="say "hi" now" b=$NONE\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --progress=plain -t x .
    e2e_has 'stderr' "$E2E_ERR" 'Dockerfile:1:14: warning: FromAsCasing'
    e2e_has 'stderr' "$E2E_ERR" 'Dockerfile:2:26: warning: UndefinedVar'
    e2e_hasnt 'stderr' "$E2E_ERR" QuoteEndsEarly
    e2e_exits 0 "$STAVE" build -q .
    e2e_same 'quiet' "$E2E_ERR" ''
    e2e_exits 0 "$STAVE" build --progress=json .
    e2e_same 'events' "$(grep -c '"finding"' <<<"$E2E_ERR")" 2
    e2e_same 'the last event' "$(tail -n 1 <<<"$E2E_ERR" | jq -r .event)" 'done'
    e2e_exits 0 env BUILDX_METADATA_WARNINGS=1 "$STAVE" build -q --metadata-file m.json .
    e2e_same 'metadata' "$(jq -r '.["buildx.build.warnings"][0] | .short | @base64d' m.json)" \
        "FromAsCasing: 'as' is not in the case of its 'FROM' (line 1)"
    e2e_exits 0 "$STAVE" build -q --metadata-file m.json .
    e2e_same 'metadata' "$(jq 'has("buildx.build.warnings")' m.json)" false
    # A warning of the parser is told once, and not where it is skipped.
    printf 'FROM scratch\nLABEL a=b \\\n\n c=d\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --progress=plain .
    e2e_same 'once' "$(grep -c NoEmptyContinuation <<<"$E2E_ERR")" 1
    e2e_exits 0 "$STAVE" build --progress=plain --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=NoEmptyContinuation .
    e2e_hasnt 'skipped' "$E2E_ERR" NoEmptyContinuation
}

# error=true: nothing runs, nothing is made.
error_true() {
    e2e_import busybox
    printf '# check=error=true\nFROM busybox as x\nRUN echo it ran\n' >Dockerfile
    e2e_exits 1 "$STAVE" build --progress=plain -t x .
    e2e_has 'message' "$E2E_ERR" 'lint violation found for rules: FromAsCasing'
    e2e_hasnt 'message' "$E2E_ERR" 'it ran'
    e2e_same 'images' "$("$STAVE" images --format '{{.Repository}}')" busybox
    # Rules that are ours do not count there.
    printf '# check=error=true\nFROM busybox\nRUN cd /\n' >Dockerfile
    e2e_exits 0 "$STAVE" build --progress=plain -t x .
}

# A secret is told where it gets into the image, and not where --exclude leaves it out.
secrets() {
    mkdir -p a/b
    echo TOKEN=abcdefgh >.env
    cp .env a/b/.env
    printf 'FROM scratch AS a\nCOPY . /\nFROM scratch\nCOPY a /\n' >Dockerfile
    e2e_exits 1 "$STAVE" check .
    e2e_has 'only in a stage' "$E2E_OUT" "Dockerfile:2:6: note: CopySecretFile: this takes in '.env'"
    e2e_has 'in the image too' "$E2E_OUT" "Dockerfile:4:6: warning: CopySecretFile: this takes in 'a/b/.env'"
    printf 'FROM scratch\nCOPY --exclude=.env --exclude=**/b/.env . /\nCOPY --exclude=b/.env a /x/\n' >Dockerfile
    printf 'COPY --exclude=*/.env [a] /y/\nCOPY --parents --exclude=a/b --exclude=.env a . /z/\n' >>Dockerfile
    printf 'COPY --parents --exclude=b a/./b /z/\n' >>Dockerfile
    e2e_exits 0 "$STAVE" check .
    e2e_has 'excluded' "$E2E_OUT" 'Dockerfile: checked, nothing found'
    for copy in '--exclude=.env .env /' '--exclude=a/b/.env a /' '--exclude=.env .e* /' '--parents --exclude=b/.env a /'; do
        printf 'FROM scratch\nCOPY %s\n' "$copy" >Dockerfile
        e2e_exits 1 "$STAVE" check .
        e2e_has "$copy" "$E2E_OUT" 'warning: CopySecretFile'
    done
}

# docker's variable is the default of --platform here too.
platforms() {
    e2e_import busybox
    printf 'FROM busybox:latest\n' >Dockerfile
    e2e_exits 1 env DOCKER_DEFAULT_PLATFORM=linux/s390x "$STAVE" check .
    e2e_has 'variable' "$E2E_OUT" 'InvalidBaseImagePlatform'
    e2e_exits 1 "$STAVE" check --platform linux/s390x .
    e2e_exits 2 "$STAVE" check --platform linux/s390x,linux/amd64 .
    e2e_has 'several' "$E2E_ERR" 'is several'
}

# A stage that is not there cannot be built.
no_target() {
    printf 'FROM scratch AS one\nFROM scratch as two\n' >Dockerfile
    e2e_exits 1 "$STAVE" check --target tow .
    e2e_has 'text' "$E2E_OUT" "error: there is no stage 'tow'"
    e2e_has 'hint' "$E2E_OUT" "Did you mean '--target two'?"
    e2e_has 'the rest' "$E2E_OUT" 'FromAsCasing'
    e2e_exits 1 "$STAVE" build --call=check,format=json --target 1 .
    e2e_same 'json' "$(jq -r .buildError.message <<<"$E2E_OUT")" "there is no stage '1'"
    printf 'FROM scratch AS one\n' >Dockerfile
    e2e_exits 0 "$STAVE" check --target ONE .
    e2e_exits 0 "$STAVE" check --target '' .
}

# What a base image brings counts: its variables, its user, its shell.
bases() {
    e2e_import busybox
    printf 'FROM busybox\nENV FROM_BASE=1\nUSER 5\nSHELL ["/bin/sh", "-c"]\n' >Dockerfile
    "$STAVE" build -q -t base:1 . >/dev/null
    printf 'FROM base:1\nLABEL a=$FROM_BASE b=$OTHER\nRUN sudo x\nCMD x\n' >Dockerfile
    e2e_exits 1 "$STAVE" check .
    e2e_has 'variable' "$E2E_OUT" "'\$OTHER' is not set"
    e2e_hasnt 'variable' "$E2E_OUT" 'FROM_BASE'"' is not set"
    e2e_hasnt 'user' "$E2E_OUT" SudoInRun
    e2e_hasnt 'shell' "$E2E_OUT" JSONArgsRecommended
    # An image that is not here says nothing.
    printf 'FROM elsewhere:1\nLABEL b=$OTHER\n' >Dockerfile
    e2e_exits 0 "$STAVE" check .
}

# The bytes that a chown stores again.
repeated() {
    e2e_import busybox
    mkdir d
    head -c 3000000 /dev/zero >d/big
    echo small >d/small
    printf 'FROM busybox:latest\nCOPY d /d\nRUN echo x >/x\nRUN chown -R 1:1 /d && \\\n  chmod 700 /x\nRUN chmod 644 /x\n' >Dockerfile
    "$STAVE" build -q -t x . >/dev/null
    e2e_exits 1 "$STAVE" check --image x .
    e2e_has 'bytes' "$E2E_OUT" 'Dockerfile:4:1: warning: RepeatedFiles: this layer stores 3MB in 3 files once more'
    e2e_has 'bytes' "$E2E_OUT" 'Dockerfile:6:1: warning: RepeatedFiles: this layer stores 2B in 1 file once more'
    e2e_exits 1 "$STAVE" check --image nothing .
}

suite() {
    local rule
    for rule in "$LINT"/*/; do
        rule=$(basename "$rule")
        e2e_case "rule $rule" fixture "$rule"
        [ ! -e "$LINT/$rule/fixed" ] || e2e_case "corrects $rule" fixed "$rule"
    done
    e2e_case 'a correction keeps all else' fix_keeps
    e2e_case 'a correction keeps the owner' fix_keeps_owner
    e2e_case 'directory, file, stdin' inputs
    e2e_case 'mistakes are findings' mistakes
    e2e_case 'json and sarif' formats
    e2e_case 'build --check' calls
    e2e_start_http
    e2e_case 'build --check of what is fetched' fetched
    e2e_case 'warnings of a build' builds
    e2e_case 'error=true' error_true
    e2e_case 'secrets that a COPY takes' secrets
    e2e_case 'no such target' no_target
    e2e_case 'platforms' platforms
    e2e_case 'base images' bases
    e2e_case 'what an image stores twice' repeated
}

e2e_tmp
suite
e2e_summary e2e-check
