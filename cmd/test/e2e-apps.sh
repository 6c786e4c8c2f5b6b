#!/usr/bin/env bash
# e2e-apps.sh: the five applications of testdata/apps, built and run, and their archives as other programs read them.
# packages: skopeo umoci runc podman docker.io jq curl gcc libc6-dev python3
# E2E_ONLY=PATTERN runs only the cases of that name.
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031

build() {
    "$STAVE" build --progress=plain "$@" 2>build.out || e2e_fail "build $*: $(tail -n 20 build.out)"
}

# Make the context of application $1 in ctx, with its base image $2, and build it.
build_app() {
    [ -z "${2-}" ] || e2e_import "$2"
    "$E2E_TOP/testdata/apps/prepare" "$1" ctx
    build -t "app-$1" ctx
    build -t "app-$1" ctx
    e2e_same 'steps of the second build that ran' "$(grep 'DONE' build.out || true)" ''
}

# served PATH TEXT ARG...: `stave run ARG...` serves PATH on $PORT until it gets SIGTERM.
served() {
    local path=$1 text=$2 pid i rc=0 got=
    shift 2
    "$STAVE" run "$@" >run.out 2>&1 &
    pid=$!
    # shellcheck disable=SC2064 # this pid
    trap "kill -KILL $pid 2>/dev/null || true" EXIT
    for ((i = 0; i < 200; i++)); do
        got=$(curl -fsS "http://127.0.0.1:$PORT$path" 2>/dev/null) && break
        kill -0 "$pid" 2>/dev/null || e2e_fail "it ended: $(cat run.out)"
        sleep 0.05
    done
    e2e_has "page $path" "$got" "$text"
    # A first process without a handler does not see SIGTERM; the third one kills it.
    for ((i = 0; i < 60; i++)); do
        [ $((i % 20)) -ne 0 ] || kill -TERM "$pid" 2>/dev/null || break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    ! kill -0 "$pid" 2>/dev/null || e2e_fail 'SIGTERM did not end it'
    wait "$pid" || rc=$?
    trap - EXIT
    echo "$rc" >run.status
    ! curl -fsS -o /dev/null "http://127.0.0.1:$PORT$path" 2>/dev/null || e2e_fail 'it still serves'
    e2e_same 'left in tmp' "$(ls -A .store/tmp)" ''
}

hello() {
    build_app hello
    e2e_same 'output' "$("$STAVE" run app-hello)" "$(ctx/hello)"
    e2e_same 'layers' "$("$STAVE" inspect app-hello | jq '.[0].RootFS.Layers | length')" 1
    e2e_same 'commands' "$("$STAVE" inspect -f '{{json .Config.Cmd}}' app-hello)" '["/hello"]'
    "$STAVE" fsck >/dev/null
}

node() {
    PORT=8080
    ! curl -sS -o /dev/null "http://127.0.0.1:$PORT/" 2>/dev/null || e2e_skip "something else serves port $PORT"
    build_app node node:10-alpine
    e2e_same 'owner of COPY --chown' "$("$STAVE" run app-node stat -c %U:%G index.js)" node:node
    e2e_same 'user' "$("$STAVE" inspect -f '{{.Config.User}}' app-node)" node
    e2e_has 'ports' "$("$STAVE" inspect -f '{{json .Config.ExposedPorts}}' app-node)" 8080/tcp
    e2e_has 'a dependency' "$("$STAVE" run app-node ls node_modules)" express
    served / 'about sharks' app-node
    e2e_same 'exit status of the server' "$(cat run.status)" 0
    PORT=$(e2e_free_port)
    served /whoami 1000:1000 -e "PORT=$PORT" app-node
    # A change of the source does not install anew.
    echo '// changed' >>ctx/index.js
    build -t node ctx
    e2e_same 'steps that run' "$(grep -c ' DONE ' build.out)" 1
}

python() {
    build_app python python:3.9-slim
    PORT=$(e2e_free_port)
    served / World -e "PORT=$PORT" app-python
    served / Moon -e "PORT=$PORT" -e NAME=Moon app-python
    e2e_same 'directory' "$("$STAVE" run app-python pwd)" /usr/src/app
}

tomcat() {
    build_app tomcat tomcat
    e2e_same 'files copied' "$("$STAVE" run app-tomcat ls webapps | tr '\n' ' ')" 'index.html sample.war '
    PORT=$(e2e_free_port)
    served /index.html 'It works.' -e "TOMCAT_PORT=$PORT" app-tomcat
}

# stave builds stave; what git has is the context, as in a fresh clone.
stave() {
    local began=$SECONDS
    e2e_import debian
    mkdir ctx
    git -C "$E2E_TOP" ls-files -z -- . ':!testdata/e2e' >files
    tar -C "$E2E_TOP" --null --files-from=files --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C ctx
    build -f ctx/testdata/apps/stave/Dockerfile -t stave ctx
    e2e_has 'version' "$("$STAVE" run stave)" "$("$STAVE" version | head -n 1)"
    e2e_has 'the other name' "$("$STAVE" run stave build --help)" 'build'
    # The stave in the image parses a Dockerfile of the machine.
    e2e_has 'parse' "$("$STAVE" run -v "$PWD/ctx/testdata/apps/hello:/in:ro" stave stave parse --format json \
        /in/Dockerfile)" '"instructions"'
    echo "in $((SECONDS - began)) s"
}

need() { command -v "$1" >/dev/null || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || e2e_skip "$1 is not installed"; }

