#!/usr/bin/env bash
# e2e-registry-security.sh: THREATS 1.3 (C01 to C22) from the outside: registries that lie (testdata/registry/hostiled.py),
# broken TLS, proxies; and where a password or token of a login is found afterwards: nowhere but where it belongs.
# packages: docker-registry busybox-static python3 perl openssl jq strace bsdutils
# Each case is a subshell of its own; labels have dollars.
# shellcheck disable=SC2030,SC2031,SC2016
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT

# Nothing of the user's is read.
unset DOCKER_AUTH_CONFIG DOCKER_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR SSL_CERT_FILE SSL_CERT_DIR
unset http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY

DATA=$E2E_TOP/testdata/registry
PASSWORD=Zk7-qX2mLpW9
PASSWORD_B64=$(printf 'user:%s' "$PASSWORD" | base64 -w0)

# Wait until somebody listens at the port.
wait_port() {
    local i
    for ((i = 0; i < 200; i++)); do
        (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
        sleep 0.02
    done
    e2e_die "nobody listens at port $1"
}

# ---- registries that lie ----------------------------------------------

# refused STATUS REPOSITORY PART: the pull ends with that status, says PART and which image it was, and leaves no image.
refused() {
    e2e_exits "$1" "$STAVE" pull "$HOSTILE/$2:1"
    e2e_has "$2" "$E2E_ERR" "$3"
    e2e_has "$2: the name" "$E2E_ERR" "$HOSTILE/$2"
    [ -z "$("$STAVE" images -q)" ] || e2e_fail "$2: an image is there"
    # No byte of the terminal's language comes through.
    if grep -q $'[\033\007]' .e2e-err; then e2e_fail "$2: control characters in the message"; fi
}

# C01
foreign_layers() {
    : >"$ELSEWHERE_LOG"
    refused 4 foreign-oci 'layers[0] is a foreign layer'
    refused 4 foreign-docker 'layers[0] is a foreign layer'
    # Places beside the registry are not even asked for an ordinary layer.
    e2e_exits 0 "$STAVE" pull -q "$HOSTILE/urls:1"
    e2e_same 'requests elsewhere' "$(<"$ELSEWHERE_LOG")" ''
}

# C02, C08: nothing secret goes along, and a 401 from there asks us for nothing.
moved_blobs() {
    mkdir .docker
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$HOSTILE" "$PASSWORD_B64" >.docker/config.json
    chmod 600 .docker/config.json
    : >"$ELSEWHERE_LOG"
    HOME=$PWD refused 5 moved 'answered 401'
    e2e_has 'it was asked' "$(<"$ELSEWHERE_LOG")" 'GET /elsewhere/blob'
    e2e_hasnt 'with our password' "$(<"$ELSEWHERE_LOG")" Basic
}

# C08
lies() {
    refused 1 flipped 'the bytes that came are others'
    refused 1 long 'the answer is larger than'
    refused 4 short 'is cut off'
    e2e_exits 1 "$STAVE" pull "$HOSTILE/other-digest@sha256:$(printf 'x%.0s' {1..64} | tr x 0)"
    e2e_has 'manifest' "$E2E_ERR" 'it is not what was asked for'
    # The digest of a header is no reason to believe it, nor one to refuse the bytes.
    e2e_exits 0 "$STAVE" pull -q "$HOSTILE/header:1"
}

# C09
media_types() {
    refused 4 both "both 'layers' and 'manifests'"
    refused 4 both-index 'is not the media type that belongs here'
    refused 4 announced 'but '\''application/vnd.oci.image.index.v1+json'\'' was announced'
    # Where its child is not here already.
    STAVE_ROOT=$PWD/empty refused 4 announced-child 'its index says'
}

# C10
diff_ids() {
    refused 1 diff-id 'but the image'\''s config promises'
    refused 4 diff-count '2 layers and 1 diff IDs'
    # Both layers are here: each is the other one's diff ID.
    "$STAVE" pull -q "$HOSTILE/good:1" >/dev/null
    e2e_exits 1 "$STAVE" pull "$HOSTILE/swapped:1"
    e2e_has 'swapped' "$E2E_ERR" 'but the image'\''s config promises'
    e2e_same 'images' "$("$STAVE" images -q | wc -l)" 1
    e2e_exits 0 "$STAVE" fsck
}

# resident COMMAND...: run it; the most memory that it ever had, in KiB, goes to the file "resident".
resident() {
    python3 -c 'import os, subprocess, sys
p = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(p.pid, 0)
open("resident", "w").write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))' "$@"
}

