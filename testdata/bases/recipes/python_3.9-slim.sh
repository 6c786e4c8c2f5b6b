# Debian's python3 and pip under the name that the Python example wants.
# packages: mmdebstrap ca-certificates
# shellcheck shell=bash
set -euo pipefail
# shellcheck source=testdata/bases/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
debian_root "$1" python3-minimal python3-pip
# pip may install here: the image is the environment.
rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED
ln -sf python3 "$1/usr/bin/python"
[ -e "$1/usr/bin/pip" ] || ln -s pip3 "$1/usr/bin/pip"
printf '%s\n' 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' 'ENV LANG=C.UTF-8' \
    'CMD ["python3"]' >"$2"
