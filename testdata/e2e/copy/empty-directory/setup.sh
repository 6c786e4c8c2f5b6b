# shellcheck shell=bash
mkdir -p e p/q/r