# C11
json_bounds() {
    refused 1 deep 'nested deeper than 64'
    refused 4 twice 'duplicate object key'
    refused 4 nul 'not valid JSON'
    refused 4 number 'not valid JSON'
    refused 4 negative 'is not a number from 0'
    refused 4 escape 'not valid JSON'
    refused 4 escape-type 'is a foreign layer'
    local name
    for name in huge huge-error huge-config huge-layer deep; do
        e2e_exits 1 resident "$STAVE" pull "$HOSTILE/$name:1"
        [ "$(<resident)" -lt 32768 ] || e2e_fail "$name: $(<resident) KiB"
        RESIDENT+=" $name $(<resident)"
    done
    echo "KiB:$RESIDENT" >&2
}

# C12
indexes() {
    refused 1 nest-5 'nested more than 4 deep'
    refused 1 itself 'it is not what was asked for'
    refused 1 many '10001 manifests are more than the limit of 10000'
    e2e_exits 0 "$STAVE" pull -q "$HOSTILE/nest-4:1"
}

# C13
platforms() {
    [ "$(uname -m)" != s390x ] || e2e_skip 'this is that other platform'
    refused 1 others ', but for: windows/amd64, linux/s390x, linux/arm/v6'
    refused 1 unknown ' and no other'
    refused 1 empty ' and no other'
    # The same index, but not the same image.
    local p
    for p in amd64 s390x amd64; do
        STAVE_ROOT=$PWD/third e2e_exits 0 "$STAVE" pull --platform "linux/$p" "$HOSTILE/two:1"
        e2e_same "$p" "$(STAVE_ROOT=$PWD/third "$STAVE" inspect --platform "linux/$p" -f '{{.Architecture}}' "$HOSTILE/two:1")" "$p"
    done
    e2e_exits 1 "$STAVE" pull --platform linux/amd64 "$HOSTILE/other:1"
    e2e_has 'asked for' "$E2E_ERR" 'the image has nothing for linux/amd64, but for: linux/s390x'
    e2e_exits 0 "$STAVE" pull "$HOSTILE/other:1"
    e2e_has 'not asked for' "$E2E_ERR" 'warning: the image is for linux/s390x, not for'
    printf 'FROM %s/other:1\nLABEL a=b\n' "$HOSTILE" >Dockerfile
    STAVE_ROOT=$PWD/second e2e_exits 0 "$STAVE" build .
    e2e_has 'FROM' "$E2E_ERR" 'is not for linux/'
}

# C21
poisoned_tags() {
    local old new
    mkdir ctx
    printf 'FROM scratch\nCOPY a /\n' >ctx/Dockerfile
    echo 1 >ctx/a
    "$STAVE" build -q -t mine:1 -t other:1 ctx >/dev/null
    new=$("$STAVE" inspect -f '{{.Id}}' mine:1)
    "$STAVE" save -o two.tar mine:1 other:1
    export STAVE_ROOT=$PWD/second
    echo 2 >ctx/a
    "$STAVE" build -q -t mine:1 -t theirs:1 ctx >/dev/null
    old=$("$STAVE" inspect -f '{{.Id}}' mine:1)
    for quiet in '' -q; do
        # shellcheck disable=SC2086 # an option or nothing
        e2e_exits 0 "$STAVE" load $quiet -i two.tar
        if [ -z "$quiet" ]; then
            e2e_same 'what moves' "$E2E_ERR" "warning: docker.io/library/mine:1 moves from $old to $new"
            e2e_same 'what is there now' "$(sort <<<"$E2E_OUT")" $'Loaded image: mine:1\nLoaded image: other:1'
        fi
        "$STAVE" tag theirs:1 mine:1
    done
    e2e_same 'what moves, quietly' "$E2E_ERR" "warning: docker.io/library/mine:1 moves from $old to $new"
    e2e_same 'what is not named' "$("$STAVE" inspect -f '{{.Id}}' theirs:1)" "$old"
}

