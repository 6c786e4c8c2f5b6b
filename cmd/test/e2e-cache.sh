#!/usr/bin/env bash
# e2e-cache.sh: what a second build does again and what not, what a build hands out, and the commands on the store.
# packages: busybox-static python3 jq
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")

build() {
    # The steps that ran are in $RAN and those from the cache in $CACHED, one a line.
    "$STAVE" build --progress=json "$@" 2>build.json || e2e_fail "build $*: $(tail -n 5 build.json)"
    RAN=$(steps started) CACHED=$(steps cached)
}

steps() { jq -r "select(.event == \"step-$1\") | .name" build.json | sort; }
id() { "$STAVE" inspect -f '{{.Id}}' "$1"; }
manifest() { "$STAVE" inspect -f '{{.Digest}}' "$1"; }
layers() { "$STAVE" inspect -f '{{json .RootFS.Layers}}' "$1"; }
clean() { "$STAVE" fsck >fsck.out 2>&1 || e2e_fail "fsck: $(cat fsck.out)"; }

# The context of most cases: two stages, COPY of the context and of a stage.
two_stages() {
    e2e_import busybox
    mkdir ctx
    echo one >ctx/a
    echo two >ctx/b
    cat >ctx/Dockerfile <<'END'
FROM busybox AS base
COPY a /a
RUN wc -c </a >/size
FROM busybox
COPY b /b
COPY --from=base /size /size
RUN cat /size /b >/both
END
}

second_build() {
    local first
    two_stages
    build -t x ctx
    first=$(id x)
    e2e_same 'steps that the first build runs' "$(wc -l <<<"$RAN")" 5
    build -t x ctx
    e2e_same 'steps run' "$RAN" ''
    e2e_same 'steps cached' "$(wc -l <<<"$CACHED")" 7
    e2e_same 'image ID' "$(id x)" "$first"
    "$STAVE" build --progress=plain -t x ctx 2>plain
    e2e_same 'CACHED lines' "$(grep -c CACHED plain)" 7
    e2e_same 'lines of the files' "$("$STAVE" run x cat /both)" $'4\ntwo'
    clean
}

touched() {
    two_stages
    build -t x ctx
    touch -d '2001-02-03' ctx/a ctx/b ctx/Dockerfile
    build -t x ctx
    e2e_same 'steps run' "$RAN" ''
}

changed_byte() {
    two_stages
    build -t x ctx
    echo TWO >ctx/b
    build -t x ctx
    e2e_same 'steps run' "$RAN" $'COPY --from=base /size /size\nCOPY b /b\nRUN cat /size /b >/both'
    e2e_same 'file' "$("$STAVE" run x cat /b)" TWO
    echo two >ctx/b
    build -t x ctx
    e2e_same 'steps run after the byte is back' "$RAN" ''
}

# The size and the time of the file stay the same.
same_stat() {
    local stamp
    two_stages
    build -t x ctx
    stamp=$(stat -c %y ctx/b)
    echo TWO >ctx/b
    touch -d "$stamp" ctx/b
    build -t x ctx
    e2e_same 'file' "$("$STAVE" run x cat /b)" TWO
}

changed_mode() {
    two_stages
    build -t x ctx
    chmod 755 ctx/b
    build -t x ctx
    e2e_has 'steps run' "$RAN" 'COPY b /b'
    e2e_same 'mode' "$("$STAVE" run x stat -c %a /b)" 755
}

same_bytes() {
    two_stages
    build -t x ctx
    echo ONE >ctx/a
    build -t x ctx
    e2e_same 'steps run' "$RAN" $'COPY a /a\nRUN wc -c </a >/size'
}

no_cache() {
    two_stages
    build -t x ctx
    build --no-cache -t x ctx
    e2e_same 'steps run' "$(wc -l <<<"$RAN")" 5
    build -t x ctx
    e2e_same 'steps run then' "$RAN" ''
    clean
}

