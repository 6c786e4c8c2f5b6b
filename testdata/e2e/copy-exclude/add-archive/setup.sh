mkdir t
echo hi >t/in
tar -C t --owner=0 --group=0 --mtime=@1 -cf t.tar in
rm -r t f
