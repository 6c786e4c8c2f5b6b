# Debian's node and npm under the name that the Node example wants, with its user "node".
# packages: mmdebstrap ca-certificates
# shellcheck shell=bash
set -euo pipefail
# shellcheck source=testdata/bases/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
debian_root "$1" nodejs npm
machine_npm "$1"
# Debian's npm reads /etc/npmrc; the libraries' tests and sources are of no use here.
rm -rf "$1"/usr/share/nodejs/*/test "$1"/usr/include
echo 'node:x:1000:1000:node:/home/node:/bin/sh' >>"$1/etc/passwd"
echo 'node:x:1000:' >>"$1/etc/group"
install -d -m 755 -o 1000 -g 1000 "$1/home/node"
printf '%s\n' 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' 'CMD ["node"]' >"$2"
