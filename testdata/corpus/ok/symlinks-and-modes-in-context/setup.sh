# shellcheck shell=bash
chmod 600 tree/private
chmod 4755 tree/run.sh
chmod 2770 tree/dir
ln tree/file tree/hard
