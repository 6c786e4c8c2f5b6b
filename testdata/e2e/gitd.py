#!/usr/bin/env python3
"""A git server for tests: gitd.py PORT FOLDER, on loopback only; the port is printed (0: any free one).

    /smart/REPO     git's own protocol, by 'git http-backend'
    /private/REPO   the same for the user "me" with the password "pa%ss" only
    /moved/REPO     leads to /open/REPO of another name of this machine
    /open/REPO      as smart, but whoever sends a password is turned away
    /dumb/REPO      files as they lie there (after 'git update-server-info')
"""
import base64
import http.server
import os
import subprocess
import sys

LOGIN = "Basic " + base64.b64encode(b"me:pa%ss").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, headers, body):
        self.send_response_only(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def dumb(self, path):
        try:
            with open(FOLDER + path, "rb") as f:
                self.reply(200, [], f.read())
        except OSError:
            self.reply(404, [], b"")

    def smart(self, path, query):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": FOLDER, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_USER": "me", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, check=False).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = [tuple(s.split(": ", 1)) for s in head.decode().split("\r\n") if ": " in s]
        status = next((int(v.split()[0]) for k, v in headers if k == "Status"), 200)
        self.reply(status, [h for h in headers if h[0] != "Status"], rest)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        kind, _, rest = path[1:].partition("/")
        if kind == "dumb":
            self.dumb("/" + rest)
        elif kind == "private" and self.headers.get("Authorization") != LOGIN:
            self.reply(401, [("WWW-Authenticate", 'Basic realm="x"')], b"")
        elif kind == "moved":
            self.reply(301, [("Location", "http://localhost:%d/open/%s?%s" % (server.server_port, rest, query))], b"")
        elif kind == "open" and self.headers.get("Authorization") is not None:
            self.close_connection = True
            self.reply(403, [], b"")
        else:
            self.smart("/" + rest, query)

    do_POST = do_GET

    def log_message(self, *args):
        pass


FOLDER = os.path.abspath(sys.argv[2])
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_port, flush=True)
server.serve_forever()
