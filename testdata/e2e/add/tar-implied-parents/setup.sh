# shellcheck shell=bash
mkdir -p t/u/v; echo f > t/u/v/f; tar --owner=5 --group=6 --mtime=@1000000000 -cf a.tar t/u/v/f; rm -r t