# C22
hostile_labels() {
    local out=all.out
    "$STAVE" pull -q "$HOSTILE/labels:1" >/dev/null
    printf 'FROM %s/labels:1\nCOPY Dockerfile /x\nLABEL "$(touch hostile-ran)"="%%n%%s" b="a\\\nb"\n' "$HOSTILE" >Dockerfile
    {
        "$STAVE" build -t built --iidfile id --metadata-file meta.json .
        "$STAVE" build --progress=rawjson -t built .
        "$STAVE" images
        "$STAVE" images --format '{{.Repository}} {{.ID}}'
        "$STAVE" history --no-trunc built
        "$STAVE" inspect -f '{{json .Config.Labels}}' built
        script -qec "$STAVE inspect -f '{{.Config.Labels}} {{.Config.Labels.escape}}' built" /dev/null </dev/null
        script -qec "$STAVE images --format '{{.Repository}}'" /dev/null </dev/null
        "$STAVE" images --filter 'label=command'
        "$STAVE" tag built "$PLAIN/labels:1"
        "$STAVE" push "$PLAIN/labels:1"
        "$STAVE" why Dockerfile || true
        "$STAVE" save -o labels.tar built
        "$STAVE" load -i labels.tar
    } >"$out" 2>&1 || e2e_fail "$(tail -n 5 "$out")"
    [ -z "$(find . -name hostile-ran)" ] || e2e_fail 'a label was run'
    # Of a label's bytes only printable ones reach the terminal.
    if grep -q $'[\033\007]' "$out"; then e2e_fail "control characters: $(grep -a $'[\033\007]' "$out" | head -n 3 | cat -v)"; fi
    e2e_same 'kept as they are' "$("$STAVE" inspect -f '{{json .Config.Labels}}' built | jq -r .format)" '%n%s%n%s%n'
    e2e_same 'for programs' "$("$STAVE" inspect -f '{{.Config.Labels.escape}}' built)" $'\033[2J\033]0;x\007'
    e2e_same 'a line' "$("$STAVE" inspect -f '{{json .Config.Labels}}' built | jq -c .line)" '"a\nb"'
}

# ---- TLS (C05) ----------------------------------------------------------

# certificate NAME SUBJECT_ALT_NAME [OPTION...]: NAME.pem and NAME.key, signed by the authority ca.
certificate() {
    local name=$1 san=$2
    shift 2
    openssl req -newkey rsa:2048 -nodes -subj /CN=stave-test -keyout "$CERTS/$name.key" -out "$CERTS/csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$san" >"$CERTS/ext"
    openssl x509 -req -in "$CERTS/csr" -CA "$CERTS/ca.crt" -CAkey "$CERTS/ca.key" -CAcreateserial -extfile "$CERTS/ext" \
        -out "$CERTS/$name.pem" "$@" 2>/dev/null
}

make_certs() {
    CERTS=$E2E_TMP/certs
    mkdir -p "$CERTS"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stave-test-ca -keyout "$CERTS/ca.key" -out "$CERTS/ca.crt" 2>/dev/null
    certificate good "IP:127.0.0.1,DNS:registry.test,DNS:localhost" -days 2
    certificate other "DNS:other.test" -days 2
    certificate expired "IP:127.0.0.1" -days -1
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$CERTS/selfsigned.key" -out "$CERTS/selfsigned.pem" 2>/dev/null
}

# tls_refused KIND CERTIFICATE HOST PART: the message says PART, nothing was understood, and nothing came in clear.
tls_refused() {
    local port log=$PWD/tls.log
    port=$(e2e_free_port)
    : >"$log"
    e2e_serve python3 "$DATA/tlsd.py" "$port" "$log" "$1" "$CERTS/$2.pem" "$CERTS/$2.key"
    wait_port "$port"
    # It does speak it, to those who still want to.
    [ "$1" != old ] || openssl s_client -connect "127.0.0.1:$port" -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>/dev/null |
        grep -q '^ *Protocol *: TLSv1.1' || e2e_fail 'openssl has no TLS 1.1'
    : >"$log"
    e2e_exits 4 env SSL_CERT_FILE="$CERTS/ca.crt" HOME="$PWD" "$STAVE" pull "$3:$port/t:1"
    e2e_has "$1 $2" "$E2E_ERR" "$4"
    echo "$PASSWORD" | e2e_exits 4 env SSL_CERT_FILE="$CERTS/ca.crt" HOME="$PWD" "$STAVE" login -u user --password-stdin "$3:$port"
    e2e_has "$1 $2: it was asked" "$(<"$log")" tls
    e2e_hasnt "$1 $2: in clear" "$(<"$log")" clear
    e2e_hasnt "$1 $2: it was understood" "$(<"$log")" request
    [ ! -e .docker ] || e2e_fail "$1 $2: something was kept"
}

