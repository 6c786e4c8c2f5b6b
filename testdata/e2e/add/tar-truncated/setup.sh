# shellcheck shell=bash
head -c 300000 /dev/urandom > r; tar -czf big.tar.gz r; head -c 100000 big.tar.gz > a.tar.gz; rm r big.tar.gz
