#!/usr/bin/env python3
"""The server behind the ADD-of-a-URL cases: httpd.py PORT, on loopback only.

Port 0 means any free one; the port is printed. All answers are made up here.
"""
import http.server
import io
import sys
import tarfile

TEXT = b"from the web\n"
MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"


def small_tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("packed/file")
        info.size = len(TEXT)
        info.mtime = 1000000000
        tar.addfile(info, io.BytesIO(TEXT))
    raw = bytearray(out.getvalue())
    raw[4:8] = b"\0\0\0\0"  # gzip's time stamp
    return bytes(raw)


CONTEXT = {
    "Dockerfile": b"FROM busybox\nCOPY . /ctx/\nRUN cat /ctx/a /ctx/sub/b > /out\n",
    "a": TEXT,
    "sub/b": b"below\n",
    "sub/Other": b"FROM busybox\nCOPY sub /other/\n",
}


def context_tar(mode):
    """A build context; its times are not looked at by any key."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + mode) as tar:
        for name, data in CONTEXT.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.mtime = len(data), 0o640, 1234, 1000000000
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


PAGES = {
    "/stave-e2e": (200, {}, b"stave-e2e\n"),
    "/file.txt": (200, {"Last-Modified": MODIFIED}, TEXT),
    "/dir/other.txt": (200, {"Last-Modified": MODIFIED}, TEXT),
    "/undated.txt": (200, {}, TEXT),
    "/named": (200, {"Content-Disposition": 'attachment; filename="real-name.txt"', "Last-Modified": MODIFIED}, TEXT),
    "/archive.tar.gz": (200, {"Last-Modified": MODIFIED, "Content-Type": "application/gzip"}, small_tar()),
    "/redirect": (302, {"Location": "/file.txt"}, b""),
    "/a%20b.txt": (200, {"Last-Modified": MODIFIED}, TEXT),
    "/empty.txt": (200, {"Last-Modified": MODIFIED}, b""),
    "/": (200, {"Last-Modified": MODIFIED}, TEXT),
    "/context.tar": (200, {"Last-Modified": MODIFIED}, context_tar("")),
    "/context.tar.gz": (200, {}, context_tar("gz")),
    "/context.tar.bz2": (200, {}, context_tar("bz2")),
    "/context.tar.xz": (200, {}, context_tar("xz")),
    "/Dockerfile": (200, {"Last-Modified": MODIFIED}, b"FROM busybox\nCOPY context /made-of\nRUN ls -l / > /dev/null\n"),
    "/Dockerfile-scratch": (200, {"Last-Modified": MODIFIED}, b"FROM scratch\nCOPY context /\n"),
    "/Dockerfile.copies": (200, {}, b"FROM busybox\nCOPY local /here\n"),
    "/Dockerfile.bad": (200, {}, b"FROM busybox\nCOPPY a /b\n"),
    "/gone": (404, {}, b"no such page\n"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        status, headers, data = PAGES.get(self.path.partition("?")[0], PAGES["/gone"])
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that went away is no event."""


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_port, flush=True)
server.serve_forever()
