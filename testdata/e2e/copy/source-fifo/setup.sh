# shellcheck shell=bash
mkfifo p
