#!/usr/bin/python3
"""A registry's bad network: proxies that fail where a test says, and count what they passed on.

faultd.py CONTROL TOKEN CERTS LOGS: on loopback only. CONTROL is the port to which a test sends

    POST /NAME      a proxy: its faults, a line each; the answer is its port
    POST /NAME/off  no more faults; the log gets a line "off"

What it does is written to LOGS/NAME, a line a request, when the request has ended:

    METHOD PATH STATUS took=BYTES gave=BYTES FAULT
    # METHOD PATH meets FAULT       (at its beginning)

took: bytes of the request's body that the registry got, gave: bytes of the answer's body that the client's kernel has
acknowledged. FAULT is "-" where there was none. A request of /token goes to the token server at the port TOKEN, and a
realm in a challenge is moved to the proxy, so that fetching a token can fail too.

Lines of a proxy (words as a shell's):

    to PORT                       the registry behind it, which must come first
    tls [NAME]                    speak TLS, with CERTS/NAME.pem (good); h2: the same, and HTTP/2
    keeps                         the registry keeps what came of an upload that broke, as distribution 3 does;
                                  2.8 throws it away
    deaf, deaf6                   nobody takes connections; so on ::1 only
    on METHOD PATTERN WHICH FAULT...   the requests that match, WHICH of them: 1, 2-4, 3- ... METHOD may be "*".
                                  CONN is a connection, before its first byte: PATTERN is "-"

AMOUNT is 0, 1, half, last (all but one) or a number; HOW is rst, fin or stall. Faults: see the functions fault_*.
"""
# packages: python3-h2 docker-registry
import email.utils
import fcntl
import http.client
import http.server
import os
import re
import select
import shlex
import socket
import ssl
import struct
import sys
import threading
import time

CONTROL, TOKEN, CERTS, LOGS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
CHUNK = 65536
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


