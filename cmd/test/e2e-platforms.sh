#!/usr/bin/env bash
# e2e-platforms.sh: images of several platforms: pulled one by one or all, run, saved, pushed; short names; all tags.
# packages: docker-registry busybox-static python3 jq curl skopeo bsdutils
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT

# Nothing of the user's is read.
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR DOCKER_DEFAULT_PLATFORM

ARCH=$(dpkg --print-architecture)
case $ARCH in amd64) OTHER=arm64 ;; *) OTHER=amd64 ;; esac

# put NAME TYPE FILE: a manifest under a tag or digest.
put() { curl -fsS -o /dev/null -X PUT -H "Content-Type: $2" --data-binary "@$3" "http://$E2E_REGISTRY/v2/$1"; }

# put_blob REPOSITORY FILE: a blob of the registry.
put_blob() {
    local at digest
    digest=sha256:$(sha256sum "$2" | cut -d' ' -f1)
    at=$(curl -fsS -o /dev/null -D - -X POST "http://$E2E_REGISTRY/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -fsS -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$at&digest=$digest"
}

# descriptor TYPE FILE: as JSON.
descriptor() {
    jq -cn --arg t "$1" --arg d "sha256:$(sha256sum "$2" | cut -d' ' -f1)" --argjson s "$(stat -c %s "$2")" \
        '{mediaType: $t, digest: $d, size: $s}'
}

OCI=application/vnd.oci.image

# An image of each architecture by hand, and an index of them with an attestation: $E2E_REGISTRY/$1:1. Each has a file
# /arch that names it; the one for this machine has busybox too.
make_index() {
    local repo=$1 arch lines=()
    mkdir -p by-hand
    for arch in "$ARCH" "$OTHER"; do
        rm -rf by-hand/root && mkdir by-hand/root
        echo "$arch" >by-hand/root/arch
        if [ "$arch" = "$ARCH" ]; then cp /bin/busybox by-hand/root/busybox; fi
        tar -C by-hand/root --owner=0 --group=0 --mtime=@0 -cf by-hand/layer .
        jq -cn --arg a "$arch" --arg d "sha256:$(sha256sum by-hand/layer | cut -d' ' -f1)" \
            '{architecture: $a, os: "linux", config: {Cmd: ["/busybox", "cat", "/arch"]}, rootfs: {type: "layers", diff_ids: [$d]}}' >by-hand/config
        gzip -n <by-hand/layer >by-hand/layer.gz
        put_blob "$repo" by-hand/layer.gz
        put_blob "$repo" by-hand/config
        jq -cn --argjson c "$(descriptor $OCI.config.v1+json by-hand/config)" \
            --argjson l "$(descriptor $OCI.layer.v1.tar+gzip by-hand/layer.gz)" \
            --arg t $OCI.manifest.v1+json '{schemaVersion: 2, mediaType: $t, config: $c, layers: [$l]}' >by-hand/manifest
        put "$repo/manifests/$arch" $OCI.manifest.v1+json by-hand/manifest
        lines+=("$(descriptor $OCI.manifest.v1+json by-hand/manifest | jq -c --arg a "$arch" '.platform = {os: "linux", architecture: $a}')")
    done
    echo '{"_type": "https://in-toto.io/Statement/v0.1"}' >by-hand/statement
    put_blob "$repo" by-hand/statement
    jq -cn --arg d "sha256:$(sha256sum by-hand/statement | cut -d' ' -f1)" \
        '{architecture: "unknown", os: "unknown", config: {}, rootfs: {type: "layers", diff_ids: [$d]}}' >by-hand/config
    put_blob "$repo" by-hand/config
    jq -cn --argjson c "$(descriptor $OCI.config.v1+json by-hand/config)" --argjson l "$(descriptor application/vnd.in-toto+json by-hand/statement)" \
        --arg t $OCI.manifest.v1+json '{schemaVersion: 2, mediaType: $t, config: $c, layers: [$l]}' >by-hand/manifest
    put "$repo/manifests/attestation" $OCI.manifest.v1+json by-hand/manifest
    lines+=("$(descriptor $OCI.manifest.v1+json by-hand/manifest | jq -c '.platform = {os: "unknown", architecture: "unknown"}')")
    printf '%s\n' "${lines[@]}" | jq -cs --arg t $OCI.index.v1+json '{schemaVersion: 2, mediaType: $t, manifests: .}' >by-hand/index
    put "$repo/manifests/1" $OCI.index.v1+json by-hand/index
    INDEX=sha256:$(sha256sum by-hand/index | cut -d' ' -f1)
}

platforms() { "$STAVE" images --format '{{.Platforms}}' | sort; }
architecture() { "$STAVE" inspect -f '{{.Architecture}}' "$@"; }
digest_of() { skopeo inspect --raw --tls-verify=false "docker://$1" | sha256sum | cut -d' ' -f1; }
types_of() { skopeo inspect --raw --tls-verify=false "docker://$1" | jq -r .mediaType; }

# One platform after the other under one tag.
one_by_one() {
    local r=$E2E_REGISTRY/one/t:1
    make_index one/t
    e2e_exits 0 "$STAVE" pull "$r"
    e2e_same 'the first' "$(platforms)" "linux/$ARCH"
    e2e_exits 1 "$STAVE" inspect --platform "linux/$OTHER" "$r"
    e2e_has 'what there is' "$E2E_ERR" "is here for linux/$ARCH, not for linux/$OTHER"
    e2e_exits 0 "$STAVE" pull --platform "linux/$OTHER" "$r"
    e2e_has 'new' "$E2E_OUT" 'Status: Downloaded newer image'
    e2e_same 'both' "$(platforms)" "linux/$ARCH, linux/$OTHER"
    e2e_exits 0 "$STAVE" pull --platform "linux/$OTHER" "$r"
    e2e_has 'known' "$E2E_OUT" 'Status: Image is up to date'
    e2e_same 'of this machine' "$(architecture "$r")" "$ARCH"
    e2e_same 'the other' "$(architecture --platform "$OTHER" "$r")" "$OTHER"
    # Nothing of it goes while the tag is there.
    "$STAVE" prune -f >/dev/null
    e2e_exits 0 "$STAVE" fsck
    e2e_same 'still' "$(platforms)" "linux/$ARCH, linux/$OTHER"
    e2e_exits 0 "$STAVE" run "$r"
    e2e_same 'ran' "$E2E_OUT" "$ARCH"
    # The other way round: that of this machine is the image, although it came second.
    "$STAVE" rmi "$r" >/dev/null
    e2e_exits 0 "$STAVE" pull -q --platform "linux/$OTHER" "$r"
    e2e_same 'name only' "$E2E_OUT" "$r"
    e2e_same 'alone' "$(architecture "$r")" "$OTHER"
    e2e_exits 0 "$STAVE" pull -q "$r"
    e2e_same 'this one now' "$(architecture "$r")" "$ARCH"
}

# FROM --platform finds what is here, and fetches what is not.
from_platform() {
    local r=$E2E_REGISTRY/from/t:1 arch
    make_index from/t
    mkdir ctx
    printf 'ARG WANT\nFROM --platform=%s %s\nCOPY Dockerfile /\n' "\$WANT" "$r" >ctx/Dockerfile
    for arch in "$ARCH" "$OTHER" "$ARCH" "$OTHER"; do
        e2e_exits 0 "$STAVE" build --build-arg "WANT=linux/$arch" -t "x-$arch" ctx
        e2e_same 'for' "$(architecture "x-$arch")" "$arch"
    done
    e2e_has 'cached' "$E2E_ERR" 'CACHED'
    e2e_exits 1 "$STAVE" build --build-arg WANT=linux/s390x ctx
    e2e_has 'what there is' "$E2E_ERR" "the image has nothing for linux/s390x, but for: linux/$ARCH, linux/$OTHER"
    # The layers of the base are named as its manifest names them.
    "$STAVE" save --platform "$OTHER" "x-$OTHER" | tar -xO index.json | jq -r '.manifests[0].digest' >digest
    e2e_same 'as pulled' "$("$STAVE" save "x-$OTHER" | tar -xO "blobs/sha256/$(sed s/sha256:// digest)" | jq -r '.layers[0].mediaType')" \
        "$OCI.layer.v1.tar+gzip"
}

# All at once, with what belongs to them: then the index goes elsewhere byte for byte.
all_platforms() {
    local r=$E2E_REGISTRY/all/t:1
    make_index all/t
    e2e_exits 0 "$STAVE" pull --all-platforms "$r"
    e2e_same 'both' "$(platforms)" "linux/$ARCH, linux/$OTHER"
    e2e_exits 0 "$STAVE" pull --all-platforms "$r"
    e2e_has 'known' "$E2E_OUT" 'Status: Image is up to date'
    e2e_exits 2 "$STAVE" pull --all-platforms --platform amd64 "$r"
    "$STAVE" tag "$r" "$E2E_REGISTRY/all/u:2"
    e2e_exits 0 "$STAVE" push "$E2E_REGISTRY/all/u:2"
    e2e_same 'digest' "sha256:$(digest_of "$E2E_REGISTRY/all/u:2")" "$INDEX"
    e2e_exits 0 "$STAVE" push --platform "$OTHER" "$E2E_REGISTRY/all/u:2"
    e2e_same 'one' "$(skopeo inspect --config --tls-verify=false "docker://$E2E_REGISTRY/all/u:2" | jq -r .architecture)" "$OTHER"
    e2e_exits 1 "$STAVE" push --platform s390x "$E2E_REGISTRY/all/u:2"
    # And through an archive.
    e2e_exits 0 "$STAVE" save -o all.tar "$r"
    e2e_exits 0 env STAVE_ROOT="$PWD/other" "$STAVE" load -i all.tar
    e2e_same 'loaded' "$(STAVE_ROOT=$PWD/other platforms)" "linux/$ARCH, linux/$OTHER"
    e2e_exits 0 "$STAVE" save --platform "$OTHER" -o one.tar "$r"
    e2e_exits 0 env STAVE_ROOT="$PWD/third" "$STAVE" load -i one.tar
    e2e_same 'one' "$(STAVE_ROOT=$PWD/third platforms)" "linux/$OTHER"
}

# An index of which not all is here.
partial() {
    local r=$E2E_REGISTRY/part/t:1
    make_index part/t
    "$STAVE" pull -q "$r" >/dev/null
    "$STAVE" tag "$r" "$E2E_REGISTRY/part/u:1"
    e2e_exits 0 "$STAVE" push "$E2E_REGISTRY/part/u:1"
    e2e_has 'says so' "$E2E_ERR" '1 image was pushed'
    e2e_same 'alone' "$(types_of "$E2E_REGISTRY/part/u:1")" "$OCI.manifest.v1+json"
    "$STAVE" pull -q --platform "$OTHER" "$r" >/dev/null
    e2e_exits 0 "$STAVE" push "$E2E_REGISTRY/part/u:1"
    e2e_has 'says so' "$E2E_ERR" '2 images were pushed'
    e2e_same 'an index' "$(skopeo inspect --raw --tls-verify=false "docker://$E2E_REGISTRY/part/u:1" | jq -c '[.manifests[].platform.architecture]')" \
        "[\"$ARCH\",\"$OTHER\"]"
}

# A pull that breaks off leaves no platform that is half here.
broken() {
    local r=$E2E_REGISTRY/broken/t:1 layer
    make_index broken/t
    "$STAVE" pull -q "$r" >/dev/null
    layer=$(skopeo inspect --override-arch "$OTHER" --raw --tls-verify=false "docker://$E2E_REGISTRY/broken/t:$OTHER" | jq -r '.layers[0].digest')
    curl -fsS -X DELETE "http://$E2E_REGISTRY/v2/broken/t/blobs/$layer"
    e2e_exits 1 "$STAVE" pull --platform "$OTHER" "$r"
    e2e_same 'not here' "$(platforms)" "linux/$ARCH"
    e2e_exits 0 "$STAVE" save -o x.tar "$r"
    e2e_exits 0 "$STAVE" fsck
}

all_tags() {
    local i
    mkdir ctx
    for i in 1 2 3; do
        printf 'FROM scratch\nLABEL n=%s\n' "$i" >ctx/Dockerfile
        "$STAVE" build -q -t "$E2E_REGISTRY/tags/t:v$i" ctx >/dev/null
    done
    e2e_exits 2 "$STAVE" push -a "$E2E_REGISTRY/tags/t:v1"
    e2e_exits 1 "$STAVE" push -a "$E2E_REGISTRY/tags/none"
    e2e_exits 0 "$STAVE" push -a "$E2E_REGISTRY/tags/t"
    export STAVE_ROOT=$PWD/other
    e2e_exits 2 "$STAVE" pull -a "$E2E_REGISTRY/tags/t:v1"
    e2e_exits 0 "$STAVE" pull -aq "$E2E_REGISTRY/tags/t"
    e2e_same 'the name' "$E2E_OUT" "$E2E_REGISTRY/tags/t"
    e2e_same 'all' "$("$STAVE" images --format '{{.Tag}}' | sort | xargs)" 'v1 v2 v3'
    e2e_exits 1 "$STAVE" pull -a "$E2E_REGISTRY/tags/none"
}

# Names without a registry, as registries.conf has them.
short_names() {
    local r=$E2E_REGISTRY id
    make_index short/t
    printf 'unqualified-search-registries = ["%s"]\n[aliases]\nmine = "%s/short/t"\n' "$r" "$r" >registries.conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
    e2e_exits 0 "$STAVE" pull -q mine:1
    e2e_same 'an alias' "$E2E_OUT" "$r/short/t:1"
    e2e_exits 0 "$STAVE" pull -q short/t:1
    e2e_same 'searched for' "$E2E_OUT" "$r/short/t:1"
    e2e_exits 0 "$STAVE" run --pull never mine:1
    e2e_exits 0 "$STAVE" run short/t:1
    "$STAVE" rmi mine:1 >/dev/null
    e2e_exits 0 "$STAVE" run mine:1
    e2e_has 'fetched' "$E2E_ERR" "Unable to find image 'mine:1' locally"
    e2e_same 'ran' "$E2E_OUT" "$ARCH"
    "$STAVE" rmi "$r/short/t:1" >/dev/null
    e2e_exits 125 "$STAVE" run --pull never mine:1
    mkdir ctx
    printf 'FROM mine:1\nCOPY --from=short/t:1 /arch /copy\n' >ctx/Dockerfile
    e2e_exits 0 "$STAVE" build -t mine ctx
    e2e_exits 0 "$STAVE" build -t mine ctx
    e2e_has 'cached' "$E2E_ERR" CACHED
    # What is here by docker's name is that.
    id=$("$STAVE" inspect -f '{{.Id}}' mine)
    "$STAVE" tag mine short/t:1
    e2e_same 'here' "$("$STAVE" inspect -f '{{.Id}}' short/t:1)" "$id"
    # A registry that has it not, before one that has.
    printf 'unqualified-search-registries = ["127.0.0.1:1", "%s"]\n' "$r" >registries.conf
    "$STAVE" rmi short/t:1 "$r/short/t:1" >/dev/null
    e2e_exits 0 "$STAVE" pull -q short/t:1
    e2e_same 'the second' "$E2E_OUT" "$r/short/t:1"
    "$STAVE" rmi "$r/short/t:1" >/dev/null
    printf 'FROM short/t:1\n' >ctx/Dockerfile
    e2e_exits 0 "$STAVE" build -t mine ctx
    printf 'short-name-mode = "enforcing"\nunqualified-search-registries = ["a.example", "b.example"]\n' >registries.conf
    e2e_exits 2 "$STAVE" pull nothing
    e2e_has 'why' "$E2E_ERR" 'could be on any of 2 registries'
}

# A build for both: files only, so nothing has to run for the other one.
make_app() {
    mkdir -p app
    cat >app/Dockerfile <<'END'
FROM --platform=$BUILDPLATFORM scratch AS tool
COPY Dockerfile /tool
FROM scratch AS app
ARG TARGETPLATFORM
ARG TARGETARCH
COPY --from=tool /tool /tool
COPY $TARGETARCH /arch
LABEL for=$TARGETPLATFORM
END
    echo "$ARCH" >"app/$ARCH"
    echo "$OTHER" >"app/$OTHER"
}

built() {
    local both=linux/$ARCH,linux/$OTHER id r=$E2E_REGISTRY/built/t:1
    make_app
    e2e_exits 0 "$STAVE" build --progress plain --platform "$both" -t "$r" --iidfile iid --metadata-file meta app
    e2e_has 'step' "$E2E_ERR" "[linux/$OTHER app 3/3] COPY"
    e2e_has 'once' "$(grep -A2 "linux/$ARCH tool 2/2" <<<"$E2E_ERR")" CACHED
    id=$(cat iid)
    e2e_same 'digest' "$(jq -r '."containerimage.digest"' meta)" "$id"
    e2e_same 'type' "$(jq -r '."containerimage.descriptor".mediaType' meta)" "$OCI.index.v1+json"
    e2e_same 'here' "$(platforms)" "linux/$ARCH, linux/$OTHER"
    e2e_same 'for' "$("$STAVE" inspect --platform "$OTHER" -f '{{index .Config.Labels "for"}}' "$r")" "linux/$OTHER"
    e2e_exits 0 "$STAVE" build -q --platform "linux/$ARCH" --platform "$OTHER" -t "$r" app
    e2e_same 'again' "$E2E_OUT" "$id"
    e2e_exits 0 "$STAVE" fsck
    "$STAVE" prune -f >/dev/null
    e2e_exits 0 "$STAVE" push "$r"
    e2e_same 'pushed' "$(skopeo inspect --raw --tls-verify=false "docker://$r" | jq -c '[.manifests[].platform.architecture]')" "[\"$ARCH\",\"$OTHER\"]"
    skopeo copy -q --all --src-tls-verify=false "docker://$r" oci:copy
    # With the build: the images by digest, then the index; nothing of it is here.
    e2e_exits 0 env STAVE_ROOT="$PWD/away" "$STAVE" build --platform "$both" --push -t "$E2E_REGISTRY/built/u:1" --metadata-file meta app
    skopeo copy -q --all --src-tls-verify=false "docker://$E2E_REGISTRY/built/u:1" oci:pushed
    e2e_same 'as told' "$(jq -r '."containerimage.digest"' meta)" "sha256:$(digest_of "$E2E_REGISTRY/built/u:1")"
    e2e_same 'not here' "$(STAVE_ROOT=$PWD/away "$STAVE" images -q)" ''
    # One platform, but an index all the same.
    e2e_exits 0 "$STAVE" build -q --build-arg BUILDKIT_MULTI_PLATFORM=1 --platform "$OTHER" -t one app
    e2e_same 'an index' "$("$STAVE" save one | tar -xO index.json | jq -r '.manifests[0].mediaType')" "$OCI.index.v1+json"
    # And a base of several platforms.
    make_index built/base
    printf 'FROM %s/built/base:1\nCOPY Dockerfile /x\n' "$E2E_REGISTRY" >app/Dockerfile
    e2e_exits 0 "$STAVE" build --platform "$both" -t based app
    e2e_same 'bases' "$("$STAVE" inspect --platform "$OTHER" -f '{{.Architecture}}' based)" "$OTHER"
    e2e_exits 0 "$STAVE" run based
    e2e_same 'ran' "$E2E_OUT" "$ARCH"
}

# What one machine built for both, another one takes from the cache.
cached() {
    local both=linux/$ARCH,linux/$OTHER r=$E2E_REGISTRY/cached
    make_app
    make_index cached/base
    printf 'FROM %s/base:1\nARG TARGETARCH\nCOPY %s /x\n' "$r" "\$TARGETARCH" >app/Dockerfile
    e2e_exits 0 "$STAVE" build --platform "$both" --push -t "$r/one:1" --cache-to "$r/cache:1" app
    export STAVE_ROOT=$PWD/cold
    e2e_exits 0 "$STAVE" build --progress plain --platform "$both" --push -t "$r/two:1" --cache-from "$r/cache:1" app
    e2e_same 'steps from it' "$(grep -c CACHED <<<"$E2E_ERR")" 2
    e2e_same 'the same' "$(digest_of "$r/two:1")" "$(digest_of "$r/one:1")"
}

outputs() {
    local both=linux/$ARCH,linux/$OTHER
    make_app
    e2e_exits 0 "$STAVE" build --platform "$both" --annotation index:a=b --annotation c=d -o type=oci,dest=x.tar -t x:1 app
    mkdir layout && tar -C layout -xf x.tar
    skopeo copy -q --all oci:layout oci:copy
    jq -r '.manifests[0].digest' layout/index.json | sed s,:,/, >name
    e2e_same 'annotation' "$(jq -r .annotations.a "layout/blobs/$(cat name)")" b
    e2e_same 'each' "$(jq -r '.manifests[].digest' "layout/blobs/$(cat name)" | sed s,:,/, | while read -r d; do jq -r .annotations.c "layout/blobs/$d"; done | xargs)" 'd d'
    e2e_exits 0 env STAVE_ROOT="$PWD/other" "$STAVE" load -i x.tar
    e2e_same 'loaded' "$(STAVE_ROOT=$PWD/other platforms)" "linux/$ARCH, linux/$OTHER"
    e2e_exits 0 "$STAVE" build --platform "$both" -o out app
    e2e_same 'this' "$(cat "out/linux_$ARCH/arch")" "$ARCH"
    e2e_same 'other' "$(cat "out/linux_$OTHER/arch")" "$OTHER"
    e2e_exits 0 "$STAVE" build --platform "$both" -o type=tar,dest=out.tar app
    e2e_same 'tar' "$(tar -xOf out.tar "linux_$OTHER/arch")" "$OTHER"
    e2e_exits 0 "$STAVE" build --platform "$OTHER" -o type=local,dest=split,platform-split=true app
    e2e_same 'split' "$(cat "split/linux_$OTHER/arch")" "$OTHER"
    e2e_exits 2 "$STAVE" build --platform "$both" -o type=docker,dest=y.tar app
    e2e_has 'why' "$E2E_ERR" 'docker exporter does not support exporting manifest lists'
}

# What cannot run here is said before anything is executed; what fails for one platform leaves nothing of the others.
refused() {
    local both=linux/$ARCH,linux/s390x
    make_index refused/t
    if [ -e /proc/sys/fs/binfmt_misc/qemu-s390x ]; then e2e_skip 's390x is emulated here'; fi
    mkdir ctx
    printf 'FROM scratch\nCOPY Dockerfile /\nRUN ["/x"]\n' >ctx/Dockerfile
    e2e_exits 7 "$STAVE" build --platform "$both" -t x ctx
    e2e_has 'where' "$E2E_ERR" 'Dockerfile:3'
    e2e_has 'what' "$E2E_ERR" 'cannot run programs for linux/s390x'
    e2e_has 'way out' "$E2E_ERR" qemu-user-static
    e2e_hasnt 'nothing ran' "$E2E_ERR" COPY
    e2e_exits 7 "$STAVE" build --platform linux/s390x -t x ctx
    printf 'FROM scratch\nARG TARGETARCH\nCOPY %s /\n' "\$TARGETARCH" >ctx/Dockerfile
    touch "ctx/$ARCH"
    e2e_exits 1 "$STAVE" build --platform "linux/$ARCH,linux/$OTHER" -t x ctx
    e2e_same 'nothing' "$("$STAVE" images -q)" ''
}

# On a terminal layers that move are drawn in place; in a file each has one line.
terminal() {
    local r=$E2E_REGISTRY/tty/t:1
    mkdir ctx
    head -c 40000000 /dev/urandom >ctx/big
    printf 'FROM scratch\nCOPY big /\n' >ctx/Dockerfile
    "$STAVE" build -q -t "$r" ctx >/dev/null
    script -qec "$STAVE push $r" /dev/null >push.txt
    e2e_has 'moves' "$(cat push.txt)" ': Pushing '
    e2e_has 'done' "$(cat push.txt)" ': Pushed'
    export STAVE_ROOT=$PWD/other
    script -qec "$STAVE pull $r" /dev/null >pull.txt
    e2e_has 'moves' "$(cat pull.txt)" ': Downloading '
    "$STAVE" rmi "$r" >/dev/null && "$STAVE" prune -af >/dev/null
    e2e_exits 0 "$STAVE" pull "$r"
    e2e_hasnt 'plain' "$E2E_OUT" Downloading
}

e2e_tmp
e2e_start_registry
e2e_case 'one platform after the other' one_by_one
e2e_case 'FROM --platform' from_platform
e2e_case 'all platforms' all_platforms
e2e_case 'an index in part' partial
e2e_case 'a pull that breaks off' broken
e2e_case 'all tags' all_tags
e2e_case 'short names' short_names
e2e_case 'on a terminal' terminal
e2e_case 'a build for two platforms' built
e2e_case 'a cache of two platforms' cached
e2e_case 'outputs of two platforms' outputs
e2e_case 'what cannot run here' refused
e2e_summary e2e-platforms
