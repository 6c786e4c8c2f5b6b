#!/usr/bin/env bash
# e2e-copy.sh: stave copy and stave manifest between two docker-registries, one of which wants a password; skopeo and curl
# say what is there.
# packages: docker-registry perl jq curl skopeo zstd
# Each case is a subshell of its own; the dollars of crypt's salt are its own.
# shellcheck disable=SC2030,SC2031,SC2016
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT

# Nothing of the user's is read.
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR

OCI=application/vnd.oci.image

# The image $1 for the platform $2, pushed; its content is not that of others.
make_image() {
    mkdir -p ctx
    printf 'FROM scratch\nCOPY big /\nCOPY name /\n' >ctx/Dockerfile
    [ -e ctx/big ] || head -c 3000000 /dev/urandom >ctx/big
    echo "$1 $2" >ctx/name
    "$STAVE" build -q --platform "$2" -t "$1" ctx >/dev/null
    "$STAVE" push -q "$1"
}

# The bytes of the manifest that $1 names, and their digest.
raw() { skopeo inspect --raw --tls-verify=false "docker://$1"; }
digest() { raw "$1" | sha256sum | cut -d' ' -f1; }

# put_blob HOST/PATH FILE: the descriptor's digest and size, for jq.
put_blob() {
    local repo=$1 file=$2 sum at
    sum=$(sha256sum <"$file" | cut -d' ' -f1)
    at=$(curl -fsS -D - -o /dev/null -X POST "http://${repo%%/*}/v2/${repo#*/}/blobs/uploads/" |
        sed -n 's/^[Ll]ocation: *\([^\r]*\).*/\1/p')
    curl -fsS -o /dev/null -X PUT --data-binary "@$file" -H 'Content-Type: application/octet-stream' \
        "$at&digest=sha256:$sum"
    jq -nc --arg d "sha256:$sum" --argjson s "$(stat -c %s "$file")" '{digest: $d, size: $s}'
}

# put_manifest HOST/PATH TAG TYPE <TEXT: prints its descriptor.
put_manifest() {
    local repo=$1 sum
    cat >.manifest
    sum=$(sha256sum <.manifest | cut -d' ' -f1)
    curl -fsS -o /dev/null -X PUT --data-binary @.manifest -H "Content-Type: $3" \
        "http://${repo%%/*}/v2/${repo#*/}/manifests/${2:-sha256:$sum}"
    jq -nc --arg t "$3" --arg d "sha256:$sum" --argjson s "$(stat -c %s .manifest)" '{mediaType: $t, digest: $d, size: $s}'
}

# An artifact of more layers than an image may have, in repository $1; prints its descriptor.
make_artifact() {
    local config layer
    printf '{}' >empty
    config=$(put_blob "$1" empty)
    head -c 1500000 /dev/urandom >layer
    layer=$(put_blob "$1" layer)
    jq -nc --arg m "$OCI.manifest.v1+json" --argjson c "$config" --argjson l "$layer" \
        '{schemaVersion: 2, mediaType: $m, artifactType: "application/x-test", config: ($c + {mediaType: "application/vnd.oci.empty.v1+json"}),
          layers: [range(200) | $l + {mediaType: "application/x-bytes", annotations: {n: tostring}}]}' |
        put_manifest "$1" "" "$OCI.manifest.v1+json"
}

