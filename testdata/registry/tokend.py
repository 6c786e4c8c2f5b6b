#!/usr/bin/env python3
"""A token server as Docker Hub's (distribution, "Token Authentication Specification").

tokend.py PORT KEY CERT LOG [LIFE [SAID]]: tokens signed with KEY, whose certificate CERT the registry trusts, valid LIFE
seconds (default 60); the answer says SAID (default LIFE). user/secret may do everything; nobody may pull what begins
with "public/". A refresh token is "refresh-secret". LOG gets a line for each request: method, whether a login came,
scopes.

TOKEND_TLS: certificate and key, and it speaks TLS. TOKEND_PASSWORD: another password than "secret". TOKEND_TOKENS: a
file that gets each token.
"""
import base64
import http.server
import json
import os
import random
import ssl
import subprocess
import sys
import time
import urllib.parse

PORT, KEY, CERT, LOG = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
LIFE = int(sys.argv[5]) if len(sys.argv) > 5 else 60
SAID = int(sys.argv[6]) if len(sys.argv) > 6 else LIFE
LEEWAY = 60  # docker-registry takes a token for so long after its end
LOGIN = b"user:" + os.environ.get("TOKEND_PASSWORD", "secret").encode()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def der():
    with open(CERT, encoding="ascii") as f:
        return "".join(line.strip() for line in f if not line.startswith("-"))


def sign(scopes, user):
    now = int(time.time())
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":", 2)
        wanted = actions.split(",")
        if user is None:
            wanted = [a for a in wanted if a == "pull" and name.startswith("public/")]
        access.append({"type": kind, "name": name, "actions": wanted})
    header = {"typ": "JWT", "alg": "RS256", "x5c": [der()]}
    claims = {"iss": "stave-test", "sub": user or "", "aud": "registry", "exp": now + LIFE - LEEWAY, "nbf": now - 100, "iat": now,
              "jti": str(random.random()), "access": access}
    text = b64(json.dumps(header).encode()) + b"." + b64(json.dumps(claims).encode())
    mark = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEY], input=text, check=True, capture_output=True).stdout
    token = (text + b"." + b64(mark)).decode()
    if "TOKEND_TOKENS" in os.environ:
        with open(os.environ["TOKEND_TOKENS"], "a", encoding="ascii") as f:
            f.write(token + "\n")
    return token


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, doc):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, login, scopes):
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {login} {' '.join(scopes)}\n")

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        scopes = query.get("scope", [])
        login = self.headers.get("Authorization")
        self.note("login" if login else "anonymous", scopes)
        if login is not None:
            kind, _, text = login.partition(" ")
            if kind != "Basic" or base64.b64decode(text) != LOGIN:
                self.answer(401, {"details": "incorrect username or password"})
                return
        self.answer(200, {"token": sign(scopes, "user" if login else None), "expires_in": SAID})

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = urllib.parse.parse_qs(text)
        scopes = form.get("scope", [""])[0].split()
        self.note("refresh", scopes)
        if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != ["refresh-secret"]:
            self.answer(401, {"details": "unknown refresh token"})
            return
        self.answer(200, {"access_token": sign(scopes, "user"), "expires_in": SAID})


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
if "TOKEND_TLS" in os.environ:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*os.environ["TOKEND_TLS"].split())
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
