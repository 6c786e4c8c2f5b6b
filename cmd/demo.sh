#!/usr/bin/env bash
# demo.sh: what 'make demo' shows.  It makes a base image from Debian's packages,
# builds a small web application upon it with stave, runs that and asks it for
# its page.  Everything happens in a temporary store; STAVE is the program.
# packages: curl python3
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
stave=${STAVE:-$top/build/stave}
bases=${STAVE_BASES_DIR:-/var/tmp/stave-bases}
export BUILDKIT_PROGRESS=${BUILDKIT_PROGRESS:-plain}

if [ "$(id -u)" -ne 0 ]; then
	echo "demo: run it as root: the base image is made with chroot, and RUN steps need namespaces" >&2
	exit 7
fi

work=$(mktemp -d "${TMPDIR:-/var/tmp}/stave-demo.XXXXXX")
server=

# End it as Ctrl-C would; as PID 1 of its namespace it may not listen to SIGTERM.
stop_server()
{
	[ -n "$server" ] || return 0
	kill -INT "$server" 2>/dev/null || true
	for _ in $(seq 20); do
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	server=
}

cleanup()
{
	stop_server
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
export STAVE_ROOT=$work/store
PATH=$(dirname "$stave"):$PATH

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' plain=$'\033[0m'
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# Show a command as one would type it, then run it.
show()
{
	printf '$ %s\n' "$*"
	"$@"
}

say "1. A base image, made from Debian's packages (no registry is asked)"
"$top/testdata/bases/make-base" python:3.9-slim "$bases"
changes=()
while IFS= read -r line; do
	[ -z "$line" ] || changes+=(-c "$line")
done <"$bases/python:3.9-slim.changes"
echo "$ stave import ... python:3.9-slim"
stave import "${changes[@]}" "$bases/python:3.9-slim.tar" python:3.9-slim

say "2. A Dockerfile, and the application that it is about"
"$top/testdata/apps/prepare" python "$work/app"
cd "$work/app"
show cat Dockerfile

say "3. Build it"
show stave build -t greeter .

say "4. Build it again: nothing has changed, so nothing is done"
begin=$(date +%s%N)
show stave build -t greeter .
echo "($((($(date +%s%N) - begin) / 1000000)) ms)"

say "5. What was made"
show stave images
show stave history greeter

say "6. Run it, and ask it for its page"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo "$ stave run --rm -e PORT=$port greeter &"
stave run --rm -e "PORT=$port" greeter 2>"$work/run.log" &
server=$!
for _ in $(seq 100); do
	curl -fsS -o /dev/null "http://127.0.0.1:$port/" 2>/dev/null && break
	sleep 0.1
done
echo "$ curl http://127.0.0.1:$port/"
page=$(curl -fsS "http://127.0.0.1:$port/") || {
	cat "$work/run.log" >&2
	exit 1
}
echo "$page"
stop_server

say "7. A mistake is answered with its place and a way out"
mkdir "$work/mistake"
cd "$work/mistake"
printf 'FROM python:3.9-slim\nRUNN pip install flask\n' >Dockerfile
echo "$ stave build ."
if stave build .; then
	echo "demo: stave has built a wrong Dockerfile" >&2
	exit 1
fi

case $page in
*World*) say "That was stave. Its manual: man $top/man/stave.1" ;;
*)
	echo "demo: the page is not what was expected" >&2
	exit 1
	;;
esac