# forget N: take the newest record of the Nth step out of the store, as pruning it alone would.
forget() {
    python3 - "$STAVE_ROOT/meta.db" "$1" <<'END'
import sqlite3
import sys
db = sqlite3.connect(sys.argv[1])
(last,) = db.execute("SELECT max(id) FROM record WHERE step LIKE '%|0|' || ?", (int(sys.argv[2]) + 1,)).fetchone()
assert db.execute("DELETE FROM record WHERE id = ?", (last,)).rowcount == 1
db.commit()
END
}

# Without one record of a chain that step and what stands on it run again, and nothing is put upon a layer that it was
# not built on, although the records of the later steps are all still there.
pruned_record() {
    local n
    e2e_import busybox
    mkdir ctx
    cat >ctx/Dockerfile <<'END'
FROM busybox
RUN head -c 16 /dev/urandom | md5sum >/first
RUN cat /first >/second; head -c 16 /dev/urandom | md5sum >>/second
RUN cat /second >/third; head -c 16 /dev/urandom | md5sum >>/third
END
    build -t old ctx
    for n in 1 2 3; do
        build --no-cache -t old ctx
        forget "$n"
        build -t new ctx
        e2e_same "steps run without record $n" "$(wc -l <<<"$RAN")" "$((4 - n))"
        e2e_same "layers kept without record $n" "$(layers new | jq -c ".[:$n]")" "$(layers old | jq -c ".[:$n]")"
        e2e_same "what the second was made of, without record $n" \
            "$("$STAVE" run new head -n 1 /second)" "$("$STAVE" run new cat /first)"
        e2e_same "what the third was made of, without record $n" \
            "$("$STAVE" run new head -n 2 /third)" "$("$STAVE" run new cat /second)"
        build -t again ctx
        e2e_same "steps run then" "$RAN" ''
        e2e_same "layers then" "$(layers again)" "$(layers new)"
    done
    clean
}

no_cache_filter() {
    two_stages
    build -t x ctx
    build --no-cache-filter base -t x ctx
    e2e_same 'steps run' "$RAN" $'COPY a /a\nRUN wc -c </a >/size'
}

# What is random differs in each execution; a layer that says what stands below it must stand there.
never_joined() {
    local i first second
    e2e_import busybox
    mkdir ctx
    cat >ctx/Dockerfile <<'END'
FROM busybox
RUN head -c 16 /dev/urandom | md5sum >/first
RUN cp /first /second
RUN cp /second /third
END
    for i in 1 2 3; do
        build --no-cache -t "x$i" ctx
        build -t "y$i" ctx
        e2e_same 'steps run' "$RAN" ''
        e2e_same 'layers' "$(layers "y$i")" "$(layers "x$i")"
    done
    # Another last step, so that it joins whatever the cache gives below it.
    echo 'RUN cat /first /second /third | uniq | wc -l >/distinct' >>ctx/Dockerfile
    build -t z ctx
    e2e_same 'steps run' "$(wc -l <<<"$RAN")" 1
    e2e_same 'distinct contents' "$("$STAVE" run z cat /distinct)" 1
    first=$("$STAVE" run x1 cat /first)
    second=$("$STAVE" run x1 cat /second)
    e2e_same 'second file of the first image' "$second" "$first"
    clean
}

reproducible() {
    local one
    export SOURCE_DATE_EPOCH=1000000000
    two_stages
    build -t x ctx
    one=$(manifest x)
    touch ctx/a ctx/b
    export STAVE_ROOT=$PWD/.other
    e2e_import busybox
    build -t x ctx
    e2e_same 'manifest' "$(manifest x)" "$one"
    e2e_has 'created' "$("$STAVE" inspect -f '{{.Created}}' x)" 2001-09-09
}

