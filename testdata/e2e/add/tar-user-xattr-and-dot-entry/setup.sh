# shellcheck shell=bash
mkdir t; echo f > t/f; chmod 700 t; tar -C t --sort=name --mtime=@1000000000 --owner=5 --group=6 -cf a.tar .; rm -r t
