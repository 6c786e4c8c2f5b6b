#!/usr/bin/env bash
# e2e-outputs.sh: what --output writes, as other programs read it: forms, compression, places, several targets.
# packages: skopeo umoci podman jq zstd gzip tar python3 strace
# E2E_ONLY=PATTERN runs only the cases of that name.
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
unset SOURCE_DATE_EPOCH

need() { command -v "$1" >/dev/null || e2e_skip "$1 is not installed"; }

build() { "$STAVE" build --progress=plain "$@" 2>build.out || e2e_fail "build $*: $(tail -n 20 build.out)"; }

# refused STATUS TEXT ARG...: the build is refused so and says TEXT.
refused() {
    local status=$1 text=$2
    shift 2
    e2e_exits "$status" "$STAVE" build --progress=plain "$@" ctx
    e2e_has 'message' "$E2E_ERR" "$text"
}

# Three stages; the last one stands upon the first.
context() {
    mkdir ctx
    head -c 3000000 /dev/zero | tr '\0' 'z' >ctx/large
    head -c 5000000 /dev/urandom >>ctx/large
    echo one >ctx/one
    touch -d 2020-01-01 ctx/one ctx/large
    cat >ctx/Dockerfile <<'END'
FROM scratch AS first
COPY one /one
FROM scratch AS other
COPY one /other
FROM first AS last
COPY large /large
ENV A=1
CMD ["/one"]
END
}

# What an archive or layout says: manifest ARCHIVE [N], its layers' media types.
manifest() {
    local digest
    if [ -d "$1" ]; then
        digest=$(jq -r ".manifests[${2:-0}].digest" "$1/index.json")
        cat "$1/blobs/sha256/${digest#sha256:}"
    else
        digest=$(tar -xOf "$1" index.json | jq -r ".manifests[${2:-0}].digest")
        tar -xOf "$1" "blobs/sha256/${digest#sha256:}"
    fi
}
types() { manifest "$1" | jq -r '[.layers[].mediaType] | join(" ")'; }
OCI=application/vnd.oci.image.layer.v1.tar
DOCKER=application/vnd.docker.image.rootfs.diff.tar

several() {
    context
    need skopeo
    build -t x -o type=oci,dest=x.oci -o type=docker,dest=x.docker -o type=tar,dest=x.tar -o tree \
        -o type=oci,dest=layout,tar=false -o type=image,name=y -o type=cacheonly ctx
    e2e_same 'types of oci' "$(types x.oci)" "$OCI+gzip $OCI+gzip"
    e2e_same 'types of docker' "$(types x.docker)" "$DOCKER.gzip $DOCKER.gzip"
    e2e_same 'manifest of docker' "$(manifest x.docker | jq -r .mediaType)" \
        application/vnd.docker.distribution.manifest.v2+json
    cmp <(manifest x.oci) <(manifest layout) || e2e_fail 'tar and directory differ'
    cmp tree/large ctx/large
    mkdir untar && tar -xf x.tar -C untar
    diff -rq tree untar || e2e_fail 'tree and tar differ'
    for in in oci-archive:x.oci oci:layout docker-archive:x.docker; do
        e2e_same "config of $in" "$(skopeo inspect --config "$in" | jq -c .config.Cmd)" '["/one"]'
        skopeo copy -q "$in" dir:copy || e2e_fail "skopeo copies $in"
        rm -rf copy
    done
    e2e_same 'names in an archive' "$(tar -xOf x.oci index.json | jq '.manifests | length')" 1
    e2e_same 'ID of the name of an output' "$("$STAVE" inspect -f '{{.Id}}' y)" "$("$STAVE" inspect -f '{{.Id}}' x)"
    "$STAVE" fsck >/dev/null
    e2e_same 'left in tmp' "$(ls -A .store/tmp)" ''
}

umoci_unpacks() {
    context
    need umoci
    build -t x -o type=oci,dest=layout,tar=false -o type=oci,dest=z,tar=false,compression=zstd ctx
    umoci unpack --image layout:latest bundle >umoci.out 2>&1 || e2e_fail "umoci: $(tail -n 5 umoci.out)"
    cmp bundle/rootfs/large ctx/large
}

