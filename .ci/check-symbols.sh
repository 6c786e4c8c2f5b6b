#!/usr/bin/env bash
# check-symbols.sh [B]: does each global symbol have its folder's prefix?
set -euo pipefail
cd "$(dirname "$0")/.."
b=${1:-build}

prefixes()
{
	case $1 in
	core) echo 'stv_|oci_' ;;
	parser) echo 'df_' ;;
	cache) echo 'cas_|lay_|key_' ;;
	registry) echo 'reg_' ;;
	builder/sandbox) echo 'sbx_' ;;
	builder) echo 'bld_' ;;
	cmd) echo 'cmd_|ui_|main$' ;;
	esac
}

bad=0
for folder in core parser cache registry builder builder/sandbox cmd; do
	for o in "$b/$folder"/*.o; do
		[ -e "$o" ] || continue
		while read -r symbol; do
			echo "$o: $symbol does not begin with one of $(prefixes $folder)"
			bad=$((bad + 1))
		done < <(nm --defined-only -g "$o" | awk '{ print $3 }' | grep -vE "^($(prefixes $folder))" | grep -v '^__' || true)
	done
done
[ $bad -eq 0 ]
