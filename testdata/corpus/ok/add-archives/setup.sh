# shellcheck shell=bash
mkdir -p r/opt/r/bin s/pkg-1.0 p
echo b >r/opt/r/bin/b
chmod 755 r/opt/r/bin/b
ln -s b r/opt/r/bin/link
echo c >s/pkg-1.0/c.c
echo p >p/p
opts="--owner=0 --group=0 --mtime=@1000000000 --sort=name"
tar $opts -czf rootfs.tar.gz -C r opt
tar $opts -cJf src.tar.xz -C s pkg-1.0
tar $opts -cf plain.tar -C p p
echo notes >notes.txt
rm -r r s p
