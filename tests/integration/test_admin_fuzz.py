# SPDX-License-Identifier: MIT
"""Ten thousand requests that nobody should send: each is answered, in JSON where it is understood at
all, and without the token none of them changes anything."""

import json
import random
import socket

import pytest
from lbtest import Admin, free_port, names_itself, tcp_config

TOKEN = "correct-horse-battery"
PATHS = ["/api/health", "/api/servers", "/api/servers/{id}", "/api/servers/{id}/health",
         "/api/servers/{id}/state", "/api/servers/{id}/weight", "/api/config", "/api/algorithms",
         "/api/algorithm", "/api/pools", "/api/listeners", "/api/reload", "/api/metrics", "/metrics",
         "/api/metrics/servers", "/api/metrics/requests", "/api/sessions", "/", "/api", "/lb/stats"]
BODIES = [{"state": "drain"}, {"weight": 3}, {"pool": "back", "algorithm": "random"},
          {"host": "127.0.0.1", "port": 1, "pool": "back", "name": "new"},
          {"listeners": {"front": {"address": ":80", "pool": "back"}}, "pools": {"back": {"servers": ["a:1"]}}}]
ODD = [None, True, -1, 0, 1e308, 2**64, "", "x" * 3000, "\x00", "\ud800", [], {}, [[[[[[]]]]]], {"a": {"b": 1}},
       "${HOME}", "***", "../../etc/passwd", "\r\nX: y"]


class Fuzz:
    def __init__(self, seed, server_id):
        self.random = random.Random(seed)
        self.id = server_id

    def body(self):
        r = self.random
        body = json.loads(json.dumps(r.choice(BODIES)))
        for _ in range(r.randrange(3)):
            body[r.choice([*body, "more", "", "state"])] = r.choice(ODD)
        text = json.dumps(body).encode()
        if r.random() < 0.4:
            text = bytearray(text)
            for _ in range(r.randrange(1, 4)):
                place = r.randrange(len(text) + 1)
                text[place:place + r.randrange(3)] = bytes([r.randrange(256)])
            text = bytes(text)
        return text if r.random() < 0.95 else b"[" * 5000

    def request(self):
        r = self.random
        path = r.choice(PATHS).replace("{id}", r.choice([self.id, "0" * 16, "%00", "..", "a b", "%zz"]))
        if r.random() < 0.2:
            path += r.choice(["?pool=back", "?pool=%ff", "?a=b&a=b", "?", "/", "//x", "%2f", "#x"])
        method = r.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "M" * 40])
        body = self.body() if method in ("PUT", "POST", "PATCH") or r.random() < 0.1 else b""
        fields = [b"Host: " + r.choice([b"localhost"] * 8 + [b"127.0.0.1", b"evil.example", b"", b"a b"])]
        if body:
            length = len(body) if r.random() < 0.95 else r.choice([0, len(body) + 1, 10**12])
            fields.append(b"Content-Length: %d" % length)
        if r.random() < 0.2:
            fields.append(r.choice([
                b"Authorization: Bearer wrong-token-of-length", b"Authorization: Basic eDp5", b"Authorization: Bearer",
                b"Origin: http://evil.example", b"Sec-Fetch-Site: cross-site", b"Transfer-Encoding: chunked",
                b"Content-Length: 1", b"X: " + b"y" * 20000, b"If-Match: \"x\"", b"Expect: 100-continue", b" folded",
                b"Host: twice", b"bad field: x", b"X:\x00"]))
        version = b"HTTP/1.1" if r.random() < 0.97 else r.choice([b"HTTP/1.0", b"HTTP/2.0", b"", b"HTTP/1.1 x"])
        head = method.encode() + b" " + path.encode() + b" " + version + b"\r\n"
        return head + b"\r\n".join(fields) + b"\r\nConnection: close\r\n\r\n" + body


def answer(address, request):
    """All that is said back until the connection ends."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused by its head
        heard = b""
        while block := connection.recv(65536):
            heard += block
        return heard


def status_of(request, heard):
    """The status of an answer that is as answers should be: errors in JSON, and none of lb's own."""
    if heard.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
        heard = heard.partition(b"\r\n\r\n")[2]
    head, _, body = heard.rpartition(b"\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 "), (request, heard)
    status = int(heard[9:12])
    assert status < 500 or status == 505 or (status == 503 and b" /api/health" in request), (request, heard)
    if status >= 400 and not request.startswith(b"HEAD") and status != 503:
        error = json.loads(body)
        assert error["success"] is False and error["error"], request
    else:
        is_page = request.split(b" ")[1].startswith(b"/lb/stats") and b"text/html" in head
        assert is_page or b"application/json" in head or b"text/plain" in head, request
    return status


def one_server(lb, server):
    """An lb with the server a, and its admin."""
    address = f"127.0.0.1:{free_port()}"
    config = tcp_config({"name": "a", "address": server(names_itself("a"))},
                        admin={"address": address, "token": TOKEN})
    return lb(config), Admin(address, TOKEN)


@pytest.mark.seconds(400)
def test_ten_thousand_odd_requests_change_nothing(lb, server):
    proxy, admin = one_server(lb, server)
    etag = admin.get("/api/config").headers["ETag"]
    before = admin.server("a")
    fuzz = Fuzz(1, before["serverId"])
    for number in range(10_000):
        request = fuzz.request()
        status = status_of(request, answer(admin.address, request))
        if not request.split(b" ")[0] in (b"GET", b"HEAD"):
            assert status >= 400, (number, request, status)
    assert admin.get("/api/config").headers["ETag"] == etag
    assert {**admin.server("a"), "responseTime": 0} == {**before, "responseTime": 0}
    with proxy.connect() as client:
        assert client.receive_line() == b"a\n"


def test_odd_requests_with_the_token_are_answered_too(lb, server):
    proxy, admin = one_server(lb, server)
    fuzz = Fuzz(2, admin.server("a")["serverId"])
    token = f"\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    statuses = set()
    for _ in range(1_500):
        request = fuzz.request().replace(b"\r\n", token, 1)
        statuses.add(status_of(request, answer(admin.address, request)))
    assert {200, 400, 403, 404, 405} <= statuses, statuses
    # Whatever was changed, the file is taken up again and serves.
    for name in [each["name"] for each in admin.get("/api/servers").data]:
        admin.set_state(name, "ready")
    assert admin.put("/api/config", json.loads(json.dumps(admin.get("/api/config").data))).status == 200
    assert admin.ask("POST", "/api/reload").status == 200
    with proxy.connect() as client:
        assert client.receive_line() == b"a\n"