# An index of everything in repository $1, tag 1: two platforms, one of them with a zstd layer, an attestation's entry, an
# artifact, and an index in it.
make_index() {
    local amd arm artifact inner
    make_image "$1:amd" linux/amd64
    "$STAVE" build -q --platform linux/arm64 -o type=oci,compression=zstd,dest=arm.tar ctx >/dev/null
    skopeo copy -q --dest-tls-verify=false --preserve-digests oci-archive:arm.tar "docker://$1:arm"
    amd=$(raw "$1:amd" >.m && jq -nc --arg d "sha256:$(sha256sum <.m | cut -d' ' -f1)" --argjson s "$(stat -c %s .m)" \
        --arg m "$OCI.manifest.v1+json" '{mediaType: $m, digest: $d, size: $s, platform: {os: "linux", architecture: "amd64"}}')
    arm=$(raw "$1:arm" >.m && jq -nc --arg d "sha256:$(sha256sum <.m | cut -d' ' -f1)" --argjson s "$(stat -c %s .m)" \
        --arg m "$OCI.manifest.v1+json" '{mediaType: $m, digest: $d, size: $s, platform: {os: "linux", architecture: "arm64"}}')
    artifact=$(make_artifact "$1")
    inner=$(jq -n --arg m "$OCI.index.v1+json" --argjson x "$arm" '{schemaVersion: 2, mediaType: $m, manifests: [$x]}' |
        put_manifest "$1" "" "$OCI.index.v1+json")
    # Blanks and members that nobody knows belong to the bytes too.
    jq -n --arg m "$OCI.index.v1+json" --argjson a "$amd" --argjson b "$artifact" --argjson c "$inner" \
        '{schemaVersion: 2, mediaType: $m, "x-unknown": [1], manifests: [$a, $b + {platform: {os: "unknown", architecture: "unknown"},
          annotations: {"vnd.docker.reference.type": "attestation-manifest"}}, $c]}' |
        put_manifest "$1" 1 "$OCI.index.v1+json" >/dev/null
}

an_image() {
    local a=$A/one b=$B/one
    make_image "$a:1" linux/amd64
    e2e_exits 0 "$STAVE" copy "$a:1" "$b:1"
    e2e_same 'blobs' "$(grep -c ': Copied' <<<"$E2E_OUT")" 3
    e2e_same 'digest' "$(digest "$b:1")" "$(digest "$a:1")"
    e2e_has 'shown' "$E2E_OUT" "Digest: sha256:$(digest "$a:1")"
    # Nothing is sent twice, under whatever name.
    e2e_exits 0 "$STAVE" copy "$a:1" "$b:1"
    e2e_hasnt 'again' "$E2E_OUT" ': '"Copied"
    e2e_exits 0 "$STAVE" copy "$a:1" "docker://$b:2"
    e2e_hasnt 'another tag' "$E2E_OUT" ': Copied'
    e2e_same 'another tag' "$(digest "$b:2")" "$(digest "$a:1")"
    e2e_exits 0 "$STAVE" copy "$b:1" "$B/two:1"
    e2e_same 'mounted' "$(grep -c ': Mounted' <<<"$E2E_OUT")" 3
    e2e_exits 0 "$STAVE" copy -q "$a@sha256:$(digest "$a:1")" "$B/three@sha256:$(digest "$a:1")"
    e2e_same 'quiet' "$E2E_OUT" ''
    e2e_exits 0 "$STAVE" copy -q "$B/three@sha256:$(digest "$a:1")" "$B/four:1"
    # The store is not needed, and not made.
    STAVE_ROOT=$PWD/none e2e_exits 0 "$STAVE" copy -q "$a:1" "$B/five:1"
    [ ! -e none ] || e2e_fail 'a store was made'
    STAVE_ROOT=$PWD/other e2e_exits 0 "$STAVE" pull -q "$B/five:1"
}

# More than what is kept of a stream, so that it goes in pieces.
a_large_blob() {
    mkdir -p ctx
    head -c 40000000 /dev/urandom >ctx/big
    make_image "$A/large:1" linux/amd64
    e2e_exits 0 "$STAVE" copy -q "$A/large:1" "$B/large:1"
    skopeo copy -q --src-tls-verify=false "docker://$B/large:1" "dir:$PWD/dir"
    e2e_same 'digest' "$(digest "$B/large:1")" "$(digest "$A/large:1")"
}

