#!/usr/bin/env bash
# e2e-registry-peers.sh: skopeo, buildah, podman and dockerd take what stave pushed, and stave what they pushed, under
# equal digests; the five applications with FROM as a user writes it; private bases; what a second push and pull cost.
# packages: docker-registry skopeo buildah podman docker.io busybox-static python3 perl openssl jq curl zstd util-linux
# E2E_ONLY=PATTERN runs only the cases of that name.
# Each case is a subshell of its own; the dollars of crypt's salt are its own.
# shellcheck disable=SC2030,SC2031,SC2016
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
# shellcheck source=cmd/test/e2e-apps-lib.sh
. "$here/e2e-apps-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")

# Nothing of the user's is read.
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR

PEERS='skopeo buildah podman docker'
LIST_TYPE=application/vnd.docker.distribution.manifest.list.v2+json
INDEX_TYPE=application/vnd.oci.image.index.v1+json
# The defaults of `podman run` may be over what this machine allows.
PODMAN_RUN=(run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

# The peers' commands, all that they have below this case's directory. Logins are those that stave wrote.
use_peers() {
    export HOME=$PWD
    STORES=(--root "$PWD/containers" --runroot "$PWD/containers-run" --storage-driver vfs)
    B=(buildah "${STORES[@]}")
    P=(podman "${STORES[@]}" --cgroup-manager cgroupfs --events-backend none)
    D=("${E2E_DOCKER[@]}")
}

# need_peer NAME: skip the case where it is not here.
need_peer() {
    if [ "$1" = docker ]; then
        [ -z "$NO_DOCKER" ] || e2e_skip "$NO_DOCKER"
    else
        e2e_need "$1"
    fi
}

# Its tests stand in loops and conditions, where errexit does not look.
run() { "$@" >run.out 2>&1 || e2e_fail "$*: $(tail -n 5 run.out)"; }

# The tree and config of an archive, checked on the way.
tree_of() { python3 "$here/imgtree.py" "$@"; }

remote_digest() { skopeo inspect --tls-verify=false "docker://$1" | jq -r .Digest; }
remote_id() { skopeo inspect --tls-verify=false --raw "docker://$1" | jq -r .config.digest; }

# An image of four layers tagged $1: odd owners and modes, links, capabilities, files and directories that went away.
make_image() {
    [ -d ctx ] || mkdir ctx
    head -c 300000 /dev/urandom >ctx/noise
    seq 1 100000 >ctx/numbers
    cat >ctx/Dockerfile <<'END'
FROM busybox
COPY --chown=1001:100 noise numbers /data/
RUN rm /srv/hard2 && ln /data/numbers /srv/hard3 && chmod 4711 /srv/exec && ln -s ../data/noise /srv/a-link
RUN rm -r /srv/full && mkdir /srv/full && echo three >/srv/full/three && mkfifo /srv/another-fifo
ENV LATE=yes
LABEL made.by=stave
WORKDIR /data
CMD ["sh", "-c", "sha256sum noise numbers"]
END
    [ -n "$("$STAVE" images -q busybox)" ] || e2e_import busybox
    run "$STAVE" build -t "$1" ctx
}

# What running the image of make_image prints.
want_output() { (cd ctx && sha256sum noise numbers); }

# PEER_takes REF: pull it; sets GOT_DIGEST and GOT_ID, and the image lies in got.tar.
skopeo_takes() {
    run skopeo copy --src-tls-verify="$VERIFY" "docker://$1" oci-archive:got.tar:x
    GOT_DIGEST=$(skopeo inspect oci-archive:got.tar:x | jq -r .Digest)
    GOT_ID=$(skopeo inspect --raw oci-archive:got.tar:x | jq -r .config.digest)
}

buildah_takes() {
    run "${B[@]}" pull --policy always --tls-verify="$VERIFY" "$1"
    GOT_DIGEST=$("${B[@]}" images --format '{{.Digest}}' "$1")
    GOT_ID=$("${B[@]}" inspect --type image -f '{{.FromImageID}}' "$1")
    GOT_ID=sha256:${GOT_ID#sha256:}
    run "${B[@]}" push "$1" oci-archive:got.tar:x
}

podman_takes() {
    run "${P[@]}" pull --tls-verify="$VERIFY" "$1"
    GOT_DIGEST=$("${P[@]}" image inspect -f '{{.Digest}}' "$1")
    GOT_ID=sha256:$("${P[@]}" image inspect -f '{{.Id}}' "$1")
    run "${P[@]}" save --format oci-archive -o got.tar "$1"
}

# It knows that 127.0.0.0/8 is insecure.
docker_takes() {
    run env DOCKER_CONFIG="$HOME/.docker" "${D[@]}" pull "$1"
    GOT_DIGEST=$("${D[@]}" image inspect -f '{{index .RepoDigests 0}}' "$1")
    GOT_DIGEST=${GOT_DIGEST#*@}
    GOT_ID=$("${D[@]}" image inspect -f '{{.Id}}' "$1")
    run "${D[@]}" save -o got.tar "$1"
}

# PEER_runs REF: the output of the image's command, in got.out; 1 where this machine does not let it.
skopeo_runs() { return 1; }
buildah_runs() {
    local c
    c=$("${B[@]}" from --pull-never "$1")
    "${B[@]}" run --isolation chroot "$c" -- sh -c 'sha256sum noise numbers' >got.out 2>got.err
}
podman_runs() { timeout 60 "${P[@]}" "${PODMAN_RUN[@]}" "$1" >got.out 2>got.err; }
docker_runs() { timeout 60 "${D[@]}" run --rm --network none "$1" >got.out 2>got.err; }

# The same image: digests, configuration and tree; and it runs.
taken_by() {
    local peer=$1 r=$PLAIN ref
    need_peer "$peer"
    use_peers
    VERIFY=false
    ref=$r/taken/$peer:1
    make_image "$ref"
    e2e_exits 0 "$STAVE" push "$ref"
    e2e_has 'what push says' "$E2E_OUT" "1: digest: $(remote_digest "$ref")"
    "${peer}_takes" "$ref"
    e2e_same 'manifest digest' "$GOT_DIGEST" "$(remote_digest "$ref")"
    e2e_same 'image ID' "$GOT_ID" "$("$STAVE" inspect -f '{{.Id}}' "$ref")"
    "$STAVE" save -o mine.tar "$ref"
    e2e_same 'tree and configuration' "$(tree_of got.tar)" "$(tree_of mine.tar)"
    if "${peer}_runs" "$ref"; then
        e2e_same 'output' "$(cat got.out)" "$(want_output)"
    elif [ "$peer" != skopeo ]; then
        e2e_skip "$peer takes it; it cannot run here: $(tail -n 1 got.err)"
    fi
}

# TLS with an authority of ours, and a password that stave's login wrote down.
taken_locked_by() {
    local peer=$1 r=$LOCKED ref
    need_peer "$peer"
    use_peers
    VERIFY=true
    ref=$r/taken/$peer:1
    mkdir -p ".config/containers/certs.d/$r"
    cp "$CERTS/ca.crt" ".config/containers/certs.d/$r/"
    make_image "$ref"
    echo secret | run "$STAVE" login -u user --password-stdin "$r"
    run "$STAVE" push "$ref"
    "${peer}_takes" "$ref"
    e2e_same 'image ID' "$GOT_ID" "$("$STAVE" inspect -f '{{.Id}}' "$ref")"
    run "$STAVE" logout "$r"
    if ("${peer}_takes" "$ref") >/dev/null; then e2e_fail "$peer needs no login"; fi
    # The peer's login, for stave.
    case $peer in
        skopeo | buildah | podman) run "$peer" login --authfile "$PWD/.docker/config.json" -u user -p secret "$r" ;;
        docker) run env DOCKER_CONFIG="$PWD/.docker" "${D[@]}" login -u user -p secret "$r" ;;
    esac
    STAVE_ROOT=$PWD/other run "$STAVE" pull "$ref"
}

# A peer builds its own upon an image of stave's: files gone, new, and of another mode.
peer_context() {
    mkdir -p theirs
    seq 1 50000 >theirs/from-peer
    cat >theirs/Dockerfile <<END
FROM $1
COPY from-peer /from-peer
RUN rm /srv/hard1 && chmod 700 /srv/tree && rm -r /srv/full && mkdir /srv/full && ln -s /from-peer /srv/peer-link
CMD ["sh", "-c", "wc -l </from-peer"]
END
}

# stave takes REF, which a peer pushed and whose archive is $2: the same digests, tree and configuration; it runs.
stave_takes() {
    local ref=$1 archive=$2
    export STAVE_ROOT=$PWD/.store-${ref//[\/:]/-}
    run "$STAVE" pull "$ref"
    e2e_same "manifest digest of $ref" "$("$STAVE" inspect -f '{{.Digest}}' "$ref")" "$(remote_digest "$ref")"
    e2e_same "image ID of $ref" "$("$STAVE" inspect -f '{{.Id}}' "$ref")" "$(remote_id "$ref")"
    "$STAVE" save -o mine.tar "$ref"
    e2e_same "tree of $ref" "$(tree_of mine.tar | jq .tree)" "$(tree_of "$archive" | jq .tree)"
    e2e_same "output of $ref" "$("$STAVE" run "$ref")" 50000
    run "$STAVE" fsck
    # Byte for byte as it came, also when it goes on.
    run "$STAVE" tag "$ref" "$ref-again"
    run "$STAVE" push "$ref-again"
    e2e_same "digest of $ref pushed again" "$(remote_digest "$ref-again")" "$(remote_digest "$ref")"
}

# type_is REF NAME: the media type of its layers ends so, and that of its manifest begins with the format's vendor.
type_is() {
    local raw
    raw=$(skopeo inspect --tls-verify=false --raw "docker://$1")
    e2e_has "manifest type of $1" "$(jq -r '.mediaType // "application/vnd.oci"' <<<"$raw")" "$2"
    e2e_has "layer types of $1" "$(jq -r '.layers[-1].mediaType' <<<"$raw")" "$3"
}

from_buildah() {
    local r=$PLAIN
    need_peer buildah
    use_peers
    make_image "$r/base/buildah:1"
    run "$STAVE" push "$r/base/buildah:1"
    peer_context "$r/base/buildah:1"
    run "${B[@]}" bud --isolation chroot --tls-verify=false -t made theirs
    run "${B[@]}" push made oci-archive:theirs.tar:x
    run "${B[@]}" push --tls-verify=false --format oci made "docker://$r/from/buildah:oci"
    run "${B[@]}" push --tls-verify=false --format v2s2 made "docker://$r/from/buildah:v2s2"
    run "${B[@]}" push --tls-verify=false --format oci --compression-format zstd made "docker://$r/from/buildah-z:oci"
    type_is "$r/from/buildah:oci" vnd.oci tar+gzip
    type_is "$r/from/buildah:v2s2" vnd.docker tar.gzip
    stave_takes "$r/from/buildah:oci" theirs.tar
    stave_takes "$r/from/buildah:v2s2" theirs.tar
    stave_takes "$r/from/buildah-z:oci" theirs.tar
}

from_podman() {
    local r=$PLAIN
    need_peer podman
    use_peers
    make_image "$r/base/podman:1"
    run "$STAVE" push "$r/base/podman:1"
    peer_context "$r/base/podman:1"
    run "${P[@]}" build --isolation chroot --tls-verify=false -t made theirs
    run "${P[@]}" save --format oci-archive -o theirs.tar made
    run "${P[@]}" push --tls-verify=false --format oci made "docker://$r/from/podman:oci"
    run "${P[@]}" push --tls-verify=false --format v2s2 made "docker://$r/from/podman:v2s2"
    stave_takes "$r/from/podman:oci" theirs.tar
    stave_takes "$r/from/podman:v2s2" theirs.tar
}

from_docker() {
    local r=$PLAIN
    need_peer docker
    use_peers
    make_image "$r/base/docker:1"
    run "$STAVE" push "$r/base/docker:1"
    peer_context "$r/base/docker:1"
    run env DOCKER_BUILDKIT=0 "${D[@]}" build --network none -t "$r/from/docker:1" theirs
    run "${D[@]}" save -o theirs.tar "$r/from/docker:1"
    run "${D[@]}" push "$r/from/docker:1"
    type_is "$r/from/docker:1" vnd.docker tar.gzip
    stave_takes "$r/from/docker:1" theirs.tar
    # What docker loaded from stave's archive has the ID that stave gave it, whoever compressed its layers.
    STAVE_ROOT=$PWD/.store run "$STAVE" save -o base.tar "$r/base/docker:1"
    run "${D[@]}" load -i base.tar
    run "${D[@]}" tag "$r/base/docker:1" "$r/from/docker:base"
    run "${D[@]}" push "$r/from/docker:base"
    e2e_same 'ID' "$(remote_id "$r/from/docker:base")" "$(STAVE_ROOT=$PWD/.store "$STAVE" inspect -f '{{.Id}}' "$r/base/docker:1")"
}

# skopeo_sends FORM OPTION...: an image of its own, since skopeo does not send a layer that the registry has in another
# form. So the base's layers may be in another one than the rest.
skopeo_sends() {
    local form=$1 ref=$PLAIN/from/skopeo-$1:1
    shift
    export STAVE_ROOT=$PWD/.store
    rm -rf ctx "theirs-$form.tar"
    make_image "$form"
    printf 'CMD ["echo", "50000"]\n' >>ctx/Dockerfile
    run "$STAVE" build -t "$form" ctx
    run "$STAVE" save -o "theirs-$form.tar" "$form"
    run skopeo copy --dest-tls-verify=false "$@" "oci-archive:theirs-$form.tar" "docker://$ref"
}

# The other forms that a registry holds: zstd, and docker's schema 2 made of OCI.
from_skopeo() {
    local r=$PLAIN form
    need_peer skopeo
    use_peers
    skopeo_sends oci --format oci
    skopeo_sends v2s2 --format v2s2
    skopeo_sends zstd --format oci --dest-compress-format zstd
    type_is "$r/from/skopeo-zstd:1" vnd.oci tar+zstd
    type_is "$r/from/skopeo-v2s2:1" vnd.docker tar.gzip
    for form in oci v2s2 zstd; do
        stave_takes "$r/from/skopeo-$form:1" "theirs-$form.tar"
    done
}

# One image for each of two platforms, of files only; tagged $1-amd64 and $1-arm64.
make_platforms() {
    local p
    mkdir -p two
    cp /bin/busybox two/busybox
    printf 'FROM scratch\nCOPY busybox /bin/busybox\nARG TARGETARCH\nLABEL for=$TARGETARCH\nCMD ["/bin/busybox", "echo", "it runs"]\n' >two/Dockerfile
    for p in amd64 arm64; do
        run "$STAVE" build --platform "linux/$p" -t "$1-$p" two
        run "$STAVE" push "$1-$p"
    done
}

# takes_list REF TYPE: it is a list of that type; stave takes the image of each platform out of it.
takes_list() {
    local ref=$1 p child
    e2e_same "type of $ref" "$(skopeo inspect --tls-verify=false --raw "docker://$ref" | jq -r .mediaType)" "$2"
    for p in amd64 arm64; do
        export STAVE_ROOT=$PWD/.store-$p-${ref//[\/:]/-}
        child=$(skopeo inspect --tls-verify=false --raw "docker://$ref" |
            jq -r --arg p $p '.manifests[] | select(.platform.architecture == $p) | .digest')
        run "$STAVE" pull --platform "linux/$p" "$ref"
        e2e_same "ID for $p in $ref" "$("$STAVE" inspect -f '{{.Id}}' "$ref")" "$(remote_id "${ref%:*}@$child")"
        e2e_same "label for $p in $ref" "$("$STAVE" inspect -f '{{.Config.Labels.for}}' "$ref")" $p
    done
    # Without a platform that of the machine; and the list's digest is the image's name in the registry.
    export STAVE_ROOT=$PWD/.store-any-${ref//[\/:]/-}
    run "$STAVE" pull "$ref"
    e2e_has "digests of $ref" "$("$STAVE" inspect -f '{{json .RepoDigests}}' "$ref")" "$(remote_digest_of_list "$ref")"
    run "$STAVE" pull "${ref%:*}@$(remote_digest_of_list "$ref")"
}

remote_digest_of_list() { skopeo inspect --tls-verify=false --raw "docker://$1" | sha256sum | sed 's/^/sha256:/; s/ .*//'; }

list_of_buildah() {
    local r=$PLAIN
    need_peer buildah
    use_peers
    make_platforms "$r/list/buildah:1"
    run "${B[@]}" manifest create both
    for p in amd64 arm64; do
        run "${B[@]}" manifest add --tls-verify=false --arch $p both "docker://$r/list/buildah:1-$p"
    done
    run "${B[@]}" manifest push --all --tls-verify=false --format oci both "docker://$r/list/buildah:oci"
    run "${B[@]}" manifest push --all --tls-verify=false --format v2s2 both "docker://$r/list/buildah:v2s2"
    takes_list "$r/list/buildah:oci" "$INDEX_TYPE"
    takes_list "$r/list/buildah:v2s2" "$LIST_TYPE"
    # As skopeo copies it elsewhere, whole.
    run skopeo copy --all --src-tls-verify=false --dest-tls-verify=false "docker://$r/list/buildah:oci" "docker://$r/list/skopeo:1"
    takes_list "$r/list/skopeo:1" "$INDEX_TYPE"
}

list_of_podman() {
    local r=$PLAIN
    need_peer podman
    use_peers
    make_platforms "$r/list/podman:1"
    run "${P[@]}" manifest create both
    for p in amd64 arm64; do
        run "${P[@]}" manifest add --tls-verify=false --arch $p both "docker://$r/list/podman:1-$p"
    done
    run "${P[@]}" manifest push --all --tls-verify=false --format v2s2 both "docker://$r/list/podman:1"
    takes_list "$r/list/podman:1" "$LIST_TYPE"
}

list_of_docker() {
    local r=$PLAIN
    need_peer docker
    use_peers
    make_platforms "$r/list/docker:1"
    # Its lists are of docker's images only.
    for p in amd64 arm64; do
        run skopeo copy --format v2s2 --src-tls-verify=false --dest-tls-verify=false "docker://$r/list/docker:1-$p" "docker://$r/list/docker:2-$p"
    done
    run "${D[@]}" manifest create --insecure "$r/list/docker:2" "$r/list/docker:2-amd64" "$r/list/docker:2-arm64"
    run "${D[@]}" manifest push --insecure "$r/list/docker:2"
    takes_list "$r/list/docker:2" "$LIST_TYPE"
}

# mirror HOST: docker.io is asked there.
mirror() {
    printf '[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:1"\n[[registry.mirror]]\nlocation = "%s"\n' "$1" >registries.conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
}

# A FROM, and what it needs is in no store.
from_registry() {
    e2e_same 'images in the store' "$("$STAVE" images -q)" ''
    mirror "$PLAIN"
}

# The bases as docker.io has them, once; by the registry of all cases.
bases_pushed() {
    local name r=$PLAIN
    STAVE_ROOT=$E2E_TMP/bases
    export STAVE_ROOT
    e2e_import busybox debian node:10-alpine python:3.9-slim tomcat
    for name in busybox debian node:10-alpine python:3.9-slim tomcat; do
        run "$STAVE" tag "$name" "$r/library/$name"
        run "$STAVE" push "$r/library/$name"
    done
    rm -r "$STAVE_ROOT"
}

from_busybox() {
    from_registry
    mkdir ctx
    printf 'FROM busybox AS one\nRUN echo one >/one\nFROM docker.io/library/busybox:latest\nCOPY --from=one /one /\nCOPY --from=busybox /srv/file /two\nCMD ["cat", "/one", "/two"]\n' >ctx/Dockerfile
    build -t two ctx
    e2e_same 'output' "$("$STAVE" run two)" $'one\nbase file'
}

# private REGISTRY: FROM what only a user may see: without a login, with a wrong one, with one, after logout.
private() {
    local r=$1
    export HOME=$PWD
    export STAVE_ROOT=$PWD/.store
    make_image "$r/private/base:1"
    echo secret | run "$STAVE" login -u user --password-stdin "$r"
    run "$STAVE" push "$r/private/base:1"
    run "$STAVE" logout "$r"
    export STAVE_ROOT=$PWD/.empty
    mkdir mine
    printf '# one\nFROM %s/private/base:1\nCOPY --from=%s/private/base:1 /srv/file /again\nRUN cat /again >/both\nCMD ["cat", "/both"]\n' "$r" "$r" >mine/Dockerfile
    e2e_exits 5 "$STAVE" build -t mine mine
    e2e_has 'the place' "$E2E_ERR" 'Dockerfile:2'
    e2e_has 'the image' "$E2E_ERR" 'private/base'
    e2e_has 'the way out' "$E2E_ERR" "stave login $r"
    echo wrong | e2e_exits 5 "$STAVE" login -u user --password-stdin "$r"
    e2e_exits 5 "$STAVE" build -t mine mine
    echo secret | e2e_exits 0 "$STAVE" login -u user --password-stdin "$r"
    e2e_exits 0 "$STAVE" build -t mine mine
    e2e_same 'output' "$("$STAVE" run mine)" 'base file'
    run "$STAVE" logout "$r"
    e2e_exits 0 "$STAVE" build -t mine mine
    STAVE_ROOT=$PWD/.other e2e_exits 5 "$STAVE" build -t mine mine
    # It is there, but may not be sent.
    e2e_exits 5 "$STAVE" push "$r/private/base:1"
    ! grep -rqa -e dXNlcjpzZWNyZXQ .store .empty || e2e_fail 'the password is in a store'
}

# How often the token server was asked for $1.
tokens() { grep -c "^GET login .*$1" "$E2E_TMP/token.log" || true; }

private_with_token() {
    local r=$TOKEN before
    private "$r"
    # The token of the FROM is over when the same repository is asked again.
    STAVE_ROOT=$PWD/.store make_image "$r/private/base:2"
    echo secret | run "$STAVE" login -u user --password-stdin "$r"
    STAVE_ROOT=$PWD/.store run "$STAVE" push "$r/private/base:2"
    printf 'FROM %s/private/base:1\nRUN sleep 3\nCOPY --from=%s/private/base:2 /srv/file /again\n' "$r" "$r" >mine/Dockerfile
    export STAVE_ROOT=$PWD/.slow
    before=$(tokens repository:private/base:pull)
    run "$STAVE" build -t slow mine
    [ $(($(tokens repository:private/base:pull) - before)) -ge 2 ] || e2e_fail 'no token was over'
}

# A token that ends between two pieces of a blob, which the registry is the first to know.
expired() {
    local r=$TOKEN pid i before
    export HOME=$PWD
    mkdir ctx
    head -c 150000000 /dev/urandom >ctx/large
    printf 'FROM scratch\nCOPY large /\n' >ctx/Dockerfile
    run "$STAVE" build -t "$r/private/large:1" ctx
    echo secret | run "$STAVE" login -u user --password-stdin "$r"
    before=$(tokens repository:private/large:)
    "$STAVE" push "$r/private/large:1" >push.out 2>&1 &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        [ -z "$(find "$E2E_TMP/token/data" -path '*/private/large/_uploads/*/data' -size +1000k 2>/dev/null)" ] || break
        sleep 0.02
    done
    kill -STOP $pid
    sleep 3
    kill -CONT $pid
    wait $pid || e2e_fail "push: $(tail -n 5 push.out)"
    [ $(($(tokens repository:private/large:) - before)) -ge 2 ] || e2e_fail 'no token was over'
    STAVE_ROOT=$PWD/.other run "$STAVE" pull "$r/private/large:1"
}

# The requests that the plain registry got since line $1 of its log, one a line: "GET /v2/..." and the status.
requests() { tail -n "+$(($1 + 1))" "$E2E_TMP/plain/log" | sed -n 's/.*"\([A-Z]* [^ ]*\) HTTP[^"]*" \([0-9]*\) .*/\1 \2/p'; }
log_lines() { wc -l <"$E2E_TMP/plain/log"; }

second_push() {
    local r=$PLAIN at
    make_image "$r/second/push:1"
    run "$STAVE" push "$r/second/push:1"
    at=$(log_lines)
    run "$STAVE" push "$r/second/push:1"
    requests "$at" >again
    grep -q ' /v2/second/push/' again || e2e_fail 'nothing of it in the log'
    e2e_same 'requests that send a blob' "$(grep -E '^(POST|PATCH) |^PUT .*/blobs/' again || true)" ''
    [ "$(wc -l <again)" -le 6 ] || e2e_fail "a second push made more requests than blobs and a manifest: $(cat again)"
    # Nor does one who has it from there.
    export STAVE_ROOT=$PWD/.other
    run "$STAVE" pull "$r/second/push:1"
    at=$(log_lines)
    run "$STAVE" push "$r/second/push:1"
    e2e_same 'requests of one who pulled it' "$(requests "$at" | grep -E '^(POST|PATCH) |^PUT .*/blobs/' || true)" ''
}

# went_ahead AT: a piece of a blob was there before anybody asked for it by its digest.
went_ahead() {
    local session digest
    requests "$1" >made
    session=$(sed -n 's|^PATCH .*/uploads/\([^?]*\).*|\1|p' made | head -n 1)
    digest=$(sed -n "s/^PUT .*$session.*digest=\(sha256:[0-9a-f]*\).*/\1/p" made)
    [ "$(grep -n -m 1 '^PATCH ' made | cut -d: -f1)" -lt "$(grep -n -m 1 "^HEAD .*$digest" made | cut -d: -f1)" ] ||
        e2e_fail "nothing went ahead: $(cut -c1-80 made)"
}

# A large layer is on its way while it is compressed; and where it turns out to be there, it does not get to its end.
sent_ahead() {
    local r=$PLAIN at
    mkdir ctx
    head -c 90000000 /dev/urandom >ctx/large
    printf 'FROM scratch\nCOPY large /\n' >ctx/Dockerfile
    run "$STAVE" build -t "$r/ahead:1" ctx
    cp -a .store .copy
    at=$(log_lines)
    run "$STAVE" push "$r/ahead:1"
    went_ahead "$at"
    export STAVE_ROOT=$PWD/.copy
    at=$(log_lines)
    e2e_exits 0 "$STAVE" push "$r/ahead:1"
    e2e_hasnt 'the same again, compressed anew' "$E2E_OUT" ': Pushed'
    e2e_same 'uploads that were ended' "$(requests "$at" | grep '^PUT .*/blobs/' || true)" ''
    e2e_has 'requests' "$(requests "$at")" 'DELETE /v2/ahead/blobs/uploads/'
    STAVE_ROOT=$PWD/.other run "$STAVE" pull "$r/ahead:1"
    # A build that pushes, while its next step runs.
    head -c 90000000 /dev/urandom >ctx/large
    cp "$(command -v busybox)" ctx/sh
    printf 'FROM scratch\nCOPY large /\nCOPY sh /bin/sh\nRUN sleep 4\n' >ctx/Dockerfile
    at=$(log_lines)
    run "$STAVE" build --push -t "$r/ahead:2" ctx
    went_ahead "$at"
    STAVE_ROOT=$PWD/.other run "$STAVE" pull "$r/ahead:2"
    STAVE_ROOT=$PWD/.other run "$STAVE" fsck
}

second_pull() {
    local r=$PLAIN at
    make_image "$r/second/pull:1"
    run "$STAVE" push "$r/second/pull:1"
    export STAVE_ROOT=$PWD/.other
    run "$STAVE" pull "$r/second/pull:1"
    at=$(log_lines)
    run "$STAVE" pull "$r/second/pull:1"
    e2e_same 'requests of a pull of what has not moved' "$(requests "$at")" 'HEAD /v2/second/pull/manifests/1 200'
    # The build that looks for a newer one, too.
    mkdir mine
    printf 'FROM %s/second/pull:1\n' "$r" >mine/Dockerfile
    at=$(log_lines)
    run "$STAVE" build --pull -t mine mine
    e2e_same 'requests of build --pull' "$(requests "$at")" 'HEAD /v2/second/pull/manifests/1 200'
    at=$(log_lines)
    run "$STAVE" build -t mine mine
    e2e_same 'requests of a build' "$(requests "$at")" ''
}

# The registry wants our certificate.
own_certificate() {
    local r dir
    export HOME=$PWD
    e2e_own
    e2e_serve_registry "$PWD/registry" "  tls: {certificate: $CERTS/cert.pem, key: $CERTS/key.pem, clientcas: [$CERTS/ca.crt]}"
    r=$E2E_REGISTRY
    dir=$PWD/.config/containers/certs.d/$r
    mkdir -p "$dir"
    cp "$CERTS/ca.crt" "$dir/"
    make_image "$r/t:1"
    e2e_exits 4 "$STAVE" push "$r/t:1"
    cp "$CERTS/cert.pem" "$dir/client.cert"
    cp "$CERTS/key.pem" "$dir/client.key"
    run "$STAVE" push "$r/t:1"
    run skopeo copy "docker://$r/t:1" oci-archive:got.tar:x
    STAVE_ROOT=$PWD/.other run "$STAVE" pull "$r/t:1"
}

start_registries() {
    local port
    e2e_tmp
    e2e_serve_registry "$E2E_TMP/plain" ''
    PLAIN=$E2E_REGISTRY
    CERTS=$E2E_TMP/certs
    e2e_make_certs "$CERTS"
    perl -e 'print "user:", crypt("secret", q($2y$05$abcdefghijklmnopqrstuu)), "\n"' >"$E2E_TMP/htpasswd"
    e2e_serve_registry "$E2E_TMP/locked" "  tls: {certificate: $CERTS/cert.pem, key: $CERTS/key.pem}" \
        "auth: {htpasswd: {realm: stave-test, path: $E2E_TMP/htpasswd}}"
    LOCKED=$E2E_REGISTRY
    e2e_serve_registry "$E2E_TMP/password" "auth: {htpasswd: {realm: stave-test, path: $E2E_TMP/htpasswd}}"
    PASSWORD=$E2E_REGISTRY
    port=$(e2e_free_port)
    e2e_serve python3 "$E2E_TOP/testdata/registry/tokend.py" "$port" "$CERTS/ca.key" "$CERTS/ca.crt" "$E2E_TMP/token.log" 2 60
    e2e_serve_registry "$E2E_TMP/token" "auth: {token: {realm: 'http://127.0.0.1:$port/token', service: registry, issuer: stave-test, rootcertbundle: $CERTS/ca.crt}}"
    TOKEN=$E2E_REGISTRY
}

suite() {
    local peer
    start_registries
    NO_DOCKER=
    E2E_DOCKER=()
    e2e_start_dockerd "$E2E_TMP/dockerd" >"$E2E_TMP/no-docker" || NO_DOCKER=$(cat "$E2E_TMP/no-docker")
    for peer in $PEERS; do
        e2e_case "$peer takes it" taken_by "$peer"
        e2e_case "$peer takes it with TLS and a password" taken_locked_by "$peer"
        e2e_case "from $peer" "from_$peer"
    done
    for peer in buildah podman docker; do
        e2e_case "list of $peer" "list_of_$peer"
    done
    e2e_case 'private, a password' private "$PASSWORD"
    e2e_case 'private, tokens' private_with_token
    e2e_case 'expired token' expired
    e2e_case 'a certificate of our own' own_certificate
    e2e_case 'second push' second_push
    e2e_case 'second pull' second_pull
    e2e_case 'sent ahead' sent_ahead
    e2e_case 'bases to docker.io' bases_pushed
    APPS_BASE=from_registry
    e2e_case 'FROM busybox' from_busybox
    for peer in hello tomcat python node stave; do
        e2e_case "FROM as written: $peer" "$peer"
    done
    e2e_summary e2e-registry-peers
}

suite
