# shellcheck shell=bash
python3 -c 'import os; os.setxattr("m/f", "user.x", b"v"); os.setxattr("m", "user.d", b"v")'