arguments() {
    e2e_import busybox
    mkdir ctx
    cat >ctx/Dockerfile <<'END'
FROM busybox
ARG unused=1
RUN true before
ARG used=1
ENV kept=1
RUN echo $used $kept >/f
END
    build -t x ctx
    build --build-arg used=1 -t x ctx
    e2e_same 'steps run with the same value' "$RAN" ''
    build --build-arg used=2 -t x ctx
    # shellcheck disable=SC2016 # as it stands in the Dockerfile
    e2e_same 'steps run with another value' "$RAN" 'RUN echo $used $kept >/f'
    e2e_same 'file' "$("$STAVE" run x cat /f)" '2 1'
    sed -i s/kept=1/kept=2/ ctx/Dockerfile
    build -t x ctx
    # shellcheck disable=SC2016
    e2e_same 'steps run with another ENV' "$RAN" 'RUN echo $used $kept >/f'
    e2e_same 'file then' "$("$STAVE" run x cat /f)" '1 2'
}

explained() {
    two_stages
    build -t x ctx
    echo ONE >ctx/a
    build -t x ctx
    e2e_same 'why' "$(jq -r 'select(.name == "COPY a /a") | .text // empty' build.json)" 'a changed (content)'
    build --no-cache -t x ctx
    e2e_same 'why' "$(jq -r 'select(.name == "COPY a /a") | .text // empty' build.json)" '--no-cache'
    echo oNE >ctx/a
    "$STAVE" build --progress=plain -t x ctx 2>plain
    e2e_has 'plain progress' "$(cat plain)" 'COPY a /a runs again: a changed (content)'
}

other_names() {
    local first
    two_stages
    "$STAVE" build -t x ctx 2>/dev/null
    first=$(id x)
    ln -s "$STAVE" build
    ./build -t x1 ctx 2>/dev/null
    "$STAVE" buildx build -t x2 ctx 2>/dev/null
    "$STAVE" image build -t x3 ctx 2>/dev/null
    mv ctx/Dockerfile ctx/Containerfile
    "$STAVE" build -t x4 ctx 2>/dev/null
    "$STAVE" build -f - -t x5 ctx <ctx/Containerfile 2>/dev/null
    cp ctx/Containerfile other
    "$STAVE" build -f other -t x6 ctx 2>/dev/null
    (cd ctx && "$STAVE" build -t x7 . 2>/dev/null)
    for x in x1 x2 x3 x4 x5 x6 x7; do
        e2e_same "image ID of $x" "$(id "$x")" "$first"
    done
}

outputs_of_build() {
    two_stages
    e2e_same 'with -q' "$("$STAVE" build -q -t x -t y:1 --iidfile iid --metadata-file meta ctx 2>err)" "$(id x)"
    e2e_same 'on stderr with -q' "$(cat err)" ''
    e2e_same 'second tag' "$(id y:1)" "$(id x)"
    e2e_same 'iidfile' "$(cat iid)" "$(id x)"
    e2e_same 'config of the metadata file' "$(jq -r '."containerimage.config.digest"' meta)" "$(id x)"
    e2e_same 'manifest of the metadata file' "$(jq -r '."containerimage.digest"' meta)" "$(manifest x)"
    e2e_same 'names of the metadata file' "$(jq -r '."image.name"' meta)" \
        'docker.io/library/x:latest,docker.io/library/y:1'
    "$STAVE" build -t x ctx 2>/dev/null >out
    e2e_same 'stdout without -q' "$(cat out)" ''
    "$STAVE" build --progress=quiet -t x ctx >out 2>err
    e2e_same 'stderr of quiet' "$(cat err)" ''
    "$STAVE" build --progress=none -t x ctx >out 2>err
    e2e_same 'stderr of none' "$(cat err)" ''
}

