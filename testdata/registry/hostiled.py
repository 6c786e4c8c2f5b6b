#!/usr/bin/env python3
"""A registry that lies, for THREATS 1.3: the repository's name says how.

hostiled.py PORT LOG [CERT KEY]: plain HTTP at all addresses, TLS with CERT and KEY. LOG gets a line for each request:
method, path, Authorization and Proxy-Authorization. What lies below /elsewhere/ is no registry: it answers 401 and asks for
a password; below /files/ everything is a file. The repository "locked" wants any password.

HOSTILED_ELSEWHERE: where images lead to, "http://127.0.0.1:PORT/elsewhere/" of this server or another one.
HOSTILED_SLOW: so many seconds until an answer, and a password is wanted everywhere.
"""
import gzip
import hashlib
import http.server
import io
import json
import os
import socketserver
import ssl
import sys
import tarfile
import time

PORT, LOG = int(sys.argv[1]), sys.argv[2]
OCI = "application/vnd.oci.image."
INDEX, MANIFEST, CONFIG = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar+gzip"
FOREIGN = {"foreign-oci": OCI + "layer.nondistributable.v1.tar+gzip",
           "foreign-docker": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}
ELSEWHERE = os.environ.get("HOSTILED_ELSEWHERE", f"http://127.0.0.1:{PORT}/elsewhere/")
SLOW = float(os.environ.get("HOSTILED_SLOW", "0"))
# Where a registry sends us for a token, and none of them is a place for a password.
REALMS = {"literal": "https://169.254.169.254/latest/meta-data", "localhost": "https://localhost:1/token"}
HUGE = 4 << 30

LABELS = {"command": "$(touch hostile-ran)`touch hostile-ran`", "format": "%n%s%n%s%n", "line": "a\nb", "escape": "\033[2J\033]0;x\007",
          "$(touch hostile-ran)": "; touch hostile-ran", "option": "--help"}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dump(doc):
    return json.dumps(doc).encode()


