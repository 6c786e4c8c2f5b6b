#!/usr/bin/env bash
# packages: openssh-client busybox-static python3 procps
# RUN --mount: what a recorded case cannot show. Caches between builds and beside each other, secrets that are found
# nowhere, a real ssh agent, hostile targets and sources, --allow. Needs root; skipped without.
# shellcheck disable=SC2016,SC2031 # what a RUN's shell expands; each case has its own store
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"

trap e2e_cleanup EXIT

# begin: a store with a busybox, and an empty context c
begin() {
    [ "$(id -u)" -eq 0 ] || e2e_skip "needs root"
    e2e_import busybox
    mkdir c
}

# dockerfile LINE...: c/Dockerfile, from busybox
dockerfile() { printf '%s\n' "FROM busybox" "$@" >c/Dockerfile; }

# build ARG...: its display in $E2E_ERR
build() { e2e_exits 0 "$STAVE" build --debug --progress plain "$@" c; }

# tree DIR ARG...: build, and the image's files into DIR
tree() { e2e_exits 0 "$STAVE" build --progress plain -o "type=local,dest=$1" "${@:2}" c; }

# wait_for FILE: until it is there
wait_for() {
    local i
    for ((i = 0; i < 200; i++)); do
        [ -e "$1" ] && return 0
        sleep 0.05
    done
    e2e_fail "$1 does not come"
}

# data ID...: the directories of cache mounts
caches() { find "$STAVE_ROOT/cachemounts" -mindepth 1 -maxdepth 1 | sort; }

# --- caches ---

survives_no_cache() {
    begin
    dockerfile 'RUN --mount=type=cache,target=/c echo x >>/c/log; wc -l </c/log >/n'
    tree a --no-cache
    tree b --no-cache
    e2e_same "second build" "$(tr -d ' ' <b/n)" 2
    [ ! -e b/c ] || e2e_fail "the target is in the layer"
    e2e_has "df" "$("$STAVE" df)" "Cache Mounts"
    e2e_same "df" "$("$STAVE" df --format '{{.Type}}={{.TotalCount}}' | grep Mounts)" "Cache Mounts=1"
    e2e_exits 0 "$STAVE" fsck
}

is_no_part_of_the_key() {
    begin
    dockerfile 'RUN --mount=type=cache,target=/c echo x >>/c/log'
    build
    echo y >>"$(caches)/data/log"
    build
    e2e_has "second build" "$E2E_ERR" CACHED
    e2e_same "content" "$(cat "$(caches)/data/log")" $'x\ny'
}

goes_with_prune() {
    begin
    dockerfile 'RUN --mount=type=cache,id=my-cache,target=/c head -c 300000 /dev/zero >/c/big'
    build -t keep
    e2e_exits 0 "$STAVE" image prune -f
    [ -n "$(caches)" ] || e2e_fail "image prune took a cache"
    e2e_exits 0 "$STAVE" builder prune -f --filter until=1h
    [ -n "$(caches)" ] || e2e_fail "it was used within the hour"
    e2e_exits 0 "$STAVE" builder prune -f
    e2e_has "prune" "$E2E_OUT" "cache mount my-cache"
    e2e_same "caches" "$(caches)" ""
    build -t keep --no-cache
}

goes_for_the_cap() {
    begin
    dockerfile 'RUN --mount=type=cache,id=old,target=/c head -c 9000000 /dev/urandom >/c/big'
    build -t keep
    touch -d '2 days ago' "$(caches)/lock"
    dockerfile 'RUN --mount=type=cache,id=new,target=/c echo 1 >/c/x'
    build -t keep --store-max 8m
    e2e_same "labels" "$(cat "$STAVE_ROOT"/cachemounts/*/label)" new
}

is_not_pruned_while_in_use() {
    begin
    dockerfile 'RUN --mount=type=cache,target=/c touch /c/started; while [ ! -e /c/end ]; do usleep 50000; done'
    "$STAVE" build -q c >/dev/null &
    local pid=$!
    for _ in $(seq 100); do [ -e "$(caches | head -n 1)/data/started" ] && break; sleep 0.05; done
    e2e_exits 6 timeout 30 "$STAVE" builder prune -f
    [ -e "$(caches)/data/started" ] || e2e_fail "it was removed"
    touch "$(caches)/data/end"
    wait "$pid" || e2e_fail "the build failed"
}

