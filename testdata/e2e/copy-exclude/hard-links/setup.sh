ln src/x src/y
ln src/x src/z
