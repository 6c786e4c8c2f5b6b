#!/usr/bin/env bash
# e2e-why.sh: each kind of change to a build is named rightly by the explanation of the miss; stave why, stave
# explain-ignore.
# packages: busybox-static python3 jq bsdutils
# Each case is a subshell of its own; what stands in quotes is for the shell in the image.
# shellcheck disable=SC2016,SC2030,SC2031
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")

# What a build here does not do yet is no failure of its explanation: the row is skipped, and says so.
build() {
    local rc=0
    "$STAVE" build --progress=json "$@" 2>build.json || rc=$?
    [ "$rc" -eq 0 ] && return 0
    if grep -q 'not supported\|unknown option\|unknown flag' build.json; then
        e2e_skip "$(grep -m 1 -o "[^\":]*\\(not supported\\|unknown option\\)[^\"]*" build.json)"
    fi
    e2e_fail "build $*: $(tail -n 5 build.json)"
}

# The reason of the step whose instruction begins so: "kind|subject|old|new", and its text.
reason() {
    jq -r --arg n "$1" 'select(.event == "step-started" and (.name | startswith($n))) | .reason |
        [.kind, .subject // "", .old // "", .new // ""] | join("|")' build.json
}
text() { jq -r --arg n "$1" 'select(.event == "step-started" and (.name | startswith($n))) | .text' build.json; }

# The context that all rows begin with.
context() {
    e2e_import busybox
    mkdir -p ctx/src ctx/named
    echo a >ctx/src/a.c
    echo b >ctx/src/b.c
    echo o >ctx/src/x.o
    ln -s a.c ctx/src/link
    echo n >ctx/named/n
    chmod 644 ctx/src/*.c ctx/src/x.o
    cat >ctx/Dockerfile <<'END'
FROM busybox AS first
ARG V=1
ARG API_TOKEN=none
ENV Y=one
ENV MY_PASSWORD=one
COPY src /src
RUN echo $V >/v
RUN cat /src/a.c >/a
FROM busybox
COPY --from=first /v /v
RUN true
END
}

# row STEP WANT TEXT CHANGE: build, change, build; the reason of the step must be WANT ("*": any), its text hold TEXT.
# ${args[@]} are for both builds, ${more[@]} for the second one.
row() {
    local step=$1 want=$2 words=$3 got
    shift 3
    local -a args=() more=()
    context
    "$@" before
    build "${args[@]}" ctx
    build "${args[@]}" ctx
    e2e_same 'steps that ran without a change' "$(grep -c step-started build.json || true)" 0
    "$@" after
    build "${args[@]}" "${more[@]}" ctx
    got=$(reason "$step" | head -n 1)
    [ -n "$got" ] || e2e_fail "$step did not run"
    [ "$want" = '*' ] || e2e_same "reason of $step" "$got" "$want"
    e2e_has "text of $step" "$(text "$step")" "$words"
    # No value of what looks like a secret, wherever an explanation goes.
    ! grep -q hush build.json .store/logs/*/.steps || e2e_fail 'a secret is shown'
    grep -qxF -e "$(jq -r --arg n "$step" 'select(.event == "step-started" and (.name | startswith($n))) | .text' build.json |
        head -n 1)" <("$STAVE" why --format json | jq -r '.text // empty') || e2e_fail 'stave why says something else'
}