def amount(word, total):
    return {"0": 0, "1": min(1, total), "half": total // 2, "last": max(total - 1, 0), "all": total}.get(word) \
        if word in ("0", "1", "half", "last", "all") else int(word)


class Gone(Exception):
    """The connection has ended, by us or by the client."""


def hang_up(sock, how):
    """End a connection: reset, closed, or silent until the client has had enough."""
    try:
        # What was given shall arrive: a reset throws away what is still on its way.
        for _ in range(200):
            if struct.unpack("i", fcntl.ioctl(sock.fileno(), 0x5411, b"\0\0\0\0"))[0] == 0:  # SIOCOUTQ
                break
            time.sleep(0.005)
        if how == "stall":
            poll = select.poll()
            poll.register(sock, select.POLLRDHUP)
            poll.poll()
        elif how == "rst":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            # Read what still comes, or the kernel makes a reset of it.
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(5)
            while sock.recv(CHUNK):
                pass
    except OSError:
        pass
    raise Gone


class Proxy:
    def __init__(self, name, text):
        self.name, self.lock, self.is_off = name, threading.Lock(), False
        self.to, self.cert, self.has_h2, self.rules = 0, None, False, []
        self.keeps, self.states, self.open = False, {}, set()
        for line in text.splitlines():
            words = shlex.split(line)
            if not words:
                continue
            if words[0] == "to":
                self.to = int(words[1])
            elif words[0] in ("tls", "h2"):
                self.cert = words[1] if len(words) > 1 else "good"
                self.has_h2 = words[0] == "h2"
            elif words[0] == "keeps":
                self.keeps = True
            elif words[0] in ("deaf", "deaf6"):
                pass  # below
            elif words[0] == "on":
                first, dash, last = words[3].partition("-")
                self.rules.append({"method": words[1], "pattern": re.compile(words[2]), "first": int(first),
                                   "last": int(last or (1 << 30 if dash else first)), "n": 0, "do": words[4:]})
            else:
                raise ValueError(line)
        # The last line of defence against a misspelt fault.
        for rule in self.rules:
            if rule["method"] != "CONN" and rule["do"][0] != "h2":
                getattr(Exchange, "fault_" + rule["do"][0].replace("-", "_"))
        self.sock = socket.socket()
        # For restart(): connections that were taken have it from here.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.write("")
        if "deaf" in text.splitlines():
            self.deafen(self.sock)
            return
        if "deaf6" in text.splitlines():
            self.other = socket.socket(socket.AF_INET6)
            self.other.bind(("::1", self.port))
            self.deafen(self.other)
        self.listen()

    def listen(self):
        self.sock.listen(64)
        threading.Thread(target=self.run, args=(self.sock,), daemon=True).start()

    def restart(self, seconds):
        """Nobody listens for so long."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end was quicker
        time.sleep(seconds)
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", self.port))
        self.listen()

    def deafen(self, sock):
        """A port at which connections are neither taken nor refused: its queue is full."""
        sock.listen(0)
        self.waiting = [socket.socket(sock.family) for _ in range(4)]
        for s in self.waiting:
            s.setblocking(False)
            s.connect_ex(sock.getsockname())
        self.write("# CONN - meets deaf\n")

    def write(self, text):
        with self.lock, open(os.path.join(LOGS, self.name), "a", encoding="utf-8") as f:
            f.write(text)

    def match(self, method, path):
        """The words of the fault that this request meets, or none."""
        found = []
        with self.lock:
            for rule in self.rules:
                if rule["method"] in (method, "*" if method != "CONN" else "CONN") and rule["pattern"].search(path):
                    rule["n"] += 1
                    if not self.is_off and not found and rule["first"] <= rule["n"] <= rule["last"]:
                        found = rule["do"]
        if found:
            self.write(f"# {method} {path.partition('?')[0]} meets {' '.join(found)}\n")
        return found

    def run(self, listener):
        try:
            while True:
                sock = listener.accept()[0]
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()
        except OSError:
            pass  # restart()

    def serve(self, sock):
        try:
            with sock:
                self.connection(sock)
        except (Gone, OSError, ssl.SSLError):
            pass

    def connection(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fault, cert = self.match("CONN", "-"), self.cert
        if fault[:1] == ["cert"]:
            cert = fault[1]
        elif fault:
            spoil_connection(sock, fault)
        is_hello = sock.recv(1, socket.MSG_PEEK) == b"\x16"
        if is_hello and cert is None:
            # As Go's server: this is no TLS.
            sock.recv(CHUNK)
            sock.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
            hang_up(sock, "fin")
        if is_hello:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(CERTS, cert + ".pem"))
            context.set_alpn_protocols(["h2", "http/1.1"] if self.has_h2 else ["http/1.1"])
            sock = context.wrap_socket(sock, server_side=True)
            if sock.selected_alpn_protocol() == "h2":
                # Only a test of HTTP/2 needs the package.
                import h2server
                with sock:
                    h2server.serve(self, sock, TOKEN)
                return
        self.open.add(sock)
        try:
            with sock, sock.makefile("rb", buffering=CHUNK) as reader:
                while True:
                    Exchange.read(self, sock, reader).run()
        finally:
            self.open.discard(sock)


def spoil_connection(sock, fault):
    """rst, fin and stall at once; hello-HOW when TLS has begun; alert CODE; say TEXT."""
    what = fault[0]
    if what.startswith("hello-"):
        sock.recv(1, socket.MSG_PEEK)
        sock.recv(CHUNK)
        hang_up(sock, what[6:])
    if what == "alert":
        sock.recv(CHUNK)
        sock.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([int(fault[1])]))
        hang_up(sock, "fin")
    if what == "say":
        sock.sendall(fault[1].encode() + b"\r\n")
        hang_up(sock, "fin")
    hang_up(sock, what)


class Exchange:
    """One request and its answer."""

    def __init__(self, proxy, sock, reader, line, headers):
        self.proxy, self.sock, self.reader, self.headers = proxy, sock, reader, headers
        self.method, self.path = line.split(" ")[:2]
        self.size = int(self.header("content-length") or 0)
        self.left = self.size  # of the request's body, at the client
        self.took = self.gave = self.status = 0
        self.upstream = None
        self.is_noted = False

    @classmethod
    def read(cls, proxy, sock, reader):
        line = reader.readline(CHUNK).decode("latin-1").strip()
        headers = []
        while line:
            text = reader.readline(CHUNK).decode("latin-1").strip()
            if not text:
                break
            name, _, value = text.partition(":")
            headers.append([name, value.strip()])
        if not line:
            raise Gone
        return cls(proxy, sock, reader, line, headers)

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    def run(self):
        self.fault = self.proxy.match(self.method, self.path)
        try:
            if self.fault:
                getattr(self, "fault_" + self.fault[0].replace("-", "_"))(*self.fault[1:])
            else:
                self.take()
                self.ask()
                self.give()
        finally:
            self.note()

    def note(self):
        if self.is_noted:
            return
        self.is_noted = True
        if self.upstream is not None:
            self.upstream.close()
        path = self.path.partition("?")[0]
        self.proxy.write(f"{self.method} {path} {self.status} took={self.took} gave={self.gave} "
                         f"{' '.join(self.fault) or '-'}\n")

    def hang_up(self, how):
        # Who stalls does not hear the client go while bytes of it are unread.
        self.note()
        hang_up(self.sock, how)

    # The parts of an exchange, in their order.

    def session(self):
        """The upload that this is about, or None."""
        m = re.match(r"/v2/.*/blobs/uploads/([^/?]+)", self.path)
        return m and m.group(1)

    def connect(self, size=None, drop=(), method=None):
        is_token = self.path.startswith("/token")
        path = self.path
        if self.proxy.keeps and self.session() in self.proxy.states:
            # Registries that keep it do not mind an old state.
            path = re.sub(r"_state=[^&]*", lambda _: "_state=" + self.proxy.states[self.session()], path)
        self.upstream = http.client.HTTPConnection("127.0.0.1", TOKEN if is_token else self.proxy.to)
        self.upstream.putrequest(method or self.method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers:
            if name.lower() == "content-length" and size is not None:
                value = str(size)
            if name.lower() not in HOP and name.lower() not in drop:
                self.upstream.putheader(name, value)
        self.upstream.endheaders()

    def take(self, limit=None, rate=0, drop=()):
        """Pass the request on, and of its body all or so much."""
        self.connect(drop=drop)
        want = self.size if limit is None else limit
        while self.took < want:
            piece = self.reader.read1(min(CHUNK if not rate else rate, want - self.took))
            if not piece:
                raise Gone
            self.left -= len(piece)
            self.upstream.send(piece)
            self.took += len(piece)
            if rate:
                time.sleep(1)

    def take_part(self, size, method):
        """Pass a request on whose body has only so much."""
        self.connect(size=size, drop=("content-range",), method=method)
        while self.took < size:
            piece = self.reader.read1(min(CHUNK, size - self.took))
            if not piece:
                raise Gone
            self.left -= len(piece)
            self.upstream.send(piece)
            self.took += len(piece)

    def drain(self):
        while self.left > 0:
            piece = self.reader.read1(min(CHUNK, self.left))
            if not piece:
                raise Gone
            self.left -= len(piece)

    def ask(self):
        r = self.upstream.getresponse()
        self.status = r.status
        m = re.search(r"/blobs/uploads/([^/?]+)\?_state=([^&]*)", r.getheader("location") or "")
        if m:
            self.proxy.states[m.group(1)] = m.group(2)
        self.out = [[n, v] for n, v in r.getheaders() if n.lower() not in HOP]
        for pair in self.out:
            if pair[0].lower() == "www-authenticate":
                # The realm that the client sees is the proxy's.
                scheme = "https" if isinstance(self.sock, ssl.SSLSocket) else "http"
                pair[1] = re.sub(r'realm="http://[^/"]*/token"', f'realm="{scheme}://{self.header("host")}/token"', pair[1])
        self.body = b"" if self.method == "HEAD" else r.read()
        if self.method != "HEAD":
            self.set("Content-Length", str(len(self.body)))

    def set(self, name, value):
        self.out = [p for p in self.out if p[0].lower() != name.lower()]
        if value is not None:
            self.out.append([name, value])

    def head(self):
        reason = http.client.responses.get(self.status, "Odd")
        return "".join([f"HTTP/1.1 {self.status} {reason}\r\n"] + [f"{n}: {v}\r\n" for n, v in self.out] + ["\r\n"]).encode("latin-1")

    def send(self, data):
        self.sock.sendall(data)

    def give(self, limit=None, rate=0):
        """Give the answer's head, and of its body all or so much."""
        self.send(self.head())
        want = len(self.body) if limit is None else limit
        while self.gave < want:
            piece = self.body[self.gave:min(want, self.gave + (rate or CHUNK))]
            self.send(piece)
            self.gave += len(piece)
            if rate:
                time.sleep(1)

    def relay(self):
        self.take()
        self.ask()

    def make(self, status, headers=(), body=b""):
        """An answer of our own."""
        self.status, self.body = status, body if self.method != "HEAD" else b""
        self.out = [["Content-Type", "application/json"], ["Content-Length", str(len(body))]]
        for name, value in headers:
            self.set(name, value)

    # Faults of the connection.

    def fault_request(self, how, much):
        """The connection ends when so much of the request's body was passed on."""
        if self.proxy.keeps and self.session() is not None:
            self.take_part(amount(much, self.size), "PATCH")
            self.ask()
            self.status = 0
        else:
            self.take(amount(much, self.size))
            self.upstream.close()
        self.hang_up(how)

    def fault_head(self, how, much):
        """... of the answer's head."""
        self.relay()
        head = self.head()
        self.send(head[:amount(much, len(head))])
        self.hang_up(how)

    def fault_answer(self, how, much):
        """... of the answer's body."""
        self.relay()
        self.give(amount(much, len(self.body)))
        self.hang_up(how)

    def fault_after(self, how):
        """All is well, but the connection is gone when the next request comes."""
        self.relay()
        self.give()
        if how == "rst":
            self.sock.recv(1)
        self.hang_up(how)

    def fault_restart(self, seconds):
        """All connections end, and nobody listens for so long."""
        self.relay()
        threading.Thread(target=self.proxy.restart, args=(float(seconds),), daemon=True).start()
        self.hang_up("fin")

    def fault_slow(self, what, rate="1"):
        """So many bytes a second: of the head, the answer, the upload."""
        if what == "upload":
            # The kernel must not take it all at once.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.take(rate=int(rate))
            self.ask()
            self.give()
            return
        self.relay()
        if what == "head":
            for c in self.head():
                self.send(bytes([c]))
                time.sleep(1 / int(rate))
        else:
            self.give(rate=int(rate))

    # Answers of our own.

    def fault_status(self, code, *headers):
        """That status, NAME=VALUE in its head (a value "date+N": in N seconds); the registry hears nothing."""
        self.drain()
        pairs = [h.split("=", 1) for h in headers]
        for p in pairs:
            if p[1].startswith("date+"):
                p[1] = email.utils.formatdate(time.time() + int(p[1][5:]), usegmt=True)
        self.make(int(code), pairs, b'{"errors":[{"code":"UNAVAILABLE","message":"made up by faultd"}]}')
        self.give()

    def fault_early(self, code):
        """That status before the body is read, and the connection is closed."""
        self.make(int(code), [["Connection", "close"]])
        self.give()
        self.hang_up("fin")

    def fault_redirect(self, code, where="self"):
        """To itself, or to "URL" with the path behind it."""
        self.drain()
        self.make(int(code), [["Location", self.path if where == "self" else where.replace("PORT", str(self.proxy.port)) + self.path]])
        self.give()

    def fault_huge(self, size, status="200"):
        """An answer of so many zeros."""
        self.drain()
        self.make(int(status), [["Content-Length", size]])
        self.send(self.head())
        while self.gave < int(size):
            self.send(bytes(CHUNK))
            self.gave += CHUNK

    def fault_say(self, text):
        """What is no HTTP."""
        self.drain()
        self.send(text.encode().decode("unicode_escape").encode("latin-1"))
        self.hang_up("fin")

    # The registry's answer, changed.

    def fault_interim(self, code, times="1"):
        self.send(f"HTTP/1.1 {code} Interim\r\n\r\n".encode() * int(times))
        self.relay()
        self.give()

    def fault_headers(self, count, size):
        """So many headers more, each of so many bytes."""
        self.relay()
        self.out += [[f"X-Flood-{i}", "x" * int(size)] for i in range(int(count))]
        self.give()

    def fault_set(self, *pairs):
        """NAME=VALUE, or NAME= to take it away."""
        self.relay()
        for pair in pairs:
            name, _, value = pair.partition("=")
            self.set(name, value.replace("PORT", str(self.proxy.port)) or None)
        self.give()

    def fault_as(self, code):
        """The registry did it, and another status is told."""
        self.relay()
        self.status = int(code)
        self.give()

    def fault_length(self, by):
        """A Content-Length that is wrong by so much."""
        self.relay()
        self.set("Content-Length", str(len(self.body) + int(by)))
        self.give()
        self.hang_up("fin")

    def fault_unmeasured(self, much):
        """No length: the body ends with the connection, after so much."""
        self.relay()
        self.set("Content-Length", None)
        self.out.append(["Connection", "close"])
        self.give(amount(much, len(self.body)))
        self.hang_up("fin")

    def fault_flip(self, much, *pairs):
        """A bit of the body is another one; NAME=VALUE as with set."""
        self.relay()
        at = min(amount(much, len(self.body)), len(self.body) - 1)
        self.body = self.body[:at] + bytes([self.body[at] ^ 1]) + self.body[at + 1:]
        for name, value in (p.split("=", 1) for p in pairs):
            self.set(name, value)
        self.give()

    def fault_no_range(self):
        """Range is not known here."""
        self.take(drop=("range",))
        self.ask()
        self.give()

    def fault_chunked(self, how):
        """Chunks: fine, cut off, with a broken size, one of 2^70 bytes."""
        self.relay()
        self.set("Content-Length", None)
        self.out.append(["Transfer-Encoding", "chunked"])
        half = len(self.body) // 2
        self.send(self.head() + b"%x\r\n" % half + self.body[:half] + b"\r\n")
        self.gave = half
        if how == "fine":
            rest = self.body[half:]
            self.send(b"%x\r\n" % len(rest) + rest + b"\r\n0\r\n\r\n")
            self.gave = len(self.body)
            return
        self.send({"cut": b"", "broken": b"nonsense\r\n", "large": b"400000000000000000\r\nxxxx"}[how])
        self.hang_up("fin")

    # The request, changed.

    def fault_logged_out(self):
        """The registry does not know the token any more."""
        self.headers = [h for h in self.headers if h[0].lower() != "authorization"]
        self.take(0)
        self.ask()
        self.drain()
        self.give()

    def fault_forgotten(self):
        """The upload's session is gone."""
        c = http.client.HTTPConnection("127.0.0.1", self.proxy.to)
        c.request("DELETE", self.path, headers={"Host": self.header("host"), "Content-Length": "0"})
        c.getresponse().read()
        c.close()
        self.relay()
        self.give()

    def fault_short(self, much):
        """The registry gets so much of the body, and is told that it is all."""
        self.take_part(amount(much, self.size), self.method)
        self.drain()
        self.ask()
        self.give()


PROXIES = {}


class Control(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        name, _, what = self.path[1:].partition("/")
        status, answer = 200, ""
        try:
            if what == "off":
                PROXIES[name].is_off = True
                PROXIES[name].write("off\n")
            else:
                PROXIES[name] = Proxy(name, text)
                answer = str(PROXIES[name].port)
        except Exception as e:  # a test's mistake is shown to it
            status, answer = 400, repr(e)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", CONTROL), Control).serve_forever()
