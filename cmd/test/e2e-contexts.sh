#!/usr/bin/env bash
# packages: git python3 tar gzip bzip2 xz-utils zstd
# Contexts that are no directory: archives, URLs, repositories, and named ones. Needs root for nothing but the store.
# The recorded cases in testdata/e2e/contexts and named show that the images are BuildKit's.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmd/test/e2e-lib.sh
. "$here/e2e-lib.sh"
trap e2e_cleanup EXIT
export BUILDKIT_PROGRESS=plain
unset SOURCE_DATE_EPOCH
GIT=(git -c init.defaultBranch=main -c user.name=a -c user.email=a@b -c protocol.file.allow=always -c commit.gpgsign=false)
export GIT_CONFIG_GLOBAL=/dev/null

# --- servers, shared by all cases ---------------------------------------------------------------------------------

start_servers() {
    local port i
    e2e_tmp
    REPOS=$E2E_TMP/repos
    mkdir "$REPOS"
    port=$(e2e_free_port)
    e2e_serve git daemon --base-path="$REPOS" --export-all --port="$port" --listen=127.0.0.1 --reuseaddr --verbose \
        "$REPOS" >"$E2E_TMP/daemon.log" 2>&1
    U=git://127.0.0.1:$port
    port=$(e2e_free_port)
    e2e_serve python3 "$E2E_TOP/testdata/e2e/gitd.py" "$port" "$REPOS" >/dev/null 2>&1
    H=127.0.0.1:$port
    for ((i = 0; i < 100; i++)); do
        grep -q Ready "$E2E_TMP/daemon.log" && break
        sleep 0.05
    done
    e2e_start_http
}

# repo NAME: a repository with a Dockerfile, in the work tree $W; publish makes it visible.
repo() {
    W=$PWD/work-$1 REPO=$1
    rm -rf "${REPOS:?}/$REPO.git"
    "${GIT[@]}" init -q "$W"
    mkdir "$W/sub"
    printf 'FROM scratch\nCOPY . /\n' >"$W/Dockerfile"
    printf 'FROM scratch\nCOPY . /only/\n' >"$W/sub/Dockerfile"
    echo one >"$W/file"
    echo two >"$W/sub/other"
    ln -s file "$W/link"
    publish first
}

publish() {
    "${GIT[@]}" -C "$W" add -A
    GIT_COMMITTER_DATE=${DATE:-1000000000 +0000} "${GIT[@]}" -C "$W" commit -q --allow-empty -m "$1"
    if [ ! -d "$REPOS/$REPO.git" ]; then "${GIT[@]}" clone -q --bare "$W" "$REPOS/$REPO.git"; fi
    "${GIT[@]}" -C "$W" push -q --force --tags "$REPOS/$REPO.git" 'refs/heads/*:refs/heads/*'
    COMMIT=$("${GIT[@]}" -C "$W" rev-parse HEAD)
}

tree() { # what the build of "$@" makes, in the file tree
    "$STAVE" build -o type=tar,dest=tree.tar "$@" >tree.log 2>&1 || { cat tree.log; e2e_fail "build $*"; }
    tar tf tree.tar | sort >tree
}

steps() { grep -c '^#[0-9]* DONE' "$1" || true; }

# shellcheck disable=SC2031 # each case has a store of its own
empty_tmp() { e2e_same "left in tmp/" "$(ls -A "$STAVE_ROOT/tmp")" ""; }

# --- archives -----------------------------------------------------------------------------------------------------

make_context() {
    mkdir -p ctx/sub
    printf 'FROM scratch\nCOPY . /\n' >ctx/Dockerfile
    echo a >ctx/a
    echo b >ctx/sub/b
    ln -s ../a ctx/sub/up
    ln ctx/a ctx/hard
    chmod 600 ctx/sub/b
}

archive_kind() { # OPTION: a tar of this kind is the directory, and is cached
    local want got
    make_context
    tar -C ctx --owner=0 --group=0 "$1" -cf ctx.t .
    want=$(SOURCE_DATE_EPOCH=1 "$STAVE" build -q ctx)
    # shellcheck disable=SC2031
    export STAVE_ROOT=$PWD/.other
    got=$(SOURCE_DATE_EPOCH=1 "$STAVE" build -q - <ctx.t)
    e2e_same "image of stdin" "$got" "$want"
    e2e_exits 0 "$STAVE" build ctx.t
    e2e_exits 0 "$STAVE" build ctx.t
    e2e_same "steps executed again" "$(steps .e2e-err)" 0
    e2e_has "second build" "$E2E_ERR" CACHED
    empty_tmp
}

