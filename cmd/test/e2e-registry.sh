#!/usr/bin/env bash
# e2e-registry.sh: pull, push, login, logout and FROM against docker-registry: plain, with TLS and a private authority,
# with passwords, and with tokens.
# packages: docker-registry busybox-static python3 perl openssl jq curl skopeo util-linux strace
# Each case is a subshell of its own; the dollars of crypt's salt are its own.
# shellcheck disable=SC2030,SC2031,SC2016
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT

# Nothing of the user's is read.
# CONTAINERS_REGISTRIES_CONF is that of e2e-lib.sh: no Docker Hub.
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR

# An image of two layers, tagged $1.
make_image() {
    mkdir -p ctx
    printf 'FROM scratch\nCOPY a /\nCOPY b /\nCMD ["/a"]\n' >ctx/Dockerfile
    head -c 3000000 /dev/urandom >ctx/a
    seq 1 200000 >ctx/b
    "$STAVE" build -q -t "$1" ctx >/dev/null
}

# The bytes of the registry's blobs, to tell what was sent.
blobs() { find "$1/data" -name data -path '*/blobs/*' 2>/dev/null | wc -l; }

plain() {
    local r=$PLAIN
    make_image "$r/a/t:1"
    e2e_exits 0 "$STAVE" push "$r/a/t:1"
    e2e_has 'pushed' "$E2E_OUT" ': Pushed'
    e2e_exits 0 "$STAVE" push "$r/a/t:1"
    e2e_hasnt 'again' "$E2E_OUT" ': Pushed'
    local id
    id=$("$STAVE" images -q --no-trunc)
    export STAVE_ROOT=$PWD/other
    e2e_exits 0 "$STAVE" pull "$r/a/t:1"
    e2e_has 'new' "$E2E_OUT" 'Status: Downloaded newer image'
    e2e_same 'the image' "$("$STAVE" images -q --no-trunc)" "$id"
    e2e_exits 0 "$STAVE" pull "$r/a/t:1"
    e2e_has 'no new' "$E2E_OUT" 'Status: Image is up to date'
    e2e_exits 0 "$STAVE" fsck
    # What was pulled goes elsewhere under the same digest.
    local digest
    digest=$(skopeo inspect --tls-verify=false "docker://$r/a/t:1" | jq -r .Digest)
    "$STAVE" tag "$r/a/t:1" "$r/b/t:2"
    e2e_exits 0 "$STAVE" push "$r/b/t:2"
    e2e_same 'digest' "$(skopeo inspect --tls-verify=false "docker://$r/b/t:2" | jq -r .Digest)" "$digest"
    # By digest, and one that is not there.
    e2e_exits 0 "$STAVE" pull -q "$r/a/t@$digest"
    e2e_exits 1 "$STAVE" pull "$r/a/t:none"
    e2e_has 'why' "$E2E_ERR" 'manifest unknown'
    e2e_exits 4 "$STAVE" pull "127.0.0.1:1/a/t:1"
}

# Others read what stave pushed, and stave what they did.
others() {
    local r=$PLAIN
    make_image "$r/o/t:1"
    e2e_exits 0 "$STAVE" push -q "$r/o/t:1"
    skopeo copy -q --src-tls-verify=false "docker://$r/o/t:1" oci:theirs:1
    skopeo copy -q --dest-tls-verify=false --dest-compress-format zstd oci:theirs:1 "docker://$r/o/zstd:1"
    skopeo copy -q --format v2s2 --dest-tls-verify=false oci:theirs:1 "docker://$r/o/v2s2:1"
    export STAVE_ROOT=$PWD/other
    for name in zstd v2s2; do
        e2e_exits 0 "$STAVE" pull -q "$r/o/$name:1"
        e2e_same "$name" "$("$STAVE" inspect -f '{{json .RootFS.Layers}}' "$r/o/$name:1" | jq length)" 2
    done
}

