#!/usr/bin/env python3
# packages: python3 zstd
"""Print an image archive as JSON: its config, and its file tree with all layers flattened.

    imgtree.py [--base FILE] [--mtime PATH]... [--platform OS/ARCH[/VARIANT]] [--compact] FILE

FILE is what `docker save` or `stave save` writes: an OCI layout in a tar, a docker-archive, or both in one.
With --base (another image archive, or a plain root file system tar) only what differs from the base's tree is
printed, and the paths that are gone. --compact writes text instead of size and digest where a file is small.

On the way everything that the formats promise is checked: digests of all blobs, sizes, diff IDs, the number of
layers, history, paths inside of layers, whiteouts, hard links. A violation ends the program with status 1.
Only Python's standard library (and the zstd program for zstd layers).
"""
import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile

MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
CONFIG_KEYS = [
    "Entrypoint", "Cmd", "Env", "WorkingDir", "User", "ExposedPorts", "Volumes", "Labels", "Healthcheck",
    "Shell", "OnBuild", "StopSignal",
]


class Violation(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Violation(message)


class HashingReader:
    """A readable stream that hashes what passes through it."""

    def __init__(self, raw):
        self.raw, self.sha, self.size = raw, hashlib.sha256(), 0

    def read(self, n=-1):
        data = self.raw.read(n)
        self.sha.update(data)
        self.size += len(data)
        return data

    def drain(self):
        while self.read(1 << 20):
            pass

    def digest(self):
        return "sha256:" + self.sha.hexdigest()


def decompressed(stream):
    """A stream of the layer's tar, whatever it is compressed with."""
    head = stream.read(4)
    stream.seek(0)
    if head[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=stream)
    if head == b"\x28\xb5\x2f\xfd":
        out = tempfile.TemporaryFile()
        with tempfile.TemporaryFile() as spool:
            while block := stream.read(1 << 20):
                spool.write(block)
            spool.seek(0)
            subprocess.run(["zstd", "-dcq"], stdin=spool, stdout=out, check=True)
        out.seek(0)
        return out
    return stream


class Node:
    """One inode: several paths share it when they are hard links."""

    def __init__(self, member, content):
        self.mode = f"{member.mode:04o}"
        self.uid, self.gid = member.uid, member.gid
        self.mtime = member.mtime
        self.type, self.link, self.rdev = "file", None, None
        self.size = self.sha256 = self.text = None
        if member.isdir():
            self.type = "dir"
        elif member.issym():
            self.type, self.link = "symlink", member.linkname
        elif member.ischr() or member.isblk():
            self.type = "char" if member.ischr() else "block"
            self.rdev = f"{member.devmajor}:{member.devminor}"
        elif member.isfifo():
            self.type = "fifo"
        else:
            self.size, self.sha256, self.text = content
        self.xattrs = {}
        for key, value in member.pax_headers.items():
            if key.startswith("SCHILY.xattr."):
                raw = value.encode("utf-8", "surrogateescape")
                name = key[len("SCHILY.xattr."):]
                readable = name != "security.capability" and all(32 <= b < 127 for b in raw)
                self.xattrs[name] = raw.decode() if readable else "hex:" + raw.hex()

    def as_json(self, compact):
        out = {"type": self.type}
        if self.type != "symlink":
            out["mode"] = self.mode
        out["uid"], out["gid"] = self.uid, self.gid
        if self.type == "file":
            if compact and self.text is not None:
                out["text"] = self.text
            else:
                out["size"], out["sha256"] = self.size, self.sha256
        if self.link is not None:
            out["link"] = self.link
        if self.rdev is not None:
            out["rdev"] = self.rdev
        if self.xattrs:
            out["xattrs"] = dict(sorted(self.xattrs.items()))
        return out


def content_of(tar, member):
    sha, size, keep = hashlib.sha256(), 0, b""
    stream = tar.extractfile(member)
    while block := stream.read(1 << 20):
        sha.update(block)
        size += len(block)
        if size <= 2048:
            keep += block
    need(size == member.size, f"{member.name}: {size} bytes of {member.size}")
    text = None
    if size <= 2048:
        try:
            text = keep.decode("utf-8")
            if any(ord(c) < 32 and c not in "\n\t\r" for c in text):
                text = None
        except UnicodeDecodeError:
            pass
    return size, sha.hexdigest(), text


def clean(name, where):
    need(not name.startswith("/"), f"{where}: absolute path {name!r}")
    parts = [p for p in name.split("/") if p not in ("", ".")]
    need(".." not in parts, f"{where}: '..' in path {name!r}")
    return "/" + "/".join(parts)


def below(tree, path):
    prefix = path.rstrip("/") + "/"
    return [p for p in tree if p.startswith(prefix) and p != path]


def apply_layer(tree, fileobj, where):
    """Put one layer's tar over the tree."""
    added, whiteouts, opaque = {}, [], []
    with tarfile.open(fileobj=fileobj, mode="r|", errors="surrogateescape") as tar:
        for member in tar:
            path = clean(member.name, where)
            parent, _, name = path.rpartition("/")
            parent = parent or "/"
            if name == ".wh..wh..opq":
                opaque.append(parent)
                continue
            need(not name.startswith(".wh..wh."), f"{where}: left-over of aufs {path!r}")
            if name.startswith(".wh."):
                whiteouts.append((parent.rstrip("/") + "/" + name[4:]))
                continue
            need(path not in added, f"{where}: {path!r} twice in one layer")
            if member.islnk():
                target = clean(member.linkname, where)
                node = added.get(target) or tree.get(target)
                need(node is not None, f"{where}: hard link {path!r} to {target!r}, which is not there")
                need(node.type != "dir", f"{where}: hard link {path!r} to a directory")
            else:
                node = Node(member, content_of(tar, member) if member.isreg() else None)
            added[path] = node
    for path in opaque:
        for p in below(tree, path):
            del tree[p]
    for path in whiteouts:
        need(path not in added, f"{where}: {path!r} both there and whited out")
        need(path in tree or any(path.startswith(o.rstrip("/") + "/") for o in opaque),
             f"{where}: whiteout of {path!r}, which is not there")
        for p in below(tree, path) + [path]:
            tree.pop(p, None)
    for path in sorted(added):
        node, old = added[path], tree.get(path)
        if old is not None and old.type == "dir" and node.type != "dir":
            for p in below(tree, path):
                if p not in added:
                    del tree[p]
        tree[path] = node
    for path in added:
        parent = path.rpartition("/")[0]
        if parent:
            need(parent in tree and tree[parent].type == "dir", f"{where}: {path!r} lies below no directory")


def tree_json(tree, compact, mtimes):
    groups = {}
    for path in sorted(tree):
        groups.setdefault(id(tree[path]), []).append(path)
    out = {}
    for path in sorted(tree):
        out[path] = tree[path].as_json(compact)
        group = groups[id(tree[path])]
        if len(group) > 1:
            out[path]["hardlink"] = group[0]
        if path in mtimes:
            out[path]["mtime"] = tree[path].mtime
    return out


class Archive:
    def __init__(self, path):
        self.tar = tarfile.open(path, "r:", errors="surrogateescape")
        self.members = {}
        for member in self.tar:
            self.members[clean(member.name, path)] = member

    def has(self, name):
        return "/" + name in self.members

    def open(self, name):
        member = self.members.get("/" + name)
        need(member is not None, f"{name} is not in the archive")
        if member.issym():
            folder = ("/" + name).rpartition("/")[0]
            parts = []
            for p in (folder + "/" + member.linkname).split("/"):
                if p == "..":
                    parts.pop()
                elif p not in ("", "."):
                    parts.append(p)
            return self.open("/".join(parts))
        return self.tar.extractfile(member)

    def json(self, name):
        return json.load(self.open(name))

    def check_blobs(self):
        for path, member in self.members.items():
            if path.startswith("/blobs/") and member.isreg():
                _, _, algorithm, hexa = path.split("/")
                need(algorithm == "sha256", f"{path}: algorithm {algorithm}")
                reader = HashingReader(self.tar.extractfile(member))
                reader.drain()
                need(reader.digest() == "sha256:" + hexa, f"{path}: its content is {reader.digest()}")

    def descriptor(self, d, what):
        need(set(d) >= {"mediaType", "digest", "size"}, f"{what}: descriptor without mediaType, digest or size")
        name = "blobs/" + d["digest"].replace(":", "/")
        need(self.has(name), f"{what}: {d['digest']} is not in the archive")
        need(self.members["/" + name].size == d["size"] or self.members["/" + name].issym(),
             f"{what}: {d['digest']} has not {d['size']} bytes")
        return name

    def oci(self, platform):
        """(config name, layer names, manifest digest) by way of index.json."""
        need(self.json("oci-layout").get("imageLayoutVersion") == "1.0.0", "oci-layout: version")
        todo = [("index.json", self.json("index.json"))]
        images = []
        while todo:
            where, index = todo.pop(0)
            need(index.get("schemaVersion") == 2, f"{where}: schemaVersion")
            for d in index["manifests"]:
                name = self.descriptor(d, where)
                if d["mediaType"] in INDEXES:
                    todo.append((name, self.json(name)))
                    continue
                need(d["mediaType"] in MANIFESTS, f"{where}: media type {d['mediaType']}")
                if d.get("annotations", {}).get("vnd.docker.reference.type"):
                    continue
                images.append((d, self.json(name)))
        need(images, "index.json: no image")
        if platform:
            images = [(d, m) for d, m in images if self.platform_of(m) == platform]
            need(images, f"no image for {platform}")
        d, manifest = images[0]
        need(manifest.get("schemaVersion") == 2, "manifest: schemaVersion")
        config = self.descriptor(manifest["config"], "manifest")
        layers = [self.descriptor(layer, "manifest") for layer in manifest["layers"]]
        return config, layers, d["digest"]

    def platform_of(self, manifest):
        return platform_name(self.json(self.descriptor(manifest["config"], "manifest")))

    def docker(self):
        first = self.json("manifest.json")[0]
        return first["Config"], first["Layers"]


def platform_name(config):
    parts = [config.get("os", ""), config.get("architecture", "")]
    if config.get("variant"):
        parts.append(config["variant"])
    return "/".join(parts)


def read_image(path, platform=None):
    """(config as JSON, tree, number of layers) of an image archive, checked."""
    archive = Archive(path)
    archive.check_blobs()
    names = None
    if archive.has("oci-layout"):
        config_name, layers, _ = archive.oci(platform)
        names = (config_name, layers)
    if archive.has("manifest.json"):
        docker = archive.docker()
        if names is not None and not platform:
            need(archive.json(docker[0]) == archive.json(names[0]),
                 "manifest.json and index.json name different configs")
            need(len(docker[1]) == len(names[1]), "manifest.json and index.json have different layers")
        names = names or docker
    need(names is not None, "neither an OCI layout nor a docker-archive")
    config_name, layers = names
    config = archive.json(config_name)
    rootfs = config.get("rootfs", {})
    need(rootfs.get("type") == "layers", "config: rootfs.type")
    diff_ids = rootfs.get("diff_ids") or []
    need(len(diff_ids) == len(layers), f"{len(layers)} layers, {len(diff_ids)} diff IDs")
    need(config.get("os") and config.get("architecture"), "config: no platform")
    history = config.get("history") or []
    if history:
        filled = sum(not h.get("empty_layer", False) for h in history)
        need(filled == len(layers), f"{len(layers)} layers, {filled} entries of history that are not empty")
    tree = {}
    for i, (name, diff_id) in enumerate(zip(layers, diff_ids)):
        reader = HashingReader(decompressed(archive.open(name)))
        apply_layer(tree, reader, f"layer {i}")
        reader.drain()
        need(reader.digest() == diff_id, f"layer {i}: diff ID is {reader.digest()}, not {diff_id}")
    return config, tree, len(layers)


def read_tree(path):
    """The tree of an image archive or of a plain root file system tar."""
    with tarfile.open(path, "r:", errors="surrogateescape") as tar:
        names = {clean(member.name, path) for member in tar}
    if names & {"/oci-layout", "/manifest.json"}:
        return read_image(path)[1]
    tree = {}
    with open(path, "rb") as f:
        apply_layer(tree, f, path)
    return tree


def image_json(path, base=None, mtimes=(), platform=None, compact=False):
    """All that the program prints, as a dict. base: a tree of read_tree()."""
    config, tree, layers = read_image(path, platform)
    inner = config.get("config") or {}
    out = {"config": {}}
    for key in CONFIG_KEYS:
        if inner.get(key) not in (None, "", [], {}):
            out["config"][key] = inner[key]
    if config.get("author"):
        out["config"]["Author"] = config["author"]
    out["platform"] = platform_name(config)
    now = tree_json(tree, compact, mtimes)
    if base is not None:
        was = tree_json(base, compact, ())
        gone = sorted(p for p in was if p not in now)
        # Of a directory that is gone its name is enough.
        gone = [p for p in gone if p.rpartition("/")[0] not in set(gone)]
        now = {p: e for p, e in now.items() if p in mtimes or was.get(p) != e}
        if gone:
            out["deleted"] = gone
    out["tree"] = now
    out["layers"] = layers
    history = config.get("history") or []
    out["history"] = [
        {k: h[k] for k in ("created_by", "empty_layer", "comment") if h.get(k)} for h in history
    ]
    if is_epoch(config.get("created")):
        out["created"] = config["created"]
        out["times"] = [h["created"] if is_epoch(h.get("created")) else "" for h in history]
    return out


def is_epoch(time):
    """Can it come from nothing but SOURCE_DATE_EPOCH?"""
    return time is not None and time < "2001"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--base")
    parser.add_argument("--mtime", action="append", default=[])
    parser.add_argument("--platform")
    parser.add_argument("--compact", action="store_true")
    parser.add_argument("file")
    args = parser.parse_args()
    try:
        base = read_tree(args.base) if args.base else None
        out = image_json(args.file, base, set(args.mtime), args.platform, args.compact)
    except (Violation, tarfile.TarError, json.JSONDecodeError, KeyError) as e:
        print(f"imgtree: {args.file}: {type(e).__name__}: {e}", file=sys.stderr)
        return 1
    json.dump(out, sys.stdout, indent=1, sort_keys=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
