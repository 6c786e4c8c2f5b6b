mkdir t
mkdir t/in
echo hi >t/in/f
tar -C t --owner=5 --group=6 --numeric-owner --mtime=@1000000000 -cf t.tar in
rm -r t
