#!/usr/bin/env bash
# e2e-ship.sh: build --push and --output type=registry: what arrives, what is sent, and when.
# packages: docker-registry busybox-static python3 jq curl skopeo
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR

make_app() {
    mkdir -p app
    head -c 3000000 /dev/urandom >app/big
    cat >app/Dockerfile <<END
FROM $R/base:1
COPY big /big
RUN sha256sum /big >/sum
CMD ["cat", "/sum"]
END
}

inspect() { skopeo inspect --tls-verify=false "$@"; }
digest() { inspect "docker://$1" | jq -r .Digest; }
sent() { sed -n "s|^pushed $1.* \([0-9]*\) bytes sent\$|\1|p" <<<"$E2E_ERR"; }

pushed() {
    local name=$R/s/app:1
    make_app
    e2e_exits 0 "$STAVE" build --push -t "$name" --metadata-file meta app
    e2e_has 'said' "$E2E_ERR" "pushed $name"
    e2e_same 'the digest' "$(jq -r '."containerimage.digest"' meta)" "$(digest "$name")"
    # Of the base not a byte: it is mounted.
    [ "$(sent "$name")" -lt 3200000 ] || e2e_fail "$(sent "$name") bytes were sent"
    e2e_same 'not kept here' "$("$STAVE" images -q "$name")" ''
    local id
    id=$(jq -r '."containerimage.config.digest"' meta)
    STAVE_ROOT=$PWD/other e2e_exits 0 "$STAVE" pull -q "$name"
    e2e_same 'the image' "$(STAVE_ROOT=$PWD/other "$STAVE" inspect -f '{{.Id}}' "$name")" "$id"
    STAVE_ROOT=$PWD/other e2e_exits 0 "$STAVE" run "$name"
    e2e_has 'it runs' "$E2E_OUT" /big
    # The same again: not a byte.
    e2e_exits 0 "$STAVE" build --push -t "$name" app
    e2e_same 'sent again' "$(sent "$name")" 0
}

kept() {
    make_app
    e2e_exits 0 "$STAVE" build --output type=image,push=true -t "$R/s/kept:1" app
    e2e_has 'kept here' "$("$STAVE" images)" "$R/s/kept"
    e2e_same 'there' "$(inspect --config "docker://$R/s/kept:1" | jq -c .config.Cmd)" '["cat","/sum"]'
    e2e_exits 0 "$STAVE" build --push --output type=image -t "$R/s/kept:2" app
    e2e_has 'kept here' "$("$STAVE" images)" "$R/s/kept"
}

several() {
    make_app
    e2e_exits 0 "$STAVE" build --push -t "$R/s/one:1" -t "$R/s/two:1" app
    e2e_same 'both are there' "$(digest "$R/s/one:1")" "$(digest "$R/s/two:1")"
    [ "$(sent "$R/s/two")" -lt 5000 ] || e2e_fail "$(sent "$R/s/two") bytes were sent for the second"
}

# On a cold machine nothing is fetched: the layers are mounted where they are to go.
cold() {
    make_app
    STAVE_ROOT=$PWD/warm e2e_exits 0 "$STAVE" build --push -t "$R/s/c1:1" --cache-to "$R/s/cache:1" app
    STAVE_ROOT=$PWD/cold e2e_exits 0 "$STAVE" build --push -t "$R/s/c2:1" --cache-from "$R/s/cache:1" app
    e2e_has 'nothing is fetched' "$E2E_ERR" 'cache: 0 layers fetched, 0 bytes'
    [ "$(sent "$R/s/c2")" -lt 5000 ] || e2e_fail "$(sent "$R/s/c2") bytes were sent"
    e2e_same 'the image' "$(digest "$R/s/c2:1")" "$(digest "$R/s/c1:1")"
    # To another registry they go through here.
    STAVE_ROOT=$PWD/cold2 e2e_exits 0 "$STAVE" build --push -t "$OTHER/s/c3:1" --cache-from "$R/s/cache:1" app
    e2e_same 'the image' "$(digest "$OTHER/s/c3:1")" "$(digest "$R/s/c1:1")"
    STAVE_ROOT=$PWD/cold2 e2e_exits 0 "$STAVE" fsck
}

