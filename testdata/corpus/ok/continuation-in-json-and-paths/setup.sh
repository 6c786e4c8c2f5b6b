# shellcheck shell=bash
echo cd >'c d'
