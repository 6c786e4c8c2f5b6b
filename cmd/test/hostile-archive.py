#!/usr/bin/env python3
"""hostile-archive.py KIND GOOD.TAR OUT.TAR: change a saved image so that nobody should load it.

The result calls itself "evil". Kinds: see CHANGES. All digests on the way are made anew where the kind is about
something behind them.
"""
import hashlib
import io
import json
import sys
import tarfile

ESCAPED = "stave-e2e-escaped"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def layer_of(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.devmajor, info.devminor = kind, link, 1, 3
            info.size = 5 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"evil\n"))
    return out.getvalue()


LAYERS = {
    "climbing-layer": [("../../../../../../../../../" + ESCAPED, tarfile.REGTYPE, "")],
    "absolute-layer": [("/" + ESCAPED, tarfile.REGTYPE, "")],
    "device-layer": [("dev/" + ESCAPED, tarfile.BLKTYPE, "")],
    "link-out-layer": [("out", tarfile.SYMTYPE, "/"), ("out/" + ESCAPED, tarfile.REGTYPE, ""),
                       ("hard", tarfile.LNKTYPE, "../../../../../../etc/passwd")],
}


def main(kind, good, out):
    files = {}
    with tarfile.open(good) as tar:
        for member in tar:
            if member.isfile():
                files[member.name] = tar.extractfile(member).read()
    blob = "blobs/sha256/"
    index = json.loads(files["index.json"])
    entry = index["manifests"][0]
    entry.setdefault("annotations", {})
    entry["annotations"]["io.containerd.image.name"] = "docker.io/library/evil:latest"
    entry["annotations"]["org.opencontainers.image.ref.name"] = "latest"
    manifest = json.loads(files[blob + entry["digest"][7:]])
    config = json.loads(files[blob + manifest["config"]["digest"][7:]])
    links = {}

    def put(descriptor, data):
        descriptor["digest"], descriptor["size"] = "sha256:" + digest(data), len(data)
        files[blob + digest(data)] = data

    if kind in LAYERS:
        data = layer_of(*LAYERS[kind])
        layer = manifest["layers"][-1]
        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar"
        put(layer, data)
        config["rootfs"]["diff_ids"][-1] = "sha256:" + digest(data)
    last = blob + manifest["layers"][-1]["digest"][7:]
    if kind == "wrong-size":
        manifest["layers"][-1]["size"] += 1
    put(manifest["config"], json.dumps(config).encode())
    put(entry, json.dumps(manifest).encode())
    # One description only: the other would name the good files.
    files.pop("manifest.json", None)
    path = blob + entry["digest"][7:]
    if kind == "climbing-blob":
        files.pop("index.json")
        files.pop("oci-layout")
        files["manifest.json"] = json.dumps([{
            "Config": "../../../../../../../../etc/passwd", "RepoTags": ["evil:latest"],
            "Layers": ["../../../../../../../../etc/hostname"]}]).encode()
    elif kind == "wrong-digest":
        files[last] = files[last][:-1] + bytes([files[last][-1] ^ 1])
    elif kind == "bad-json":
        files[path] = b'{"schemaVersion": 2, "layers": '
        put(entry, files[path])
    elif kind == "deep-json":
        put(entry, b'{"a":' * 100000 + b"1" + b"}" * 100000)
    elif kind == "no-manifest":
        files.pop(path)
    elif kind == "missing-layer":
        files.pop(last)
    elif kind == "link-blob":
        files.pop(last)
        links[last] = "/etc/passwd"
    if "index.json" in files:
        files["index.json"] = json.dumps(index).encode()
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)


main(*sys.argv[1:])