broken_tls() {
    tls_refused tls selfsigned 127.0.0.1 certificate
    tls_refused tls expired 127.0.0.1 'certificate has expired'
    tls_refused tls other 127.0.0.1 'certificate subject name'
    tls_refused old good 127.0.0.1 ''
    # At an address that is not this machine's own nothing but TLS will do.
    local address
    address=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -m 1 '^[0-9.]*$' || true)
    [ -z "$address" ] || tls_refused plain good "$address" ''
}

# ---- proxies (C20) --------------------------------------------------------

# proxied PULL...: what came to the proxy and to the registry, in $PROXY_LOG and $TLS_LOG.
proxied() {
    : >"$PROXY_LOG"
    : >"$TLS_LOG"
    env HOME="$PWD" SSL_CERT_FILE="$CERTS/ca.crt" "$@"
}

proxies() {
    local registry=registry.test:5443 port
    local proxy login=$PASSWORD_B64
    port=$(e2e_free_port)
    PROXY_LOG=$PWD/proxy.log
    e2e_serve python3 "$DATA/proxyd.py" "$port" "$PROXY_LOG" "$TLS_PORT"
    wait_port "$port"
    proxy=http://puser:Prox7-pw@127.0.0.1:$port
    mkdir .docker
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$registry" "$login" >.docker/config.json
    # https goes by HTTPS_PROXY, and each of the two sees its own login only.
    e2e_exits 0 proxied HTTPS_PROXY="$proxy" "$STAVE" pull -q "$registry/locked:1"
    e2e_has 'the proxy' "$(<"$PROXY_LOG")" "CONNECT $registry HTTP"
    e2e_has 'the proxy' "$(<"$PROXY_LOG")" "Proxy-Authorization: Basic $(printf 'puser:Prox7-pw' | base64)"
    e2e_hasnt 'the proxy' "$(<"$PROXY_LOG")" "$login"
    e2e_has 'the registry' "$(<"$TLS_LOG")" "Basic $login"
    e2e_hasnt 'the registry' "$(<"$TLS_LOG")" "$(printf 'puser:Prox7-pw' | base64)"
    # Not by http_proxy, nor where NO_PROXY names it: then the name is not known.
    e2e_exits 4 proxied http_proxy="$proxy" HTTP_PROXY="$proxy" "$STAVE" pull "$registry/good:1"
    e2e_same 'http_proxy' "$(<"$PROXY_LOG")" ''
    for no in registry.test .test '*' 'other.test, registry.test'; do
        e2e_exits 4 proxied https_proxy="$proxy" no_proxy="$no" "$STAVE" pull "$registry/good:1"
        e2e_same "no_proxy=$no" "$(<"$PROXY_LOG")" ''
    done
    # A proxy that wants another login: neither is shown.
    e2e_exits 4 proxied HTTPS_PROXY="http://nobody:Prox7-pw@127.0.0.1:$port" "$STAVE" -D pull "$registry/good:1"
    e2e_hasnt 'the message' "$E2E_ERR$E2E_OUT" Prox7
    e2e_same 'the registry' "$(<"$TLS_LOG")" ''
    # What the proxy hides: a place for tokens that is an address of this network is not asked for one (C03).
    : >"$HOSTILE_LOG"
    for realm in literal localhost; do
        e2e_exits 5 proxied HTTPS_PROXY="$proxy" "$STAVE" pull "$registry/realm-$realm:1"
        e2e_has "$realm" "$E2E_ERR" 'private address'
    done
    e2e_hasnt 'the proxy' "$(<"$PROXY_LOG")" 'CONNECT 169.254'
    e2e_hasnt 'the proxy' "$(<"$PROXY_LOG")" 'CONNECT localhost'
}