def layer(name):
    """A tar of one file, and the same compressed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(name)
        tar.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue(), gzip.compress(out.getvalue(), mtime=0)


class Image:
    """Manifests and blobs by digest, and what the tag names."""

    def __init__(self):
        self.manifests, self.blobs, self.tag = {}, {}, None
        self.types = {}

    def put(self, doc, media_type, is_tag=True):
        data = doc if isinstance(doc, bytes) else dump(doc)
        self.manifests[digest(data)] = data
        self.types[digest(data)] = media_type
        if is_tag:
            self.tag = digest(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def blob(self, data, media_type, **more):
        self.blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}

    def image(self, names=("one", "two"), is_tag=True, arch="amd64", diff_ids=None, order=None, media_type=LAYER, config=None, **more):
        tars = [layer(n) for n in names]
        doc = {"os": "linux", "architecture": arch, "config": config or {},
               "rootfs": {"type": "layers", "diff_ids": diff_ids or [digest(t) for t, _ in tars]}}
        layers = [self.blob(z, media_type, **more) for _, z in tars]
        return self.put({"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(dump(doc), CONFIG),
                         "layers": [layers[i] for i in order] if order else layers}, MANIFEST, is_tag)


def index(children):
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}


def nest(img, depth):
    child = img.image(is_tag=False)
    for _ in range(depth):
        child = img.put(index([child]), INDEX)


def make(name):
    """The image of a repository."""
    img = Image()
    if name in FOREIGN:
        img.image(media_type=FOREIGN[name], urls=[ELSEWHERE + "layer"])
    elif name == "urls":
        img.image(urls=[ELSEWHERE + "layer"])
    elif name == "both":
        img.image()
        doc = json.loads(img.manifests[img.tag])
        img.put({**doc, "manifests": [img.image(is_tag=False)]}, MANIFEST)
    elif name == "both-index":
        img.put({**index([img.image(is_tag=False)]), "layers": []}, INDEX)
    elif name == "announced":
        img.types[img.image()["digest"]] = INDEX
    elif name == "announced-child":
        img.put(index([img.image(is_tag=False)]), INDEX)
        for d in img.types:
            img.types[d] = INDEX
    elif name == "diff-id":
        img.image(diff_ids=[digest(layer("one")[0]), digest(b"x")])
    elif name == "diff-count":
        img.image(diff_ids=[digest(layer("one")[0])])
    elif name == "swapped":
        img.image(order=[1, 0])
    elif name == "deep":
        img.put(b"[" * 1000000, MANIFEST)
    elif name == "twice":
        img.image()
        img.put(img.manifests[img.tag].replace(b'"schemaVersion": 2', b'"schemaVersion": 2, "layers": []'), MANIFEST)
    elif name == "escape":
        img.put(b'{"\033[31m\033]0;x\007', MANIFEST)
    elif name == "escape-type":
        img.image(media_type=".foreign.\033]0;x\007")
    elif name == "nul":
        img.image()
        img.put(img.manifests[img.tag].replace(b"tar+gzip", b"tar\\u0000"), MANIFEST)
    elif name == "number":
        img.image()
        img.put(img.manifests[img.tag].replace(b'"schemaVersion": 2', b'"schemaVersion": 1e400'), MANIFEST)
    elif name == "negative":
        img.image()
        img.put(img.manifests[img.tag].replace(b'"size": ', b'"size": -'), MANIFEST)
    elif name in ("huge-config", "huge-layer"):
        img.image()
        doc = json.loads(img.manifests[img.tag])
        (doc["config"] if name == "huge-config" else doc["layers"][0])["size"] = HUGE
        img.put(doc, MANIFEST)
    elif name.startswith("nest-"):
        nest(img, int(name[5:]))
    elif name == "itself":
        img.put(index([{"mediaType": INDEX, "digest": digest(b"x"), "size": 7}]), INDEX)
        img.manifests[digest(b"x")] = img.manifests[img.tag]
        img.types[digest(b"x")] = INDEX
    elif name == "many":
        img.put(index([{"mediaType": MANIFEST, "digest": digest(b"x"), "size": 7}] * 10001), INDEX)
    elif name == "empty":
        img.put(index([]), INDEX)
    elif name == "others":
        img.put(index([{**img.image(is_tag=False), "platform": p} for p in (
            {"os": "windows", "architecture": "amd64"}, {"os": "linux", "architecture": "s390x"},
            {"os": "linux", "architecture": "arm", "variant": "v6"}, {"os": "unknown", "architecture": "unknown"})]), INDEX)
    elif name == "two":
        img.put(index([{**img.image([p], False, p), "platform": {"os": "linux", "architecture": p}} for p in ("amd64", "arm64", "s390x")]), INDEX)
    elif name == "unknown":
        img.put(index([{**img.image(is_tag=False), "platform": {"os": "unknown", "architecture": "unknown"}}]), INDEX)
    elif name == "other":
        img.image(arch="s390x")
    elif name == "labels":
        img.image(config={"Labels": LABELS, "Env": ["A=$(touch hostile-ran)%n"]})
    else:
        img.image(names=("one", "two") if name != "three" else ("one", "two", "three"))
    return img


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def endless(self, status, **headers):
        """4 GiB, as far as somebody takes them."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(HUGE))
        self.end_headers()
        self.close_connection = True
        if self.command == "HEAD":
            return
        try:
            for _ in range(HUGE >> 20):
                self.wfile.write(b" " * (1 << 20))
        except OSError:
            pass

    def send_blob(self, name, data):
        if name == "flipped":
            data = data[:-1] + bytes([data[-1] ^ 1])
        elif name == "short":
            data = data[:-1]
        elif name == "long":
            data += b"x"
        elif name == "huge-config" or (name == "huge-layer" and data[:2] == b"\037\213"):
            return self.endless(200)
        return self.answer(200, data)

    def send_manifest(self, name, img, ref):
        d = ref if ref.startswith("sha256:") else img.tag
        if name == "huge":
            return self.endless(200, Content_Type=MANIFEST)
        if name == "huge-error":
            return self.endless(404)
        if d not in img.manifests and name != "other-digest":
            return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
        if name == "other-digest":
            d = img.tag
        # A header that lies is no reason to believe it.
        said = digest(b"lie") if name == "header" else d
        return self.answer(200, img.manifests[d], Content_Type=img.types[d], Docker_Content_Digest=said)

    def do_GET(self):
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {self.path} {self.headers.get('Authorization', '')} {self.headers.get('Proxy-Authorization', '')}\n")
        if self.path.startswith("/elsewhere/"):
            return self.answer(401, b"", WWW_Authenticate='Basic realm="x"')
        if self.path.startswith("/files/"):
            return self.answer(200, b"a file")
        time.sleep(SLOW)
        if self.path.startswith("/v2/realm-"):
            realm = REALMS[self.path.split("/")[2][6:]]
            return self.answer(401, b"", WWW_Authenticate=f'Bearer realm="{realm}",service="s"')
        if (SLOW or self.path.startswith("/v2/locked/")) and "Authorization" not in self.headers:
            return self.answer(401, b"", WWW_Authenticate='Basic realm="x"')
        if self.path in ("/v2/", "/v2"):
            return self.answer(200, b"{}")
        parts = self.path.split("/")
        if len(parts) != 5 or parts[3] not in ("manifests", "blobs"):
            return self.answer(404, b"")
        name, kind, ref = parts[2:]
        img = make(name)
        if name == "moved" and kind == "blobs":
            return self.answer(307, b"", Location=ELSEWHERE + "blob")
        if kind == "manifests":
            return self.send_manifest(name, img, ref)
        if ref not in img.blobs:
            return self.answer(404, b"")
        return self.send_blob(name, img.blobs[ref])

    do_HEAD = do_GET


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("", PORT), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
