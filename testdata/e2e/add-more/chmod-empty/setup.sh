chmod 640 f
