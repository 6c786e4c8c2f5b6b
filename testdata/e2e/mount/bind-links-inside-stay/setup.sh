ln -s f k/x; ln -s /etc/passwd k/y
