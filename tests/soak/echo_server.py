# SPDX-License-Identifier: MIT
"""A server to be killed: echoes over TCP, or over HTTP what was posted. A connection that does not end
in order ends by a reset, a kill included, so that whoever sees an end in order has everything.

echo_server.py tcp|http PORT"""

import http.server
import socket
import socketserver
import struct
import sys

RESET = struct.pack("ii", 1, 0)
IN_ORDER = struct.pack("ii", 0, 0)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, IN_ORDER)
        except OSError:
            pass


class HttpEcho(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)  # inherited
        super().server_bind()

    def handle_error(self, *_):
        pass


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[2])), {"tcp": Echo, "http": HttpEcho}[sys.argv[1]]) as server:
        print("ready", flush=True)
        server.serve_forever()
