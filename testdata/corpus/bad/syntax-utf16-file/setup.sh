# shellcheck shell=bash
printf 'FROM busybox\n' | iconv -t UTF-16 >Dockerfile
