# SPDX-License-Identifier: MIT
"""HTTP as real clients speak it: curl and WebSockets."""

import asyncio
import hashlib
import http.server
import os
import shutil
import subprocess
import threading

import pytest
from lbtest.http import http_config

SIZE = 40_000_000


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files, with ranges left to curl's test below; PUT and POST answer with the body's hash."""

    protocol_version = "HTTP/1.1"

    def pieces(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers["Content-Length"])
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            left -= len(piece)
            yield piece

    def do_PUT(self):
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        body = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT

    def do_GET(self):
        if self.path != "/range":
            return super().do_GET()
        self.send_response(206 if self.headers["Range"] == "bytes=2-5" else 400)
        self.send_header("Content-Range", "bytes 2-5/10")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"2345")

    def log_message(self, *_):
        pass


@pytest.fixture
def files(tmp_path):
    """(address, file, its hash): a file server behind which lies one large file."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(SIZE))
    backend = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(tmp_path)))
    thread = threading.Thread(target=backend.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{backend.server_port}", large, hashlib.sha256(large.read_bytes()).hexdigest()
    backend.shutdown()
    backend.server_close()
    thread.join()


def curl(*arguments):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    done = subprocess.run(["curl", "-sS", "--fail", "--max-time", "50", *map(str, arguments)],
                          capture_output=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_curl_downloads_and_uploads_large_files_whole(lb, files):
    address, large, digest = files
    url = f"http://{lb(http_config(address)).address}"
    assert hashlib.sha256(curl(f"{url}/large")).hexdigest() == digest
    assert hashlib.sha256(curl("--limit-rate", "60M", f"{url}/large")).hexdigest() == digest
    for arguments in (["-T", large], ["-T", large, "-H", "Transfer-Encoding: chunked"],
                      ["-T", large, "-H", "Expect:"], ["--data-binary", f"@{large}"]):
        assert curl(*arguments, f"{url}/x").decode() == digest, arguments


def test_curl_asks_for_heads_and_ranges_on_one_connection(lb, files):
    address, _, _ = files
    url = f"http://{lb(http_config(address)).address}"
    assert f"Content-Length: {SIZE}".encode() in curl("--head", f"{url}/large")
    assert curl("--range", "2-5", f"{url}/range", f"{url}/range") == b"23452345"
    told = curl("-v", "--stderr", "-", "-o", "/dev/null", "-o", "/dev/null", f"{url}/range", "-r",
                "2-5", f"{url}/range")
    assert b"Re-using existing connection" in told


def test_websocket_messages_of_a_mebibyte_come_back(lb):
    websockets = pytest.importorskip("websockets")

    async def echo(connection, *_):
        async for message in connection:
            await connection.send(message)

    async def dialogue():
        options = {"max_size": 2**21, "compression": None}
        async with websockets.serve(echo, "127.0.0.1", 0, **options) as backend:
            address = "%s:%d" % backend.sockets[0].getsockname()
            proxy = lb(http_config(address))
            async with websockets.connect(f"ws://{proxy.address}/chat", **options) as client:
                for size in (0, 1, 125, 126, 65536, 2**20, 2**20):
                    message = os.urandom(size)
                    await client.send(message)
                    assert await client.recv() == message

    asyncio.run(dialogue())
