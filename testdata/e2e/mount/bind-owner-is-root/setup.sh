chown -R 1234:4321 d; chmod 4711 d/a; chmod 700 d/sub