# A counter that loses counts unless the caches of both are the same, and only one has it at a time.
count='n=$(cat /c/n 2>/dev/null || echo 0); usleep 300000; echo $((n+1)) >/c/n'

locked_one_after_another() {
    begin
    for i in 1 2 3; do
        mkdir "c$i"
        printf 'FROM busybox\nRUN --mount=type=cache,id=k,target=/c,sharing=locked : %s; %s\n' "$i" "$count" >"c$i/Dockerfile"
        "$STAVE" build -q "c$i" >/dev/null &
    done
    wait
    e2e_same "counter" "$(cat "$(caches)/data/n")" 3
}

locked_between_stages() {
    begin
    {
        for i in 1 2 3; do
            printf 'FROM busybox AS s%s\nRUN --mount=type=cache,id=k,target=/c,sharing=locked : %s; %s\n' "$i" "$i" "$count"
        done
        printf 'FROM busybox\n'
        for i in 1 2 3; do echo "COPY --from=s$i /etc/passwd /p$i"; done
    } >c/Dockerfile
    build
    e2e_same "counter" "$(cat "$(caches)/data/n")" 3
}

locked_in_any_order() {
    begin
    local a='--mount=type=cache,id=a,target=/a,sharing=locked' b='--mount=type=cache,id=b,target=/b,sharing=locked'
    for i in 1 2 3 4; do
        mkdir "c$i"
        if [ $((i % 2)) -eq 0 ]; then m="$a $b"; else m="$b $a"; fi
        printf 'FROM busybox\nRUN %s : %s; usleep 200000; echo >>/a/x\n' "$m" "$i" >"c$i/Dockerfile"
        timeout 60 "$STAVE" build -q "c$i" >/dev/null &
    done
    wait
    e2e_same "all of them ran" "$(cat "$STAVE_ROOT"/cachemounts/*/data/x | wc -l)" 4
}

# meet SHARING: two builds that wait for one another inside; 0 where they meet in one cache
meet() {
    local i pids=()
    for i in 1 2; do
        mkdir -p "c$i"
        printf 'FROM busybox\nRUN --mount=type=cache,id=k,target=/c,sharing=%s touch /c/%s; for i in $(seq 40); do [ -e /c/1 ] && [ -e /c/2 ] && exit 0; usleep 50000; done; exit 1\n' \
            "$1" "$i" >"c$i/Dockerfile"
        "$STAVE" build -q "c$i" >/dev/null 2>&1 &
        pids+=($!)
    done
    wait "${pids[0]}" && wait "${pids[1]}"
}

shared_at_the_same_time() {
    begin
    meet shared || e2e_fail "they do not see one another"
    e2e_same "directories" "$(caches | wc -l)" 1
}

private_has_its_own() {
    begin
    if meet private; then e2e_fail "they see one another"; fi
    e2e_same "directories" "$(caches | wc -l)" 2
    # Who comes later takes the first that is free.
    dockerfile 'RUN --mount=type=cache,id=k,target=/c,sharing=private ls /c'
    build
    e2e_same "directories" "$(caches | wc -l)" 2
}

waiting_is_interrupted() {
    begin
    mkdir c1
    printf 'FROM busybox\nRUN --mount=type=cache,id=k,target=/c,sharing=locked touch /c/started; sleep 60\n' >c1/Dockerfile
    "$STAVE" build -q c1 >/dev/null 2>&1 &
    local first=$! second rc=0
    for _ in $(seq 100); do [ -e "$(caches | head -n 1)/data/started" ] && break; sleep 0.05; done
    dockerfile 'RUN --mount=type=cache,id=k,target=/c,sharing=locked true'
    "$STAVE" build -q c >/dev/null 2>&1 &
    second=$!
    sleep 0.5
    kill -INT "$second"
    wait "$second" || rc=$?
    e2e_same "status" "$rc" 130
    kill -TERM "$first"
    wait "$first" || true
}

