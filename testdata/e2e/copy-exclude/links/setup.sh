ln -s a/two.md src/l
ln -s a src/d
