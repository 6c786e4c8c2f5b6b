#!/usr/bin/env bash
# e2e-travel.sh: --cache-to and --cache-from: what one machine executed another reuses, by a registry, an image or a
# directory; many write at once; what is lost, altered or forged costs time and no more.
# packages: docker-registry busybox-static python3 jq curl skopeo
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR

# A registry whose blobs we can reach.
start_registry() {
    local port
    port=$(e2e_free_port)
    e2e_tmp
    DATA=$E2E_TMP/data
    printf '%s\n' 'version: 0.1' 'log: {level: error, accesslog: {disabled: true}}' \
        "storage: {filesystem: {rootdirectory: $DATA}, delete: {enabled: true}}" "http: {addr: 127.0.0.1:$port}" \
        >"$E2E_TMP/config.yml"
    e2e_serve docker-registry serve "$E2E_TMP/config.yml" >"$E2E_TMP/log" 2>&1
    R=127.0.0.1:$port
    e2e_wait_http "http://$R/v2/"
}

# An application of two stages; the first has a layer of 2 MB that the second takes a few bytes of.
make_app() {
    mkdir -p app
    echo one >app/a.txt
    cat >app/Dockerfile <<END
FROM $R/base:1 AS build
WORKDIR /src
COPY a.txt .
RUN cat a.txt >out; head -c 2000000 /dev/urandom >big
FROM $R/base:1
COPY --from=build /src/out /out
RUN --mount=from=build,source=/src,target=/x cat /x/out /out >/both
COPY --from=build --chown=root:root /src/a.txt /a
CMD ["cat", "/both"]
END
}

# build STORE ARG...: on a machine of its own.
build() {
    local store=$1
    shift
    STAVE_ROOT=$PWD/$store e2e_exits 0 "$STAVE" build "$@" app
}

id_of() { STAVE_ROOT=$PWD/$1 "$STAVE" inspect -f '{{.Id}}' "$2"; }

# How many steps were executed, and how many bytes of layers fetched.
executed() { grep -cE '^#[0-9]+ DONE' <<<"$E2E_ERR" || true; }
cached() { grep -cE '^#[0-9]+ CACHED' <<<"$E2E_ERR" || true; }
fetched() { sed -n 's/^cache: .* layers fetched, \([0-9]*\) bytes$/\1/p' <<<"$E2E_ERR"; }
sent() { sed -n 's/^cache: .* \([0-9]*\) bytes sent$/\1/p' <<<"$E2E_ERR"; }

cold() {
    local mode=$1 ref=$R/c/$1:cache total
    make_app
    build warm --cache-to "type=registry,ref=$ref,mode=$mode" -t app
    build cold --cache-from "type=registry,ref=$ref" -t app
    e2e_same 'steps from the cache' "$(cached)" 6
    e2e_same 'the image' "$(id_of cold app)" "$(id_of warm app)"
    # The base and three small layers; not the 2 MB of the first stage.
    total=$(fetched)
    echo "    mode=$mode: $total bytes fetched for the image"
    [ "$total" -lt 2000000 ] || e2e_fail "$total bytes were fetched"
    e2e_same 'it runs' "$(STAVE_ROOT=$PWD/cold "$STAVE" run app)" 'one
one'
    STAVE_ROOT=$PWD/cold e2e_exits 0 "$STAVE" fsck
    # Where no image is wanted nothing is.
    build only --cache-from "$ref" --output type=cacheonly
    e2e_same 'fetched for nothing' "$(fetched)" 0
    e2e_same 'steps from the cache' "$(cached)" 6
    # An export without news sends nothing.
    build warm --cache-to "type=registry,ref=$ref,mode=$mode" -t app
    e2e_same 'sent again' "$(sent)" 0
}

