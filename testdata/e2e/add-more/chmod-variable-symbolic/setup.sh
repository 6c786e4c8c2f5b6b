chmod 600 d/f
chmod 700 d/s
