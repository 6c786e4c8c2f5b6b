#!/usr/bin/env bash
# e2e-apps.sh: the five applications of testdata/apps, built and run, and their archives as other programs read them.
# packages: skopeo umoci runc podman docker.io jq curl gcc libc6-dev python3
# E2E_ONLY=PATTERN runs only the cases of that name.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
# shellcheck source=cmd/test/e2e-apps-lib.sh
. "$here/e2e-apps-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031

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
    e2e_need skopeo
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
    e2e_need umoci
    e2e_need runc
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
    e2e_need podman
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
    local d
    e2e_own
    e2e_start_dockerd "$PWD/dockerd" || e2e_skip
    d=("${E2E_DOCKER[@]}")
    save_hello
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
