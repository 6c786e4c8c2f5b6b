#!/usr/bin/env bash
# e2e-deliver.sh: stave deliver and build --load against dockerd, podman and containerd, each with a root and a socket of
# its own, and against an engine that misbehaves (fake-docker.py).
# packages: docker.io podman containerd runc strace util-linux jq openssl python3 gcc libc6-dev
# E2E_ONLY=PATTERN runs only the cases of that name.
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
PATH=$PATH:/usr/sbin

unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH CONTAINER_HOST CONTAINER_CONNECTION
unset CONTAINERD_ADDRESS CONTAINERD_NAMESPACE CONTAINERD_SNAPSHOTTER
# Smaller than this is config, manifests and headers.
SMALL=20000

e2e_tmp
export DOCKER_CONFIG=$E2E_TMP/docker-config
mkdir "$DOCKER_CONFIG"
# podman insists on it once the variable is set.
echo '{}' >"$DOCKER_CONFIG/config.json"

# ---- engines, started once ------------------------------------------------

# An authority, and a certificate of it for 127.0.0.1 on both sides.
make_certs() {
    local dir=$1
    mkdir -p "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stave-test-ca -keyout "$dir/ca-key.pem" -out "$dir/ca.pem" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout "$dir/key.pem" -out "$dir/csr" 2>/dev/null
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >"$dir/ext"
    openssl x509 -req -in "$dir/csr" -CA "$dir/ca.pem" -CAkey "$dir/ca-key.pem" -CAcreateserial -days 2 -extfile "$dir/ext" \
        -out "$dir/cert.pem" 2>/dev/null
}

# Debian's own client: another one on PATH may be newer than the engine.
docker() { /usr/bin/docker "$@"; }

start_dockerd() {
    local dir=$E2E_TMP/dockerd i
    DOCKERD=
    command -v dockerd >/dev/null || { WHY_DOCKER='dockerd (Debian docker.io) is not installed'; return; }
    mkdir "$dir"
    echo '{}' >"$dir/daemon.json"
    make_certs "$dir/certs"
    DOCKERD_PORT=$(e2e_free_port)
    # In a mount namespace of its own: it may leave its data directory mounted upon itself.
    e2e_serve unshare --mount dockerd --config-file "$dir/daemon.json" --data-root "$dir/data" --exec-root "$dir/exec" \
        -p "$dir/pid" --bridge none --iptables=false --storage-driver vfs -H "unix://$dir/sock" \
        -H "tcp://127.0.0.1:$DOCKERD_PORT" --tlsverify --tlscacert "$dir/certs/ca.pem" --tlscert "$dir/certs/cert.pem" \
        --tlskey "$dir/certs/key.pem" >"$dir/log" 2>&1
    for ((i = 0; i < 200; i++)); do
        DOCKER_HOST=unix://$dir/sock docker version >/dev/null 2>&1 && { DOCKERD=unix://$dir/sock; return; }
        sleep 0.1
    done
    WHY_DOCKER="dockerd cannot start here: $(tail -n 1 "$dir/log")"
}

start_containerd() {
    local dir=$E2E_TMP/containerd i
    CONTAINERD=
    { command -v containerd && command -v ctr; } >/dev/null || { WHY_CONTAINERD='containerd is not installed'; return; }
    mkdir "$dir"
    cat >"$dir/config.toml" <<END
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$dir/sock"
END
    e2e_serve unshare --mount containerd -c "$dir/config.toml" >"$dir/log" 2>&1
    for ((i = 0; i < 100; i++)); do
        ctr -a "$dir/sock" version >/dev/null 2>&1 && { CONTAINERD=$dir/sock; return; }
        sleep 0.1
    done
    WHY_CONTAINERD="containerd cannot start here: $(tail -n 1 "$dir/log")"
}

need_docker() {
    [ -n "$DOCKERD" ] || e2e_skip "$WHY_DOCKER"
    export DOCKER_HOST=$DOCKERD
}

need_containerd() {
    [ -n "$CONTAINERD" ] || e2e_skip "$WHY_CONTAINERD"
    export CONTAINERD_ADDRESS=$CONTAINERD
}