outputs() {
    two_stages
    build -t x -o type=oci,dest=oci.tar ctx
    mkdir oci && tar -xf oci.tar -C oci
    e2e_same 'version of the layout' "$(jq -r .imageLayoutVersion oci/oci-layout)" 1.0.0
    build -o type=docker,dest=docker.tar -t x ctx
    mkdir docker && tar -xf docker.tar -C docker
    e2e_same 'tag of manifest.json' "$(jq -r '.[0].RepoTags[0]' docker/manifest.json)" docker.io/library/x:latest
    build -o type=tar,dest=root.tar ctx
    e2e_same 'file in the tar' "$(tar -xOf root.tar both 2>/dev/null || tar -xOf root.tar ./both)" $'4\ntwo'
    build -o type=local,dest=root ctx
    e2e_same 'file in the directory' "$(cat root/both)" $'4\ntwo'
    build -o plain ctx
    e2e_same 'file in the directory of -o DIR' "$(cat plain/both)" $'4\ntwo'
    "$STAVE" build -o - ctx >dash.tar 2>/dev/null
    cmp root.tar dash.tar || e2e_fail 'the tar of -o - differs'
    clean
}

parallel() {
    local out
    e2e_import busybox
    mkdir ctx
    cat >ctx/Dockerfile <<'END'
FROM busybox AS a
RUN cut -d' ' -f1 /proc/uptime >/a; sleep 1; cut -d' ' -f1 /proc/uptime >>/a
FROM busybox AS b
RUN cut -d' ' -f1 /proc/uptime >/b; sleep 1; cut -d' ' -f1 /proc/uptime >>/b
FROM busybox
COPY --from=a /a /
COPY --from=b /b /
END
    build -t x ctx
    # Each begins before the other one ends, however loaded the machine is.
    out=$("$STAVE" run x cat /a /b | tr '\n' ' ')
    awk '{ exit !($1 < $4 && $3 < $2) }' <<<"$out" || e2e_fail "one after the other: $out"
}

# Only what the target needs is built.
pruned() {
    two_stages
    sed -i '1i FROM busybox AS never\nRUN exit 9' ctx/Dockerfile
    build -t x ctx
    e2e_hasnt 'steps run' "$RAN" 'exit 9'
    build --target base -t base ctx
    e2e_same 'steps run' "$RAN" ''
    e2e_same 'file of the target' "$("$STAVE" run base cat /a)" one
}

logs() {
    local n
    two_stages
    # shellcheck disable=SC2016 # for the shell in the image
    printf 'FROM busybox\nRUN i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done\n' >ctx/Dockerfile
    build -t x ctx
    n=$("$STAVE" logs last 2 | grep -c '^line ')
    e2e_same 'lines kept' "$n" 3000
    e2e_same 'builds listed' "$("$STAVE" logs -l | wc -l)" 2
}

tags() {
    two_stages
    build -t x ctx
    "$STAVE" tag x other:1
    e2e_same 'ID of the tag' "$(id other:1)" "$(id x)"
    e2e_has 'images' "$("$STAVE" images)" 'other'
    e2e_has 'image ls' "$("$STAVE" image ls)" 'other'
    e2e_same 'images -q' "$("$STAVE" images -q other)" "$(id x | cut -c8-19)"
    e2e_same 'formatted' "$("$STAVE" images --format '{{.Repository}}:{{.Tag}}' other)" other:1
    "$STAVE" rmi x >/dev/null
    e2e_exits 1 "$STAVE" inspect x
    e2e_same 'what the other tag runs' "$("$STAVE" run other:1 cat /b)" two
    "$STAVE" rmi other:1 >/dev/null
    e2e_exits 1 "$STAVE" inspect other:1
    clean
}

history() {
    two_stages
    build -t x ctx
    e2e_same 'lines' "$("$STAVE" history x | wc -l)" 5
    e2e_has 'history' "$("$STAVE" history --no-trunc x)" 'RUN /bin/sh -c cat /size /b >/both'
    e2e_same 'architecture' "$("$STAVE" inspect x | jq -r '.[0].Os')" linux
}

