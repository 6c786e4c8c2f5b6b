# shellcheck shell=bash
ln m/a m/b
