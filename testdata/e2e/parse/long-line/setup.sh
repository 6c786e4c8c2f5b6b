# shellcheck shell=bash
{ echo FROM busybox; printf "LABEL a=%065600d\n" 1; } >Dockerfile
