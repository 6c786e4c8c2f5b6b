# Debian bookworm, minimal, with working apt.
# packages: mmdebstrap ca-certificates
# shellcheck shell=bash
set -euo pipefail
# shellcheck source=testdata/bases/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
debian_root "$1"
printf '%s\n' 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV DEBIAN_FRONTEND=noninteractive' 'CMD ["bash"]' >"$2"
