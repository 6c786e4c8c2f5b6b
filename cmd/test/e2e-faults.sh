#!/usr/bin/env bash
# e2e-faults.sh: pull, push and login over bad networks (RELIABILITY 3.2): each line of testdata/registry/faults is a
# case. Between stave and a docker-registry stands a proxy of its own (testdata/registry/faultd.py), which fails as the
# line says. The case ends by success, or with the status and the message that the line wants, in its time; nothing half
# is visible then; and the same command, once the network is well, sends and fetches nothing that had arrived before.
# packages: docker-registry curl jq openssl python3 python3-h2 util-linux iproute2
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

# Most of a case's time is waiting; so many wait at a time.
JOBS=${E2E_FAULT_JOBS:-20}
# The limits of stave-registries(5), shortened for all but the cases that want them as they are.
STALL=5
CONNECT=2

serve_registry() {
    local name=$1 dir=$E2E_TMP/$1 port
    shift
    port=$(e2e_free_port)
    mkdir -p "$dir"
    {
        echo 'version: 0.1'
        echo 'log: {level: error, accesslog: {disabled: true}}'
        echo "storage: {filesystem: {rootdirectory: $E2E_TMP/data}, delete: {enabled: true}}"
        echo 'http:'; echo "  addr: 127.0.0.1:$port"
        printf '%s\n' "$@"
    } >"$dir/config.yml"
    e2e_serve docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1
    printf -v "$name" %s "$port"
    for ((i = 0; i < 100; i++)); do
        curl -s -o /dev/null "http://127.0.0.1:$port/v2/" && return 0
        sleep 0.05
    done
    e2e_die "no registry at port $port"
}

# An authority, and what it and others sign: NAME.pem with its key.
make_cert() {
    local name=$1 alt=$2 days=$3 ca=$4
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$alt" >ext
    openssl x509 -req -in "$name.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -days "$days" -extfile ext -out "$name.crt" 2>/dev/null
    cat "$name.crt" "$name.key" >"$name.pem"
}

make_certs() {
    CERTS=$E2E_TMP/certs
    mkdir "$CERTS"
    cd "$CERTS"
    for ca in ca others; do
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$ca" -keyout "$ca.key" -out "$ca.crt" 2>/dev/null
    done
    make_cert good IP:127.0.0.1,DNS:localhost 2 ca
    make_cert elsewhere DNS:elsewhere.test 2 ca
    make_cert stranger IP:127.0.0.1,DNS:localhost 2 others
    # One that ended yesterday: openssl x509 knows no dates, but days below zero.
    make_cert expired IP:127.0.0.1,DNS:localhost -1 ca
    cd "$E2E_TMP"
}

# A large layer, which goes in a PATCH, and a small one, which goes with its PUT; in the registry as pull/t:1.
make_image() {
    mkdir ctx
    printf 'FROM scratch\nCOPY a /\nCOPY b /\nCMD ["/a"]\n' >ctx/Dockerfile
    head -c 2000000 /dev/urandom >ctx/a
    head -c 100000 /dev/urandom >ctx/b
    export STAVE_ROOT=$E2E_TMP/image
    "$STAVE" build -q -t "127.0.0.1:$PLAIN/pull/t:1" ctx >/dev/null
    "$STAVE" push -q "127.0.0.1:$PLAIN/pull/t:1" >/dev/null
    IMAGE=127.0.0.1:$PLAIN/pull/t:1
    IMAGE_ID=$("$STAVE" images -q --no-trunc)
    curl -sS -H 'Accept: application/vnd.oci.image.manifest.v1+json' -o manifest "http://127.0.0.1:$PLAIN/v2/pull/t/manifests/1"
    MANIFEST=sha256:$(sha256sum <manifest | cut -d' ' -f1)
    read -r BIG BIG_SIZE SMALL SMALL_SIZE CONFIG CONFIG_SIZE < <(jq -r '[.layers[], .config] | map("\(.digest) \(.size)") | join(" ")' manifest)
    unset STAVE_ROOT
}

control() { curl -sS --fail-with-body --data-binary @- "http://127.0.0.1:$CONTROL/$1"; }

# sum LOG FIELD METHOD PATTERN: the bytes of these requests.
sum() {
    awk -v field="$2=" -v method="$3" -v pattern="$4" '$1 == method && $2 ~ pattern && (method != "GET" || $3 ~ /^2/) {
        for (i = 4; i <= 5; i++) if (index($i, field) == 1) n += substr($i, length(field) + 1) } END { print n + 0 }' "$1"
}

