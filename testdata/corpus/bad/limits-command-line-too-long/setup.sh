# shellcheck shell=bash
{
	printf 'FROM busybox\nRUN true'
	for i in $(seq 60); do
		printf ' \\\n    # line %d\n    ' "$i"
		head -c 4000 /dev/zero | tr '\0' x
	done
	echo
} >Dockerfile
