# shellcheck shell=bash
mkdir -p empty/nested-empty