a_killed_fill_leaves_nothing() {
    begin
    printf 'FROM busybox AS big\nRUN for i in $(seq 3000); do echo $i >/f$i; done\nFROM busybox\nRUN --mount=type=cache,from=big,target=/c ls /c | wc -l >/n\n' >c/Dockerfile
    e2e_exits 0 "$STAVE" build -q --target big c
    for ms in 0.05 0.1 0.15 0.2 0.3; do
        timeout -s KILL "$ms" "$STAVE" build -q c >/dev/null 2>&1 || true
    done
    tree a --no-cache
    [ "$(cat a/n)" -gt 3000 ] || e2e_fail "the cache has only $(cat a/n) files"
    e2e_same "directories" "$(caches | wc -l)" 1
}

# THREATS A12
ids_are_no_paths() {
    begin
    dockerfile 'RUN --mount=type=cache,id=../../../../../../../../../../../tmp,target=/c touch /c/x' \
        'RUN --mount=type=cache,id=/etc,target=/c touch /c/x' 'RUN --mount=type=cache,id=a/b,target=/c touch /c/x'
    build
    e2e_same "names" "$(caches | grep -cE '/cachemounts/[0-9a-f]{64}\.0$')" 3
    e2e_same "all" "$(caches | wc -l)" 3
    [ ! -e /etc/x ] || e2e_fail "/etc was mounted"
}

namespaces_keep_caches_apart() {
    begin
    dockerfile 'RUN --mount=type=cache,target=/c touch /c/x; ls /c >/n'
    build
    build --build-arg BUILDKIT_CACHE_MOUNT_NS=other --no-cache
    e2e_same "directories" "$(caches | wc -l)" 2
}

# --- binds ---

# THREATS A14
the_context_stays_as_it_is() {
    begin
    mkdir -p c/d
    echo a >c/d/a
    chmod 600 c/d/a
    dockerfile 'RUN --mount=target=/m,rw echo b >>/m/d/a; rm -rf /m/d; mkdir /m/new; chmod 777 /m; chown 1:1 /m' \
        'RUN --mount=target=/m touch /m/x /m/d/a 2>/dev/null; true'
    local before
    before=$(tar -C c --sort=name -c . | sha256sum)
    build
    e2e_same "the context" "$(tar -C c --sort=name -c . | sha256sum)" "$before"
}

a_plain_context_is_no_copy() {
    begin
    echo a >c/a
    dockerfile 'RUN --mount=target=/m grep " /m " /proc/self/mountinfo >/n'
    tree t
    e2e_has "mount" "$(cat t/n)" "$PWD/c /m ro,"
    chown -R 7:8 c
    dockerfile 'RUN --mount=target=/m grep " /m " /proc/self/mountinfo >/n; stat -c "%u:%g" /m /m/a >>/n; touch /m/a || echo refused >>/n'
    tree t3
    e2e_has "one owner" "$(cat t3/n)" "$PWD/c /m ro,"
    e2e_same "is root" "$(tail -n 3 t3/n)" $'0:0\n0:0\nrefused'
    chown 9 c/a
    tree t2 --no-cache
    e2e_has "mount of a copy" "$(cat t2/n)" "$STAVE_ROOT/tmp/"
    e2e_same "left in tmp" "$(find "$STAVE_ROOT/tmp" -mindepth 1 | wc -l)" 0
}

what_is_mounted_is_in_the_key() {
    begin
    mkdir c/d
    echo a >c/d/a
    echo b >c/b
    dockerfile 'RUN --mount=source=d,target=/m true'
    build
    echo other >c/b
    build
    e2e_has "another file" "$E2E_ERR" CACHED
    touch c/d/a
    build
    e2e_has "a time" "$E2E_ERR" CACHED
    echo a2 >c/d/a
    build
    e2e_has "content" "$E2E_ERR" "mount 1 (bind) content changed"
    chmod 755 c/d/a
    build
    e2e_has "mode" "$E2E_ERR" "mount 1 (bind) content changed"
    dockerfile 'RUN --mount=source=d,target=/m2 true'
    build
    e2e_has "target" "$E2E_ERR" "mount 1 (bind) target: /m -> /m2"
    dockerfile 'RUN --mount=source=d,target=/m2,rw true'
    build
    e2e_has "rw" "$E2E_ERR" "mount 1 (bind) readonly: yes -> no"
}