archive_ignore() {
    make_context
    printf 'sub\n!sub/b\n' >ctx/.dockerignore
    tar -C ctx -cf ctx.t .
    tree - <ctx.t
    e2e_hasnt tree "$(cat tree)" sub/up
    e2e_has tree "$(cat tree)" sub/b
    echo a >ctx/Dockerfile.dockerignore
    tar -C ctx -cf ctx.t .
    tree - <ctx.t
    e2e_hasnt tree "$(cat tree)" "a
"
    e2e_has tree "$(cat tree)" sub/up
}

archive_changed() { # a changed file runs its COPY again, a changed time does not
    make_context
    tar -C ctx -cf ctx.t .
    e2e_exits 0 "$STAVE" build ctx.t
    touch ctx/a ctx/sub ctx
    tar -C ctx -cf ctx.t .
    e2e_exits 0 "$STAVE" build ctx.t
    e2e_same "steps after a touch" "$(steps .e2e-err)" 0
    echo c >ctx/a
    tar -C ctx -cf ctx.t .
    e2e_exits 0 "$STAVE" build ctx.t
    e2e_same "steps after a change" "$(steps .e2e-err)" 1
}

archive_hostile() {
    local kind
    mkdir inside
    for kind in climbing absolute through-link hard-out zero-device fifo-in-place; do
        python3 - "$kind" "$PWD" >hostile.tar <<'END'
import io, sys, tarfile
kind, cwd = sys.argv[1:]
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def put(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    out.addfile(info, io.BytesIO(data))
put("Dockerfile", b"FROM scratch\nCOPY . /\n")
if kind == "climbing":
    put("../" * 12 + cwd + "/escaped", b"x")
elif kind == "absolute":
    put(cwd + "/escaped", b"x")
elif kind == "through-link":
    put("out", kind=tarfile.SYMTYPE, link=cwd)
    put("out/escaped", b"x")
elif kind == "hard-out":
    put("hard", kind=tarfile.LNKTYPE, link="../" * 12 + "etc/passwd")
elif kind == "zero-device":
    put("dev", kind=tarfile.CHRTYPE)
else:
    put(".dockerignore", kind=tarfile.FIFOTYPE)
out.close()
END
        if timeout 20 "$STAVE" build -o type=tar,dest=o.tar - <hostile.tar >log 2>&1; then
            # An absolute name, or one behind a link, is a name in the context.
            case $kind in absolute | through-link) ;; *) e2e_fail "$kind was built" ;; esac
            e2e_hasnt "$kind: $(tar tvf o.tar)" "$(tar xOf o.tar hard 2>/dev/null || true)" root:
        else
            [ $? -lt 70 ] || e2e_fail "$kind: $(cat log)"
        fi
        [ ! -e escaped ] || e2e_fail "$kind has escaped"
    done
    empty_tmp
    make_context
    tar -C ctx -czf cut.t .
    truncate -s -20 cut.t
    e2e_exits 1 "$STAVE" build - <cut.t
    head -c 100000 /dev/urandom >noise
    e2e_exits 1 "$STAVE" build - <noise
    e2e_exits 1 "$STAVE" build noise
    e2e_has "a file that is no archive" "$E2E_ERR" "not a directory"
    empty_tmp
}

# --- signals ------------------------------------------------------------------------------------------------------

# A script's background commands ignore SIGINT unless they are told not to.
begin_slow() { # stave waits for the rest of an archive
    make_context
    head -c 3000000 /dev/urandom >ctx/big
    tar -C ctx -cf ctx.t .
    mkfifo pipe
    env --default-signal=INT "$STAVE" build - <pipe >log 2>&1 &
    SLOW=$!
    exec 9>pipe
    head -c 1000000 ctx.t >&9
    local i
    for ((i = 0; i < 200; i++)); do
        [ -n "$(ls -A .store/tmp 2>/dev/null)" ] && break
        sleep 0.02
    done
    sleep 0.2
}

signal_ends() { # SIGNAL STATUS
    local rc=0
    begin_slow
    kill "-$1" "$SLOW"
    wait "$SLOW" || rc=$?
    exec 9>&-
    e2e_same "status after $1" "$rc" "$2"
    e2e_has log "$(cat log)" cancelled
    empty_tmp
}

kill_leaves_nothing() {
    local rc=0
    begin_slow
    kill -KILL "$SLOW"
    wait "$SLOW" || rc=$?
    exec 9>&-
    [ -n "$(ls -A .store/tmp)" ] || e2e_fail "nothing was under way"
    # The next command tidies up.
    e2e_exits 0 "$STAVE" build ctx.t
    empty_tmp
    e2e_exits 0 "$STAVE" fsck
}

