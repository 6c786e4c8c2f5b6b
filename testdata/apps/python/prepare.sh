# shellcheck shell=bash
# The wheel is made here from its source, without any build system: a zip with three metadata files.
set -euo pipefail
python3 - <<'END'
import base64, hashlib, pathlib, zipfile

files = {"greeting/__init__.py": pathlib.Path("greeting-src/greeting/__init__.py").read_bytes()}
files["greeting-1.0.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"
files["greeting-1.0.dist-info/WHEEL"] = (
    b"Wheel-Version: 1.0\nGenerator: stave\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
record = ""
for name, data in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record += f"{name},sha256={digest},{len(data)}\n"
record += "greeting-1.0.dist-info/RECORD,,\n"
files["greeting-1.0.dist-info/RECORD"] = record.encode()
with zipfile.ZipFile("greeting-1.0-py3-none-any.whl", "w") as wheel:
    for name, data in files.items():
        wheel.writestr(zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40)), data)
END
rm -r greeting-src