an_equal_stage_disturbs_nobody() {
    begin
    printf 'FROM busybox AS s\nRUN echo 1 >/f; echo 1 >/g\nFROM busybox\nRUN --mount=from=s,source=/f,target=/m true\n' >c/Dockerfile
    build
    sed -i 's|echo 1 >/g|echo 2 >/g|' c/Dockerfile
    build
    e2e_has "the RUN" "$(grep -A1 'mount=from=s' <<<"$E2E_ERR")" CACHED
    sed -i 's|echo 1 >/f|echo 2 >/f|' c/Dockerfile
    build
    e2e_has "the RUN" "$E2E_ERR" "mount 1 (bind) content changed"
}

a_context_that_changes_is_not_recorded() {
    begin
    mkdir c/d
    echo 1 >c/d/f
    dockerfile 'RUN --mount=source=d,target=/m --mount=type=cache,target=/c touch /c/started; while [ ! -e /c/end ]; do usleep 20000; done'
    "$STAVE" build -q c >/dev/null &
    local pid=$!
    for _ in $(seq 100); do [ -e "$(caches | head -n 1)/data/started" ] && break; sleep 0.05; done
    echo 2 >c/d/f
    touch "$(caches)/data/end"
    wait "$pid" || e2e_fail "the build failed"
    echo 1 >c/d/f
    build
    e2e_hasnt "with the content of the first key" "$E2E_ERR" $'RUN --mount=source=d\n'CACHED
    e2e_same "executed" "$(grep -c CACHED <<<"$E2E_ERR")" 1
    build
    e2e_same "then it is" "$(grep -c CACHED <<<"$E2E_ERR")" 2
}

nothing_else_is_mounted() {
    begin
    printf 'FROM busybox AS s\nRUN echo 1 >/f\nFROM s\nRUN --mount=from=s,target=/a --mount=from=s,target=/b,rw --mount=from=busybox,target=/d,rw stat -c "%%d:%%i" / /a/.. /b/.. /d/.. >/n; grep -c " overlay " /proc/self/mountinfo >>/n; touch /b/f2; ls /a >>/n\n' >c/Dockerfile
    tree t
    e2e_same "one root" "$(head -n 4 t/n | sort -u | wc -l)" 1
    e2e_same "overlays" "$(sed -n 5p t/n)" 4
    e2e_hasnt "what was written to another mount" "$(cat t/n)" f2
}

# --- hostile images and commands ---

# THREATS A09, A13: links of all kinds on the way, on both sides.
links_stay_inside() {
    begin
    mkdir canary
    echo canary >canary/f
    local up=../../../../../../../..
    printf '%s\n' "FROM busybox AS s" \
        "RUN ln -s $PWD/canary /abs && ln -s $up$PWD/canary /rel && ln -s / /root2 && ln -s /proc/self/root/ /magic && mkdir -p $PWD/canary && echo inner >$PWD/canary/f" \
        "FROM s" \
        "RUN --mount=from=s,source=/abs/f,target=/m cat /m >/n" \
        "RUN --mount=from=s,source=/rel/f,target=/m cat /m >>/n" \
        "RUN --mount=from=s,source=/root2/abs/f,target=/m cat /m >>/n" \
        "RUN --mount=type=tmpfs,target=/abs touch /abs/t && ls $PWD/canary >>/n" \
        "RUN --mount=type=tmpfs,target=/rel/t/t touch /rel/t/t/x" \
        "RUN --mount=type=cache,target=/root2/rel/c touch $PWD/canary/c/x" >c/Dockerfile
    tree t
    e2e_same "seen" "$(cat t/n)" $'inner\ninner\ninner\nt'
    e2e_same "the host's directory" "$(ls canary) $(cat canary/f)" "f canary"
    printf 'FROM busybox\nRUN ln -s /proc/1/root/ /magic && ln -s /proc/self/cwd /cwd\nRUN --mount=type=tmpfs,target=/magic/x true\n' >c/Dockerfile
    e2e_exits 1 "$STAVE" build -q c
    sed -i 's|target=/magic/x|target=/cwd/x|' c/Dockerfile
    e2e_exits 1 "$STAVE" build -q c
    e2e_same "the host's directory" "$(ls canary)" f
}

