#!/usr/bin/env python3
"""fake-docker.py SOCKET MODE DIR: as much of docker's engine as stave deliver asks for, which behaves as MODE says.

claims       has an image whose layers are those of the file DIR/layers, and misses each that an archive leaves out
snapshotter  keeps its images in containerd: the ID is the digest of the manifest, and it imports OCI archives only
unpack       the same, but the image cannot be unpacked, which is told in a line of text
refuses      answers 200 and then an error
forgets      takes the image and does not have it afterwards
hangs        never reads what is sent; DIR/hangs appears
drops        hangs up in the middle of what is sent

Each archive is left in DIR as load-1.tar, load-2.tar ...
"""
import http.server
import io
import json
import pathlib
import socketserver
import sys
import tarfile
import time

SOCKET, MODE, DIR = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
CLAIMED = "sha256:" + "c" * 64
images = {}  # name -> ID
loads = 0


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}


def load(data):
    """Take an archive: the lines of the answer."""
    global loads
    loads += 1
    (DIR / f"load-{loads}.tar").write_bytes(data)
    files = members(data)
    if MODE == "refuses":
        return [{"status": "Loading"}, {"errorDetail": {"message": "no space left on device"}, "error": "no space"}]
    if MODE in ("snapshotter", "unpack"):
        for m in json.loads(files["index.json"])["manifests"]:
            manifest = json.loads(files["blobs/sha256/" + m["digest"][7:]])
            assert all("blobs/sha256/" + d["digest"][7:] in files for d in manifest["layers"])
            images[m["annotations"]["io.containerd.image.name"]] = m["digest"]
        text = "Error unpacking image x: no" if MODE == "unpack" else "Loaded image: x"
        return [{"stream": text + "\n"}]
    for entry in json.loads(files["manifest.json"]):
        missing = [f for f in entry["Layers"] if f not in files]
        if missing:
            return [{"errorDetail": {"message": f"open /tmp/{missing[0]}: no such file or directory"}}]
        if MODE != "forgets":
            for name in entry["RepoTags"]:
                images[name] = "sha256:" + entry["Config"].removesuffix(".json")
    return [{"stream": "Loaded image: x\n"}]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def version_string(self):
        return "Docker/99 (linux)"

    def address_string(self):
        return "socket"

    def answer(self, status, lines):
        data = b"".join(json.dumps(v).encode() + b"\r\n" for v in lines)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        name = self.path.removeprefix("/images/").removesuffix("/json")
        if self.path == "/info":
            kind = "io.containerd.snapshotter.v1" if MODE in ("snapshotter", "unpack") else "extfs"
            self.answer(200, [{"DriverStatus": [["driver-type", kind]]}])
        elif self.path == "/images/json":
            self.answer(200, [[{"Id": CLAIMED}] if MODE == "claims" else []])
        elif name == CLAIMED:
            self.answer(200, [{"Id": CLAIMED, "RootFS": {"Layers": (DIR / "layers").read_text().split()}}])
        elif name in images:
            self.answer(200, [{"Id": images[name]}])
        else:
            self.answer(404, [{"message": "no such image"}])

    def do_POST(self):
        data = b""
        if MODE == "hangs":
            (DIR / "hangs").touch()
            time.sleep(60)
        while True:
            n = int(self.rfile.readline().strip() or b"0", 16)
            data += self.rfile.read(n)
            self.rfile.readline()
            if n == 0:
                break
            if MODE == "drops" and len(data) > 100000:
                self.close_connection = True
                return
        self.answer(200, load(data))


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(SOCKET, Handler).serve_forever()
