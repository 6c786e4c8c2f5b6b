# shellcheck shell=bash
# mk NAME: the members t/f, t/s/g and the link t/l, always the same bytes
mk() { tar --sort=name --mtime=@1000000000 --owner=11 --group=12 --numeric-owner --format=ustar -cf "$1" t; }
mkdir -p t/s; echo f > t/f; echo g > t/s/g; ln -s f t/l; chmod 640 t/f; chmod 711 t/s
mk a.tar; rm -r t
