# shellcheck shell=bash
set -euo pipefail
gcc -Os -static -s -o hello hello.c