# Those of docker's config.json are build arguments, which are in no image.
docker_proxies() {
    export HOME=$PWD
    mkdir .docker ctx
    echo '{"proxies":{"default":{"httpProxy":"http://user:Prox7-pw@p.test:1","httpsProxy":"http://unused.test","noProxy":"n.test"}}}' >.docker/config.json
    cp "$(command -v busybox)" ctx/busybox
    printf 'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "sh", "-c", "echo $http_proxy $HTTP_PROXY $no_proxy,$HTTPS_PROXY"]\n' >ctx/Dockerfile
    e2e_exits 0 "$STAVE" build --progress=plain --build-arg HTTPS_PROXY=http://other.test -t t ctx
    e2e_has 'the step' "$E2E_ERR" 'http://user:Prox7-pw@p.test:1 http://user:Prox7-pw@p.test:1 n.test,http://other.test'
    e2e_hasnt 'no warning' "$E2E_ERR" warning
    if grep -raq Prox7 .store/blobs .store/meta.db*; then e2e_fail 'the proxy is kept'; fi
    echo '{"proxies":' >.docker/config.json
    e2e_exits 0 "$STAVE" build -t t ctx
    e2e_has 'broken' "$E2E_ERR" "warning: the proxies of docker's configuration are not used"
}

# ---- where a secret may be --------------------------------------------------

# serve DIR LINE...: a docker-registry whose configuration has these lines behind "http:"; sets E2E_REGISTRY.
serve() {
    local dir=$1 port
    port=$(e2e_free_port)
    shift
    mkdir -p "$dir"
    {
        printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n'
        printf 'storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\n' "$dir"
        printf 'http:\n  addr: 127.0.0.1:%s\n' "$port"
        printf '%s\n' "$@"
    } >"$dir/config.yml"
    e2e_serve docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1
    wait_port "$port"
    E2E_REGISTRY=127.0.0.1:$port
}