# A step changed: only what follows is executed, and of layers only what it mounts fetched.
changed() {
    local ref=$R/c/changed:cache
    make_app
    build warm --cache-to "type=registry,ref=$ref,mode=max" -t app
    sed -i 's/^RUN --mount.*/& \&\& echo more >>\/both/' app/Dockerfile
    build cold --cache-from "$ref" -t app
    e2e_same 'steps from the cache' "$(cached)" 4
    e2e_same 'it runs' "$(STAVE_ROOT=$PWD/cold "$STAVE" run app)" 'one
one
more'
}

# mode=min: the first stage's layers lie nowhere; what needs them makes them anew.
changed_min() {
    local ref=$R/c/changedmin:cache
    make_app
    build warm --cache-to "type=registry,ref=$ref" -t app
    sed -i 's/^RUN --mount.*/& \&\& echo more >>\/both/' app/Dockerfile
    build cold --cache-from "$ref" -t app
    e2e_same 'it runs' "$(STAVE_ROOT=$PWD/cold "$STAVE" run app)" 'one
one
more'
    STAVE_ROOT=$PWD/cold e2e_exits 0 "$STAVE" fsck
}

# The manifest, and the blob of the layer that has /out (the fourth of the image).
blob_file() { echo "$DATA/docker/registry/v2/blobs/sha256/${1:7:2}/${1:7}/data"; }

# What a layer's blob is gone, or is another one, costs a rebuild and a warning.
damaged() {
    local how=$1 ref=$R/c/$1:cache blob
    make_app
    build warm --cache-to "type=registry,ref=$ref,mode=max" -t app
    blob=$(curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/c/$how/manifests/cache" |
        jq -r '.layers | sort_by(.size)[-1].digest')
    case $how in
    lost) rm "$(blob_file "$blob")" ;;
    altered) dd if=/dev/zero of="$(blob_file "$blob")" bs=1000 count=1 conv=notrunc status=none ;;
    esac
    # It is needed by the mount.
    sed -i 's/^RUN --mount.*/& \&\& echo more >>\/both/' app/Dockerfile
    build cold --cache-from "$ref" -t app
    e2e_has 'a warning' "$E2E_ERR" 'what needs it is built anew'
    e2e_same 'it runs' "$(STAVE_ROOT=$PWD/cold "$STAVE" run app)" 'one
one
more'
    STAVE_ROOT=$PWD/cold e2e_exits 0 "$STAVE" fsck
}

