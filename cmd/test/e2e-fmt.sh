#!/usr/bin/env bash
# e2e-fmt.sh: what stave fmt writes, where, and how it ends.
# packages: diffutils patch
set -euo pipefail

# shellcheck source=cmd/test/e2e-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e-lib.sh"
trap e2e_cleanup EXIT
STAVE=$(realpath "$STAVE")

ugly() { printf 'from  a\nrun   x   y\n\n\n\nCOPY\ta   b\n'; }
pretty() { printf 'FROM a\nRUN x   y\n\nCOPY a b\n'; }

in_place() {
    mkdir d
    ugly >d/f
    chmod 640 d/f
    e2e_exits 0 "$STAVE" fmt d/f
    e2e_same 'output' "$E2E_OUT$E2E_ERR" ''
    e2e_same 'the file' "$(cat d/f)" "$(pretty)"
    e2e_same 'its mode' "$(stat -c %a d/f)" 640
    e2e_same 'what lies beside it' "$(ls -A d)" f
}

# A file that is formatted already is not touched.
untouched() {
    pretty >f
    touch -d 2020-01-01 f
    local was
    was=$(stat -c '%i %Y' f)
    e2e_exits 0 "$STAVE" fmt f
    e2e_same 'inode and time' "$(stat -c '%i %Y' f)" "$was"
}

# The file behind a link is written, the link stays.
links() {
    mkdir d
    ugly >d/f
    ln -s d/f l
    e2e_exits 0 "$STAVE" fmt l
    e2e_same 'the link' "$(readlink l)" d/f
    e2e_same 'the file' "$(cat d/f)" "$(pretty)"
}

owner() {
    [ "$(id -u)" = 0 ] || e2e_skip 'needs root'
    ugly >f
    chown 1234:4321 f
    e2e_exits 0 "$STAVE" fmt f
    e2e_same 'the owner' "$(stat -c %u:%g f)" 1234:4321
}

by_default() {
    ugly >Dockerfile
    e2e_exits 1 "$STAVE" fmt --check
    e2e_same 'the name' "$E2E_OUT" Dockerfile
    e2e_exits 0 "$STAVE" fmt
    e2e_same 'the file' "$(cat Dockerfile)" "$(pretty)"
    e2e_exits 0 "$STAVE" fmt --check
    e2e_same 'output' "$E2E_OUT" ''
}

from_stdin() {
    e2e_same 'stdout' "$(ugly | "$STAVE" fmt -)" "$(pretty)"
    e2e_same 'stdout' "$(pretty | "$STAVE" fmt -)" "$(pretty)"
}

check_names() {
    ugly >a
    pretty >b
    ugly >c
    e2e_exits 1 "$STAVE" fmt --check a b c
    e2e_same 'the names' "$(tr '\n' ' ' <<<"$E2E_OUT")" 'a c '
    e2e_same 'a' "$(cat a)" "$(ugly)"
    e2e_exits 0 "$STAVE" fmt --check b
}

# What --diff shows is a patch.
diffs() {
    local i
    {
        ugly
        for i in $(seq 1 20); do
            echo "RUN same $i"
        done
        printf 'env   A=1   B=2\nRUN last  '
    } >f
    cp f g
    e2e_exits 0 "$STAVE" fmt --diff f
    e2e_same 'f' "$(cat f)" "$(cat g)"
    e2e_has 'the head' "$E2E_OUT" '--- f.orig'
    e2e_has 'the missing newline' "$E2E_OUT" '\ No newline at end of file'
    e2e_same 'the number of hunks' "$(grep -c '^@@' <<<"$E2E_OUT")" 2
    printf '%s\n' "$E2E_OUT" >p
    patch -s g p
    e2e_exits 0 "$STAVE" fmt f
    cmp f g || e2e_fail 'the patch gives something else'
    e2e_exits 0 "$STAVE" fmt --diff f
    e2e_same 'no difference' "$E2E_OUT" ''
    ugly >f
    e2e_exits 1 "$STAVE" fmt --diff --check f
    e2e_has 'the head' "$E2E_OUT" '+++ f'
}

# A mistake is shown, the file stays, the others are formatted.
mistakes() {
    printf 'from  a\nCOPPY x y\n' >bad
    cp bad was
    ugly >f
    e2e_exits 1 "$STAVE" fmt bad f nothing
    e2e_has 'the message' "$E2E_ERR" 'bad:2:1'
    e2e_has 'the message' "$E2E_ERR" 'nothing'
    cmp bad was || e2e_fail 'the bad file was changed'
    e2e_same 'f' "$(cat f)" "$(pretty)"
    e2e_exits 1 "$STAVE" fmt
    e2e_has 'the message' "$E2E_ERR" 'there is no Dockerfile'
}

# A directory that cannot be written keeps the old file.
unwritable() {
    mkdir d
    ugly >d/f
    mount -t tmpfs -o size=8k,nr_inodes=3 tmpfs d 2>/dev/null || e2e_skip 'cannot mount a tmpfs'
    ugly >d/f
    head -c 100000 /dev/zero >d/full 2>/dev/null || true
    local rc=0
    "$STAVE" fmt d/f 2>err || rc=$?
    local text
    text=$(cat d/f)
    umount d
    e2e_same 'the status' "$rc" 1
    e2e_same 'the file' "$text" "$(ugly)"
}

for name in in_place untouched links owner by_default from_stdin check_names diffs mistakes unwritable; do
    e2e_case "$name" "$name"
done
e2e_summary e2e-fmt