# --- the changes: each is called with "before" and "after" ---
c_content() { [ "$1" = before ] || echo A >ctx/src/a.c; }
c_size_same() { [ "$1" = before ] || { touch -r ctx/src/a.c stamp; printf 'z\n' >ctx/src/a.c; touch -r stamp ctx/src/a.c; }; }
c_mode() { [ "$1" = before ] || chmod 600 ctx/src/a.c; }
c_link() { [ "$1" = before ] || ln -sfn b.c ctx/src/link; }
c_new() { [ "$1" = before ] || echo n >ctx/src/new.c; }
c_gone() { [ "$1" = before ] || rm ctx/src/b.c; }
c_type() { [ "$1" = before ] || { rm ctx/src/b.c; ln -s a.c ctx/src/b.c; }; }
c_dir() { [ "$1" = before ] || mkdir ctx/src/d; }
c_ignore() { [ "$1" = before ] || echo '**/*.o' >ctx/.dockerignore; }
c_unignore() { if [ "$1" = before ]; then echo '**/*.o' >ctx/.dockerignore; else echo >ctx/.dockerignore; fi; }
c_arg() { [ "$1" = before ] || more=(--build-arg V=2); }
c_arg_default() { [ "$1" = before ] || sed -i s/V=1/V=2/ ctx/Dockerfile; }
c_secret_arg() { [ "$1" = before ] || more=(--build-arg API_TOKEN=hush); }
c_env() { [ "$1" = before ] || sed -i s/Y=one/Y=two/ ctx/Dockerfile; }
c_env_gone() { [ "$1" = before ] || sed -i /Y=one/d ctx/Dockerfile; }
c_secret_env() { [ "$1" = before ] || sed -i s/WORD=one/WORD=two/ ctx/Dockerfile; }
c_arg_in_copy() {
    if [ "$1" = before ]; then sed -i 's|^COPY src /src|COPY src /$V/src|;s|cat /src|cat /*/src|' ctx/Dockerfile
    else more=(--build-arg V=2); fi
}
c_proxy() {
    if [ "$1" = before ]; then sed -i 's/^ARG V/ARG http_proxy\nARG V/' ctx/Dockerfile; args=(--build-arg V=1)
    else more=(--build-arg http_proxy=http://me:hush@proxy); fi
}
c_base() {
    [ "$1" = after ] || return 0
    OLD=$("$STAVE" inspect -f '{{.Id}}' busybox | cut -c8-19)
    printf 'FROM busybox\nLABEL moved=1\n' | "$STAVE" build -f - -t busybox ctx 2>/dev/null
    NEW=$("$STAVE" inspect -f '{{.Id}}' busybox | cut -c8-19)
    want="base|busybox|$OLD|$NEW"
}
c_base_env() {
    [ "$1" = after ] || return 0
    printf 'FROM busybox\nENV FROM_BASE=1\n' | "$STAVE" build -f - -t busybox ctx 2>/dev/null
}
c_other_base() {
    [ "$1" = after ] || { "$STAVE" tag busybox other; return 0; }
    printf 'FROM busybox\nLABEL moved=1\n' | "$STAVE" build -f - -t other ctx 2>/dev/null
    sed -i '1s/busybox/other/' ctx/Dockerfile
}
c_platform() {
    # FROM scratch is for any platform.
    if [ "$1" = before ]; then
        printf 'FROM scratch\nCOPY src /src\n' >ctx/Dockerfile
        args=(--platform linux/amd64)
    else
        more=(--platform linux/arm64)
    fi
}
c_network() { [ "$1" = before ] || more=(--network none); }
c_run_network() { [ "$1" = before ] || sed -i 's/RUN echo/RUN --network=none echo/' ctx/Dockerfile; }
c_add_host() { [ "$1" = before ] || more=(--add-host h:1.2.3.4); }
c_shm() { [ "$1" = before ] || more=(--shm-size 32m); }
c_ulimit() { [ "$1" = before ] || more=(--ulimit nofile=100); }
c_epoch() { if [ "$1" = before ]; then args=(--build-arg SOURCE_DATE_EPOCH=1); else more=(--build-arg SOURCE_DATE_EPOCH=2); fi; }
c_chown() { if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --chown=1 src/' ctx/Dockerfile; else sed -i s/chown=1/chown=2:3/ ctx/Dockerfile; fi; }
c_chmod() { if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --chmod=700 src/' ctx/Dockerfile; else sed -i s/chmod=700/chmod=755/ ctx/Dockerfile; fi; }
c_text() { [ "$1" = before ] || sed -i 's/^RUN cat.*/RUN wc -c <\/src\/a.c >\/a/' ctx/Dockerfile; }
c_heredoc() {
    if [ "$1" = before ]; then printf 'RUN <<EOF\necho one\nEOF\n' >>ctx/Dockerfile; else sed -i 's/echo one/echo two/' ctx/Dockerfile; fi
}
c_copy_heredoc() {
    if [ "$1" = before ]; then printf 'COPY <<conf /conf\none\nconf\n' >>ctx/Dockerfile; else sed -i 's/^one$/two/' ctx/Dockerfile; fi
}
c_inserted() { [ "$1" = before ] || sed -i 's/^RUN echo/RUN true inserted\nRUN echo/' ctx/Dockerfile; }
c_removed() { if [ "$1" = before ]; then sed -i 's/^RUN echo/RUN mkdir \/gone\nRUN echo/' ctx/Dockerfile; else sed -i '/gone/d' ctx/Dockerfile; fi; }
c_order() {
    [ "$1" = before ] && return 0
    sed -i '/^RUN echo \$V/d' ctx/Dockerfile
    sed -i 's/^RUN cat.*/&\nRUN echo $V >\/v/' ctx/Dockerfile
}
c_label() { if [ "$1" = before ]; then sed -i 's/^COPY src/LABEL l=1\nCOPY src/' ctx/Dockerfile; else sed -i s/l=1/l=2/ ctx/Dockerfile; fi; }
c_user() { if [ "$1" = before ]; then sed -i 's/^RUN cat.*/USER 0\nRUN true/' ctx/Dockerfile; else sed -i 's/USER 0/USER 5/' ctx/Dockerfile; fi; }
c_workdir() { [ "$1" = before ] || sed -i 's/^RUN cat/WORKDIR \/tmp\nRUN cat/' ctx/Dockerfile; }
c_shell() { [ "$1" = before ] || sed -i 's/^RUN cat/SHELL ["\/bin\/sh","-ec"]\nRUN cat/' ctx/Dockerfile; }
c_parent() { [ "$1" = before ] || echo A >ctx/src/a.c; }
c_stage() { [ "$1" = before ] || more=(--build-arg V=2); }
c_no_cache() { [ "$1" = before ] || more=(--no-cache); }
c_filter() { [ "$1" = before ] || more=(--no-cache-filter first); }
c_pruned() {
    [ "$1" = before ] && return 0
    "$STAVE" prune -a -f >/dev/null
    e2e_import busybox
}
c_new_step() { [ "$1" = before ] || echo 'RUN true last' >>ctx/Dockerfile; }
c_elsewhere() {
    # The same project in another directory, as in CI: it is compared with the first one.
    [ "$1" = before ] || { mv ctx other; ln -s other ctx; echo A >ctx/src/a.c; }
}
c_secret_id() {
    echo s >secret
    if [ "$1" = before ]; then
        sed -i 's/^RUN echo/RUN --mount=type=secret,id=one echo/' ctx/Dockerfile
        args=(--secret 'id=one,src=secret' --secret 'id=two,src=secret')
    else
        sed -i s/id=one/id=two/ ctx/Dockerfile
    fi
}
c_mount() {
    if [ "$1" = before ]; then sed -i 's/^RUN echo/RUN --mount=type=cache,target=\/one echo/' ctx/Dockerfile
    else sed -i 's/target=.one/target=\/two/' ctx/Dockerfile; fi
}
c_mount_bind() {
    if [ "$1" = before ]; then sed -i 's/^RUN echo/RUN --mount=type=bind,source=src,target=\/mnt echo/' ctx/Dockerfile
    else echo A >ctx/src/a.c; sed -i '/^COPY src/d;/^RUN cat/d' ctx/Dockerfile; fi
}
c_security() {
    if [ "$1" = before ]; then args=(--allow security.insecure)
    else sed -i 's/^RUN echo/RUN --security=insecure echo/' ctx/Dockerfile; fi
}
c_exclude() {
    if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --exclude=*.o src/' ctx/Dockerfile; else sed -i 's/=\*\.o/=b*/' ctx/Dockerfile; fi
}
c_named() {
    if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --from=stuff n \/n\nCOPY src/' ctx/Dockerfile; args=(--build-context stuff=ctx/named)
    else echo N >ctx/named/n; fi
}
# Changes that are not the cause, beside one that is.
c_rerun_alike() {
    # What ran again made the same layer; the label is what counts.
    if [ "$1" = before ]; then sed -i 's/^RUN cat/LABEL l=1\nRUN cat/' ctx/Dockerfile
    else sed -i 's/^COPY src/COPY --chown=0:0 src/;s/l=1/l=2/' ctx/Dockerfile; fi
}
c_base_alias() {
    if [ "$1" = before ]; then sed -i 's/^COPY src/LABEL l=1\nCOPY src/' ctx/Dockerfile
    else "$STAVE" tag busybox alias; sed -i '1s/busybox/alias/;s/l=1/l=2/' ctx/Dockerfile; fi
}
c_chmod_spelt() {
    if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --chmod=700 src/' ctx/Dockerfile
    else sed -i s/chmod=700/chmod=0700/ ctx/Dockerfile; echo A >ctx/src/a.c; fi
}
c_arg_alike() {
    if [ "$1" = before ]; then sed -i 's|^COPY src /src|COPY ${V:+src} /src|' ctx/Dockerfile
    else more=(--build-arg V=2); echo A >ctx/src/a.c; fi
}
c_named_gone() {
    # The ignore file of the main context says nothing of another one.
    if [ "$1" = before ]; then echo n >ctx/.dockerignore; echo o >ctx/named/o
        sed -i 's/^COPY src/COPY --from=stuff . \/n\nCOPY src/' ctx/Dockerfile; args=(--build-context stuff=ctx/named)
    else rm ctx/named/n; fi
}
c_named_new() {
    if [ "$1" = before ]; then echo p >ctx/.dockerignore
        sed -i 's/^COPY src/COPY --from=stuff . \/n\nCOPY src/' ctx/Dockerfile; args=(--build-context stuff=ctx/named)
    else rm ctx/.dockerignore; echo p >ctx/named/p; fi
}
c_arg_chmod() { if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --chmod=70$V src/' ctx/Dockerfile; else more=(--build-arg V=2); fi; }
c_link_removed() {
    if [ "$1" = before ]; then sed -i 's/^COPY src/COPY --link src/' ctx/Dockerfile; return 0; fi
    python3 - <<'PY'
import sqlite3
db = sqlite3.connect(".store/meta.db")
db.execute("DELETE FROM layer WHERE diff_id IN (SELECT diff_id FROM record WHERE hex(parent_chain) = ?)", ("0" * 64,))
db.commit()
PY
}

# NAME STEP REASON WORDS CHANGE; a REASON of "*" is set by the change.
while IFS='~' read -r name step want words change; do
    [ -n "$name" ] || continue
    e2e_case "$name" row "$step" "$want" "$words" "$change"
done <<'END'
content~COPY src~content|src/a.c||~src/a.c changed (content)~c_content
content-same-size-and-time~COPY src~content|src/a.c||~src/a.c changed (content)~c_size_same
mode~COPY src~mode|src/a.c|0644|0600~src/a.c: mode 0644 -> 0600~c_mode
link~COPY src~link|src/link|a.c|b.c~src/link: link target a.c -> b.c~c_link
new-file~COPY src~new-file|src/new.c||~src/new.c is new~c_new
gone-file~COPY src~gone-file|src/b.c||~src/b.c is gone~c_gone
type~COPY src~type|src/b.c|file|symbolic link~src/b.c: type file -> symbolic link~c_type
new-directory~COPY src~new-file|src/d||~src/d is new~c_dir
ignored~COPY src~ignored|src/x.o||**/*.o~src/x.o is left out by line 1 of .dockerignore~c_ignore
unignored~COPY src~unignored|src/x.o|**/*.o|~src/x.o is no longer left out by~c_unignore
build-arg~RUN echo~build-arg|V|1|2~build arg V: 1 -> 2~c_arg
build-arg-default~RUN echo~build-arg|V|1|2~build arg V: 1 -> 2~c_arg_default
build-arg-in-copy~COPY src~build-arg|V|1|2~build arg V: 1 -> 2~c_arg_in_copy
secret-arg~RUN echo~build-arg|API_TOKEN||~build arg API_TOKEN changed~c_secret_arg
proxy-arg~RUN echo~build-arg|http_proxy||~build arg http_proxy is new~c_proxy
env~RUN echo~env|Y|one|two~ENV Y: one -> two~c_env
env-before-copy~COPY src~env|Y|one|two~ENV Y: one -> two~c_env
env-gone~RUN echo~env|Y|one|~ENV Y is gone~c_env_gone
secret-env~RUN echo~env|MY_PASSWORD||~ENV MY_PASSWORD changed~c_secret_env
base~COPY src~*~base image moved~c_base
base-with-env~RUN true~*~base image moved~c_base_env
other-base~COPY src~base|other|busybox|other~base image: busybox -> other~c_other_base
platform~COPY src~platform||linux/amd64|linux/arm64~platform linux/amd64 -> linux/arm64~c_platform
network~RUN echo~flag|--network|host|none~--network: host -> none~c_network
run-network~RUN --network~flag|--network|host|none~--network: host -> none~c_run_network
add-host~RUN echo~flag|--add-host||h:1.2.3.4~--add-host is new: h:1.2.3.4~c_add_host
shm-size~RUN echo~flag|--shm-size|0|33554432~--shm-size~c_shm
ulimit~RUN echo~flag|--ulimit||~--ulimit changed~c_ulimit
epoch~COPY src~build-arg|SOURCE_DATE_EPOCH|1|2~SOURCE_DATE_EPOCH: 1 -> 2~c_epoch
chown~COPY --chown~flag|--chown|1|2:3~--chown: 1 -> 2:3~c_chown
chmod~COPY --chmod~flag|--chmod|700|755~--chmod: 700 -> 755~c_chmod
instruction~RUN wc~instruction|||~instruction changed~c_text
heredoc~RUN <<EOF~instruction|||~instruction changed~c_heredoc
copy-heredoc~COPY <<conf~content|conf||~conf changed (content)~c_copy_heredoc
new-instruction~RUN true inserted~new-instruction|||~the instruction is new~c_inserted
gone-instruction~RUN echo~gone-instruction|||~an instruction before it is gone~c_removed
order~RUN cat~order|||~the order of the instructions changed~c_order
label~COPY src~config|LABEL l|1|2~LABEL l: 1 -> 2~c_label
user~RUN true~config|USER|0|5~USER: 0 -> 5~c_user
workdir~RUN cat~config|WORKDIR||/tmp~WORKDIR~c_workdir
shell~RUN cat~config|SHELL||/bin/sh -ec~SHELL~c_shell
parent~RUN echo~parent|COPY src /src||~the step before it ran again (COPY src /src)~c_parent
from-stage~COPY --from~content|/v||~/v changed (content)~c_stage
no-cache~COPY src~no-cache|--no-cache||~--no-cache~c_no_cache
no-cache-filter~COPY src~no-cache|--no-cache-filter||~--no-cache-filter~c_filter
removed~COPY src~removed|||~its result was removed from the cache~c_pruned
never-built~RUN true last~new|||~never built here~c_new_step
elsewhere~COPY src~content|src/a.c||~src/a.c changed (content)~c_elsewhere
secret-id~RUN --mount~*~id~c_secret_id
mount-option~RUN --mount~*~/two~c_mount
mount-content~RUN --mount~*~changed~c_mount_bind
security~RUN --security~*~security~c_security
exclude~COPY --exclude~flag|--exclude|*.o|b*~--exclude~c_exclude
rerun-alike~RUN cat~config|LABEL l|1|2~LABEL l: 1 -> 2~c_rerun_alike
base-alias~COPY src~config|LABEL l|1|2~LABEL l: 1 -> 2~c_base_alias
chmod-spelt-otherwise~COPY --chmod~content|src/a.c||~src/a.c changed (content)~c_chmod_spelt
arg-that-gives-the-same~COPY ${V:+src}~content|src/a.c||~src/a.c changed (content)~c_arg_alike
arg-in-chmod~COPY --chmod~build-arg|V|1|2~build arg V: 1 -> 2~c_arg_chmod
named-context-gone~COPY --from=stuff~gone-file|n||~n is gone~c_named_gone
named-context-new~COPY --from=stuff~new-file|p||~p is new~c_named_new
link-removed~COPY --link~removed|||~its result was removed from the cache~c_link_removed
named-context~COPY --from=stuff~*~n changed (content)~c_named
END

# --- stave why ---

why_image() {
    local first
    context
    echo 'COPY src /all' >>ctx/Dockerfile
    build -t x ctx
    first=$("$STAVE" why x | head -n 1)
    echo A >ctx/src/a.c
    build -t y ctx
    e2e_same 'build of the first image' "$("$STAVE" why x | head -n 1)" "$first"
    e2e_has 'of the second image' "$("$STAVE" why y)" $'COPY src /src\n    ran: src/a.c changed (content)'
    e2e_has 'by its ID' "$("$STAVE" why "$("$STAVE" inspect -f '{{.Id}}' y)")" 'src/a.c changed'
    e2e_has 'the base' "$("$STAVE" why y)" $'FROM busybox\n    cached'
    e2e_same 'a step of the last build' "$("$STAVE" why 2 | tail -n 1)" '    ran: src/a.c changed (content)'
    e2e_same 'of a named build' "$("$STAVE" why "${first#build }" 2 | tail -n 1)" '    ran: never built here'
    e2e_same 'as JSON' "$("$STAVE" why --format json last 2 | jq -c .reason)" '{"kind":"content","subject":"src/a.c"}'
    e2e_exits 1 "$STAVE" why last 99
    e2e_exits 1 "$STAVE" why 0
    e2e_exits 1 "$STAVE" why --format json last 0
    e2e_exits 1 "$STAVE" why nope
    e2e_exits 1 "$STAVE" why busybox
    e2e_has 'the hint' "$E2E_ERR" 'stave logs --list'
    e2e_exits 2 "$STAVE" why last x
}

why_failed() {
    context
    sed -i 's/^RUN cat.*/RUN exit 4/' ctx/Dockerfile
    "$STAVE" build ctx 2>/dev/null || true
    e2e_has 'the failed step' "$("$STAVE" why)" $'RUN exit 4\n    failed: never built here'
    e2e_hasnt 'steps that did not run' "$("$STAVE" why)" 'RUN true'
}

# Of two projects the one that is asked for.
why_context() {
    context
    mkdir two
    printf 'FROM busybox\nRUN true two\n' >two/Dockerfile
    build ctx
    build two
    e2e_has 'the last build' "$("$STAVE" why)" 'RUN true two'
    e2e_hasnt 'of the other context' "$("$STAVE" why --context ctx)" 'RUN true two'
    e2e_has 'of the other file' "$("$STAVE" why -f ctx/Dockerfile)" 'COPY src'
    e2e_exits 1 "$STAVE" why --context .
    # A Dockerfile that came with its context is not the one of that name here.
    cp ctx/Dockerfile Dockerfile
    tar -C two -cf two.tar .
    "$STAVE" build -q --no-cache - <two.tar >/dev/null
    e2e_same 'the file' "$("$STAVE" why --format json | jq -r 'select(.build) | .file, .context' | tr '\n' ' ')" 'Dockerfile - '
    e2e_exits 1 "$STAVE" why -f Dockerfile
    e2e_has 'of standard input' "$("$STAVE" why --context -)" 'RUN true two'
    e2e_exits 1 "$STAVE" why --context https://host/x.git
    e2e_has 'a context that was never built' "$E2E_ERR" 'no such build is known'
    # A name that holds what parts them in the records.
    mv two 'o|r'
    printf 'FROM busybox\nRUN true or\n' >'o|r/Dockerfile'
    build 'o|r'
    e2e_has 'of an odd context' "$("$STAVE" why --context 'o|r')" 'RUN true or'
    e2e_has 'of an odd file' "$("$STAVE" why -f 'o|r/Dockerfile')" 'RUN true or'
}

# A cached build reads and writes no list, and leaves no log.
why_cached() {
    local before
    context
    build ctx
    before=$(find .store/logs .store/inputs | sort)
    rm .store/inputs/*
    build ctx
    e2e_same 'steps that ran' "$(grep -c step-started build.json || true)" 0
    e2e_same 'files' "$(find .store/logs | sort)" "$(grep -v '^.store/inputs' <<<"$before")"
    # Without its list a COPY still is explained, if less well.
    echo A >ctx/src/a.c
    build ctx
    e2e_same 'reason' "$(reason 'COPY src')" 'inputs|||'
}

# The lists are checked, and go with the records.
why_lists() {
    local list
    context
    build ctx
    e2e_same 'lists' "$(find .store/inputs -type f | wc -l)" 2
    list=$(find .store/inputs -type f | head -n 1)
    echo x >>"$list"
    e2e_exits 6 "$STAVE" fsck
    e2e_has 'finding' "$E2E_OUT$E2E_ERR" 'the list of files is damaged'
    e2e_exits 0 "$STAVE" fsck --repair
    e2e_exits 0 "$STAVE" fsck
    e2e_same 'lists after the repair' "$(find .store/inputs -type f | wc -l)" 1
    "$STAVE" prune -a -f >/dev/null
    e2e_same 'lists after prune' "$(find .store/inputs -type f | wc -l)" 0
}

# 100 000 files: the explanation names the one, and its price is bounded.
why_large() {
    context
    python3 - <<'END'
import os
for d in range(100):
    os.mkdir(f"ctx/src/d{d}")
    for f in range(1000):
        open(f"ctx/src/d{d}/f{f}", "w").close()
END
    build ctx
    echo changed >ctx/src/d50/f500
    build ctx
    e2e_same 'reason' "$(reason 'COPY src')" 'content|src/d50/f500||'
    [ "$(du -s .store/inputs | cut -f1)" -lt 8192 ] || e2e_fail "the lists take $(du -sh .store/inputs)"
}

plain_and_tty() {
    context
    build ctx
    echo A >ctx/src/a.c
    "$STAVE" build --progress=plain ctx 2>plain
    e2e_has 'plain' "$(cat plain)" 'COPY src /src runs again: src/a.c changed (content)'
    echo B >ctx/src/a.c
    TERM=xterm script -qc "'$STAVE' build --progress=tty ctx" tty >/dev/null
    e2e_has 'tty' "$(cat tty)" '=> => runs again: src/a.c changed (content)'
}

# A file name that would write on the terminal.
hostile_names() {
    context
    build ctx
    touch ctx/src/$'x\e]0;evil\a\ny'
    "$STAVE" build --progress=plain ctx 2>plain
    ! grep -q $'\e\|\a' plain || e2e_fail 'an escape sequence reached the terminal'
    e2e_has 'plain' "$(cat plain)" 'COPY src /src runs again: src/x'
    "$STAVE" why >out
    ! grep -q $'\e\|\a' out || e2e_fail 'an escape sequence reached the terminal from stave why'
    "$STAVE" explain-ignore ctx >out
    ! grep -q $'\e\|\a' out || e2e_fail 'an escape sequence reached the terminal from explain-ignore'
}

# A store of format 1, as the first version makes it.
old_store() {
    context
    build ctx
    python3 - <<'END'
import sqlite3
db = sqlite3.connect(".store/meta.db")
db.executescript("""
    ALTER TABLE layer DROP COLUMN made_by; DROP INDEX record_title; DROP TABLE gone;
    ALTER TABLE record DROP COLUMN title; ALTER TABLE record DROP COLUMN notes;
    ALTER TABLE record DROP COLUMN inputs; PRAGMA user_version=1;""")
END
    e2e_exits 1 "$STAVE" images
    e2e_has 'the way out' "$E2E_ERR" 'upgraded by the next command that writes'
    build ctx
    e2e_same 'steps that ran' "$(grep -c step-started build.json || true)" 0
    echo A >ctx/src/a.c
    build ctx
    e2e_same 'reason' "$(reason 'COPY src')" 'inputs|||'
    echo B >ctx/src/a.c
    build ctx
    e2e_same 'reason then' "$(reason 'COPY src')" 'content|src/a.c||'
    e2e_exits 0 "$STAVE" fsck
}

# --- stave explain-ignore ---

explain_ignore() {
    context
    mkdir -p ctx/d/k
    touch ctx/d/a ctx/d/k/a.txt ctx/z.o ctx/keep.o ctx/README
    printf '# c\n*.o\n!keep.o\nd\n!d/k/a.txt\n' >ctx/.dockerignore
    cat >ctx/Dockerfile <<'END'
FROM busybox AS a
ARG N=src
COPY $N /s
COPY keep.o d/k /k/
FROM a
COPY --from=a /s /s
ADD src/a.c /q/
END
    "$STAVE" explain-ignore ctx | sed 's/   */|/g' >out
    for line in "left-out|d/|.dockerignore:4 'd'" "left-out|d/a|.dockerignore:4 'd'" \
        "sent|d/k/a.txt|ctx/Dockerfile:4 COPY keep.o d/k /k/; .dockerignore:5 '!d/k/a.txt'" \
        "sent|keep.o|ctx/Dockerfile:4 COPY keep.o d/k /k/; .dockerignore:3 '!keep.o'" \
        "left-out|z.o|.dockerignore:2 '*.o'" 'unused|README|no COPY or ADD takes it' \
        'sent|src/a.c|ctx/Dockerfile:3 COPY $N /s; ctx/Dockerfile:7 ADD src/a.c /q/' \
        'sent|src/link|ctx/Dockerfile:3 COPY $N /s'; do
        grep -qxF "$line" out || e2e_fail "no '$line' in: $(cat out)"
    done
    e2e_same 'one path' "$("$STAVE" explain-ignore ctx src/../z.o | sed 's/   */|/g')" "left-out|z.o|.dockerignore:2 '*.o'"
    e2e_same 'below a directory' "$("$STAVE" explain-ignore ctx d | wc -l)" 3
    e2e_has 'a path that is not there' "$("$STAVE" explain-ignore ctx no.o)" missing
    e2e_same 'as JSON' "$("$STAVE" explain-ignore --format json ctx keep.o | jq -c '[.state, .pattern, .line, .file,
        .instructions[].place]')" '["sent","!keep.o",3,".dockerignore","ctx/Dockerfile:4"]'
    e2e_has 'with an argument' "$("$STAVE" explain-ignore --build-arg N=README ctx README)" 'COPY $N /s'
    cp ctx/Dockerfile other
    echo README >other.dockerignore
    e2e_has 'another Dockerfile' "$("$STAVE" explain-ignore -f other ctx README)" "other.dockerignore:1 'README'"
    e2e_exits 1 "$STAVE" explain-ignore nowhere
    e2e_exits 2 "$STAVE" explain-ignore --format xml ctx
    # What it says is sent is what a build has.
    build -o type=local,dest=out.d ctx
    e2e_same 'files of the image' "$(find out.d/k out.d/s -type f | sort)" \
        $'out.d/k/a.txt\nout.d/k/keep.o\nout.d/s/a.c\nout.d/s/b.c\nout.d/s/x.o'
}

# What --exclude leaves out is not sent; its patterns are relative to the source.
explain_exclude() {
    context
    mkdir -p ctx/d/k
    touch ctx/d/a ctx/d/k/b
    printf 'FROM scratch\nCOPY --exclude=k/b d /d\nCOPY --parents --exclude=d/a d /p\n' >ctx/Dockerfile
    e2e_same 'first' "$("$STAVE" explain-ignore --format json ctx d | jq -r 'select(.type == "file") |
        .path + " " + (.instructions | map(.place) | join(" "))')" $'d/a ctx/Dockerfile:2\nd/k/b ctx/Dockerfile:3'
    "$STAVE" build -o out.d ctx 2>/dev/null
    e2e_same 'files of the image' "$(cd out.d && find . -type f | sort)" $'./d/a\n./p/d/k/b'
}

e2e_case why-image why_image
e2e_case why-failed why_failed
e2e_case why-context why_context
e2e_case why-cached why_cached
e2e_case why-lists why_lists
e2e_case why-large why_large
e2e_case plain-and-tty plain_and_tty
e2e_case hostile-names hostile_names
e2e_case old-store old_store
e2e_case explain-ignore explain_ignore
e2e_case explain-exclude explain_exclude
e2e_summary e2e-why
