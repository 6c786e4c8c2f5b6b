"""Answers every GET with a greeting; PORT (80) says where."""
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from greeting import greet


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (greet(os.environ["NAME"]) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = HTTPServer(("", int(os.environ.get("PORT", "80"))), Handler)
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()
