chmod 700 a
