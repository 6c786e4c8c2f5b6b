# shellcheck shell=bash
mkdir dist
echo x86 >dist/tool-2.4.1-x86_64.txt
echo arm >dist/tool-2.4.1-aarch64.txt
(cd dist && sha256sum tool-*) >SHA256SUMS
