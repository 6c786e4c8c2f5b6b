"""faultd.py's HTTP/2: one connection, its streams and what can happen to them.

Faults are "h2 WHAT ..." of a line "on METHOD PATTERN WHICH"; ERROR is a number (RFC 9113, 7: 7 is REFUSED_STREAM):

    goaway ERROR        when the request's head came; the stream was not begun
    goaway-body AMOUNT  when so much of the answer's body was given
    goaway-after        the answer comes, and then no more streams
    rst ERROR           the stream ends when the request's head came
    rst-body ERROR AMOUNT, rst-upload ERROR AMOUNT   ... so much of the answer's, of the request's body
    garbage             what is no frame
    stall               no answer, and no window for the body
"""
# packages: python3-h2
import http.client
import time

import h2.config
import h2.connection
import h2.events

HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host"}
CHUNK = 16384


def amount(word, total):
    return {"0": 0, "1": min(1, total), "half": total // 2, "last": max(total - 1, 0), "all": total}.get(word, total)


class Over(Exception):
    """The connection has ended."""


class Stream:
    """One request."""

    def __init__(self, server, number, headers):
        self.server, self.number = server, number
        names = [(n.decode(), v.decode()) for n, v in headers]
        head = dict(names)
        self.method, self.path = head[":method"], head[":path"]
        self.size, self.took, self.gave, self.status = int(head.get("content-length", 0)), 0, 0, 0
        self.fault = server.proxy.match(self.method, self.path)
        self.what = self.fault[1:] if self.fault[:1] == ["h2"] else []
        self.is_over = False
        self.upstream = http.client.HTTPConnection("127.0.0.1", server.token if self.path.startswith("/token") else server.proxy.to)
        self.upstream.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
        self.upstream.putheader("Host", head[":authority"])
        # Behind TLS, which the registry must know to name places.
        self.upstream.putheader("X-Forwarded-Proto", "https")
        for name, value in names:
            if not name.startswith(":") and name not in HOP:
                self.upstream.putheader(name, value)
        self.upstream.endheaders()

    def note(self):
        if self.is_over:
            return
        self.is_over = True
        self.upstream.close()
        self.server.proxy.write(f"{self.method} {self.path.partition('?')[0]} {self.status} took={self.took} "
                                f"gave={self.gave} {' '.join(self.fault) or '-'}\n")

    def at_head(self):
        kind = self.what[:1]
        h = self.server.h2
        if kind == ["goaway"]:
            h.close_connection(error_code=int(self.what[1]), last_stream_id=0)
            self.server.end()
        elif kind == ["rst"]:
            h.reset_stream(self.number, error_code=int(self.what[1]))
            self.note()
        elif kind == ["garbage"]:
            # SETTINGS has entries of six bytes.
            self.server.sock.sendall(b"\0\0\5\4\0\0\0\0\0hello")
            while self.server.sock.recv(65536):
                pass
            raise Over

    def data(self, piece, flow):
        if self.is_over:
            self.server.h2.acknowledge_received_data(flow, self.number)
            return
        if self.what[:1] == ["stall"]:
            return
        limit = amount(self.what[2], self.size) if self.what[:1] == ["rst-upload"] else self.size
        piece = piece[:limit - self.took]
        self.upstream.send(piece)
        self.took += len(piece)
        if self.what[:1] == ["rst-upload"] and self.took >= limit:
            self.upstream.close()
            self.server.h2.reset_stream(self.number, error_code=int(self.what[1]))
            self.note()
            return
        self.server.h2.acknowledge_received_data(flow, self.number)

    def answer(self):
        if self.is_over or self.what[:1] == ["stall"]:
            return
        r = self.upstream.getresponse()
        body = r.read()
        self.status = r.status
        headers = [(":status", str(r.status))]
        for n, v in r.getheaders():
            if n.lower() == "www-authenticate":
                v = v.replace(f"http://127.0.0.1:{self.server.token}/", f"https://127.0.0.1:{self.server.proxy.port}/")
            if n.lower() not in HOP:
                headers.append((n.lower(), v))
        h = self.server.h2
        h.send_headers(self.number, headers)
        kind = self.what[:1]
        limit = len(body)
        if kind in (["goaway-body"], ["rst-body"]):
            limit = amount(self.what[-1], len(body))
        while self.gave < limit:
            room = min(h.local_flow_control_window(self.number), CHUNK, h.max_outbound_frame_size)
            if room <= 0:
                self.server.step()
                if self.is_over:
                    return
                continue
            piece = body[self.gave:min(limit, self.gave + room)]
            h.send_data(self.number, piece)
            self.gave += len(piece)
            self.server.flush()
        if kind == ["goaway-body"]:
            h.close_connection(error_code=0, last_stream_id=self.number)
            self.server.end()
        if kind == ["rst-body"]:
            h.reset_stream(self.number, error_code=int(self.what[1]))
            self.note()
            return
        h.end_stream(self.number)
        self.server.flush()
        self.note()
        if kind == ["goaway-after"]:
            h.close_connection(error_code=0, last_stream_id=self.number)
            self.server.end()


class Server:
    def __init__(self, proxy, sock, token):
        self.proxy, self.sock, self.token, self.streams, self.ready = proxy, sock, token, {}, []
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def end(self):
        """What was said goes out, then nothing more."""
        self.flush()
        time.sleep(0.05)
        raise Over

    def step(self):
        """One read, and what is in it."""
        data = self.sock.recv(65536)
        if not data:
            raise Over
        for e in self.h2.receive_data(data):
            if isinstance(e, h2.events.RequestReceived):
                s = self.streams[e.stream_id] = Stream(self, e.stream_id, e.headers)
                s.at_head()
            elif isinstance(e, h2.events.DataReceived):
                self.streams[e.stream_id].data(e.data, e.flow_controlled_length)
            elif isinstance(e, h2.events.StreamEnded):
                self.ready.append(self.streams[e.stream_id])
            elif isinstance(e, h2.events.StreamReset):
                self.streams[e.stream_id].note()
        self.flush()

    def run(self):
        try:
            while True:
                while self.ready:
                    self.ready.pop(0).answer()
                    self.flush()
                self.step()
        except (Over, OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            for s in self.streams.values():
                s.note()


def serve(proxy, sock, token):
    """One connection, until it ends."""
    Server(proxy, sock, token).run()
