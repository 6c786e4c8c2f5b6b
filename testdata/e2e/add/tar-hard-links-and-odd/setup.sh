# shellcheck shell=bash
mkdir t; echo h > t/a; ln t/a t/b; mkfifo t/p; echo s > t/suid; chmod 6755 t/suid; mkdir -m 1777 t/sticky
tar --sort=name --mtime=@1000000000 --owner=0 --group=0 -cf a.tar t; rm -r t