# THREATS A10
a_moved_stub_touches_no_host_file() {
    begin
    mkdir canary
    : >canary/b
    echo s >secret
    dockerfile "RUN --mount=type=secret,id=s,target=/a/b mv /a /old && ln -s $PWD/canary /a" \
        'RUN --mount=type=secret,id=s,target=/d/e/f true'
    tree t --secret id=s,src=secret
    [ -e canary/b ] || e2e_fail "the host's file is gone"
    [ ! -e t/d ] || e2e_fail "a stub is in the layer"
    [ ! -s t/old/b ] || e2e_fail "the secret is in the layer"
}

# THREATS A09, A11: a command that shares the cache swaps what others mount on and from.
swapped_while_mounted() {
    begin
    mkdir canary flip
    echo canary >canary/CANARY
    mkdir canary/t
    printf 'FROM busybox\nRUN --mount=type=cache,id=k,target=/c mkdir -p /c/d/t; echo in >/c/d/in; while [ ! -e /c/end ]; do mv /c/d /c/x; usleep 4000; mv /c/x /c/d; ln -s %s /c/x; usleep 1000; rm /c/x; ln -s ../../../../../../..%s /c/x; rm /c/x; done\n' \
        "$PWD/canary" "$PWD/canary" >flip/Dockerfile
    "$STAVE" build -q flip >/dev/null 2>&1 &
    local pid=$! i rc n_ok=0
    for _ in $(seq 100); do [ -e "$(caches | head -n 1)/data/end" ] || [ -n "$(find "$STAVE_ROOT/cachemounts" -name in)" ] && break; sleep 0.05; done
    dockerfile 'ARG N' 'RUN --mount=type=cache,id=k,source=/x,target=/m --mount=type=cache,id=k,target=/c --mount=type=tmpfs,target=/c/x/t touch /c/x/t/mine 2>/dev/null; [ ! -e /m/CANARY ] && [ ! -e /c/x/CANARY ]'
    for ((i = 0; i < 200; i++)); do
        rc=0
        "$STAVE" build -q --build-arg N=$i c >/dev/null 2>err || rc=$?
        case $rc in
            0) n_ok=$((n_ok + 1)) ;;
            1 | 6 | 7) ;; # the place went away or was no directory
            *) touch "$(caches)/data/end"; e2e_fail "round $i: status $rc: $(cat err)" ;;
        esac
        e2e_same "the host's directory" "$(ls canary canary/t)" $'canary:\nCANARY\nt\n\ncanary/t:'
    done
    touch "$(caches)/data/end"
    wait "$pid" || e2e_fail "the swapping build failed"
    [ "$n_ok" -ge 10 ] || e2e_fail "only $n_ok rounds worked"
}

# --- secrets ---