everything() {
    local a=$A/all b=$B/all
    make_index "$a"
    e2e_exits 0 "$STAVE" copy "$a:1" "$b:1"
    e2e_same 'digest' "$(digest "$b:1")" "$(digest "$a:1")"
    # skopeo finds all of it there, and so does its own copy (which knows no index in an index).
    e2e_exits 0 "$STAVE" copy --platform linux/amd64 "$a:1" "$b:amd"
    e2e_same 'amd64' "$(digest "$b:amd")" "$(digest "$a:amd")"
    e2e_exits 0 "$STAVE" copy --platform linux/arm64 "$a:1" "$B/arm:1"
    e2e_same 'arm64' "$(digest "$B/arm:1")" "$(digest "$a:arm")"
    e2e_has 'zstd' "$(raw "$B/arm:1")" 'tar+zstd'
    skopeo copy -q --src-tls-verify=false "docker://$B/arm:1" "dir:$PWD/dir"
    # Each entry, by its digest.
    local d
    for d in $(raw "$a:1" | jq -r '.manifests[].digest'); do
        e2e_same "$d" "$(digest "$b@$d")" "${d#sha256:}"
    done
    e2e_exits 1 "$STAVE" copy --platform linux/s390x "$a:1" "$b:none"
    e2e_has 'what there is' "$E2E_ERR" 'linux/arm64'
    e2e_exits 1 "$STAVE" copy --platform linux/s390x "$a:amd" "$b:none"
    # Docker's formats.
    skopeo copy -q --format v2s2 --src-tls-verify=false --dest-tls-verify=false "docker://$a:amd" "docker://$a:v2s2"
    e2e_exits 0 "$STAVE" copy -q "$a:v2s2" "$B/v2s2:1"
    e2e_same 'v2s2' "$(digest "$B/v2s2:1")" "$(digest "$a:v2s2")"
}