# FROM as a user writes it, by a mirror of docker.io.
from_mirror() {
    local r=$PLAIN
    make_image "$r/library/base:1"
    e2e_exits 0 "$STAVE" push -q "$r/library/base:1"
    export STAVE_ROOT=$PWD/other
    printf '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "%s"\n' "$r" >registries.conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
    mkdir next
    printf 'FROM base:1 AS one\nCOPY Dockerfile /x\nFROM base:1\nCOPY --from=one /x /x\nCOPY --from=base:1 /b /c\n' >next/Dockerfile
    e2e_exits 0 "$STAVE" build -t mine next
    e2e_exits 0 "$STAVE" build -t mine next
    e2e_same 'executed' "$(grep -c CACHED <<<"$E2E_ERR")" 5
    # The tag moves: only --pull sees it.
    STAVE_ROOT=$PWD/.store make_image "$r/library/base:1"
    STAVE_ROOT=$PWD/.store "$STAVE" push -q "$r/library/base:1"
    e2e_exits 0 "$STAVE" build -t mine next
    e2e_same 'still' "$(grep -c CACHED <<<"$E2E_ERR")" 5
    e2e_exits 0 "$STAVE" build --pull -t mine next
    e2e_hasnt 'not cached' "$(grep "COPY --from=base" -A1 <<<"$E2E_ERR")" CACHED
    printf 'FROM nothing:1\n' >next/Dockerfile
    e2e_exits 4 "$STAVE" build next
    e2e_has 'its place' "$E2E_ERR" 'Dockerfile:1'
}

# opened FILE: how often the image's layers were opened for reading, by strace's FILE.
opened() {
    local layer n=0
    for layer in "$STAVE_ROOT"/blobs/sha256/*; do
        [ "$(head -c 2 "$layer" | od -An -tx1 | tr -d ' ')" = 1f8b ] || continue
        n=$((n + $(grep -c "\"${layer##*/}\", O_RDONLY" "$1" || true)))
    done
    echo "$n"
}

# traced COMMAND...: with the opens in the file "trace". LeakSanitizer cannot work beside strace.
traced() {
    env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -e trace=openat -o trace "$@"
}

# What a RUN mounts is unpacked while it arrives: its layers are not read again. Of a pull they are.
one_pass() {
    local r=$PLAIN
    [ "$(id -u)" -eq 0 ] || e2e_skip 'needs root'
    e2e_import busybox
    mkdir ctx run only
    printf 'FROM busybox\nRUN mkdir -p /d/e && echo 1 >/d/e/f && ln /d/e/f /d/g\nRUN rm /d/g && ln -s /d/e /d/l\n' >ctx/Dockerfile
    "$STAVE" build -q -t "$r/once/t:1" ctx >/dev/null
    "$STAVE" push -q "$r/once/t:1"
    printf 'FROM %s/once/t:1 AS one\nFROM one\nRUN [ ! -e /d/g ] && [ "$(cat /d/l/f)" = 1 ]\n' "$r" >run/Dockerfile
    export STAVE_ROOT=$PWD/other
    e2e_exits 0 traced "$STAVE" build run
    e2e_same 'read after the download' "$(opened trace)" 0
    e2e_exits 0 "$STAVE" fsck
    e2e_same 'tmp' "$(ls -A "$STAVE_ROOT/tmp")" ''
    # Without a RUN there are no directories.
    export STAVE_ROOT=$PWD/third
    printf 'FROM %s/once/t:1 AS one\nRUN false\nFROM %s/once/t:1\nCOPY Dockerfile /x\n' "$r" "$r" >only/Dockerfile
    e2e_exits 0 "$STAVE" build only
    [ ! -e "$STAVE_ROOT/snapshots" ] || e2e_same 'unpacked' "$(ls -A "$STAVE_ROOT/snapshots")" ''
    e2e_exits 0 traced "$STAVE" build run
    [ "$(opened trace)" -ge 3 ] || e2e_fail "pulled layers were opened $(opened trace) times"
}

with_tls() {
    local r=$TLS
    make_image "$r/t:1"
    export HOME=$PWD
    e2e_exits 4 "$STAVE" push "$r/t:1"
    e2e_has 'why' "$E2E_ERR" 'certificate'
    mkdir -p ".config/containers/certs.d/$r"
    cp "$CERTS/ca.crt" ".config/containers/certs.d/$r/ca.crt"
    e2e_exits 0 "$STAVE" push "$r/t:1"
    rm -r .config
    e2e_exits 0 env SSL_CERT_FILE="$CERTS/ca.crt" "$STAVE" push -q "$r/t:1"
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$r" >registries.conf
    e2e_exits 0 env CONTAINERS_REGISTRIES_CONF="$PWD/registries.conf" "$STAVE" push -q "$r/t:1"
    # The right authority, but another host's certificate.
    e2e_exits 4 env SSL_CERT_FILE="$CERTS/ca.crt" "$STAVE" pull "localhost:${r#*:}/t:1"
}