# A git that waits for ever after it has begun.
slow_git() {
    mkdir bin
    cat >bin/git <<END
#!/bin/sh
case " \$* " in *" fetch "*) echo \$\$ >"$PWD/git.pid"; exec sleep 1000 ;; esac
exec $(command -v git) "\$@"
END
    chmod 755 bin/git
}

kill_ends_git() { # SIGNAL
    local rc=0 i
    repo killed
    slow_git
    PATH=$PWD/bin:$PATH "$STAVE" build "$U/killed.git" >log 2>&1 &
    SLOW=$!
    for ((i = 0; i < 400; i++)); do
        [ -s git.pid ] && break
        sleep 0.02
    done
    kill "-$1" "$SLOW"
    wait "$SLOW" || rc=$?
    for ((i = 0; i < 100; i++)); do
        [ -d "/proc/$(cat git.pid)" ] || break
        sleep 0.05
    done
    [ ! -d "/proc/$(cat git.pid)" ] || e2e_fail "git lives on"
    e2e_exits 0 "$STAVE" build "$U/killed.git"
    empty_tmp
}

add_interrupted() { # an ADD under way ends with the build
    local rc=0 i
    repo killed
    slow_git
    mkdir ctx
    printf 'FROM scratch\nADD %s/killed.git /x\n' "$U" >ctx/Dockerfile
    PATH=$PWD/bin:$PATH env --default-signal=INT "$STAVE" build ctx >log 2>&1 &
    SLOW=$!
    for ((i = 0; i < 400; i++)); do
        [ -s git.pid ] && break
        sleep 0.02
    done
    kill -INT "$SLOW"
    wait "$SLOW" || rc=$?
    e2e_same status "$rc" 130
    [ ! -d "/proc/$(cat git.pid)" ] || e2e_fail "git lives on"
    empty_tmp
}

# --- repositories as contexts -------------------------------------------------------------------------------------

git_refs() {
    local first url
    repo refs
    first=$COMMIT
    "${GIT[@]}" -C "$W" tag -a v1 -m v1
    "${GIT[@]}" -C "$W" tag light
    "${GIT[@]}" -C "$W" checkout -q -b topic/x
    echo changed >"$W/file"
    echo more >"$W/more"
    publish second
    for url in "$U/refs.git" "$U/refs.git#main" "$U/refs.git#v1" "$U/refs.git?tag=v1" "$U/refs.git?tag=light" \
        "$U/refs.git#refs/heads/main" "$U/refs.git?branch=main" "$U/refs.git#$first" "http://$H/smart/refs.git#main" \
        "http://$H/dumb/refs.git#main" "$U/refs.git?ref=v1&commit=$first" "$U/refs.git?commit=${first:0:9}&branch=main" \
        "$U/refs.git?fetch-by-commit=1&commit=$first&branch=topic/x"; do
        "${GIT[@]}" -C "$REPOS/refs.git" update-server-info
        tree "$url"
        e2e_same "tree of $url" "$(tr '\n' ' ' <tree)" "Dockerfile file link sub/ sub/Dockerfile sub/other "
        e2e_same "file of $url" "$(tar xOf tree.tar file)" one
    done
    for url in "$U/refs.git#topic/x" "$U/refs.git?branch=topic/x" "$U/refs.git#$COMMIT"; do
        tree "$url"
        e2e_same "file of $url" "$(tar xOf tree.tar file)" changed
    done
    tree "$U/refs.git#topic/x:sub"
    e2e_same "subdirectory" "$(tr '\n' ' ' <tree)" "only/ only/Dockerfile only/other "
    tree -f sub/Dockerfile "$U/refs.git?ref=main"
    e2e_has "-f inside" "$(cat tree)" only/sub/other
    for url in "$U/refs.git#nosuch" "$U/refs.git#${first:0:8}" "$U/refs.git#main:nosuch" "$U/refs.git?commit=beef&ref=main"; do
        e2e_exits 1 "$STAVE" build "$url"
    done
    e2e_exits 4 "$STAVE" build "$U/nosuch.git"
    e2e_exits 2 "$STAVE" build "$U/refs.git?what=1"
    e2e_exits 4 "$STAVE" build git://127.0.0.1:1/x.git
    empty_tmp
}

git_cached() {
    repo cached
    e2e_exits 0 "$STAVE" build "$U/cached.git"
    e2e_same "steps of the first build" "$(steps .e2e-err)" 1
    e2e_exits 0 "$STAVE" build "$U/cached.git"
    e2e_same "steps of the second build" "$(steps .e2e-err)" 0
    echo moved >"$W/file"
    publish second
    e2e_exits 0 "$STAVE" build "$U/cached.git"
    e2e_same "steps after a commit" "$(steps .e2e-err)" 1
    # The same content by another commit is the same COPY.
    publish third
    e2e_exits 0 "$STAVE" build "$U/cached.git"
    e2e_same "steps after an empty commit" "$(steps .e2e-err)" 0
}

