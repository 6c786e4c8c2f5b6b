mkdir t
mkdir t/d
echo hi >t/d/in
chmod 600 t/d/in
tar -C t --owner=5 --group=6 --numeric-owner --mtime=@1000000000 -cf t.tar d
gzip -nk t.tar
rm -r t