# A layer that lies at a URL only: its reference stays, and nobody asks the URL (it does not answer).
foreign_layers() {
    local a=$A/foreign config layer
    printf '{"os":"windows","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}' >config
    config=$(put_blob "$a" config)
    echo layer >layer
    layer=$(put_blob "$a" layer)
    jq -nc --argjson c "$config" --argjson l "$layer" \
        '{schemaVersion: 2, mediaType: "application/vnd.docker.distribution.manifest.v2+json",
          config: ($c + {mediaType: "application/vnd.docker.container.image.v1+json"}),
          layers: [{mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", size: 9, urls: ["http://127.0.0.1:1/x"],
                    digest: ("sha256:" + "a" * 64)}, $l + {mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip"}]}' |
        put_manifest "$a" 1 application/vnd.docker.distribution.manifest.v2+json >/dev/null
    e2e_exits 0 "$STAVE" copy "$a:1" "$A/foreign2:1"
    e2e_has 'told' "$E2E_ERR" '1 layer'
    e2e_same 'digest' "$(digest "$A/foreign2:1")" "$(digest "$a:1")"
}

a_password() {
    local p=$PASSWORD/x
    make_image "$A/pw:1" linux/amd64
    export HOME=$PWD
    e2e_exits 5 "$STAVE" copy "$A/pw:1" "$p:1"
    e2e_has 'the way out' "$E2E_ERR" "stave login $PASSWORD"
    echo secret | e2e_exits 0 "$STAVE" login -u user --password-stdin "$PASSWORD"
    e2e_exits 0 "$STAVE" copy "$A/pw:1" "$p:1"
    e2e_exits 0 "$STAVE" copy "$p:1" "$B/pw:1"
    e2e_same 'digest' "$(digest "$B/pw:1")" "$(digest "$A/pw:1")"
    e2e_hasnt 'secret' "$E2E_OUT$E2E_ERR" secret
    mv .docker/config.json mine.json
    e2e_exits 5 "$STAVE" copy "$p:1" "$B/pw:2"
    e2e_exits 0 "$STAVE" copy --authfile mine.json "$p:1" "$B/pw:2"
    e2e_exits 0 "$STAVE" manifest inspect --authfile mine.json "$p:1"
}

refusals() {
    local place
    for place in oci:x:1 docker-archive:x.tar dir:x containers-storage:x; do
        e2e_exits 2 "$STAVE" copy "$place" "$B/x:1"
        e2e_has 'the way out' "$E2E_ERR" 'stave load'
    done
    e2e_exits 1 "$STAVE" copy "$A/nothing:1" "$B/x:1"
    e2e_has 'why' "$E2E_ERR" 'manifest'
    e2e_exits 4 "$STAVE" copy "127.0.0.1:1/x:1" "$B/x:1"
    e2e_exits 2 "$STAVE" copy "$A/x:1"
    e2e_exits 2 "$STAVE" copy --all-tags "$A/x" "$B/x"
    make_image "$A/r:1" linux/amd64
    e2e_exits 2 "$STAVE" copy "$A/r:1" "$B/r@sha256:$(printf 'b%.0s' {1..64})"
    # A layer that is gone at the source: the tag does not appear.
    local d
    d=$(raw "$A/r:1" | jq -r '.layers[0].digest')
    curl -fsS -o /dev/null -X DELETE "http://$A/v2/r/blobs/$d"
    e2e_exits 1 "$STAVE" copy "$A/r:1" "$B/r:1"
    e2e_has 'which' "$E2E_ERR" "$d"
    ! raw "$B/r:1" >/dev/null 2>&1 || e2e_fail 'the tag is there'
}

a_list() {
    local list=$B/list/app:1
    make_image "$A/l/amd:1" linux/amd64
    make_image "$A/l/arm:1" linux/arm64
    "$STAVE" rmi "$A/l/amd:1" >/dev/null
    e2e_exits 0 "$STAVE" manifest create "$list" "$A/l/amd:1" "$A/l/arm:1"
    e2e_exits 2 "$STAVE" manifest create "$list" "$A/l/amd:1"
    e2e_has 'the way out' "$E2E_ERR" '--amend'
    e2e_exits 0 "$STAVE" manifest annotate "$list" "$A/l/arm:1" --variant v8 --os-features a --os-features b
    e2e_exits 1 "$STAVE" manifest annotate "$list" "$A/l/none:1" --variant v8
    e2e_exits 2 "$STAVE" manifest annotate "$list" "$A/l/arm:1" --arch 'x y'
    e2e_exits 0 "$STAVE" manifest inspect "$list"
    e2e_same 'platforms' "$(jq -c '[.manifests[].platform | .os, .architecture, .variant, ."os.features"]' <<<"$E2E_OUT")" \
        '["linux","amd64",null,null,"linux","arm64","v8",["a","b"]]'
    e2e_hasnt 'ours' "$E2E_OUT" 'stave.list'
    # An image of the store that is in a list stays, and one that is in none does not.
    "$STAVE" tag "$A/l/arm:1" other && "$STAVE" rmi other >/dev/null
    "$STAVE" image prune -af >/dev/null
    e2e_same 'images' "$("$STAVE" images -q | wc -l)" 1
    "$STAVE" fsck
    e2e_exits 0 "$STAVE" manifest push --purge "$list"
    e2e_same 'digest' "$E2E_OUT" "sha256:$(digest "$list")"
    e2e_exits 1 "$STAVE" manifest push "$list"
    e2e_exits 0 "$STAVE" manifest inspect "$list"
    e2e_same 'pushed' "$(jq -r '.manifests[0].digest' <<<"$E2E_OUT")" "sha256:$(digest "$A/l/amd:1")"
    e2e_same 'pushed' "$(jq -r '.manifests[1].digest' <<<"$E2E_OUT")" "sha256:$(digest "$A/l/arm:1")"
    export STAVE_ROOT=$PWD/second
    e2e_exits 0 "$STAVE" pull -q --platform linux/arm64 "$list"
    e2e_same 'pulled' "$("$STAVE" inspect -f '{{.Architecture}}' "$list")" arm64
    skopeo copy -q --all --src-tls-verify=false "docker://$list" "dir:$PWD/dir"
    # A list of one that is there, and one more; then less.
    e2e_exits 0 "$STAVE" manifest create "$B/list/more:1" "docker://$list" "$A/l/amd:1"
    e2e_exits 0 "$STAVE" manifest inspect "$B/list/more:1"
    e2e_same 'once' "$(jq '.manifests | length' <<<"$E2E_OUT")" 2
    e2e_exits 0 "$STAVE" manifest push "$B/list/more:1"
    e2e_exits 0 "$STAVE" manifest rm "$B/list/more:1"
    e2e_exits 1 "$STAVE" manifest rm "$B/list/more:1"
    e2e_exits 2 "$STAVE" manifest push --insecure "$list"
    e2e_has 'the way out' "$E2E_ERR" 'registries.conf'
}

# What 'manifest inspect' says, with a store and without one.
inspection() {
    make_image "$A/i:amd" linux/amd64
    make_image "$A/i:arm" linux/arm64
    "$STAVE" manifest create "$A/i:1" "$A/i:amd" "$A/i:arm" >/dev/null
    e2e_exits 0 "$STAVE" manifest inspect -v "$A/i:1"
    e2e_same 'of a list' "$(jq -c '[.[].Descriptor.platform.architecture]' <<<"$E2E_OUT")" '["amd64","arm64"]'
    "$STAVE" manifest push "$A/i:1" >/dev/null
    export STAVE_ROOT=$PWD/none
    e2e_exits 0 "$STAVE" manifest inspect "$A/i:1"
    e2e_same 'the same' "$(jq -cS . <<<"$E2E_OUT")" "$(raw "$A/i:1" | jq -cS .)"
    e2e_exits 0 "$STAVE" manifest inspect -v "$A/i:1"
    e2e_same 'names' "$(jq -r '.[1].Ref' <<<"$E2E_OUT")" "$A/i@sha256:$(digest "$A/i:arm")"
    e2e_same 'bytes' "$(jq -r '.[1].Raw' <<<"$E2E_OUT" | base64 -d | sha256sum | cut -d' ' -f1)" "$(digest "$A/i:arm")"
    e2e_exits 0 "$STAVE" manifest inspect -v "$A/i:arm"
    e2e_same 'platform' "$(jq -r '.Descriptor.platform.architecture' <<<"$E2E_OUT")" arm64
    e2e_same 'layers' "$(jq '.OCIManifest.layers | length' <<<"$E2E_OUT")" 2
    [ ! -e none ] || e2e_fail 'a store was made'
    e2e_exits 1 "$STAVE" manifest inspect "$A/i:none"
}

# Many add to one list at a time: nobody's entry is lost.
many() {
    local i pids=()
    for i in 1 2 3 4 5 6 7 8; do
        make_image "$A/many:$i" linux/amd64
    done
    "$STAVE" manifest create "$A/many:all" "docker://$A/many:1" >/dev/null
    for i in 2 3 4 5 6 7 8; do
        "$STAVE" manifest create --amend "$A/many:all" "docker://$A/many:$i" >/dev/null &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i" || e2e_fail 'one failed'
    done
    e2e_exits 0 "$STAVE" manifest inspect "$A/many:all"
    e2e_same 'entries' "$(jq '.manifests | length' <<<"$E2E_OUT")" 8
    e2e_exits 0 "$STAVE" manifest push "$A/many:all"
}

suite() {
    e2e_tmp
    perl -e 'print "user:", crypt("secret", q($2y$05$abcdefghijklmnopqrstuu)), "\n"' >"$E2E_TMP/htpasswd"
    E2E_YAML="auth: {htpasswd: {realm: stave-test, path: $E2E_TMP/htpasswd}}" e2e_start_registry
    PASSWORD=$E2E_REGISTRY
    E2E_YAML='validation: {manifests: {urls: {allow: ["^https?://"]}}}' e2e_start_registry
    A=$E2E_REGISTRY
    e2e_start_registry
    B=$E2E_REGISTRY
    e2e_case 'an image' an_image
    e2e_case 'a large blob' a_large_blob
    e2e_case 'everything of an index' everything
    e2e_case 'foreign layers' foreign_layers
    e2e_case 'a password' a_password
    e2e_case 'refusals' refusals
    e2e_case 'a manifest list' a_list
    e2e_case 'manifest inspect' inspection
    e2e_case 'many add to a list' many
    e2e_summary e2e-copy
}

suite
