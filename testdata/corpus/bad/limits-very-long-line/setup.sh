# shellcheck shell=bash
{
	printf 'FROM busybox\nRUN echo '
	head -c 70000 /dev/zero | tr '\0' x
	echo
} >Dockerfile
