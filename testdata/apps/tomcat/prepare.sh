# shellcheck shell=bash
set -euo pipefail
python3 -c '
import zipfile
with zipfile.ZipFile("sample.war", "w") as war:
    for name, data in (("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n"), ("WEB-INF/web.xml", "<web-app/>\n")):
        war.writestr(zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40)), data)
'
mkdir -p notes
echo 'in a directory without a dot: not copied' >notes/readme