# THREATS D11: nowhere in the store but where the RUN itself wrote it.
secrets_are_found_nowhere() {
    begin
    local secret
    secret=$(head -c 24 /dev/urandom | base64 | tr -d '+/=')
    printf %s "$secret" >secret
    dockerfile 'RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=TOKEN test "$(cat /run/secrets/s)" = "$TOKEN" && echo ok >/n' \
        'RUN --mount=type=secret,id=s,env=TOKEN,required [ ${#TOKEN} -gt 20 ]'
    build -t img --secret id=s,src=secret
    if grep -rF "$secret" "$STAVE_ROOT" .e2e-out .e2e-err; then e2e_fail "the secret is in the store"; fi
    e2e_exits 0 "$STAVE" history --no-trunc img
    e2e_hasnt "history" "$E2E_OUT" "$secret"
    e2e_exits 0 "$STAVE" inspect img
    e2e_hasnt "config" "$E2E_OUT" "$secret"
    dockerfile 'RUN --mount=type=secret,id=s,env=TOKEN exit 9'
    e2e_exits 3 "$STAVE" build --progress plain --secret id=s,src=secret c
    e2e_hasnt "message" "$E2E_OUT$E2E_ERR" "$secret"
    if grep -rF "$secret" "$STAVE_ROOT"; then e2e_fail "the secret is in the store"; fi
    # Not even while it runs.
    dockerfile 'RUN --mount=type=secret,id=s --mount=type=cache,target=/c touch /c/started; while [ ! -e /c/end ]; do usleep 20000; done'
    "$STAVE" build -q --secret id=s,src=secret c >/dev/null &
    local pid=$!
    for _ in $(seq 100); do [ -e "$(caches | head -n 1)/data/started" ] && break; sleep 0.05; done
    if grep -rF "$secret" "$STAVE_ROOT"; then e2e_fail "the secret is in the store while it is used"; fi
    touch "$(caches)/data/end"
    wait "$pid"
}

# Whoever prints one by mistake shows stars.
secrets_are_not_shown() {
    begin
    printf 'hidden-%s\n' value >secret
    dockerfile 'RUN --mount=type=secret,id=s cat /run/secrets/s; echo begin-$(cat /run/secrets/s)-end; base64 /run/secrets/s; echo done' \
        'RUN --mount=type=secret,id=s,env=TOKEN,required sh -xc "echo $TOKEN >&2; exit 4"'
    e2e_exits 3 "$STAVE" build --progress plain --secret id=s,src=secret c
    e2e_has "output" "$E2E_ERR" "begin-****-end"
    e2e_has "output" "$E2E_ERR" "done"
    if grep -rE 'hidden-value|aGlkZGVuLXZhbHVl' .e2e-err "$STAVE_ROOT"; then e2e_fail "it is shown"; fi
}

secrets_are_no_part_of_the_key() {
    begin
    dockerfile 'RUN --mount=type=secret,id=s wc -c </run/secrets/s >/n'
    echo one >secret
    build --secret id=s,src=secret
    echo another >secret
    build --secret id=s,src=secret
    e2e_same "another value" "$(grep -c CACHED <<<"$E2E_ERR")" 2
    build
    e2e_same "no value" "$(grep -c CACHED <<<"$E2E_ERR")" 2
    dockerfile 'RUN --mount=type=secret,id=t,target=/run/secrets/s wc -c </run/secrets/s >/n'
    build --secret id=t,src=secret
    e2e_has "another id" "$E2E_ERR" "mount 1 (secret) id changed"
}

secrets_from_everywhere() {
    begin
    dockerfile 'RUN --mount=type=secret,id=s cat /run/secrets/s >/n'
    tree a --no-cache --secret id=s,src=<(printf pipe)
    e2e_same "a pipe" "$(cat a/n)" pipe
    S1=variable tree b --no-cache --secret id=s,env=S1
    e2e_same "a variable" "$(cat b/n)" variable
    s=itself tree d --no-cache --secret id=s
    e2e_same "a variable of that name" "$(cat d/n)" itself
    printf file >s
    tree e --no-cache --secret id=s
    e2e_same "a file of that name" "$(cat e/n)" file
    S1=x tree f --no-cache --secret type=env,id=s,src=S1
    e2e_same "type=env" "$(cat f/n)" x
    printf 'a,b' >'x,y'
    tree g --no-cache --secret '"src=x,y",id=s'
    e2e_same "quoted" "$(cat g/n)" a,b
    e2e_exits 1 "$STAVE" build -q --secret id=s,src=nope c
    e2e_exits 1 "$STAVE" build -q --secret id=s,env=NOPE_NOPE c
    e2e_exits 2 "$STAVE" build -q --secret src=s c
    e2e_exits 2 "$STAVE" build -q --secret id=s,foo=bar c
    e2e_exits 2 "$STAVE" build -q --secret id=s,type=keyring c
    head -c 600000 /dev/zero >big
    e2e_exits 1 "$STAVE" build -q --secret id=s,src=big c
    head -c 500000 /dev/zero >big
    dockerfile 'RUN --mount=type=secret,id=s wc -c </run/secrets/s >/n' 'RUN --mount=type=secret,id=s,env=X true'
    e2e_exits 1 "$STAVE" build -q --secret id=s,src=big c
    e2e_has "a NUL" "$E2E_ERR" "NUL"
}