podman_loads() {
    local p in
    context
    need podman
    build -t x -o type=oci,dest=x.oci -o type=docker,dest=x.docker -o type=docker,dest=z.docker,compression=zstd \
        -o type=docker,dest=n.docker,compression=none ctx
    p=(podman --root "$PWD/podman" --runroot "$PWD/podman-run" --storage-driver vfs --cgroup-manager cgroupfs
        --events-backend none)
    for in in x.oci x.docker z.docker n.docker; do
        "${p[@]}" load -q -i "$in" >podman.out 2>&1 || e2e_fail "podman load $in: $(tail -n 5 podman.out)"
        e2e_same "ID of $in" "$("${p[@]}" images --no-trunc --format '{{.ID}}')" "$("$STAVE" inspect -f '{{.Id}}' x)"
        "${p[@]}" rmi -a -f >/dev/null
    done
}

loads_again() {
    local in id
    context
    build -t x -o type=oci,dest=x.oci -o type=docker,dest=x.docker -o type=docker,dest=z.docker,compression=zstd ctx
    id=$("$STAVE" inspect -f '{{.Id}}' x)
    for in in x.oci x.docker z.docker; do
        export STAVE_ROOT=$PWD/.store.$in
        "$STAVE" load -q -i "$in"
        e2e_same "ID of $in" "$("$STAVE" inspect -f '{{.Id}}' x)" "$id"
        "$STAVE" fsck >/dev/null
    done
}

# Every compression unpacks to the layers of the config, and is made once.
compression() {
    local how before first second sizes=()
    context
    # What was executed is collected after its build; the exports below execute nothing.
    build -t x ctx
    for how in gzip zstd none uncompressed gzip,compression-level=1 gzip,compression-level=9 \
        zstd,compression-level=1 zstd,compression-level=19; do
        build -t x -o "type=oci,dest=a.tar,compression=$how" ctx
        before=$(find .store/blobs -type f | wc -l)
        build -t x -o "type=oci,dest=b.tar,compression=$how" ctx
        cmp a.tar b.tar || e2e_fail "$how: two exports differ"
        e2e_same "$how: blobs after the second export" "$(find .store/blobs -type f | wc -l)" "$before"
        # The reader of the golden cases checks every digest and size.
        python3 "$E2E_TOP/cmd/test/imgtree.py" a.tar >tree.json || e2e_fail "$how: $(cat tree.json)"
        case $how in
            gzip*) e2e_same "$how" "$(types a.tar)" "$OCI+gzip $OCI+gzip" ;;
            zstd*) e2e_same "$how" "$(types a.tar)" "$OCI+zstd $OCI+zstd" ;;
            *) e2e_same "$how" "$(types a.tar)" "$OCI $OCI" ;;
        esac
        sizes+=("$(stat -c %s a.tar)")
    done
    [ "${sizes[0]}" -lt "${sizes[2]}" ] || e2e_fail "gzip is not smaller: ${sizes[*]}"
    # Other programs unpack what several threads made.
    build -t x -o type=oci,dest=g,tar=false -o type=oci,dest=z,tar=false,compression=zstd ctx
    first=$(manifest g | jq -r '.layers[1].digest') second=$(manifest z | jq -r '.layers[1].digest')
    cmp <(gzip -dc "g/blobs/sha256/${first#sha256:}") <(zstd -dc "z/blobs/sha256/${second#sha256:}")
    "$STAVE" fsck >/dev/null
    # They go when nothing needs them.
    "$STAVE" prune -a -f >/dev/null 2>&1
    "$STAVE" fsck >/dev/null
}

