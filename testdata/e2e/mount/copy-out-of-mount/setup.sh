chown -R 77:88 d; chmod 600 d/a
