#!/usr/bin/env python3
"""An HTTP proxy that leads everything to one place (THREATS C20), or a slow wire to it.

proxyd.py PORT LOG TARGET_PORT [BYTES_PER_S]: a proxy for CONNECT on 127.0.0.1; LOG gets each request with its headers. It
wants a user "puser" and answers 407 to all others. With BYTES_PER_S it is no proxy: what comes is led on, both ways, at
that speed.
"""
import base64
import socket
import sys
import threading
import time

PORT, LOG, TARGET = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
SPEED = int(sys.argv[4]) if len(sys.argv) > 4 else 0


def lead(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
            if SPEED:
                time.sleep(len(data) / SPEED)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def is_known(head):
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "proxy-authorization":
            return base64.b64decode(value.split()[1]).startswith(b"puser:")
    return False


def connect(s):
    """Take a CONNECT: is it answered well?"""
    head = b""
    while b"\r\n\r\n" not in head:
        more = s.recv(4096)
        if not more:
            return False
        head += more
    with open(LOG, "a", encoding="utf-8") as f:
        f.write(head.decode() + "\n")
    if not head.startswith(b"CONNECT ") or not is_known(head.decode()):
        s.sendall(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        return False
    s.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    return True


def serve(s):
    if SPEED or connect(s):
        t = socket.create_connection(("127.0.0.1", TARGET))
        back = threading.Thread(target=lead, args=(t, s), daemon=True)
        back.start()
        lead(s, t)
        back.join()
        t.close()
    s.close()


listener = socket.create_server(("127.0.0.1", PORT), backlog=64)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