save_hello() {
    build_app hello
    "$STAVE" save app-hello -o hello.tar
    mkdir layout
    tar -xf hello.tar -C layout
    WANT_ID=$("$STAVE" inspect -f '{{.Id}}' app-hello)
    WANT=$(ctx/hello)
}

skopeo_reads() {
    local in
    need skopeo
    save_hello
    for in in oci-archive:hello.tar oci:layout; do
        e2e_same "digest of $in" "$(skopeo inspect "$in" | jq -r .Digest)" "$("$STAVE" inspect -f '{{.Digest}}' app-hello)"
        e2e_same "config of $in" "$(skopeo inspect --config "$in" | jq -c .config.Cmd)" '["/hello"]'
    done
    "$STAVE" save --format docker app-hello -o docker.tar
    e2e_same 'config of docker-archive:' "$(skopeo inspect --config docker-archive:docker.tar | jq -c .config.Cmd)" \
        '["/hello"]'
    # What skopeo writes comes back.
    skopeo copy -q oci:layout "docker-archive:back.tar:back:1"
    skopeo copy -q oci:layout "oci-archive:back.oci:back:2"
    "$STAVE" load -q -i back.tar
    "$STAVE" load -q -i back.oci
    e2e_same 'ID from docker-archive:' "$("$STAVE" inspect -f '{{.Id}}' back:1)" "$WANT_ID"
    e2e_same 'ID from oci-archive:' "$("$STAVE" inspect -f '{{.Id}}' back:2)" "$WANT_ID"
}

runc_runs() {
    local tag name
    need umoci
    need runc
    save_hello
    tag=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' layout/index.json)
    umoci unpack --image "layout:$tag" bundle >umoci.out 2>&1 || e2e_fail "umoci: $(tail -n 5 umoci.out)"
    jq '.process.terminal = false' bundle/config.json >config && mv config bundle/config.json
    name=stave-e2e-$$
    PATH=$PATH:/usr/sbin
    if ! timeout 20 runc --root "$PWD/runc" run --bundle bundle "$name" >runc.out 2>runc.err; then
        # What the machine's cgroups refuse to runc is not our archive's fault: the bundle is right, run it without.
        grep -qi cgroup runc.err || e2e_fail "runc: $(tail -n 5 runc.err)"
        chroot bundle/rootfs /hello >runc.out
        e2e_same 'output in a chroot' "$(cat runc.out)" "$WANT"
        e2e_skip "runc cannot run here ($(tail -n 1 runc.err)); the unpacked bundle works in a chroot"
    fi
    e2e_same 'output' "$(cat runc.out)" "$WANT"
}

podman_loads() {
    local p out
    need podman
    save_hello
    p=(podman --root "$PWD/podman" --runroot "$PWD/podman-run" --storage-driver vfs --cgroup-manager cgroupfs
        --events-backend none)
    "${p[@]}" load -q -i hello.tar >podman.out 2>&1 || e2e_fail "podman load: $(tail -n 5 podman.out)"
    out=$("${p[@]}" images --no-trunc --format '{{.ID}}')
    e2e_same 'ID' "$out" "$WANT_ID"
    "$STAVE" save --format docker app-hello -o docker.tar
    "${p[@]}" load -q -i docker.tar >podman.out 2>&1 || e2e_fail "podman load: $(tail -n 5 podman.out)"
    # The defaults may be over what this machine allows.
    if ! timeout 30 "${p[@]}" run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 app-hello >run.out 2>run.err; then
        e2e_skip "podman loads it; it cannot run here: $(tail -n 1 run.err)"
    fi
    e2e_same 'output' "$(cat run.out)" "$WANT"
}

docker_loads() {
    local pid i d
    [ -x /usr/sbin/dockerd ] || e2e_skip 'dockerd (Debian docker.io) is not installed'
    save_hello
    # Debian's own client: another one on PATH may be newer than the daemon.
    d=(/usr/bin/docker -H "unix://$PWD/docker.sock")
    # In a mount namespace of its own: it may leave its data directory mounted upon itself.
    unshare --mount /usr/sbin/dockerd --data-root "$PWD/docker" --exec-root "$PWD/docker-exec" -H "unix://$PWD/docker.sock" \
        -p "$PWD/docker.pid" --bridge none --iptables=false --storage-driver vfs >dockerd.out 2>&1 &
    pid=$!
    # shellcheck disable=SC2064 # this pid
    trap "kill -TERM $pid; wait $pid || true" EXIT
    for ((i = 0; i < 200; i++)); do
        "${d[@]}" version >/dev/null 2>&1 && break
        kill -0 "$pid" 2>/dev/null || e2e_skip "dockerd cannot start here: $(tail -n 1 dockerd.out)"
        sleep 0.1
    done
    "${d[@]}" load -q -i hello.tar >load.out 2>&1 || e2e_fail "docker load: $(tail -n 5 load.out)"
    e2e_same 'ID' "$("${d[@]}" inspect -f '{{.Id}}' app-hello)" "$WANT_ID"
    if ! timeout 30 "${d[@]}" run --rm --network none app-hello >run.out 2>run.err; then
        e2e_skip "docker loads it; it cannot run here: $(tail -n 1 run.err)"
    fi
    e2e_same 'output' "$(cat run.out)" "$WANT"
}

e2e_case hello hello
e2e_case skopeo skopeo_reads
e2e_case runc runc_runs
e2e_case podman podman_loads
e2e_case docker docker_loads
e2e_case tomcat tomcat
e2e_case python python
e2e_case node node
e2e_case stave stave
e2e_summary e2e-apps