# With an epoch other stores make the same bytes.
stable() {
    local how
    context
    for how in gzip zstd none gzip,compression-level=9; do
        for i in 1 2; do
            rm -rf ctx$i && cp -r ctx ctx$i && touch ctx$i/*
            # A form of another compressor must not be taken.
            STAVE_ROOT=$PWD/.store.$i SOURCE_DATE_EPOCH=$((i == 1 ? 0 : 1500000000)) \
                build -t x -o "type=oci,dest=other.tar,compression=gzip" ctx$i
            STAVE_ROOT=$PWD/.store.$i SOURCE_DATE_EPOCH=1500000000 \
                build -t x -o "type=oci,dest=x$i.tar,compression=$how" -o "type=docker,dest=d$i.tar,compression=$how" ctx$i
        done
        cmp x1.tar x2.tar || e2e_fail "oci, $how"
        cmp d1.tar d2.tar || e2e_fail "docker, $how"
    done
}

# A layer that was compressed without an epoch is compressed again with one.
stable_after_fast() {
    context
    printf 'FROM scratch\nCOPY one /one\n' >ctx/Dockerfile
    touch -d @1000 ctx/one
    build -t x -o type=oci,dest=fast.tar ctx
    SOURCE_DATE_EPOCH=1000 build -t x -o type=oci,dest=a.tar ctx
    STAVE_ROOT=$PWD/.store.2 SOURCE_DATE_EPOCH=1000 build -t x -o type=oci,dest=b.tar ctx
    cmp a.tar b.tar
}

# What came compressed stays byte for byte, unless that is forced.
bases() {
    local layer
    context
    build -t base --target first -o type=oci,dest=base.tar,compression=gzip,compression-level=1 ctx
    layer=$(manifest base.tar | jq -r '.layers[0].digest')
    export STAVE_ROOT=$PWD/.store.2
    "$STAVE" load -q -i base.tar
    printf 'FROM base AS b\nENV A=1\nFROM b\nCOPY one /two\n' >ctx/Dockerfile
    build -t x -o type=oci,dest=a.tar,compression=zstd ctx
    e2e_same 'types' "$(types a.tar)" "$OCI+gzip $OCI+zstd"
    e2e_same 'layer of the base' "$(manifest a.tar | jq -r '.layers[0].digest')" "$layer"
    build -t x -o type=oci,dest=a.tar,compression=zstd,force-compression=true ctx
    e2e_same 'types, forced' "$(types a.tar)" "$OCI+zstd $OCI+zstd"
    build -t x -o type=oci,dest=a.tar,compression=none,force-compression=true ctx
    e2e_same 'types, forced to none' "$(types a.tar)" "$OCI $OCI"
    # The plain form is here now; the base is still named as it came.
    build -t x -o type=oci,dest=a.tar ctx
    e2e_same 'layer of the base, then' "$(manifest a.tar | jq -r '.layers[0].digest')" "$layer"
    # The same layers made here give another image elsewhere only where the base differs.
    python3 "$E2E_TOP/cmd/test/imgtree.py" a.tar >/dev/null
}

annotations() {
    context
    build -t x -o type=oci,dest=x.oci,annotation.own=1 -o type=docker,dest=x.docker --annotation a=b \
        --annotation manifest-descriptor:c=d ctx
    e2e_same 'manifest' "$(manifest x.oci | jq -c .annotations)" '{"a":"b","own":"1"}'
    e2e_same 'descriptor' "$(tar -xOf x.oci index.json | jq -r '.manifests[0].annotations.c')" d
    e2e_same 'docker becomes OCI' "$(types x.docker)" "$OCI+gzip $OCI+gzip"
    e2e_same 'manifest of docker' "$(manifest x.docker | jq -c .annotations)" '{"a":"b"}'
    e2e_same 'manifest in the store' \
        "$(jq -c .annotations ".store/blobs/sha256/$("$STAVE" inspect -f '{{.Digest}}' x | cut -d: -f2)")" '{"a":"b"}'
    refused 2 'an image of one platform has no index' --annotation index:a=b
    refused 2 "no annotation type 'frob'" --annotation frob:a=b
    refused 2 'have no annotations' --annotation a=b -o type=oci,oci-mediatypes=false,dest=y
}

targets() {
    local ids
    context
    "$STAVE" build -q -t a=first -t b=last --iidfile ids --metadata-file m.json -o type=oci,dest=both.tar \
        -o type=local,target=first,dest=tree ctx >out
    ids="$("$STAVE" inspect -f '{{.Id}}' a)"$'\n'"$("$STAVE" inspect -f '{{.Id}}' b)"
    e2e_same 'output of -q' "$(cat out)" "$ids"
    e2e_same 'ID file' "$(cat ids)" "$ids"
    e2e_same 'metadata' "$(jq -r '.first["containerimage.config.digest"], .last["containerimage.config.digest"]' m.json)" \
        "$ids"
    e2e_same 'files of a target' "$(ls tree)" one
    e2e_same 'names in the archive' \
        "$(tar -xOf both.tar index.json | jq -r '.manifests[].annotations["io.containerd.image.name"]' | tr '\n' ' ')" \
        'docker.io/library/a:latest docker.io/library/b:latest '
    # Stage other is not built, stage first once.
    build --no-cache -t a=first -t b=last ctx
    e2e_same 'steps' "$(grep -c ' DONE ' build.out)" 2
    build --target other --target first ctx
    e2e_same 'images' "$(grep -c '^image sha256' build.out)" 2
    # A name alone is for the last stage, and --target for the only one as ever.
    build -t plain -t c=first ctx
    e2e_same 'last stage' "$("$STAVE" inspect -f '{{.Id}}' plain)" "$("$STAVE" inspect -f '{{.Id}}' b)"
    build -t one --target first ctx
    e2e_same '--target' "$("$STAVE" inspect -f '{{.Id}}' one)" "$("$STAVE" inspect -f '{{.Id}}' a)"
    refused 1 "there is no stage 'frist'" -t a=frist -t b=last
    refused 2 'could be for each of several targets' -t a --target first --target last
    refused 2 'Add target=STAGE' -t a=first -t b=last -o out
    refused 2 "stage 'other' is no target" -t a=first -o type=tar,target=other
}

metadata() {
    context
    build -t x -t y:2 --metadata-file m.json -o type=oci,dest=x.tar,compression=zstd ctx
    e2e_same 'digest' "$(jq -r '."containerimage.digest"' m.json)" "$(tar -xOf x.tar index.json | jq -r '.manifests[0].digest')"
    e2e_same 'descriptor' "$(jq -r '."containerimage.descriptor".digest' m.json)" "$(jq -r '."containerimage.digest"' m.json)"
    e2e_same 'config' "$(jq -r '."containerimage.config.digest"' m.json)" "$("$STAVE" inspect -f '{{.Id}}' x)"
    e2e_same 'names' "$(jq -r '."image.name"' m.json)" docker.io/library/x:latest,docker.io/library/y:2
    e2e_has 'build' "$(jq -r '."buildx.build.ref"' m.json)" stave/local/
    build -t x --metadata-file m.json ctx
    e2e_same 'digest without an output' "$(jq -r '."containerimage.digest"' m.json)" "$("$STAVE" inspect -f '{{.Digest}}' x)"
}

rewrite() {
    local old
    context
    export SOURCE_DATE_EPOCH=1000
    build -t x -o type=oci,dest=x.tar,rewrite-timestamp=true -o type=local,dest=clamped ctx
    e2e_same 'time' "$(stat -c %Y clamped/one)" 1000
    old=$("$STAVE" inspect -f '{{.Id}}' x)
    build -t x -o type=oci,dest=y.tar,rewrite-timestamp=false -o type=local,dest=kept ctx
    e2e_same 'time' "$(stat -c %Y kept/one)" "$(stat -c %Y ctx/one)"
    e2e_same 'steps that ran' "$(grep -c ' DONE ' build.out)" 2
    e2e_has 'config' "$("$STAVE" inspect x)" '1970-01-01T00:16:40Z'
    build -t x ctx
    e2e_same 'as before' "$("$STAVE" inspect -f '{{.Id}}' x)" "$old"
    e2e_same 'steps that ran' "$(grep -c ' DONE ' build.out || true)" 0
    unset SOURCE_DATE_EPOCH
    build -o type=tar,dest=z.tar,rewrite-timestamp=true ctx
    e2e_has 'warning' "$(cat build.out)" 'rewrite-timestamp=true does nothing'
    refused 2 'cannot be both' -o type=tar,dest=a,rewrite-timestamp=1 -o type=tar,dest=b,rewrite-timestamp=0
}

stdout() {
    context
    "$STAVE" build -o type=oci,dest=-,compression=zstd ctx 2>/dev/null >a.tar
    python3 "$E2E_TOP/cmd/test/imgtree.py" a.tar >/dev/null
    "$STAVE" build -o type=docker,dest=- -t x ctx 2>/dev/null | tar -t >names
    e2e_has 'names' "$(cat names)" manifest.json
    refused 2 'more than one thing would go to standard output' -o - -o type=oci
    e2e_exits 2 "$STAVE" build -q -o - ctx
    e2e_has 'quiet' "$E2E_ERR" 'more than one thing would go to standard output'
}

# Bad places: nothing half is there, what was there stays.
places() {
    context
    echo old >file
    mkdir full && echo old >full/f
    refused 1 'not a directory' -o file
    refused 1 'Not a directory' -o type=local,dest=file/below
    refused 1 'cannot write' -o type=oci,dest=no/where/x.tar
    refused 1 'Is a directory' -o type=oci,dest=full
    refused 1 'is not empty' -o type=oci,tar=false,dest=full
    refused 2 'more than one thing would be written to' -o type=oci,dest=a -o type=tar,dest=./a
    refused 2 'more than one thing would be written to' -o type=oci,dest=a --metadata-file a
    refused 2 'without a name cannot be pushed' -o type=registry
    refused 2 'without a name cannot be pushed' -o type=image,push=true
    refused 2 'Choose gzip, zstd or none' -o type=oci,dest=a,compression=estargz
    refused 2 'docker loads a tar only' -o type=docker,tar=false,dest=a
    refused 2 'Write true or false' -o type=local,platform-split=perhaps,dest=a
    refused 2 "Did you mean 'compression'" -o type=oci,dest=a,compresion=gzip
    e2e_same 'file' "$(cat file)" old
    # shellcheck disable=SC2012 # our own names
    e2e_same 'files' "$(ls | tr '\n' ' ')" 'ctx file full '
    mkdir empty
    build -o type=oci,tar=false,dest=empty/ ctx
    e2e_same 'an empty directory is filled' "$(jq -r .imageLayoutVersion empty/oci-layout)" 1.0.0
    mkdir here
    (cd here && "$STAVE" build -q -o type=oci,tar=false,dest=. ../ctx >../build.out 2>&1) ||
        e2e_fail "into .: $(cat build.out)"
    e2e_same 'this directory is filled' "$(jq -r .imageLayoutVersion here/oci-layout)" 1.0.0
    mkdir -m 750 narrow
    (ulimit -f 100 && e2e_exits 6 "$STAVE" build --progress=plain -o type=oci,tar=false,dest=narrow ctx)
    e2e_same 'an empty directory after a failure' "$(stat -c %a narrow) $(ls -A narrow)" '750 '
    build -o type=local,dest=full ctx
    e2e_same 'files stay' "$(cat full/f)" old
    # A link keeps its name.
    ln -s target link
    build -o type=oci,dest=link ctx
    e2e_same 'the link' "$(readlink link)" target
    tar -tf target >/dev/null
    # And so does /dev/stdout, where that is a file.
    ln -s /proc/self/fd/1 out
    "$STAVE" build -o type=tar,dest=out ctx >got 2>build.out || e2e_fail "$(cat build.out)"
    e2e_same 'the link to standard output' "$(readlink out)" /proc/self/fd/1
    e2e_same 'files in standard output' "$(tar -tf got | sort | tr '\n' ' ')" 'large one '
}

# A disk that is too small for the output, not for the store.
full_disk() {
    local status=0
    context
    if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then e2e_skip 'needs root and a mount namespace'; fi
    mkdir small
    build ctx
    for how in type=oci type=docker type=tar type=local type=oci,tar=false; do
        # shellcheck disable=SC2016 # for the inner shell
        unshare -m --propagation private bash -c '
            mount -t tmpfs -o size=1m none small && shift &&
            { "$0" build --progress=plain -o "$1,dest=small/out" ctx 2>err; echo $? >status; ls -A small >left; }' \
            "$STAVE" "$how" "$how"
        status=$(cat status)
        [ "$status" -ne 0 ] || e2e_fail "$how: it is said to be written"
        e2e_has "$how: message" "$(cat err)" 'No space left on device'
        e2e_same "$how: what is left" "$(cat left)" ''
    done
}

# Killed at any moment, the file is whole or the old one.
killed() {
    local pid i
    context
    build -t x ctx
    echo old >out.tar
    for i in 1 2 3 4 5 6 7 8; do
        "$STAVE" build -q -o type=oci,dest=out.tar,compression=zstd,compression-level=$((10 + i)) ctx >/dev/null 2>&1 &
        pid=$!
        sleep "0.$((i * 3))"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        [ "$(head -c 3 out.tar)" = old ] || python3 "$E2E_TOP/cmd/test/imgtree.py" out.tar >/dev/null || e2e_fail 'half'
        rm -f build.out
        # shellcheck disable=SC2012 # our own names
        e2e_same 'files' "$(ls | tr '\n' ' ')" 'ctx out.tar '
    done
    "$STAVE" fsck >/dev/null
}

# A signal ends it, and no temporary name stays; one is sent by strace when such a name is there.
interrupted() {
    local how at call status
    context
    need strace
    build -t x ctx
    mkdir out empty
    for how in fchmod,type=local,dest=out/new fchmod,type=oci,tar=false,dest=out/new linkat,type=oci,dest=out/new \
        linkat,type=tar,dest=out/new; do
        call=${how%%,*} status=0
        strace -f -o strace.out -e "trace=$call" -e "inject=$call:signal=SIGINT:when=1" \
            env --default-signal=INT "$STAVE" build --progress=plain -o "${how#*,}" ctx 2>build.out || status=$?
        e2e_same "$how: what is left" "$(find out -mindepth 1 -maxdepth 1 ! -name new)" ''
        e2e_same "$how: status" "$status" 130
        e2e_has "$how: message" "$(cat build.out)" cancelled
        # The others were complete when it came.
        [[ $how != *local* ]] || e2e_same "$how: a directory that is not complete" "$(ls out)" ''
        rm -rf out/new
    done
    # A pipe that nobody reads does not keep it from ending.
    mkfifo pipe
    tail -f /dev/null <pipe &
    at=$!
    env --default-signal=TERM "$STAVE" build --progress=plain -o type=tar,dest=pipe ctx 2>build.out &
    call=$!
    sleep 1
    kill -TERM "$call"
    status=0
    wait "$call" || status=$?
    kill "$at"
    e2e_same 'status, pipe' "$status" 143
    # The next command tidies up.
    build -o type=local,dest=out/new ctx
    cmp out/new/large ctx/large
    e2e_same 'left in tmp' "$(ls -A .store/tmp)" ''
}

# What the reference writes of the same files.
reference() {
    local refd=$E2E_TOP/testdata/reference/refd
    [ "$("$refd" status 2>/dev/null)" = running ] || e2e_skip 'the reference does not run'
    context
    # By size and time alone the reference would take the large file of the last run for the same one.
    touch ctx/large
    export SOURCE_DATE_EPOCH=1500000000
    for how in type=local type=tar; do
        "$refd" build -o "$how,dest=want" ctx >ref.out 2>&1 || e2e_fail "reference: $(tail -n 5 ref.out)"
        build -o "$how,dest=got" ctx
        if [ "$how" = type=tar ]; then
            mv want want.tar && mv got got.tar && mkdir want got
            tar -xf want.tar -C want && tar -xf got.tar -C got
        fi
        diff -rq want got || e2e_fail "$how differs"
        cmp <(cd want && find . -mindepth 1 -printf '%P %y %m %U %G\n' | sort) \
            <(cd got && find . -mindepth 1 -printf '%P %y %m %U %G\n' | sort) || e2e_fail "$how: attributes differ"
        rm -rf want got
    done
    # Config and tree of an image, by the reader of the golden cases.
    "$refd" build -t stave-outputs ctx >ref.out 2>&1 || e2e_fail "reference: $(tail -n 5 ref.out)"
    "$refd" docker save -o want.tar stave-outputs
    "$refd" docker rmi stave-outputs >/dev/null
    for how in type=oci type=docker type=oci,compression=zstd; do
        build -t x -o "$how,dest=got.tar" ctx
        cmp <(python3 "$E2E_TOP/cmd/test/imgtree.py" want.tar | jq -S 'del(.layers)') \
            <(python3 "$E2E_TOP/cmd/test/imgtree.py" got.tar | jq -S 'del(.layers)') || e2e_fail "$how differs"
    done
}

for case in several umoci_unpacks podman_loads loads_again compression stable stable_after_fast bases annotations \
    targets metadata rewrite stdout places full_disk killed interrupted reference; do
    e2e_case "${case//_/-}" "$case"
done
e2e_summary e2e-outputs
