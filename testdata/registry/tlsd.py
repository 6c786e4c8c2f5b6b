#!/usr/bin/env python3
"""A server whose TLS is not as it should be (THREATS C05).

tlsd.py PORT LOG KIND CERT KEY: KIND is "tls" (what is wrong is the certificate), "old" (TLS 1.0 and 1.1 only) or "plain"
(no TLS: who begins with it is told so in HTTP). All addresses. LOG gets "tls" or "clear" for each connection, by its first
byte, and "request" where one was understood.
"""
import socket
import ssl
import sys
import threading

PORT, LOG, KIND, CERT, KEY = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if KIND == "old":
        # Libraries of today do not speak it unless they are told to twice.
        c.set_ciphers("ALL:@SECLEVEL=0")
        c.minimum_version, c.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    c.load_cert_chain(CERT, KEY)
    return c


CONTEXT = context()


def note(text):
    with open(LOG, "a", encoding="ascii") as f:
        f.write(text + "\n")


def serve(s):
    try:
        first = s.recv(1, socket.MSG_PEEK)
        if not first:
            return
        note("tls" if first == b"\x16" else "clear")
        if KIND != "plain":
            s = CONTEXT.wrap_socket(s, server_side=True)
        elif first == b"\x16":
            s.recv(4096)
            s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        if s.recv(65536):
            note("request")
            s.sendall(ANSWER)
    except (OSError, ssl.SSLError):
        pass
    finally:
        s.close()


listener = socket.create_server(("", PORT), backlog=64)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
