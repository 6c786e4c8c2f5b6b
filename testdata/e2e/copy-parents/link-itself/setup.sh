ln -s a/b l
ln -s c/f.txt a/b/k