need_podman() {
    command -v podman >/dev/null || e2e_skip 'podman is not installed'
    cat >storage.conf <<END
[storage]
driver = "vfs"
graphroot = "$PWD/podman"
runroot = "$PWD/podman-run"
END
    export CONTAINERS_STORAGE_CONF=$PWD/storage.conf
}

# ---- images and what was said ---------------------------------------------

gcc -static -O -o "$E2E_TMP/hello" -xc - <<<'#include <stdio.h>
int main(void) { return puts("hello from inside") < 0; }'

# An image of three layers: 3 MB, a program, and the text $2.
make_image() {
    mkdir -p ctx
    cp "$E2E_TMP/hello" ctx/hello
    [ -e ctx/big ] || head -c 3000000 /dev/urandom >ctx/big
    echo "$2" >ctx/text
    printf 'FROM scratch\nCOPY big /\nCOPY hello /\nCOPY text /\nCMD ["/hello"]\n' >ctx/Dockerfile
    "$STAVE" build -q -t "$1" ctx >/dev/null
    WANT_ID=$("$STAVE" inspect -f '{{.Id}}' "$1")
}

# delivered ENGINE IMAGE N: sent were N layers; the bytes in $BYTES.
delivered() {
    local engine=$1 image=$2 n=$3 last
    shift 3
    e2e_exits 0 "$STAVE" deliver "$image" "$engine" "$@"
    e2e_same 'layers sent' "$(grep -c ': Sent' <<<"$E2E_OUT" || true)" "$n"
    last=$(tail -n 1 <<<"$E2E_OUT")
    e2e_has 'last line' "$last" "$engine has $image $WANT_ID: $n of 3 layers sent, "
    BYTES=${last##*, }
    BYTES=${BYTES% bytes}
}

below() { [ "$2" -lt "$3" ] || e2e_fail "$1: $2 bytes, not below $3"; }
above() { [ "$2" -gt "$3" ] || e2e_fail "$1: $2 bytes, not above $3"; }

# What all three engines show: all layers, none, and the one that changed; in $FIRST, $AGAIN, $CHANGED.
three_times() {
    local engine=$1 image=$2
    make_image "$image" one
    delivered "$engine" "$image" 3
    FIRST=$BYTES
    above 'the first time' "$FIRST" 3000000
    delivered "$engine" "$image" 0
    AGAIN=$BYTES
    e2e_same 'bytes of the same again' "$AGAIN" 0
    make_image "$image" two
    delivered "$engine" "$image" 1
    CHANGED=$BYTES
    below 'one changed layer' "$CHANGED" "$SMALL"
    e2e_same 'left in tmp' "$(ls -A .store/tmp)" ''
    echo "$engine: $FIRST bytes, then $AGAIN, with one changed layer $CHANGED"
}

# ---- docker ---------------------------------------------------------------

to_docker() {
    need_docker
    three_times docker e2e:docker
    e2e_same 'ID' "$(docker inspect -f '{{.Id}}' e2e:docker)" "$WANT_ID"
    docker run --rm --network none e2e:docker >run.out 2>run.err || e2e_skip "delivered; docker cannot run here: $(tail -n 1 run.err)"
    e2e_same 'output' "$(cat run.out)" 'hello from inside'
}

# An image without a name, and two names of one image.
docker_names() {
    need_docker
    make_image e2e:names names
    "$STAVE" deliver -q "$WANT_ID" docker >out
    e2e_same 'printed with -q' "$(cat out)" ''
    e2e_same 'names' "$(docker inspect -f '{{json .RepoTags}}' "$WANT_ID")" '[]'
    "$STAVE" tag e2e:names other/e2e:2
    delivered docker e2e:names 0
    delivered docker other/e2e:2 0
    e2e_same 'names' "$(docker inspect -f '{{json .RepoTags}}' "$WANT_ID" | jq -c sort)" '["e2e:names","other/e2e:2"]'
}

# From an archive: its gzip layers are what a pull would leave here.
docker_gzip() {
    need_docker
    make_image e2e:gzip gzip
    "$STAVE" build -q -t e2e:gzip -o type=oci,dest=gzip.tar ctx >/dev/null
    STAVE_ROOT=$PWD/.other
    export STAVE_ROOT
    "$STAVE" load -q -i gzip.tar
    delivered docker e2e:gzip 3
    e2e_same 'ID' "$(docker inspect -f '{{.Id}}' e2e:gzip)" "$WANT_ID"
}

docker_tls() {
    need_docker
    make_image e2e:tls tls
    export DOCKER_HOST=tcp://127.0.0.1:$DOCKERD_PORT DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$E2E_TMP/dockerd/certs
    delivered docker e2e:tls 3
    make_certs other
    DOCKER_CERT_PATH=$PWD/other e2e_exits 4 "$STAVE" deliver e2e:tls docker
    e2e_has 'message' "$E2E_ERR" 'certificate'
}

# The engine that 'docker context use' chose; DOCKER_HOST stands above it.
docker_context() {
    need_docker
    make_image e2e:context context
    export DOCKER_CONFIG=$PWD/config
    mkdir config
    docker context create e2e --docker "host=$DOCKERD" >/dev/null 2>&1 || e2e_skip 'this docker has no contexts'
    unset DOCKER_HOST
    docker context use e2e >/dev/null 2>&1
    delivered docker e2e:context 3
    DOCKER_HOST=unix:///nowhere e2e_exits 7 "$STAVE" deliver e2e:context docker
    DOCKER_CONTEXT=absent e2e_exits 1 "$STAVE" deliver e2e:context docker
    e2e_has 'message' "$E2E_ERR" "no docker context 'absent'"
}

load() {
    need_docker
    make_image unused load
    "$STAVE" build --progress=plain --load -t e2e:load -t e2e:too ctx 2>err
    e2e_has 'progress' "$(cat err)" 'docker has it: 3 of 3 layers sent'
    e2e_same 'ID' "$(docker inspect -f '{{.Id}}' e2e:load e2e:too | sort -u)" "$WANT_ID"
    e2e_same 'in the store too' "$("$STAVE" inspect -f '{{.Id}}' e2e:load)" "$WANT_ID"
    e2e_same 'printed with -q' "$("$STAVE" build -q --load -o type=docker,name=e2e:named ctx)" "$WANT_ID"
    e2e_same 'ID' "$(docker inspect -f '{{.Id}}' e2e:named)" "$WANT_ID"
    # Nothing is built for an engine that is not there, and nothing is lost with one that fails at the end.
    echo other >ctx/text
    DOCKER_HOST=unix:///nowhere e2e_exits 7 "$STAVE" build --load -t e2e:load ctx
    e2e_same 'the old image' "$("$STAVE" inspect -f '{{.Id}}' e2e:load)" "$WANT_ID"
    fake refuses
    e2e_exits 4 "$STAVE" build --load -t e2e:load ctx
    e2e_has 'message' "$E2E_ERR" "the image is built, and in stave's store only"
    e2e_hasnt 'the new image' "$("$STAVE" inspect -f '{{.Id}}' e2e:load)" "$WANT_ID"
}

# Several at once, to one engine.
docker_at_once() {
    local i pids=()
    need_docker
    for i in 1 2 3 4; do make_image "e2e:once$i" "once $i"; done
    for i in 1 2 3 4; do
        "$STAVE" deliver -q "e2e:once$i" docker 2>"err$i" &
        pids+=($!)
    done
    for i in 1 2 3 4; do wait "${pids[i - 1]}" || e2e_fail "delivery $i: $(cat "err$i")"; done
    e2e_same 'images' "$(docker images -q 'e2e:once*' | wc -l)" 4
}

# ---- podman ---------------------------------------------------------------

to_podman() {
    local big
    need_podman
    three_times podman e2e/podman:1
    e2e_same 'names' "$(podman images --format '{{.Repository}}:{{.Tag}}' | grep -v none)" docker.io/e2e/podman:1
    e2e_same 'ID' "sha256:$(podman image inspect -f '{{.Id}}' docker.io/e2e/podman:1)" "$WANT_ID"
    # What is there is not even opened.
    big=$("$STAVE" inspect -f '{{index .RootFS.Layers 0}}' e2e/podman:1)
    make_image e2e/podman:1 three
    # LeakSanitizer cannot work in a process that is traced.
    ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 strace -f -qq -e trace=openat -o trace "$STAVE" deliver -q e2e/podman:1 podman
    e2e_has 'opened by podman' "$(grep -c 'cwd/blobs/sha256' trace)" 3
    e2e_hasnt 'opened by podman' "$(grep 'cwd/blobs/sha256' trace)" "${big#sha256:}"
    if ! timeout 30 podman run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 docker.io/e2e/podman:1 >run.out 2>run.err; then
        e2e_skip "delivered; podman cannot run here: $(tail -n 1 run.err)"
    fi
    e2e_same 'output' "$(cat run.out)" 'hello from inside'
}

# Its service speaks docker's language, but looks for every layer in the archive.
podman_service() {
    local pid i
    need_podman
    make_image e2e/service:1 one
    podman system service --time=60 "unix://$PWD/sock" >service.out 2>&1 &
    pid=$!
    # shellcheck disable=SC2064 # this pid
    trap "kill -TERM $pid; wait $pid || true" EXIT
    export DOCKER_HOST=unix://$PWD/sock
    for ((i = 0; i < 100; i++)); do [ -S sock ] && break; sleep 0.05; done
    delivered docker e2e/service:1 3
    make_image e2e/service:1 two
    delivered docker e2e/service:1 3
    e2e_same 'ID' "sha256:$(podman image inspect -f '{{.Id}}' docker.io/e2e/service:1)" "$WANT_ID"
}

# ---- containerd -----------------------------------------------------------

to_containerd() {
    need_containerd
    three_times containerd e2e/containerd:1
    e2e_has 'image' "$(ctr images ls)" "docker.io/e2e/containerd:1 "
    e2e_has 'digest' "$(ctr images ls)" "$("$STAVE" inspect -f '{{.Digest}}' e2e/containerd:1)"
    # Another namespace knows nothing of it.
    delivered containerd e2e/containerd:1 3 --namespace other
    CONTAINERD_NAMESPACE=third delivered containerd e2e/containerd:1 3
    e2e_exits 2 "$STAVE" deliver "$WANT_ID" containerd
    e2e_has 'hint' "$E2E_ERR" 'stave tag'
    e2e_same 'images of the other one' "$(ctr -n other images ls -q)" docker.io/e2e/containerd:1
    ctr run --rm docker.io/e2e/containerd:1 "e2e-$$" >run.out 2>run.err || e2e_skip "delivered; ctr cannot run it here: $(tail -n 1 run.err)"
    e2e_same 'output' "$(cat run.out)" 'hello from inside'
}

# ---- engines that misbehave -----------------------------------------------

# fake MODE: an engine in the background; $FAKE is its process.
fake() {
    local i
    mkdir -p fake
    rm -f fake/sock
    python3 -B "$here/fake-docker.py" fake/sock "$1" fake >fake.out 2>&1 &
    FAKE=$!
    # shellcheck disable=SC2064 # this pid
    trap "kill -KILL $FAKE 2>/dev/null || true" EXIT
    export DOCKER_HOST=unix://$PWD/fake/sock
    for ((i = 0; i < 100; i++)); do [ -S fake/sock ] && return; sleep 0.05; done
    e2e_fail "no engine: $(cat fake.out)"
}

unfake() { kill -KILL "$FAKE"; wait "$FAKE" 2>/dev/null || true; }

# It drops layers between our question and our archive: then it gets all of them.
layers_vanish() {
    make_image e2e:x one
    fake claims
    "$STAVE" inspect -f '{{json .RootFS.Layers}}' e2e:x | jq -r '.[:2][]' >fake/layers
    delivered docker e2e:x 3
    e2e_same 'layers in the first archive' "$(tar -tf fake/load-1.tar | grep -c '\.tar$')" 1
    e2e_same 'layers in the second archive' "$(tar -tf fake/load-2.tar | grep -c '\.tar$')" 3
    # A layer that lies upon others is another one for it.
    "$STAVE" inspect -f '{{json .RootFS.Layers}}' e2e:x | jq -r '.[1:][]' >fake/layers
    "$STAVE" tag e2e:x e2e:y
    delivered docker e2e:y 3
    e2e_same 'archives' "$(find fake -name 'load-*.tar' | wc -l)" 3
}

snapshotter() {
    make_image e2e:x one
    fake snapshotter
    delivered docker e2e:x 3
    e2e_has 'archive' "$(tar -tf fake/load-1.tar)" oci-layout
    delivered docker e2e:x 0
    unfake
    fake unpack
    e2e_exits 4 "$STAVE" deliver e2e:x docker
    e2e_has 'message' "$E2E_ERR" 'Error unpacking image x: no'
}

refusals() {
    make_image e2e:x one
    fake refuses
    e2e_exits 4 "$STAVE" deliver e2e:x docker
    e2e_has 'message' "$E2E_ERR" 'docker refuses the image: no space left on device'
    unfake
    fake forgets
    e2e_exits 4 "$STAVE" deliver e2e:x docker
    e2e_has 'message' "$E2E_ERR" 'docker took the image and does not have it'
    unfake
    fake drops
    e2e_exits 4 "$STAVE" deliver e2e:x docker
    unfake
    e2e_exits 7 "$STAVE" deliver e2e:x docker
    e2e_has 'message' "$E2E_ERR" 'Connection refused'
    e2e_has 'hint' "$E2E_ERR" 'DOCKER_HOST'
    e2e_same 'left in tmp' "$(ls -A .store/tmp)" ''
}

# Of a damaged layer nothing becomes visible.
damaged() {
    local layer file
    need_docker
    make_image e2e:damaged "damaged $$"
    layer=$("$STAVE" inspect -f '{{index .RootFS.Layers 1}}' e2e:damaged)
    file=.store/blobs/sha256/${layer#sha256:}
    chmod 600 "$file"
    printf x | dd of="$file" bs=1 seek=5000 conv=notrunc 2>/dev/null
    e2e_exits 1 "$STAVE" deliver e2e:damaged docker
    e2e_has 'message' "$E2E_ERR" 'in the store is damaged'
    ! docker inspect e2e:damaged >/dev/null 2>&1 || e2e_fail 'docker has the image'
}

not_there() {
    make_image e2e:x one
    export DOCKER_HOST=unix://$PWD/none
    e2e_exits 7 "$STAVE" deliver e2e:x docker
    e2e_has 'message' "$E2E_ERR" "'$PWD/none': No such file or directory"
    DOCKER_HOST=ssh://u:pass@host e2e_exits 2 "$STAVE" deliver e2e:x docker
    e2e_has 'hint' "$E2E_ERR" 'ssh -L'
    e2e_hasnt 'message' "$E2E_ERR" pass
    DOCKER_HOST=tcp://127.0.0.1:9 e2e_exits 7 "$STAVE" deliver e2e:x docker
    CONTAINERD_ADDRESS=$PWD/none e2e_exits 7 "$STAVE" deliver e2e:x containerd
    e2e_has 'hint' "$E2E_ERR" CONTAINERD_ADDRESS
    CONTAINER_HOST=ssh://x e2e_exits 7 "$STAVE" deliver e2e:x podman
    e2e_exits 7 env PATH=/nowhere "$STAVE" deliver e2e:x podman
    e2e_has 'hint' "$E2E_ERR" 'Install podman'
    e2e_exits 1 "$STAVE" deliver absent docker
    e2e_exits 2 "$STAVE" deliver docker e2e:x
    e2e_has 'hint' "$E2E_ERR" 'stave deliver e2e:x docker'
    e2e_exits 2 "$STAVE" deliver e2e:x docker --namespace x
}

# Its socket is not for everybody.
no_permission() {
    need_docker
    make_image e2e:x one
    "$STAVE" save -o x.tar e2e:x
    mkdir d
    cp "$STAVE" d/stave
    cp x.tar d/
    chown -R 4321:4321 d
    chmod 711 "$E2E_TMP" . "$E2E_TMP/dockerd"
    export STAVE_ROOT=$PWD/d/store
    local as=(setpriv --reuid=4321 --regid=4321 --clear-groups)
    e2e_exits 0 "${as[@]}" d/stave load -q -i d/x.tar
    e2e_exits 7 "${as[@]}" d/stave deliver e2e:x docker
    e2e_has 'message' "$E2E_ERR" 'Permission denied'
    e2e_has 'hint' "$E2E_ERR" 'the group of that socket'
}

# interrupted SIGNAL STATUS FILE ENGINE: while FILE says that it has begun.
interrupted() {
    local pid i rc=0
    # SIGINT is ignored in the background of a script.
    env --default-signal=INT "$STAVE" deliver e2e:x "$4" >out 2>err &
    pid=$!
    # shellcheck disable=SC2064 # these pids
    trap "kill -KILL $pid ${FAKE-} 2>/dev/null || true" EXIT
    for ((i = 0; i < 200; i++)); do [ -e "$3" ] && break; sleep 0.02; done
    sleep 0.2
    kill "-$1" "$pid"
    SECONDS=0
    wait "$pid" || rc=$?
    e2e_same "status ($(cat err))" "$rc" "$2"
    [ "$SECONDS" -le 3 ] || e2e_fail "it took $SECONDS s"
    e2e_same 'left in tmp' "$(ls -A .store/tmp)" ''
}

signals() {
    local child
    make_image e2e:x one
    # More than a pipe and sockets hold.
    fake hangs
    interrupted TERM 143 fake/hangs docker
    unfake
    # Programs that do not end by themselves.
    mkdir bin
    for child in ctr podman; do
        printf '#!/bin/sh\necho $$ >%s\ncase $* in *import*|*pull*) exec sleep 100 ;; esac\nexit 0\n' "$PWD/$child.pid" >"bin/$child"
        chmod 755 "bin/$child"
    done
    PATH=$PWD/bin:$PATH
    FAKE=
    interrupted INT 130 podman.pid podman
    ! kill -0 "$(cat podman.pid)" 2>/dev/null || e2e_fail 'podman still runs'
    fake forgets
    export CONTAINERD_ADDRESS=$PWD/fake/sock
    interrupted INT 130 ctr.pid containerd
    ! kill -0 "$(cat ctr.pid)" 2>/dev/null || e2e_fail 'ctr still runs'
}

# A real engine, killed by a signal in the middle: its names are as before.
interrupted_docker() {
    local pid i rc=0
    need_docker
    make_image e2e:signal one
    "$STAVE" deliver -q e2e:signal docker
    head -c 200000000 /dev/zero >ctx/big
    make_image e2e:signal two
    "$STAVE" deliver e2e:signal docker >out 2>err &
    pid=$!
    # shellcheck disable=SC2064 # this pid
    trap "kill -KILL $pid 2>/dev/null || true" EXIT
    for ((i = 0; i < 200; i++)); do
        compgen -G "$E2E_TMP/dockerd/data/tmp/docker-import-*/*.tar" >/dev/null && break
        sleep 0.01
    done
    kill -TERM "$pid" 2>/dev/null || e2e_skip 'docker was faster'
    wait "$pid" || rc=$?
    e2e_same "status ($(cat err))" "$rc" 143
    e2e_hasnt 'ID' "$(docker inspect -f '{{.Id}}' e2e:signal)" "$WANT_ID"
    delivered docker e2e:signal 3
}

start_dockerd
start_containerd
e2e_case docker to_docker
e2e_case docker-names docker_names
e2e_case docker-gzip docker_gzip
e2e_case docker-tls docker_tls
e2e_case docker-context docker_context
e2e_case load load
e2e_case docker-at-once docker_at_once
e2e_case podman to_podman
e2e_case podman-service podman_service
e2e_case containerd to_containerd
e2e_case layers-vanish layers_vanish
e2e_case snapshotter snapshotter
e2e_case refusals refusals
e2e_case damaged damaged
e2e_case not-there not_there
e2e_case no-permission no_permission
e2e_case signals signals
e2e_case interrupted-docker interrupted_docker
e2e_summary e2e-deliver
