chmod 640 d/f
chmod 4751 d/x
chmod 1700 d/s
chmod 0 d/k