# with_token_server DIR LIFE SAID [PLACE]: a registry with a token server of its own, which it calls PLACE
# (http://127.0.0.1); tokens go to DIR/tokens, requests to DIR/requests.
with_token_server() {
    local dir=$1 place=${4:-http://127.0.0.1} port
    port=$(e2e_free_port)
    mkdir -p "$dir"
    TOKEND_PASSWORD=$PASSWORD TOKEND_TOKENS=$dir/tokens e2e_serve python3 "$DATA/tokend.py" "$port" "$CERTS/ca.key" \
        "$CERTS/ca.crt" "$dir/requests" "$2" "$3"
    wait_port "$port"
    serve "$dir" "auth: {token: {realm: '$place:$port/token', service: registry, issuer: stave-test, rootcertbundle: $CERTS/ca.crt}}"
}

# nowhere WHERE...: neither a password nor one of the tokens in $TOKENS is in any of these files and directories.
nowhere() {
    local found
    printf '%s\n' "$PASSWORD" "$PASSWORD_B64" "$(printf '%s' "$PASSWORD" | base64)" Wr0ng-pW77 "$(printf user:Wr0ng-pW77 | base64)" >.secrets
    [ -z "$TOKENS" ] || cat "$TOKENS" >>.secrets
    mv .secrets "$E2E_TMP/secrets"
    found=$(grep -raoF -f "$E2E_TMP/secrets" "$@" | cut -c 1-200 || true)
    [ -z "$found" ] || e2e_fail "a secret is in: $found"
}

# seen STATUS COMMAND...: run it with all that it says, all that it and its children are called, and what they write to
# files, kept below seen/.
seen() {
    N_SEEN=$((N_SEEN + 1))
    e2e_exits "$1" python3 "$DATA/procwatch.py" "seen/$N_SEEN.procs" "$STAVE" strace -f -y -s 1000000 -e trace=write,writev,pwrite64 \
        -o "seen/$N_SEEN.strace" "${@:2}"
    cp .e2e-out "seen/$N_SEEN.out"
    cp .e2e-err "seen/$N_SEEN.err"
    # What goes into a socket, the file of credentials, or a helper's standard input is where it belongs.
    sed -i -E '/^[0-9]+ +(write|writev)\([0-9]+<(TCP|TCPv6|socket|pipe):/d; /\/config\.json/d' "seen/$N_SEEN.strace"
}

# secrets REGISTRY: log in, pull, push and build with right and wrong passwords; then look for them.
secrets() {
    local r=$1
    export HOME=$PWD TMPDIR=$PWD/tmp
    mkdir -p seen tmp ctx
    N_SEEN=0
    printf 'FROM scratch\nCOPY busybox /bin/busybox\n' >ctx/Dockerfile
    cp "$(command -v busybox)" ctx/busybox
    "$STAVE" build -q -t "$r/private/base:1" ctx >/dev/null
    seen 5 "$STAVE" -D login -u user --password-stdin "$r" <<<Wr0ng-pW77
    seen 5 "$STAVE" -D push "$r/private/base:1"
    seen 0 "$STAVE" -D login -u user --password-stdin "$r" <<<"$PASSWORD"
    seen 0 "$STAVE" -D push "$r/private/base:1"
    "$STAVE" rmi "$r/private/base:1" >/dev/null
    seen 0 "$STAVE" -D pull "$r/private/base:1"
    e2e_exits 0 "$STAVE" rmi "$r/private/base:1"
    printf 'FROM %s/private/base:1\nRUN ["busybox", "sh", "-c", "env; busybox cat /proc/self/environ /proc/1/environ /proc/self/mountinfo"]\n' \
        "$r" >Dockerfile
    export DOCKER_AUTH_CONFIG
    DOCKER_AUTH_CONFIG=$(<.docker/config.json)
    seen 0 "$STAVE" -D build --no-cache --progress=rawjson --metadata-file seen/meta.json --iidfile seen/id -t "$r/private/next:1" .
    unset DOCKER_AUTH_CONFIG
    seen 0 "$STAVE" -D build --progress=plain -t "$r/private/next:1" .
    seen 0 "$STAVE" -D push "$r/private/next:1"
    seen 0 "$STAVE" -D build --push --progress=rawjson --cache-to "type=registry,ref=$r/private/cache,mode=max" -t "$r/private/pushed:1" .
    STAVE_ROOT=$PWD/.store3 seen 0 "$STAVE" -D build --cache-from "type=registry,ref=$r/private/cache" .
    # A password in a URL that is no login of ours, and a wrong one in the file.
    printf '{"auths":{"%s":{"username":"user","password":"Wr0ng-pW77"}}}' "$r" >wrong.json
    chmod 600 wrong.json
    STAVE_ROOT=$PWD/.store2 seen 5 "$STAVE" -D pull --authfile wrong.json "$r/private/base:1"
    REGISTRY_AUTH_FILE=wrong.json STAVE_ROOT=$PWD/.store2 seen 5 "$STAVE" -D build .
    printf '{"auths":{"%s":{"auth":"%s' "$r" "$PASSWORD_B64" >broken.json
    seen 1 "$STAVE" -D pull --authfile broken.json "$r/private/base:1"
    seen 0 "$STAVE" history --no-trunc "$r/private/next:1"
    seen 0 "$STAVE" inspect "$r/private/next:1"
    seen 0 "$STAVE" logs
    seen 0 "$STAVE" save -o seen/saved.tar "$r/private/next:1"
    seen 0 "$STAVE" -D logout "$r"
    # The check itself can see: that is what they were.
    e2e_same 'positive' "$(grep -lF "$PASSWORD_B64" broken.json)" broken.json
    [ -z "$TOKENS" ] || [ -s "$TOKENS" ] || e2e_fail 'there were no tokens'
    rm broken.json wrong.json
    nowhere seen .store .store2 .store3 tmp .docker
}

secret_password() {
    TOKENS=
    secrets "$WITH_PASSWORD"
}

secret_token() {
    TOKENS=$TOKEN_DIR/tokens
    secrets "$WITH_TOKEN"
}

# -p: who looks at the processes while the registry takes its time does not see it any more.
password_option() {
    local pid
    export HOME=$PWD
    "$STAVE" login -u user -p "$PASSWORD" "$SLOW" >out 2>&1 &
    pid=$!
    sleep 0.6
    tr '\0' ' ' <"/proc/$pid/cmdline" >cmdline
    wait "$pid" || e2e_fail "$(<out)"
    e2e_has 'it ran' "$(<cmdline)" 'login -u user -p'
    e2e_has 'the warning' "$(<out)" 'warning: --password shows'
    TOKENS=
    nowhere cmdline out
    e2e_has 'kept' "$(<.docker/config.json)" "$PASSWORD_B64"
}

# C19, also the query of a signed URL.
url_secrets() {
    local url=http://user:$PASSWORD@$HOSTILE/files/x
    TOKENS=
    mkdir -p seen ctx
    N_SEEN=0
    : >"$HOSTILE_LOG"
    printf 'FROM scratch\nADD %s /x\nADD http://%s/files/y?X-Signature=Wr0ng-pW77 /y\n' "$url" "$HOSTILE" >ctx/Dockerfile
    seen 0 "$STAVE" -D build --progress=rawjson --metadata-file seen/meta.json -t t ctx
    e2e_has 'it was sent' "$(<"$HOSTILE_LOG")" "GET /files/x Basic $PASSWORD_B64"
    e2e_has 'it was sent' "$(<"$HOSTILE_LOG")" 'X-Signature=Wr0ng-pW77'
    seen 0 "$STAVE" -D build --progress=plain -t t ctx
    seen 0 "$STAVE" history --no-trunc t
    seen 0 "$STAVE" inspect t
    seen 0 "$STAVE" logs
    seen 0 "$STAVE" save -o seen/saved.tar t
    printf 'FROM scratch\nADD %s /x\n' "${url/files/nothing}" >ctx/Dockerfile
    seen 1 "$STAVE" -D build --progress=plain ctx
    e2e_has 'where' "$E2E_ERR" "http://$HOSTILE/nothing/x"
    # The message shows the line of the file; that is the user's own.
    sed -i '/^ *[0-9]* | /d' seen/*.err
    nowhere seen .store
}

# C03: a place for tokens in another domain gets the login only after 'login' was told so.
foreign_realm() {
    local requests=$REALM_DIR/requests r=$WITH_REALM
    export HOME=$PWD SSL_CERT_FILE=$CERTS/ca.crt
    "$STAVE" build -q -t "$r/private/t:1" - <<<$'FROM scratch\nLABEL a=b' >/dev/null
    : >"$requests"
    e2e_exits 5 "$STAVE" login -u user --password-stdin "$r" <<<"$PASSWORD"
    e2e_has 'why' "$E2E_ERR" "wants the login to be sent to 'localhost', which is of another domain"
    e2e_has 'the way out' "$E2E_ERR" "stave login --realm localhost $r"
    e2e_exits 5 "$STAVE" login -u user --password-stdin --realm other.test "$r" <<<"$PASSWORD"
    e2e_exits 2 "$STAVE" login -u user --password-stdin --realm https://localhost/token "$r" <<<"$PASSWORD"
    e2e_same 'requests' "$(<"$requests")" ''
    # As docker leaves it: nothing is known of a realm.
    mkdir .docker
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$r" "$PASSWORD_B64" >.docker/config.json
    chmod 600 .docker/config.json
    e2e_exits 5 "$STAVE" push "$r/private/t:1"
    e2e_has 'why' "$E2E_ERR" "The login was not sent to 'localhost'"
    e2e_hasnt 'requests' "$(<"$requests")" login
    e2e_exits 0 "$STAVE" login -u user --password-stdin --realm localhost "$r" <<<"$PASSWORD"
    e2e_same 'kept' "$(jq -r ".auths[\"$r\"].realm" .docker/config.json)" localhost
    e2e_exits 0 "$STAVE" push "$r/private/t:1"
    e2e_has 'requests' "$(<"$requests")" 'GET login repository:private/t:pull,push'
}

# Tokens end before they said they would, and the pushes and pulls outlive them.
expired_tokens() {
    local slow port before
    port=$(e2e_free_port)
    e2e_serve python3 "$DATA/proxyd.py" "$port" /dev/null "${WITH_SHORT##*:}" 300000
    wait_port "$port"
    slow=127.0.0.1:$port
    export HOME=$PWD
    mkdir ctx
    echo 'FROM scratch' >ctx/Dockerfile
    for i in 1 2 3 4 5 6; do
        head -c 700000 /dev/urandom >"ctx/$i"
        echo "COPY $i /" >>ctx/Dockerfile
    done
    "$STAVE" build -q -t "$slow/t:1" ctx >/dev/null
    echo "$PASSWORD" | e2e_exits 0 "$STAVE" login -u user --password-stdin "$slow"
    before=$(grep -c repository:t: "$SHORT_DIR/requests" || true)
    e2e_exits 0 "$STAVE" push -q "$slow/t:1"
    [ $(($(grep -c repository:t: "$SHORT_DIR/requests") - before)) -ge 2 ] || e2e_fail 'one token was enough to push'
    before=$(grep -c repository:t: "$SHORT_DIR/requests")
    export STAVE_ROOT=$PWD/second
    e2e_exits 0 "$STAVE" pull -q "$slow/t:1"
    [ $(($(grep -c repository:t: "$SHORT_DIR/requests") - before)) -ge 2 ] || e2e_fail 'one token was enough to pull'
    e2e_exits 0 "$STAVE" fsck
}

suite() {
    local port
    e2e_tmp
    make_certs
    serve "$E2E_TMP/plain"
    PLAIN=$E2E_REGISTRY
    P=$PASSWORD perl -e 'print "user:", crypt($ENV{P}, q($2y$05$abcdefghijklmnopqrstuu)), "\n"' >"$E2E_TMP/htpasswd"
    serve "$E2E_TMP/password" "auth: {htpasswd: {realm: stave-test, path: $E2E_TMP/htpasswd}}"
    WITH_PASSWORD=$E2E_REGISTRY
    TOKEN_DIR=$E2E_TMP/token
    with_token_server "$TOKEN_DIR" 60 60
    WITH_TOKEN=$E2E_REGISTRY
    SHORT_DIR=$E2E_TMP/short
    with_token_server "$SHORT_DIR" 2 300
    WITH_SHORT=$E2E_REGISTRY
    REALM_DIR=$E2E_TMP/realm
    TOKEND_TLS="$CERTS/good.pem $CERTS/good.key" with_token_server "$REALM_DIR" 60 60 https://localhost
    WITH_REALM=$E2E_REGISTRY
    port=$(e2e_free_port)
    # Three that lie: where images lead to, the one that leads there, and a slow one.
    ELSEWHERE_LOG=$E2E_TMP/elsewhere.log
    e2e_serve python3 "$DATA/hostiled.py" "$port" "$ELSEWHERE_LOG"
    wait_port "$port"
    export HOSTILED_ELSEWHERE=http://127.0.0.1:$port/elsewhere/
    port=$(e2e_free_port)
    HOSTILED_SLOW=1 e2e_serve python3 "$DATA/hostiled.py" "$port" /dev/null
    wait_port "$port"
    SLOW=127.0.0.1:$port
    port=$(e2e_free_port)
    HOSTILE_LOG=$E2E_TMP/hostile.log
    e2e_serve python3 "$DATA/hostiled.py" "$port" "$HOSTILE_LOG"
    wait_port "$port"
    HOSTILE=127.0.0.1:$port
    TLS_PORT=$(e2e_free_port)
    TLS_LOG=$E2E_TMP/tls.log
    e2e_serve python3 "$DATA/hostiled.py" "$TLS_PORT" "$TLS_LOG" "$CERTS/good.pem" "$CERTS/good.key"
    wait_port "$TLS_PORT"
    e2e_case 'C01 foreign layers' foreign_layers
    e2e_case 'C02 a blob that is elsewhere' moved_blobs
    e2e_case 'C03 a realm of another domain' foreign_realm
    e2e_case 'C05 broken TLS' broken_tls
    e2e_case 'C08 other bytes' lies
    e2e_case 'C09 media types' media_types
    e2e_case 'C10 diff IDs' diff_ids
    e2e_case 'C11 bounds of JSON' json_bounds
    e2e_case 'C12 indexes' indexes
    e2e_case 'C13 platforms' platforms
    e2e_case 'C19 secrets in URLs' url_secrets
    e2e_case 'C20 proxies' proxies
    e2e_case 'proxies of docker' docker_proxies
    e2e_case 'C21 tags of an archive' poisoned_tags
    e2e_case 'C22 labels' hostile_labels
    e2e_case 'a password is nowhere' secret_password
    e2e_case 'a token is nowhere' secret_token
    e2e_case 'a password as an option' password_option
    e2e_case 'tokens that end early' expired_tokens
    e2e_summary e2e-registry-security
}

suite