git_keep() {
    local a
    repo keep
    repo_with_module
    tree "$U/super.git?keep-git-dir=1"
    mkdir x
    tar xf tree.tar -C x
    e2e_same "status in what was kept" "$(git -C x status --porcelain)" ""
    e2e_same "commit that was kept" "$(git -C x rev-parse HEAD)" "$COMMIT"
    e2e_has "submodule" "$(cat tree)" lib/file
    a=$("$STAVE" build -q --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$U/super.git")
    e2e_exits 0 "$STAVE" build --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=true "$U/super.git"
    e2e_same "steps of the second build" "$(steps .e2e-err)" 0
    e2e_has "image" "$E2E_ERR" "$a"
    tree "$U/super.git"
    e2e_hasnt "tree without it" "$(cat tree)" .git/
    e2e_hasnt "tree without it" "$(cat tree)" lib/.git
    tree "$U/super.git?keep-git-dir=1&subdir=sub"
    e2e_hasnt "below a subdirectory" "$(cat tree)" .git/
}

repo_with_module() {
    repo module
    repo super
    "${GIT[@]}" -C "$W" submodule -q add "$U/module.git" lib
    "${GIT[@]}" -C "$W" config -f .gitmodules submodule.lib.url ../module.git
    publish second
}

git_submodules() {
    repo_with_module
    tree "$U/super.git"
    e2e_has "submodule" "$(cat tree)" lib/sub/other
    tree "$U/super.git?submodules=false"
    e2e_hasnt "without submodules" "$(cat tree)" lib/file
    tree "http://$H/smart/super.git"
    e2e_has "submodule by http" "$(cat tree)" lib/sub/other
}

git_hostile() {
    local url
    echo canary >canary
    repo hostile
    ln -s "$PWD/canary" "$W/out"
    ln -s / "$W/root"
    ln -s sub "$W/linked"
    publish second
    tree "$U/hostile.git"
    e2e_hasnt "a link out" "$(tar xOf tree.tar out 2>/dev/null || true)" canary
    for url in "$U/hostile.git#:root" "$U/hostile.git#:root$PWD" "$U/hostile.git#:linked" "$U/hostile.git#main:link"; do
        e2e_exits 1 "$STAVE" build "$url"
    done
    tree "$U/hostile.git#main:../../sub"
    e2e_same "a subdirectory that climbs" "$(tr '\n' ' ' <tree)" "only/ only/Dockerfile only/other "
    e2e_exits 1 "$STAVE" build -f out "$U/hostile.git"
    e2e_exits 1 "$STAVE" build -f ../../../../../../../../etc/passwd "$U/hostile.git"
    e2e_exits 2 "$STAVE" build "$U/hostile.git#--upload-pack=touch pwned"
    e2e_exits 1 "$STAVE" build "git@-oProxyCommand=touch:pwned"
    # A submodule from the disk, one by a transport that runs commands, one that would run a command to update.
    for url in "$PWD/work-hostile" "ext::touch pwned" "-u./touch:x"; do
        "${GIT[@]}" -C "$W" config -f .gitmodules submodule.m.path m
        "${GIT[@]}" -C "$W" config -f .gitmodules submodule.m.url "$url"
        "${GIT[@]}" -C "$W" config -f .gitmodules submodule.m.update '!touch pwned'
        mkdir -p "$W/m"
        "${GIT[@]}" -C "$W" update-index --add --cacheinfo "160000,$COMMIT,m"
        publish module
        e2e_has "the submodule" "$("${GIT[@]}" -C "$W" ls-tree HEAD m)" 160000
        if "$STAVE" build -o type=tar,dest=tree.tar "$U/hostile.git" >log 2>&1; then
            e2e_hasnt "submodule $url" "$(tar tf tree.tar)" m/file
        fi
    done
    # Attributes and hooks of the repository run nothing.
    rm "$W/.gitmodules"
    "${GIT[@]}" -C "$W" rm -q --cached m
    printf '* filter=evil\n' >"$W/.gitattributes"
    mkdir -p "$W/hooks"
    printf '#!/bin/sh\ntouch %s/pwned\n' "$PWD" >"$W/hooks/post-checkout"
    chmod 755 "$W/hooks/post-checkout"
    publish filter
    tree "$U/hostile.git"
    # What the server says is HEAD.
    printf 'ref: refs/heads/--upload-pack=touch pwned\n' >"$REPOS/hostile.git/HEAD"
    "$STAVE" build "$U/hostile.git" >log 2>&1 && e2e_fail "a HEAD that is no branch"
    [ -z "$(find . -name pwned)" ] || e2e_fail "a command of the repository was run"
    empty_tmp
}

git_sees_little() { # nothing of ours in its environment, no password on a command line, in the output or the store
    local url="http://me:pa%25ss@$H/private/secret.git"
    repo secret
    repo_with_module
    mkdir bin
    cat >bin/git <<END
#!/bin/sh
{ echo "argv: \$*"; env | grep -v '^GIT_CONFIG_\(KEY\|VALUE\)_'; } >>"$PWD/seen"
exec $(command -v git) "\$@"
END
    chmod 755 bin/git
    export PATH=$PWD/bin:$PATH HOME=$PWD/home SECRET_OF_OURS=x GIT_DIR=/nonexistent
    mkdir home ctx
    printf '[core]\n\thooksPath = %s/home\n[url "file:///"]\n\tinsteadOf = http://\n' "$PWD" >home/.gitconfig
    e2e_exits 4 "$STAVE" build "http://$H/private/secret.git"
    e2e_exits 0 "$STAVE" build "$url?keep-git-dir=1"
    printf 'FROM scratch\nADD --keep-git-dir %s /x\n' "$url" >ctx/Dockerfile
    e2e_exits 0 "$STAVE" build --progress=quiet -o type=tar,dest=o.tar ctx
    unset GIT_DIR
    for url in 'pa%ss' 'pa%25ss' "$(printf 'me:pa%%ss' | base64)"; do
        e2e_hasnt "what git was told" "$(cat seen)" "$url"
        grep -rqF -- "$url" .store/blobs .store/snapshots .store/toc 2>/dev/null && e2e_fail "'$url' is in an image"
        grep -qaF -- "$url" <(tar xOf o.tar) && e2e_fail "'$url' is in the files"
        grep -aqF -- "$url" .store/meta.db* && [ "$url" != 'pa%25ss' ] && e2e_fail "'$url' is in the database"
    done
    e2e_hasnt "git's environment" "$(cat seen)" SECRET_OF_OURS
    e2e_hasnt "git's environment" "$(cat seen)" "$PWD/home"
    e2e_has "git's environment" "$(cat seen)" GIT_TERMINAL_PROMPT=0
}

git_login() { # what is behind the login, submodules beside it too; nothing of it for a server that it leads to
    repo_with_module
    tree "http://me:pa%25ss@$H/private/super.git"
    e2e_has "a submodule of the same server" "$(cat tree)" lib/sub/other
    e2e_exits 4 "$STAVE" build "http://me:wrong@$H/private/super.git"
    tree --no-cache "http://me:pa%25ss@$H/moved/module.git"
    e2e_exits 2 "$STAVE" build "http://me:a%0Ab@$H/private/super.git"
    empty_tmp
}

# The dollars are the Dockerfile's.
# shellcheck disable=SC2016
url_without_password() { # what a key keeps of a URL
    mkdir ctx
    printf 'FROM scratch\nARG A\nARG B\nADD %s/file.txt?t=$B$A /x\n' "${E2E_HTTP/:\/\//://me:\$A\$B@}" >ctx/Dockerfile
    e2e_exits 0 "$STAVE" build --build-arg A=first --build-arg B=second ctx
    # Each alone is there, as the value of a variable.
    grep -qaF second .store/meta.db* || e2e_fail "there is no key"
    grep -qaE 'firstsecond|secondfirst' .store/meta.db* && e2e_fail "a password is in the database"
    e2e_exits 0 "$STAVE" build --build-arg A=first --build-arg B=second ctx
    e2e_same "steps of the second build" "$(steps .e2e-err)" 0
}

git_missing() {
    local real
    real=$(realpath "$STAVE")
    mkdir none ctx
    repo missing
    printf 'FROM scratch\nADD %s/missing.git /x\n' "$U" >ctx/Dockerfile
    e2e_exits 1 env PATH="$PWD/none" "$real" build "$U/missing.git"
    e2e_has message "$E2E_ERR" "no program 'git'"
    e2e_has hint "$E2E_ERR" "Install git"
    e2e_exits 1 env PATH="$PWD/none" "$real" build ctx
    e2e_has message "$E2E_ERR" "Dockerfile:2:1"
}

git_time() {
    DATE='1234567890 +0000' repo dated
    e2e_exits 0 env SOURCE_DATE_EPOCH=context "$STAVE" build -t dated "$U/dated.git"
    e2e_has created "$("$STAVE" inspect dated)" 2009-02-13T23:31:30Z
    e2e_exits 0 "$STAVE" build -t web --build-arg SOURCE_DATE_EPOCH=context "$E2E_HTTP/Dockerfile-scratch"
    e2e_has created "$("$STAVE" inspect web)" 2001-09-09T01:46:40Z
    e2e_exits 2 env SOURCE_DATE_EPOCH=context "$STAVE" build "$W"
    e2e_has "a directory" "$E2E_ERR" "no time of its own"
    tree "$U/dated.git?mtime=commit"
    e2e_has "mtime=commit" "$(TZ=UTC tar tvf tree.tar file)" "2009-02-13 23:31"
    tree --no-cache "$U/dated.git" # a time is in no key
    e2e_hasnt "mtime=checkout" "$(TZ=UTC tar tvf tree.tar file)" "2009-02-13 23:31"
}

# --- ADD ----------------------------------------------------------------------------------------------------------

requests() { grep -c "upload-pack for '/$1.git'" "$E2E_TMP/daemon.log" || true; }

add_git() {
    local before first
    repo added
    first=$COMMIT
    mkdir ctx
    printf 'FROM scratch\nADD %s/added.git /x\n' "$U" >ctx/Dockerfile
    tree ctx
    e2e_same "tree" "$(tr '\n' ' ' <tree)" "x/ x/Dockerfile x/file x/link x/sub/ x/sub/Dockerfile x/sub/other "
    before=$(requests added)
    e2e_exits 0 "$STAVE" build ctx
    e2e_same "steps of the second build" "$(steps .e2e-err)" 0
    e2e_same "requests of a cached ADD" "$(($(requests added) - before))" 1
    echo moved >"$W/file"
    publish second
    tree ctx
    e2e_same "after a commit" "$(tar xOf tree.tar x/file)" moved
    printf 'FROM scratch\nADD --checksum=%s %s/added.git#%s /x\n' "$first" "$U" "$first" >ctx/Dockerfile
    tree ctx
    e2e_same "by commit" "$(tar xOf tree.tar x/file)" one
    before=$(requests added)
    e2e_exits 0 "$STAVE" build ctx
    e2e_same "requests for a commit that is known" "$(($(requests added) - before))" 0
    printf 'FROM scratch\nADD --checksum=%s %s/added.git /x\n' "$first" "$U" >ctx/Dockerfile
    e2e_exits 1 "$STAVE" build ctx
    e2e_has "another commit" "$E2E_ERR" "expected checksum to match $first"
    echo here >ctx/here
    printf 'FROM scratch\nADD --chown=5:6 here %s/added.git?subdir=sub /y/\nADD --keep-git-dir %s/added.git /z\n' "$U" "$U" >ctx/Dockerfile
    tree ctx
    e2e_has "several sources" "$(tr '\n' ' ' <tree)" "y/ y/Dockerfile y/here y/other z/ z/.git/"
    e2e_has "--chown" "$(tar tvf tree.tar --numeric-owner y/other)" 5/6
    printf 'FROM scratch\nADD --keep-git-dir=false %s/added.git?keep-git-dir=1 /x\n' "$U" >ctx/Dockerfile
    e2e_exits 1 "$STAVE" build ctx
    printf 'FROM scratch\nCOPY %s/added.git /x\n' "$U" >ctx/Dockerfile
    e2e_exits 1 "$STAVE" build ctx
    e2e_has "COPY" "$E2E_ERR" "Use ADD for it"
    # Its mistakes are the Dockerfile's, not the command line's.
    printf 'FROM scratch\nADD %s/added.git?what=1 /x\n' "$U" >ctx/Dockerfile
    e2e_exits 1 "$STAVE" build ctx
    e2e_has "a query" "$E2E_ERR" 'Dockerfile:2:1: error: the repository'
    empty_tmp
}

# --- named contexts -----------------------------------------------------------------------------------------------

named_kinds() {
    repo named
    make_context
    tar -C ctx -czf named.tgz .
    mkdir main
    printf 'FROM scratch\nCOPY --from=repo /sub /r\nCOPY --from=arc /sub /a\nCOPY --from=web /sub /w\nCOPY --from=one / /o\n' >main/Dockerfile
    set -- --build-context repo="$U/named.git" --build-context arc=named.tgz --build-context "web=$E2E_HTTP/context.tar.gz" \
        --build-context "one=$E2E_HTTP/file.txt" main
    tree "$@"
    e2e_same tree "$(tr '\n' ' ' <tree)" "a/ a/b a/up o/ o/context r/ r/Dockerfile r/other w/ w/Other w/b "
    e2e_exits 0 "$STAVE" build "$@"
    e2e_same "steps of the second build" "$(steps .e2e-err)" 0
    # What no stage needs is not fetched.
    printf 'FROM scratch\nCOPY Dockerfile /\n' >main/Dockerfile
    e2e_exits 0 "$STAVE" build --build-context repo=git://127.0.0.1:1/x.git main
    e2e_exits 2 "$STAVE" build --build-context x=target:y main
    e2e_exits 2 "$STAVE" build --build-context x main
    e2e_exits 2 "$STAVE" build --build-context x=- main
    e2e_exits 1 "$STAVE" build --build-context x=nosuch main
    empty_tmp
}

named_together() { # many stages that want the same one fetch it once
    local i before
    repo shared
    mkdir main
    for i in 1 2 3 4 5 6; do
        printf 'FROM scratch AS s%s\nCOPY --from=repo /file /%s\n' "$i" "$i"
    done >main/Dockerfile
    printf 'FROM scratch\n' >>main/Dockerfile
    for i in 1 2 3 4 5 6; do printf 'COPY --from=s%s / /\n' "$i"; done >>main/Dockerfile
    before=$(requests shared)
    tree --build-context "repo=$U/shared.git" main
    e2e_same tree "$(tr '\n' ' ' <tree)" "1 2 3 4 5 6 "
    e2e_same "requests" "$(($(requests shared) - before))" 2
}

named_index() { # files of a named directory are read once
    mkdir main nc
    echo a >nc/file
    printf 'FROM scratch\nCOPY --from=nc . /\n' >main/Dockerfile
    sleep 2.1 # what is younger is not remembered
    e2e_exits 0 "$STAVE" build --build-context nc=nc main
    e2e_has "the index" "$(cat .store/context/* | tr -d '\0')" file
    e2e_exits 0 "$STAVE" build --build-context nc=nc main
    e2e_same "steps of the second build" "$(steps .e2e-err)" 0
    echo b >nc/file
    tree --build-context nc=nc main
    e2e_same "after a change" "$(tar xOf tree.tar file)" b
}

named_platform() {
    mkdir any arm main
    echo any >any/f
    echo arm >arm/f
    printf 'FROM nn\n' >main/Dockerfile
    set -- --build-context nn=any --build-context nn::linux/arm64=arm main
    tree --platform=linux/arm64 "$@"
    e2e_same "for arm64" "$(tar xOf tree.tar f)" arm
    tree --platform=linux/amd64 "$@"
    e2e_same "for others" "$(tar xOf tree.tar f)" any
}

named_layout() {
    local good blob
    make_context
    "$STAVE" build -o type=oci,dest=lay.tar,compression=none ctx >/dev/null 2>&1
    mkdir lay main
    tar xf lay.tar -C lay
    good=$(python3 -c 'import json; print(json.load(open("lay/index.json"))["manifests"][0]["digest"])')
    export STAVE_ROOT=$PWD/.fresh
    printf 'FROM nn\nCOPY --from=nn /sub /again\n' >main/Dockerfile
    tree --build-context nn=oci-layout://lay main
    e2e_has tree "$(tr '\n' ' ' <tree)" "again/ again/b again/up hard"
    e2e_same "names that it gets" "$("$STAVE" images -q | wc -l)" 1
    e2e_exits 0 "$STAVE" fsck
    tree --build-context "nn=oci-layout://lay@$good" main
    e2e_exits 1 "$STAVE" build --build-context "nn=oci-layout://lay@sha256:$(printf '%064d' 0)" main
    e2e_exits 1 "$STAVE" build --build-context nn=oci-layout://nosuch main
    export STAVE_ROOT=$PWD/.other
    # A blob that is not what it is called, one that lies elsewhere, one that is a FIFO, none at all.
    blob=$(find lay/blobs/sha256 -size +2 -type f | head -n 1)
    cp "$blob" saved
    printf x | dd of="$blob" conv=notrunc bs=1 seek=700 status=none
    e2e_exits 1 "$STAVE" build --build-context nn=oci-layout://lay main
    mv saved "$PWD/elsewhere"
    ln -sf "$PWD/elsewhere" "$blob"
    e2e_exits 1 "$STAVE" build --build-context nn=oci-layout://lay main
    rm "$blob"
    mkfifo "$blob"
    e2e_exits 1 timeout 20 "$STAVE" build --build-context nn=oci-layout://lay main
    rm "$blob"
    e2e_exits 1 "$STAVE" build --build-context nn=oci-layout://lay main
    e2e_same "images of a bad layout" "$("$STAVE" images -q)" ""
    empty_tmp
}

# A layout of several platforms serves builds for each of them, whichever came first.
named_layout_platforms() {
    local arch
    mkdir main lay
    for arch in amd64 arm64; do
        mkdir "$arch"
        echo "$arch" >"$arch/which"
        printf 'FROM scratch\nCOPY which /which\n' >"$arch/Dockerfile"
        "$STAVE" build --platform "linux/$arch" -o "type=oci,dest=$arch.tar" "$arch" >/dev/null 2>&1
        tar xf "$arch.tar" -C lay
        mv lay/index.json "$arch.json"
    done
    python3 - >name <<'END'
import hashlib, json
lines = []
for arch in ("amd64", "arm64"):
    line = json.load(open(arch + ".json"))["manifests"][0]
    line["platform"] = {"os": "linux", "architecture": arch}
    lines.append(line)
index = "application/vnd.oci.image.index.v1+json"
text = json.dumps({"schemaVersion": 2, "mediaType": index, "manifests": lines}).encode()
name = hashlib.sha256(text).hexdigest()
open("lay/blobs/sha256/" + name, "wb").write(text)
line = {"mediaType": index, "digest": "sha256:" + name, "size": len(text)}
json.dump({"schemaVersion": 2, "manifests": [line]}, open("lay/index.json", "w"))
print(name)
END
    export STAVE_ROOT=$PWD/.fresh
    printf 'FROM nn\n' >main/Dockerfile
    for arch in amd64 arm64 amd64; do
        tree "--platform=linux/$arch" --build-context nn=oci-layout://lay main
        e2e_same "for $arch" "$(tar xOf tree.tar which)" "$arch"
    done
    e2e_exits 1 "$STAVE" build --platform linux/s390x --build-context nn=oci-layout://lay main
    e2e_has "for another" "$E2E_ERR" "no image for platform linux/s390x"
    printf ' ' >>"lay/blobs/sha256/$(cat name)"
    e2e_exits 1 "$STAVE" build --build-context nn=oci-layout://lay main
    e2e_has "a changed index" "$E2E_ERR" "not what its name"
    e2e_exits 0 "$STAVE" fsck
    empty_tmp
}

# --check of a context that is fetched: its Dockerfile, its ignore file and its files.
checked() {
    mkdir ctx
    printf 'from busybox:1\nCOPY . /\n' >ctx/Dockerfile
    echo "-----BEGIN OPENSSH PRIVATE KEY-----" >ctx/id_rsa
    tar -C ctx -cf ctx.tar .
    e2e_exits 1 "$STAVE" build --check - <ctx.tar
    e2e_has findings "$E2E_OUT" 'Dockerfile:1:1: warning: ConsistentInstructionCasing'
    e2e_has findings "$E2E_OUT" CopySecretFile
    e2e_same 'left in tmp' "$(ls -A "$STAVE_ROOT/tmp")" ''
    echo id_rsa >ctx/.dockerignore
    tar -C ctx -cf ctx.tar .
    e2e_exits 1 "$STAVE" build --check ctx.tar
    e2e_hasnt 'findings of what is left out' "$E2E_OUT" CopySecretFile
    echo 'FRUM busybox' >bad
    e2e_exits 1 "$STAVE" build --check - <bad
    e2e_has 'a bad file' "$E2E_OUT" "<stdin>:1:1: error: unknown instruction 'FRUM'"
}

start_servers
e2e_case checked checked
for option in --format=gnu --format=pax --gzip --bzip2 --xz --zstd; do
    e2e_case "archive$option" archive_kind "$option"
done
e2e_case archive-ignore archive_ignore
e2e_case archive-changed archive_changed
e2e_case archive-hostile archive_hostile
e2e_case signal-int signal_ends INT 130
e2e_case signal-term signal_ends TERM 143
e2e_case signal-kill kill_leaves_nothing
e2e_case git-refs git_refs
e2e_case git-cached git_cached
e2e_case git-keep git_keep
e2e_case git-submodules git_submodules
e2e_case git-hostile git_hostile
e2e_case git-sees-little git_sees_little
e2e_case git-login git_login
e2e_case url-without-password url_without_password
e2e_case git-missing git_missing
e2e_case git-time git_time
e2e_case git-killed kill_ends_git KILL
e2e_case git-terminated kill_ends_git TERM
e2e_case add-git add_git
e2e_case add-interrupted add_interrupted
e2e_case named-kinds named_kinds
e2e_case named-together named_together
e2e_case named-index named_index
e2e_case named-platform named_platform
e2e_case named-layout named_layout
e2e_case named-layout-platforms named_layout_platforms
e2e_summary contexts