has() { case " $HOW " in *" $1 "*) return 0 ;; *) return 1 ;; esac }
setting() { local w; for w in $HOW; do case $w in "$1"=*) echo "${w#*=}"; return ;; esac; done; echo "$2"; }

can_unshare() { [ -n "$CAN_UNSHARE" ]; }

# What the command is run with: the names and addresses of a machine of its own, where the case is about those.
as_machine() {
    if has no-name; then
        unshare -rn -- "$@"
    elif has mute-name; then
        # Something listens at the name server's port and never answers.
        # shellcheck disable=SC2016
        RES_OPTIONS='timeout:1 attempts:1' unshare -rnm -- sh -c 'ip link set lo up; echo "nameserver 127.0.0.1" >resolv.conf
            mount --bind resolv.conf /etc/resolv.conf; python3 -c "
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"127.0.0.1\", 53)); print(flush=True); time.sleep(60)" >bound & p=$!
            while ! [ -s bound ]; do sleep 0.02; done; rc=0; "$@" || rc=$?; kill $p; exit $rc' sh "$@"
    elif has two-addresses; then
        # shellcheck disable=SC2016
        unshare -rm -- sh -c 'printf "::1 localhost\n127.0.0.1 localhost\n" >hosts; mount --bind hosts /etc/hosts; exec "$@"' sh "$@"
    else
        "$@"
    fi
}

# One run of the command; sets RC and TOOK_MS.
attempt() {
    local before=$EPOCHREALTIME
    RC=0
    case $VERB in
        pull) as_machine "$STAVE" pull -q "$REF" ;;
        push) as_machine "$STAVE" push -q "$REF" ;;
        login) as_machine "$STAVE" login -u user --password-stdin "$HOST" < <(echo secret) ;;
    esac >out 2>err || RC=$?
    TOOK_MS=$(((${EPOCHREALTIME/./} - ${before/./}) / 1000))
}

# Is there all, or nothing?
check_whole() {
    local is_done=$1 tag
    case $VERB in
        pull) e2e_same 'images' "$("$STAVE" images -q --no-trunc)" "$([ "$is_done" = 1 ] && echo "$IMAGE_ID")" ;;
        push)
            tag=$(curl -sS -o /dev/null -I -w '%header{docker-content-digest}' -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
                "http://127.0.0.1:$PLAIN/v2/$REPO/manifests/1")
            e2e_same 'the tag there' "$tag" "$([ "$is_done" = 1 ] && echo "$MANIFEST")" ;;
        login)
            [ "$is_done" = 1 ] || ! [ -e .docker ] || e2e_fail 'a login was kept'
            [ "$is_done" = 0 ] || e2e_same 'mode' "$(stat -c %a .docker/config.json)" 600
            return 0 ;;
    esac
    "$STAVE" fsck >fsck.out 2>&1 || e2e_fail "fsck: $(cat fsck.out)"
    e2e_same 'left in tmp' "$(ls "$STAVE_ROOT/tmp")" ''
}

# What the proxy began it has noted: a connection's end reaches it after us.
settle() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ "$(grep -c '^# [A-Z]* /' "$LOG")" -gt "$(grep -c '^[A-Z].* gave=[0-9]* [^-]' "$LOG")" ] || return 0
        sleep 0.05
    done
}

# Blobs that had come, or gone, whole and without a fault go no second time.
check_second() {
    local digest size
    settle
    sed '/^off$/,$d' "$LOG" >first
    sed '1,/^off$/d' "$LOG" >second
    if [ "$VERB" = pull ]; then
        for digest in "$BIG $BIG_SIZE" "$SMALL $SMALL_SIZE" "$CONFIG $CONFIG_SIZE"; do
            size=${digest#* } digest=${digest% *}
            if grep -q "^GET .*/$digest 20. took=0 gave=$size -$" first; then
                e2e_same "bytes of $digest fetched again" "$(sum second gave GET "$digest")" 0
            fi
        done
    elif [ "$VERB" = push ]; then
        # What the registry has now, it got once: in both runs together.
        size=$(($(awk '$1 == "PUT" && $2 ~ /blobs/ && $3 == 201 { n++ } END { print n + 0 }' first) + \
            $(awk '$1 == "PUT" && $2 ~ /blobs/ && $3 == 201 { n++ } END { print n + 0 }' second)))
        [ "$size" -le 3 ] || e2e_fail "$size blobs were sent, of 3"
    fi
}

# All bytes went over the network once, though it broke.
check_exact() {
    settle
    case $VERB in
        pull) e2e_same 'bytes fetched' "$(sum "$LOG" gave GET /blobs/)" "$((BIG_SIZE + SMALL_SIZE + CONFIG_SIZE))" ;;
        push) e2e_same 'bytes sent' "$(($(sum "$LOG" took PATCH /blobs/) + $(sum "$LOG" took PUT /blobs/)))" "$((BIG_SIZE + SMALL_SIZE + CONFIG_SIZE))" ;;
    esac
}