roundtrip() {
    local format want_id want_layers want_manifest
    two_stages
    build -t x ctx
    want_id=$(id x) want_layers=$(layers x) want_manifest=$(manifest x)
    for format in oci docker; do
        "$STAVE" save --format "$format" x >"$format.tar"
        "$STAVE" save --format "$format" x -o "$format.again.tar"
        cmp "$format.tar" "$format.again.tar" || e2e_fail "two archives ($format) differ"
    done
    for format in oci docker; do
        export STAVE_ROOT=$PWD/.store.$format
        "$STAVE" load <"$format.tar" >loaded
        e2e_has 'what load says' "$(cat loaded)" 'x:latest'
        e2e_same "ID ($format)" "$(id x)" "$want_id"
        e2e_same "layers ($format)" "$(layers x)" "$want_layers"
        [ "$format" != oci ] || e2e_same 'manifest' "$(manifest x)" "$want_manifest"
        e2e_same 'what the loaded image runs' "$("$STAVE" run x cat /both)" $'4\ntwo'
        clean
    done
}

several_saved() {
    two_stages
    build -t x -t y:2 ctx
    "$STAVE" save x y:2 busybox >all.tar
    export STAVE_ROOT=$PWD/.other
    "$STAVE" load -i all.tar >/dev/null
    e2e_same 'names' "$("$STAVE" images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' ')" \
        'busybox:latest x:latest y:2 '
}

imported() {
    mkdir -p tree/etc
    echo hello >tree/etc/f
    ln -s f tree/etc/link
    tar -C tree -cf - . | "$STAVE" import -c 'ENV a=b' -c 'CMD ["/x"]' -m 'a remark' - tree:1 >/dev/null
    e2e_same 'command' "$("$STAVE" inspect -f '{{json .Config.Cmd}}' tree:1)" '["/x"]'
    e2e_has 'environment' "$("$STAVE" inspect -f '{{json .Config.Env}}' tree:1)" a=b
    e2e_has 'history' "$("$STAVE" history tree:1)" 'a remark'
    mkdir ctx
    printf 'FROM tree:1\nCOPY --from=tree:1 /etc/f /g\n' >ctx/Dockerfile
    build -o type=local,dest=out ctx
    e2e_same 'file' "$(cat out/g)" hello
    e2e_same 'link' "$(readlink out/etc/link)" f
}

pruning() {
    local before after
    two_stages
    build -t x ctx
    clean
    "$STAVE" df >df.out
    e2e_has 'df' "$(cat df.out)" 'Build Cache'
    e2e_same 'df' "$("$STAVE" system df | head -n 1)" "$(head -n 1 df.out)"
    before=$(du -s .store/blobs | cut -f1)
    "$STAVE" rmi x busybox >/dev/null
    "$STAVE" prune -a -f >prune.out
    e2e_has 'prune' "$(cat prune.out)" 'Total reclaimed space'
    after=$(du -s .store/blobs | cut -f1)
    [ "$after" -lt $((before / 10)) ] || e2e_fail "$before KiB of blobs became $after KiB"
    e2e_same 'images left' "$("$STAVE" images -q)" ''
    clean
    e2e_import busybox
    build -t x ctx
    e2e_same 'steps run' "$(wc -l <<<"$RAN")" 5
    "$STAVE" builder prune -a -f >/dev/null
    e2e_same 'what the image still runs' "$("$STAVE" run x cat /b)" two
    build -t x ctx
    e2e_has 'steps run after the cache is gone' "$RAN" 'COPY b /b'
    clean
}

e2e_case second-build second_build
e2e_case touched touched
e2e_case changed-byte changed_byte
e2e_case same-stat same_stat
e2e_case changed-mode changed_mode
e2e_case same-bytes same_bytes
e2e_case no-cache no_cache
e2e_case no-cache-filter no_cache_filter
e2e_case never-joined never_joined
e2e_case one-record-pruned pruned_record
e2e_case reproducible reproducible
e2e_case arguments arguments
e2e_case explained explained
e2e_case other-names other_names
e2e_case outputs-of-build outputs_of_build
e2e_case outputs outputs
e2e_case parallel parallel
e2e_case pruned pruned
e2e_case logs logs
e2e_case tags tags
e2e_case history history
e2e_case roundtrip roundtrip
e2e_case several-saved several_saved
e2e_case imported imported
e2e_case pruning pruning
e2e_summary e2e-cache
