# shellcheck shell=bash
python3 -c 'import zipfile; z = zipfile.ZipFile("a.zip", "w"); z.writestr(zipfile.ZipInfo("f"), "f")'
