# The small base of the end-to-end cases: busybox, odd users, odd modes, links.
# packages: busybox-static gcc libc6-dev
# shellcheck shell=bash
set -euo pipefail
root=$1 changes=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"

mkdir -p bin dev etc home/alice home/bob opt proc root run srv sys tmp usr/bin usr/sbin var/tmp
install -m 755 /bin/busybox bin/busybox
for applet in $(bin/busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "bin/$applet"
done
ln -s /bin/env usr/bin/env
gcc -O1 -s -static -o bin/probe "$here/probe.c"

cat >etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
alice:x:1000:1000:Alice:/home/alice:/bin/sh
bob:x:1001:100:Bob:/home/bob:/bin/sh
nohome:x:1002:1002::/nonexistent:/bin/sh
emptyhome:x:1003:1003:::/bin/sh
svc-web.2:x:1500:1501::/srv:/bin/sh
4242:x:4300:4301:a name of digits:/srv:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
END
cat >etc/group <<'END'
root:x:0:
daemon:x:1:
wheel:x:10:alice
users:x:100:
alice:x:1000:
nohome:x:1002:
web:x:1501:
extra:x:2000:bob,alice
grp:x:3000:
4242:x:4400:
nogroup:x:65534:
END
chmod 1777 tmp var/tmp
chmod 700 root
printf 'profile\n' >home/alice/.profile
chown -R 1000:1000 home/alice
chmod 750 home/alice
chown 1001:100 home/bob

mkdir -p srv/real srv/tree/a/b srv/empty srv/sticky srv/sgiddir srv/closed srv/ro srv/full/sub
printf 'keep\n' >srv/real/keep
chmod 711 srv/real
chown 1000:1000 srv/real
printf 'base file\n' >srv/file
chmod 640 srv/file
chown 1001:100 srv/file
printf '#!/bin/sh\necho ran "$@"\n' >srv/exec
chmod 755 srv/exec
printf 'suid\n' >srv/suid
chown 0:100 srv/suid
chmod 4755 srv/suid
printf 'sgid\n' >srv/sgid
chown 0:100 srv/sgid
chmod 2755 srv/sgid
printf 'hard\n' >srv/hard1
ln srv/hard1 srv/hard2
printf 'capped\n' >srv/capped
chmod 755 srv/capped
bin/probe setcap srv/capped
printf 'c\n' >srv/tree/a/b/c
printf 'd\n' >srv/tree/a/d
printf 'e\n' >srv/tree/e
printf '1\n' >srv/full/one
printf '2\n' >srv/full/sub/two
mkfifo srv/fifo
chmod 1777 srv/sticky
chmod 2775 srv/sgiddir
chown 0:100 srv/sgiddir
chmod 700 srv/closed
printf 'secret\n' >srv/closed/in
chmod 555 srv/ro
ln -s /srv/real opt/link
ln -s ../srv/real opt/rel
ln -s ../../../../srv/real opt/up
ln -s /srv/notyet opt/dangling
ln -s loop opt/loop
ln -s /srv/file opt/filelink
ln -s /srv/newfile opt/newfilelink
ln -s /run var/run

printf '%s\n' 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'CMD ["sh"]' >"$changes"
