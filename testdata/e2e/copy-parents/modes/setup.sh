chmod 700 a
chmod 1770 a/b
chmod 2711 a/b/c
chmod 600 a/b/c/f.txt