run_case() {
    local lines port registry=$PLAIN
    REPO=$VERB/$N HOST='' LOG=$E2E_TMP/log/$N
    [ "$VERB" != pull ] || REPO=pull/t
    export STAVE_ROOT=$PWD/store HOME=$PWD
    if ! has default-limits; then export STAVE_HTTP_STALL_TIMEOUT=$STALL STAVE_HTTP_CONNECT_TIMEOUT=$CONNECT; fi
    if has token || [ "$VERB" = login ]; then registry=$WITH_TOKEN; fi
    has tls || has h2 && export SSL_CERT_FILE=$CERTS/ca.crt
    lines=${LINES_OF//\{big\}/$BIG}
    lines=${lines//\{small\}/$SMALL}
    lines=${lines//\{config\}/$CONFIG}
    {
        echo "to $registry"
        if has tls; then echo tls; fi
        if has h2; then echo h2; fi
        tr ';' '\n' <<<"$lines" | sed 's/^ *//'
    } | control "$N" >port || e2e_fail "faultd: $(cat port)"
    port=$(cat port)
    HOST=127.0.0.1:$port
    has two-addresses && HOST=localhost:$port
    has no-name || has mute-name && HOST=nobody.invalid:$port
    has closed && HOST=127.0.0.1:1
    REF=$HOST/$REPO:1
    if [ "$VERB" = push ]; then
        cp -a "$E2E_TMP/image" "$STAVE_ROOT"
        "$STAVE" tag "$IMAGE" "$REF" >/dev/null
    fi
    # With tokens a push needs a login, and a pull of what is not public.
    if has token && [ "$VERB" != login ]; then
        mkdir .docker
        printf '{"auths":{"%s":{"auth":"%s"}}}' "$HOST" "$(printf user:secret | base64)" >.docker/config.json
        chmod 600 .docker/config.json
    fi
    attempt
    FIRST_MS=$TOOK_MS
    [ "$TOOK_MS" -le $(($(setting time 45) * 1000)) ] || e2e_fail "took $TOOK_MS ms"
    case $WANT in
        retry | fine) [ "$RC" -eq 0 ] || e2e_fail "status $RC: $(cat err)" ;;
        *)
            [ "$RC" -eq "$WANT" ] || e2e_fail "status $RC instead of $WANT: $(cat out err)"
            e2e_has 'the host' "$(cat err)" "$HOST"
            if [ "$VERB" = login ]; then e2e_has 'the object' "$(cat err)" 'logging in'; else e2e_has 'the object' "$(cat err)" "$REPO"; fi
            e2e_has 'the reason' "$(cat err)" "$PART" ;;
    esac
    if grep -q secret out err; then e2e_fail 'the password is shown'; fi
    if [ -n "$LINES_OF" ]; then grep -q '^# .* meets ' "$LOG" || [ "$WANT" = fine ] || e2e_fail 'the fault did not happen'; fi
    if [ "$RC" -eq 0 ]; then check_whole 1; else check_whole 0; fi
    has exact && check_exact
    # Where the network can become well, it does.
    if [ "$RC" -ne 0 ] && [ "$HOST" = "127.0.0.1:$port" ] && ! has hopeless; then
        control "$N/off" </dev/null
        attempt
        [ "$RC" -eq 0 ] || e2e_fail "the second try: status $RC: $(cat err)"
        check_whole 1
        check_second
    fi
    return 0
}

# One line of the table, in a directory of its own.
start_case() {
    local dir=$E2E_TMP/case-$N rc
    mkdir "$dir"
    set +e
    (
        set -e
        trap - EXIT
        cd "$dir"
        run_case
        echo "$FIRST_MS" >"$dir.ms"
    ) >"$dir.out" 2>&1 </dev/null
    rc=$?
    set -e
    if [ "$rc" -eq 0 ]; then
        echo "ok $VERB: $NAME ($WANT, $(cat "$dir.ms") ms)" >"$dir.result"
    else
        echo "FAILED $VERB: $NAME: $(tail -n 12 "$dir.out")" >"$dir.result"
        sed 's/^/    /' "$E2E_TMP/log/$N" 2>/dev/null | tail -n 40 >>"$dir.result"
    fi
    rm -rf --one-file-system "$dir"
}

trim() { local s=$1; s=${s#"${s%%[! ]*}"}; echo "${s%"${s##*[! ]}"}"; }

# A line of the table, where it is one of this turn.
take_line() {
    local turn=$1 fields
    IFS='|' read -ra fields <<<"$2"
    N=$((N + 1))
    VERB=$(trim "${fields[0]}") NAME=$(trim "${fields[1]}") WANT=$(trim "${fields[2]}") HOW=$(trim "${fields[3]}")
    PART=$(trim "${fields[4]}") LINES_OF=$(trim "${fields[5]-}")
    # shellcheck disable=SC2053 # a pattern
    [[ "$VERB: $NAME" == ${E2E_ONLY:-*} ]] || return 1
    if ! can_unshare && { has no-name || has mute-name || has two-addresses; }; then
        [ "$turn" = slow ] || { echo "skipped $VERB: $NAME: no namespaces here"; E2E_SKIPPED=$((E2E_SKIPPED + 1)); }
        return 1
    fi
    case $turn/$HOW in slow/*time=[3-9][0-9]*) ;; slow/*) return 1 ;; quick/*time=[3-9][0-9]*) return 1 ;; esac
}

# Those that wait longest first.
run_all() {
    local n_running=0 line turn
    for turn in slow quick; do
        N=0
        while IFS= read -r line; do
            case $line in '' | '#'*) continue ;; esac
            take_line $turn "$line" || continue
            if ((n_running >= JOBS)); then
                wait -n || true
                n_running=$((n_running - 1))
            fi
            start_case &
            CASES+=($!)
            n_running=$((n_running + 1))
            STARTED+=("$N $WANT")
        done <"$E2E_TOP/testdata/registry/faults"
    done
}

# What was started has ended; the results in the order of the table.
report() {
    local entry n want n_retry=0 n_fine=0 n_refused=0
    wait "${CASES[@]}" || true
    mapfile -t STARTED < <(printf '%s\n' "${STARTED[@]}" | sort -n)
    for entry in "${STARTED[@]}"; do
        n=${entry% *} want=${entry#* }
        cat "$E2E_TMP/case-$n.result"
        if grep -q '^ok ' "$E2E_TMP/case-$n.result"; then
            E2E_PASSED=$((E2E_PASSED + 1))
            case $want in
                retry) n_retry=$((n_retry + 1)) ;;
                fine) n_fine=$((n_fine + 1)) ;;
                *) n_refused=$((n_refused + 1)) ;;
            esac
        else
            E2E_FAILED=$((E2E_FAILED + 1))
        fi
    done
    echo "${#STARTED[@]} cases: $n_retry by retry, $n_fine without one, $n_refused refused as documented, in $SECONDS s"
}

suite() {
    local port
    e2e_tmp
    STARTED=() CASES=() CAN_UNSHARE=
    ! unshare -rnm ip link set lo up 2>/dev/null || CAN_UNSHARE=1
    mkdir "$E2E_TMP/log"
    make_certs
    port=$(e2e_free_port)
    serve_registry PLAIN
    e2e_serve python3 "$E2E_TOP/testdata/registry/tokend.py" "$port" "$CERTS/ca.key" "$CERTS/ca.crt" "$E2E_TMP/token.log"
    serve_registry WITH_TOKEN \
        "auth: {token: {realm: 'http://127.0.0.1:$port/token', service: registry, issuer: stave-test, rootcertbundle: $CERTS/ca.crt}}"
    CONTROL=$(e2e_free_port)
    e2e_serve /usr/bin/python3 "$E2E_TOP/testdata/registry/faultd.py" "$CONTROL" "$port" "$CERTS" "$E2E_TMP/log" >"$E2E_TMP/faultd.log" 2>&1
    for ((i = 0; i < 100; i++)); do
        curl -s -o /dev/null "http://127.0.0.1:$CONTROL/" && break
        sleep 0.05
    done
    make_image
    run_all
    report
    if grep -q Traceback "$E2E_TMP/faultd.log"; then
        tail -n 30 "$E2E_TMP/faultd.log"
        E2E_FAILED=$((E2E_FAILED + 1))
    fi
    e2e_summary e2e-faults
}

suite