# put_doc NAME JSON: a cache whose document is this.
put_doc() {
    local name=$1 text=$2 digest place
    digest=sha256:$(printf %s "$text" | sha256sum | cut -d' ' -f1)
    place=$(curl -fsS -X POST -D - -o /dev/null "http://$R/v2/c/$name/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -fsS -X PUT -H 'Content-Type: application/octet-stream' --data-binary "$text" "$place&digest=$digest"
    curl -fsS -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "$(jq -nc --arg d "$digest" \
        --argjson n "${#text}" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: {mediaType: "application/vnd.stave.cache.v1+json", digest: $d, size: $n}, layers: []}')" \
        "http://$R/v2/c/$name/manifests/cache"
}

# What cannot be read is a warning; an export writes it anew.
forged() {
    local ref=$R/c/forged:cache n=0 text
    make_app
    for text in '{' '[]' '{"version": 2}' '{"version": 1, "records": [{"key": "sha256:00"}]}' \
        '{"version": 1, "records": [1]}' '{"version": 1, "layers": [{"diffID": 7}]}' '{"version": "1"}'; do
        put_doc forged "$text"
        n=$((n + 1))
        build "cold$n" --cache-from "$ref" -t app
        e2e_has "$text" "$E2E_ERR" 'the cache is not used'
    done
    build cold1 --cache-from "$ref" --cache-to "$ref" -t app
    build after --cache-from "$ref" -t app
    e2e_same 'steps from the cache' "$(cached)" 6
}

# A record that names another step's layer: its digest holds, so it is what the writer of the cache says; but the local
# store does not keep it, and other projects do not see it.
not_kept() {
    local ref=$R/c/kept:cache
    make_app
    build warm --cache-to "$ref" -t app
    build cold --cache-from "$ref" -t app
    build cold -t app
    e2e_same 'without the cache' "$(cached)" 2
}

# What two machines execute apart from each other has two results; to tell their records apart here, all are one.
make_same() {
    make_app
    sed -i 's/head -c 2000000 .dev.urandom/seq 1 300000/' app/Dockerfile
    export SOURCE_DATE_EPOCH=1
}

many() {
    local n=16 i pids=() ref=$R/c/many:cache
    make_same
    for ((i = 0; i < n; i++)); do
        cp -r app "app$i"
        sed -i "s/^CMD.*/RUN echo $i >\/n/" "app$i/Dockerfile"
        STAVE_ROOT=$PWD/m$i "$STAVE" build --cache-to "type=registry,ref=$ref,mode=max" "app$i" >"log$i" 2>&1 &
        pids+=($!)
    done
    for i in "${!pids[@]}"; do
        wait "${pids[$i]}" || e2e_fail "export $i: $(tail -n 3 "log$i")"
    done
    # Each of them is there for whoever comes after.
    for ((i = 0; i < n; i++)); do
        STAVE_ROOT=$PWD/after$i e2e_exits 0 "$STAVE" build --cache-from "$ref" --output type=cacheonly "app$i"
        e2e_same "steps of $i from the cache" "$(cached)" 7
    done
    echo "    $n exports at once: all records are there"
    # The next export merges what was left apart; then one manifest has everything.
    build m0 --cache-to "$ref"
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$ref" "docker://$R/c/alone:cache"
    for ((i = 0; i < n; i += 5)); do
        STAVE_ROOT=$PWD/again$i e2e_exits 0 "$STAVE" build --cache-from "$R/c/alone:cache" --output type=cacheonly "app$i"
        e2e_same "steps of $i from one manifest" "$(cached)" 7
    done
}

inline() {
    local image=$R/c/inline:1
    make_app
    build warm --cache-to type=inline -t "$image"
    e2e_same 'the ID' "$(build plain --cache-from "$image" -t app && id_of plain app | wc -c)" 72
    STAVE_ROOT=$PWD/warm e2e_exits 0 "$STAVE" push -q "$image"
    build cold --cache-from "$image" -t app
    e2e_same 'steps from the cache' "$(cached)" 6
    e2e_same 'the image' "$(id_of cold app)" "$(id_of warm "$image")"
    e2e_same 'it runs' "$(STAVE_ROOT=$PWD/cold "$STAVE" run app)" 'one
one'
    # Without records in it an image is no cache.
    build warm -t "$R/c/inline:2"
    STAVE_ROOT=$PWD/warm e2e_exits 0 "$STAVE" push -q "$R/c/inline:2"
    build other --cache-from "$R/c/inline:2" -t app
    e2e_has 'said' "$E2E_ERR" 'holds no cache'
    # And is not written over.
    STAVE_ROOT=$PWD/warm e2e_exits 2 "$STAVE" build --cache-to "$R/c/inline:2" app
    e2e_has 'said' "$E2E_ERR" 'is no cache but an image'
}

local_dir() {
    local i pids=()
    make_same
    build warm --cache-to type=local,dest=dir,mode=max -t app
    build cold --cache-from type=local,src=dir -t app
    e2e_same 'steps from the cache' "$(cached)" 6
    e2e_same 'the image' "$(id_of cold app)" "$(id_of warm app)"
    build warm --cache-to type=local,dest=dir,mode=max -t app
    e2e_same 'sent again' "$(sent)" 0
    e2e_same 'a layout' "$(skopeo inspect --raw oci:dir:latest | jq -r .config.mediaType)" application/vnd.stave.cache.v1+json
    for ((i = 0; i < 8; i++)); do
        cp -r app "app$i"
        sed -i "s/^CMD.*/RUN echo $i >\/n/" "app$i/Dockerfile"
        STAVE_ROOT=$PWD/m$i "$STAVE" build --cache-to type=local,dest=dir,mode=max "app$i" >"log$i" 2>&1 &
        pids+=($!)
    done
    for i in "${!pids[@]}"; do
        wait "${pids[$i]}" || e2e_fail "export $i: $(tail -n 3 "log$i")"
    done
    for ((i = 0; i < 8; i++)); do
        STAVE_ROOT=$PWD/after e2e_exits 0 "$STAVE" build --cache-from type=local,src=dir --output type=cacheonly "app$i"
        e2e_same "steps of $i from the cache" "$(cached)" 7
    done
    e2e_same 'left over' "$(find dir -name '*.*' -path '*/blobs/*')" ''
}

# Nobody is asked for what is here; nothing that is wrong with a cache stops a build, but an export that fails does.
failures() {
    make_app
    build warm -t app
    build warm --cache-from "127.0.0.1:1/c/x:cache" -t app
    e2e_hasnt 'asked' "$E2E_ERR" 'the cache is not used'
    build cold --cache-from "127.0.0.1:1/c/x:cache" --cache-from "$R/c/none:cache" --cache-from type=local,src=nodir -t app
    e2e_has 'said' "$E2E_ERR" 'the cache is not used: 127.0.0.1:1'
    e2e_has 'said' "$E2E_ERR" 'there is none at'
    e2e_has 'said' "$E2E_ERR" 'nodir'
    STAVE_ROOT=$PWD/cold e2e_exits 4 "$STAVE" build --cache-to "127.0.0.1:1/c/x:cache" -t made app
    e2e_has 'said' "$E2E_ERR" 'exporting the cache to 127.0.0.1:1/c/x:cache'
    STAVE_ROOT=$PWD/cold e2e_exits 0 "$STAVE" inspect made
    build cold --cache-to "type=registry,ref=127.0.0.1:1/c/x:cache,ignore-error=true" -t app
    e2e_has 'said' "$E2E_ERR" 'exporting the cache to 127.0.0.1:1/c/x:cache'
}

usage() {
    make_app
    local spec
    for spec in type=gha type=registry type=local type=registry,ref=A type=registry,ref=a,mode=most type=inline,ref=x \
        type=registry,ref=a,mod=max 'type=registry,ref=a,compression=lz4' type=registry,ref=a,force-compression=true \
        type=registry,ref=a,oci-mediatypes=false type=local,src=x x=y ''; do
        e2e_exits 2 "$STAVE" build --cache-to "$spec" app
        e2e_has "$spec" "$E2E_ERR" '--cache-to'
    done
    for spec in type=inline type=local,dest=x type=registry,ref=a,mode=max type=s3; do
        e2e_exits 2 "$STAVE" build --cache-from "$spec" app
        e2e_has "$spec" "$E2E_ERR" '--cache-from'
    done
}

start_registry
e2e_bases busybox
STAVE_ROOT=$E2E_TMP/base "$STAVE" import "$E2E_BASES/busybox.tar" "$R/base:1" >/dev/null
STAVE_ROOT=$E2E_TMP/base "$STAVE" push -q "$R/base:1"
e2e_case 'a cold machine, mode=max' cold max
e2e_case 'a cold machine, mode=min' cold min
e2e_case 'one step changed' changed
e2e_case 'one step changed, mode=min' changed_min
e2e_case 'a blob is lost' damaged lost
e2e_case 'a blob is altered' damaged altered
e2e_case 'documents that are none' forged
e2e_case 'the store keeps no foreign records' not_kept
e2e_case '16 exports at once' many
e2e_case 'in the image' inline
e2e_case 'in a directory' local_dir
e2e_case 'registries that fail' failures
e2e_case 'usage' usage
e2e_summary e2e-travel
