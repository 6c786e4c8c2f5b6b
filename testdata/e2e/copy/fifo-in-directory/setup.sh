# shellcheck shell=bash
mkfifo -m 640 m/fifo