# --- ssh ---

# with_agent: an agent with one key, and a context with the programs that talk to it
with_agent() {
    begin
    ssh-keygen -q -t ed25519 -N '' -f key
    mkdir agent
    e2e_serve ssh-agent -D -a "$PWD/agent/sock" >/dev/null
    wait_for agent/sock
    export SSH_AUTH_SOCK=$PWD/agent/sock
    ssh-add -q key
    local f
    mkdir -p c/root
    for f in ssh-add ssh-keygen; do
        ldd "$(command -v $f)" | grep -o '/[^ ]*' | while read -r lib; do cp -L --parents "$lib" c/root; done
        cp -L --parents "$(command -v $f)" c/root
    done
    cp key.pub c/key.pub
}

an_agent_lists_and_signs() {
    with_agent
    dockerfile 'COPY root/ /' 'COPY key.pub /key.pub' \
        'RUN --mount=type=ssh /usr/bin/ssh-add -L >/n' \
        'RUN --mount=type=ssh echo data >/data && /usr/bin/ssh-keygen -q -Y sign -n file -f /key.pub /data' \
        'RUN --mount=type=ssh /usr/bin/ssh-add -D 2>&1; /usr/bin/ssh-add -x </dev/null; true' \
        'RUN --mount=type=ssh,id=two,required /usr/bin/ssh-add -L >>/n' \
        'RUN env | grep SSH_AUTH >/env; ls /run/buildkit >>/env 2>&1; true'
    tree t --ssh default --ssh "two=$SSH_AUTH_SOCK"
    e2e_same "keys" "$(cut -d' ' -f1,2 t/n | sort -u)" "$(cut -d' ' -f1,2 key.pub)"
    e2e_same "answers" "$(wc -l <t/n)" 2
    e2e_has "signature" "$(cat t/data.sig)" "BEGIN SSH SIGNATURE"
    e2e_has "the agent has its key still" "$(ssh-add -L)" "$(cut -d' ' -f2 key.pub)"
    e2e_hasnt "another step's variable" "$(cat t/env)" SSH_AUTH_SOCK
    e2e_has "another step's socket" "$(cat t/env)" "No such file"
    e2e_same "left in tmp" "$(find "$STAVE_ROOT/tmp" -mindepth 1 | wc -l)" 0
    e2e_exits 1 "$STAVE" build -q --no-cache --ssh default c
    e2e_has "message" "$E2E_ERR" "the ssh agent 'two' was not given"
}

an_agent_for_another_user() {
    with_agent
    dockerfile 'COPY root/ /' 'USER 1000' 'RUN --mount=type=ssh,uid=1000 /usr/bin/ssh-add -L >/tmp/n' \
        'RUN --mount=type=ssh /usr/bin/ssh-add -L >>/tmp/n 2>&1; true'
    tree t --ssh default
    e2e_same "keys" "$(head -n 1 t/tmp/n | cut -d' ' -f2)" "$(cut -d' ' -f2 key.pub)"
    e2e_has "without uid" "$(cat t/tmp/n)" "Permission denied"
}

ssh_options() {
    with_agent
    dockerfile 'RUN true'
    e2e_exits 2 env -u SSH_AUTH_SOCK "$STAVE" build -q --ssh default c
    e2e_has "message" "$E2E_ERR" "there is no agent"
    e2e_exits 2 "$STAVE" build -q --ssh default=key c
    e2e_has "hint" "$E2E_ERR" "ssh-add"
    e2e_exits 2 "$STAVE" build -q --ssh default --ssh default c
    e2e_exits 1 "$STAVE" build -q --ssh x=nope c
}