with_password() {
    local r=$PASSWORD
    make_image "$r/t:1"
    export HOME=$PWD
    e2e_exits 5 "$STAVE" push "$r/t:1"
    e2e_has 'the way out' "$E2E_ERR" "stave login $r"
    echo wrong | e2e_exits 5 "$STAVE" login -u user --password-stdin "$r"
    [ ! -e .docker ] || e2e_fail 'something was kept'
    # The beginning of a name is not that name.
    for name in i index docker; do
        echo secret | e2e_exits 2 "$STAVE" login -u user --password-stdin "$name"
    done
    echo secret | e2e_exits 0 "$STAVE" login -u user --password-stdin "$r"
    e2e_same 'mode' "$(stat -c %a .docker/config.json)" 600
    e2e_exits 0 "$STAVE" push "$r/t:1"
    STAVE_ROOT=$PWD/other e2e_exits 0 "$STAVE" pull "$r/t:1"
    e2e_hasnt 'secret' "$E2E_OUT$E2E_ERR" secret
    cp .docker/config.json mine.json
    e2e_exits 0 "$STAVE" logout "$r"
    STAVE_ROOT=$PWD/second e2e_exits 0 "$STAVE" pull --authfile mine.json "$r/t:1"
    STAVE_ROOT=$PWD/third e2e_exits 5 "$STAVE" pull "$r/t:1"
    grep -rqa -e secret -e dXNlcjpzZWNyZXQ .store other && e2e_fail 'the password is in the store'
    return 0
}

with_token() {
    local r=$TOKEN
    make_image "$r/public/t:1"
    export HOME=$PWD
    e2e_exits 5 "$STAVE" push "$r/public/t:1"
    echo wrong | e2e_exits 5 "$STAVE" login -u user --password-stdin "$r"
    echo secret | e2e_exits 0 "$STAVE" login -u user --password-stdin "$r"
    e2e_exits 0 "$STAVE" push "$r/public/t:1"
    "$STAVE" tag "$r/public/t:1" "$r/private/t:1"
    e2e_exits 0 "$STAVE" push "$r/private/t:1"
    e2e_exits 0 "$STAVE" logout "$r"
    # Tokens end after two seconds: each request may need a new one.
    STAVE_ROOT=$PWD/other e2e_exits 0 "$STAVE" pull "$r/public/t:1"
    STAVE_ROOT=$PWD/third e2e_exits 5 "$STAVE" pull "$r/private/t:1"
    mkdir -p .docker
    printf '{"auths":{"%s":{"identitytoken":"refresh-secret"}}}' "$r" >.docker/config.json
    chmod 600 .docker/config.json
    STAVE_ROOT=$PWD/fourth e2e_exits 0 "$STAVE" pull "$r/private/t:1"
    grep -q '^POST refresh repository:private/t:pull$' "$TOKEN_LOG" || e2e_fail 'the refresh token was not used'
}

suite() {
    e2e_tmp
    e2e_serve_registry "$E2E_TMP/plain" ''
    PLAIN=$E2E_REGISTRY
    CERTS=$E2E_TMP/certs
    e2e_make_certs "$CERTS"
    e2e_serve_registry "$E2E_TMP/tls" "  tls: {certificate: $CERTS/cert.pem, key: $CERTS/key.pem}"
    TLS=$E2E_REGISTRY
    perl -e 'print "user:", crypt("secret", q($2y$05$abcdefghijklmnopqrstuu)), "\n"' >"$E2E_TMP/htpasswd"
    e2e_serve_registry "$E2E_TMP/password" "auth: {htpasswd: {realm: stave-test, path: $E2E_TMP/htpasswd}}"
    PASSWORD=$E2E_REGISTRY
    local port
    port=$(e2e_free_port)
    TOKEN_LOG=$E2E_TMP/token.log
    e2e_serve python3 "$E2E_TOP/testdata/registry/tokend.py" "$port" "$CERTS/ca.key" "$CERTS/ca.crt" "$TOKEN_LOG" 2
    e2e_serve_registry "$E2E_TMP/token" "auth: {token: {realm: 'http://127.0.0.1:$port/token', service: registry, issuer: stave-test, rootcertbundle: $CERTS/ca.crt}}"
    TOKEN=$E2E_REGISTRY
    e2e_case 'push and pull' plain
    e2e_case 'with skopeo' others
    e2e_case 'FROM by a mirror' from_mirror
    e2e_case 'in one pass' one_pass
    e2e_case 'TLS with an authority of our own' with_tls
    e2e_case 'a password' with_password
    e2e_case 'tokens' with_token
    e2e_summary e2e-registry
}

suite
