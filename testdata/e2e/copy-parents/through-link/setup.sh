ln -s a/b l
