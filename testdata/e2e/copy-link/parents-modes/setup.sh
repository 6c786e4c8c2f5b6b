chmod 750 d
