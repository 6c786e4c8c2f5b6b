# shellcheck shell=bash
echo x >'my file.txt'
