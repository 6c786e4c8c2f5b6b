# shellcheck shell=bash
python3 -c 'import os; os.setxattr("m/f", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))'
