# shellcheck shell=bash
{ echo FROM busybox; printf "RUN echo %060000d | wc -c > /out\n" 1; } >Dockerfile
