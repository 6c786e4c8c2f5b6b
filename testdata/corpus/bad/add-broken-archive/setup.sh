# shellcheck shell=bash
mkdir d
head -c 100000 /dev/urandom >d/f
tar -czf whole.tar.gz d
head -c 50000 whole.tar.gz >cut.tar.gz
rm -r d whole.tar.gz
