chmod 700 src/a
