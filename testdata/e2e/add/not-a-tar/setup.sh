# shellcheck shell=bash
echo compressed | gzip -nc > plain.gz
