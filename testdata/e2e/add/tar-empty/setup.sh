# shellcheck shell=bash
mkdir e; tar -cf empty.tar -T /dev/null; rmdir e
