# shellcheck shell=bash
# packages: curl jq gcc libc6-dev python3
# The five applications of testdata/apps, each a case that builds and runs it. Source it behind e2e-lib.sh.
# Each case is a subshell of its own.
# shellcheck disable=SC2030,SC2031

# Called with the name of the base image before a build: how it gets where the build finds it.
APPS_BASE=${APPS_BASE:-e2e_import}

build() {
    "$STAVE" build --progress=plain "$@" 2>build.out || e2e_fail "build $*: $(tail -n 20 build.out)"
}

# Make the context of application $1 in ctx, with its base image $2, and build it.
build_app() {
    [ -z "${2-}" ] || "$APPS_BASE" "$2"
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
    "$APPS_BASE" debian
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
