# shellcheck shell=bash
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("m/sock")'