# --- privileges ---

insecure_needs_allow() {
    begin
    dockerfile 'RUN echo first >/x' 'RUN --security=insecure echo second >/y'
    e2e_exits 1 "$STAVE" build --progress plain c
    e2e_has "message" "$E2E_ERR" "RUN --security=insecure is not allowed"
    e2e_hasnt "nothing ran" "$E2E_ERR" "echo first >/x"$'\n''#'
    e2e_same "logs" "$(find "$STAVE_ROOT/logs" -name '*.log' | wc -l)" 0
    e2e_exits 2 "$STAVE" build -q --allow device c
    e2e_exits 2 "$STAVE" build -q --allow nonsense c
    printf 'FROM busybox AS no\nRUN --security=insecure true\nFROM busybox\nRUN true\n' >c/Dockerfile
    e2e_exits 0 "$STAVE" build -q c
    # A trigger of a base image is no way around.
    printf 'FROM busybox\nONBUILD RUN --security=insecure true\n' >c/Dockerfile
    e2e_exits 0 "$STAVE" build -q -t trap c
    printf 'FROM trap\n' >c/Dockerfile
    e2e_exits 1 "$STAVE" build -q c
    e2e_exits 0 "$STAVE" build -q --allow security.insecure c
}

insecure_is_insecure() {
    begin
    dockerfile 'RUN --security=insecure grep -E "^(CapBnd|CapEff|Seccomp):" /proc/self/status >/n; mount -t tmpfs x /mnt || mkdir /mnt && mount -t tmpfs x /mnt; echo "$?" >>/n; dd if=/dev/kmsg of=/dev/null bs=1 count=0 2>/dev/null; ls /dev/loop-control >>/n; test -w /proc/sys/kernel/core_pattern && echo rw >>/n' \
        'RUN grep -E "^(CapBnd|Seccomp):" /proc/self/status >>/n'
    tree t --allow security.insecure
    e2e_has "filter" "$(cat t/n)" "Seccomp:	0"
    e2e_has "capabilities" "$(cat t/n)" "$(grep CapEff /proc/self/status)"
    e2e_has "a mount" "$(cat t/n)" $'\n0\n'
    e2e_has "/proc/sys" "$(cat t/n)" rw
    e2e_has "the next RUN is as always" "$(cat t/n)" "CapBnd:	00000000a80425fb"
    e2e_has "the next RUN is as always" "$(tail -n 1 t/n)" "Seccomp:	2"
}

network_of_a_run() {
    begin
    dockerfile 'RUN ls /sys/class/net | wc -l >/n' 'RUN --network=none ls /sys/class/net >>/n'
    tree t
    e2e_same "none" "$(tail -n 1 t/n)" lo
    dockerfile 'RUN --network=host true'
    build
    e2e_exits 1 "$STAVE" build -q --network none c
    e2e_has "message" "$E2E_ERR" "--allow network.host"
    build --network none --allow network.host
}

for name in survives_no_cache is_no_part_of_the_key goes_with_prune goes_for_the_cap is_not_pruned_while_in_use \
    locked_one_after_another locked_between_stages locked_in_any_order shared_at_the_same_time private_has_its_own \
    waiting_is_interrupted a_killed_fill_leaves_nothing ids_are_no_paths namespaces_keep_caches_apart \
    the_context_stays_as_it_is a_plain_context_is_no_copy what_is_mounted_is_in_the_key an_equal_stage_disturbs_nobody \
    a_context_that_changes_is_not_recorded nothing_else_is_mounted links_stay_inside a_moved_stub_touches_no_host_file \
    swapped_while_mounted secrets_are_found_nowhere secrets_are_not_shown secrets_are_no_part_of_the_key secrets_from_everywhere \
    an_agent_lists_and_signs an_agent_for_another_user ssh_options insecure_needs_allow insecure_is_insecure \
    network_of_a_run; do
    e2e_case "$name" "$name"
done
e2e_summary e2e-mount