# A layer is in the registry while the next step runs.
early() {
    local pid blob i
    make_app
    sed -i "s/^RUN.*/RUN --mount=type=bind,target=\/c while [ ! -e \/c\/go ]; do sleep 0.05; done/" app/Dockerfile
    mkdir ctx
    cp app/* ctx/
    # The context is live: a file of it ends the RUN.
    "$STAVE" build --push -t "$R/s/early:1" ctx >log 2>&1 &
    pid=$!
    for ((i = 0; i < 200; i++)); do
        blob=$(find "$E2E_TMP" -path '*/s/early/_layers/sha256/*' -name link 2>/dev/null | wc -l)
        [ "$blob" -lt 1 ] || break
        sleep 0.05
    done
    kill -0 "$pid" || e2e_fail "the build ended: $(tail -n 3 log)"
    touch ctx/go
    wait "$pid" || e2e_fail "the build: $(tail -n 3 log)"
    [ "$blob" -ge 1 ] || e2e_fail 'the layer was not there while the next step ran'
}

# Nothing is tagged, and nobody waits for an upload.
failing() {
    make_app
    sed -i 's/^RUN.*/RUN false/' app/Dockerfile
    e2e_exits 3 "$STAVE" build --push -t "$R/s/failing:1" app
    e2e_same 'no tag' "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/s/failing/manifests/1")" 404
    make_app
    e2e_exits 4 "$STAVE" build --push -t 127.0.0.1:1/s/x:1 app
    e2e_has 'said' "$E2E_ERR" 'pushing 127.0.0.1:1/s/x:1'
    e2e_exits 2 "$STAVE" build --push app
    e2e_has 'said' "$E2E_ERR" 'without a name cannot be pushed'
}

forms() {
    local d
    make_app
    e2e_exits 0 "$STAVE" build --output "type=registry,name=$R/s/zstd:1,compression=zstd,annotation.a=b" app
    e2e_same 'zstd' "$(inspect --raw "docker://$R/s/zstd:1" | jq -r '.layers[-1].mediaType, .annotations.a' | paste -sd' ')" \
        'application/vnd.oci.image.layer.v1.tar+zstd b'
    e2e_exits 0 "$STAVE" build --output "type=registry,name=$R/s/docker:1,oci-mediatypes=false" app
    e2e_same 'docker' "$(inspect --raw "docker://$R/s/docker:1" | jq -r .mediaType)" \
        application/vnd.docker.distribution.manifest.v2+json
    e2e_exits 0 "$STAVE" build --metadata-file meta \
        --output "type=image,name=$R/s/digest,push-by-digest=true,name-canonical=true,push=true" app
    d=$(jq -r '."containerimage.digest"' meta)
    e2e_same 'by digest' "sha256:$(curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        "http://$R/v2/s/digest/manifests/$d" | sha256sum | cut -d' ' -f1)" "$d"
    e2e_same 'no tag' "$(curl -s "http://$R/v2/s/digest/tags/list" | jq -r '.tags // "none"')" none
    e2e_exits 2 "$STAVE" build --output type=image,compression=zstd app
    e2e_exits 2 "$STAVE" build --output type=registry,dest=x app
    e2e_exits 2 "$STAVE" build --output type=registry,push=false app
}

e2e_tmp
e2e_start_registry
OTHER=$E2E_REGISTRY
e2e_start_registry
R=$E2E_REGISTRY
[ "$R" != "$OTHER" ] || e2e_die 'two registries are needed'
e2e_bases busybox
STAVE_ROOT=$E2E_TMP/base "$STAVE" import "$E2E_BASES/busybox.tar" "$R/base:1" >/dev/null
STAVE_ROOT=$E2E_TMP/base "$STAVE" push -q "$R/base:1"
e2e_case 'pushed' pushed
e2e_case 'pushed and kept' kept
e2e_case 'under several names' several
e2e_case 'from a cold machine' cold
e2e_case 'while later steps run' early
e2e_case 'what fails' failing
e2e_case 'forms' forms
e2e_summary e2e-ship
