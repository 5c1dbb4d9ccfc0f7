# SPDX-License-Identifier: MIT
"""What hides a request from one of two readers, through the real lb to a server that writes down
every byte: each is refused, or the server sees one request that can be read in one way only."""

import re
import threading

from lbtest import connect
from lbtest.http import http_config

HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LENGTHS = ["5", "0", "+5", "-0", "0x5", "5,5", "5, 0", "005", "5 ", " \t5", "", "5\v", "5;", "5.0",
           "18446744073709551621", "\u0665", "5\r\nContent-Length: 0", "5\r\nContent-Length: 5",
           "0\r\nContent-Length: 5", "5\nX: y", "5\rX: y"]
CODINGS = ["chunked", "Chunked", " chunked", "chunked ", "chunked,", ",chunked", "chunked, chunked",
           "chunked, identity", "identity", "identity, chunked", "gzip, chunked", "xchunked",
           "\vchunked", "chunked\v", "\"chunked\"", "chunked;q=1", "chunked\r\n chunked",
           "chunked\r\n\tx", "x\r\nTransfer-Encoding: chunked",
           "chunked\r\nTransfer-Encoding: identity", "chu\x00nked", "\x00chunked", "chunked\x85"]
NAMES = ["Transfer-Encoding", "transfer-encoding", "Transfer-Encoding ", " Transfer-Encoding",
         "Transfer_Encoding", "Transfer-Encoding\t", "X: y\nTransfer-Encoding",
         "X: y\rTransfer-Encoding", "X: y\r\n Transfer-Encoding", "\x00Transfer-Encoding",
         "Transfer\u2010Encoding"]
CHUNKS = ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;x=y\r\nhello\r\n0\r\n\r\n",
          "05\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
          "5\r\nhello\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
          "5\r\nhelloXX\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
          "10000000000000005\r\nhello\r\n0\r\n\r\n", "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n",
          "5\r\r\nhello\r\n0\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\r\nContent-Length: 9\r\n\r\n",
          "0\r\n X: y\r\n\r\n", "0\n\n", "\r\n5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n 0\r\n\r\n",
          "g\r\nhello\r\n0\r\n\r\n"]
STARTS = ["GET / HTTP/1.1", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
          "GET /\tHTTP/1.1", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET / HTTP/1.10",
          "GET / http/1.1", "GET /", "GET /a b HTTP/1.1", "GET http://b/ HTTP/1.1",
          "GET http://a@b/ HTTP/1.1", "GET // HTTP/1.1", "GET /\x00 HTTP/1.1", "GET /%00 HTTP/1.1",
          "GET /a/../b HTTP/1.1", "GET /../b HTTP/1.1", "GET /#x HTTP/1.1", "G@T / HTTP/1.1",
          "GET / HTTP/1.1\r\nHost: b", "GET / HTTP/1.1\nX: y", "CONNECT a:80 HTTP/1.1",
          "GET * HTTP/1.1", "OPTIONS * HTTP/1.1", "\r\nGET / HTTP/1.1", "PRI * HTTP/2.0"]


def rows():
    for value in LENGTHS:
        yield f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\nhello{HIDDEN}"
    for value in CODINGS:
        for length in ("", "Content-Length: 5\r\n"):
            yield (f"POST / HTTP/1.1\r\nHost: a\r\n{length}Transfer-Encoding: {value}\r\n\r\n"
                   f"0\r\n\r\n{HIDDEN}")
    for name in NAMES:
        yield f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{name}: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"
    for body in CHUNKS:
        yield f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}"
    for start in STARTS:
        yield f"{start}\r\nHost: a\r\n\r\n{HIDDEN}"
    for field in ("Connection: Content-Length", "Connection: Transfer-Encoding", "Connection: Host",
                  "Connection: close, X-Forwarded-For", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
                  "Expect: 100-continue", "TE: trailers", "Trailer: Content-Length",
                  "Proxy-Connection: keep-alive", "Keep-Alive: x"):
        yield (f"POST / HTTP/1.1\r\nHost: a\r\n{field}\r\nTransfer-Encoding: chunked\r\n\r\n"
               f"5\r\nhello\r\n0\r\n\r\n{HIDDEN}")


class Scribe:
    """A server that writes down what each connection brings and answers each request it can make
    out by the strict grammar below; what it cannot is a mistake of the one who sent it."""

    HEAD = re.compile(rb"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]+) (?P<target>[\x21-\x7e]+) HTTP/1\.1\r\n"
                      rb"(?P<fields>(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n")

    def __init__(self):
        self.requests, self.mistakes = [], []
        self._lock = threading.Lock()

    def __call__(self, connection):
        data = b""
        while got := connection.socket.recv(65536):
            data += got
            while data:
                size = self._take(data)
                if size == 0:
                    break
                data = data[size:]
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def _take(self, data):
        """How many bytes the first request has; 0: it is not whole."""
        if b"\r\n\r\n" not in data:
            return 0
        head = self.HEAD.match(data)
        if head is None:
            return self._mistake(data)
        fields = [line.split(b":", 1) for line in head["fields"].split(b"\r\n")[:-1]]
        values = {}
        for name, value in fields:
            values.setdefault(name.lower(), []).append(value.strip())
        lengths, codings = values.get(b"content-length", []), values.get(b"transfer-encoding", [])
        if len(values.get(b"host", [])) != 1 or len(lengths) + len(codings) > 1:
            return self._mistake(data)
        if codings and codings != [b"chunked"] or lengths and not re.fullmatch(rb"\d{1,18}", lengths[0]):
            return self._mistake(data)
        rest = data[head.end():]
        if codings:
            body = re.match(rb"(?:[1-9a-fA-F][0-9a-fA-F]*\r\n.*?\r\n)*?0\r\n"
                            rb"(?:[!-9;-~]+: ?[\t\x20-\x7e]*\r\n)*\r\n", rest, re.DOTALL)
            if body is None:
                return 0
            size = body.end()
        else:
            size = int(lengths[0]) if lengths else 0
            if len(rest) < size:
                return 0
        with self._lock:
            self.requests.append((head["method"], head["target"], rest[:size]))
        return head.end() + size

    def _mistake(self, data):
        with self._lock:
            self.mistakes.append(data)
        return len(data)


def statuses(address, data):
    """The statuses of all that comes back until the connection ends."""
    with connect(address) as client:
        client.send(data)
        got = b""
        try:
            while piece := client.socket.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    return [int(status) for status in re.findall(rb"^HTTP/1\.1 (\d{3})", got, re.MULTILINE)]


def test_a_server_sees_one_meaning_or_nothing(lb, server):
    scribe = Scribe()
    # Where a row leaves more to come, the connection ends by these.
    limits = {"request_header": "200ms", "request_body": "200ms", "keep_alive": "200ms"}
    proxy = lb(http_config(server(scribe), listener={"timeouts": limits}))
    count = refused = 0
    for row in rows():
        count += 1
        seen = len(scribe.requests)
        told = statuses(proxy.address, row.encode(errors="surrogateescape"))
        assert not scribe.mistakes, (row, scribe.mistakes)
        new = scribe.requests[seen:]
        final = [status for status in told if status >= 200]
        refused += any(status >= 400 for status in final)
        # Each request that a server was sent was answered. The first is never the one that follows
        # the row, and that one is only ever a request of its own.
        assert len(new) == sum(status == 200 for status in final), (row, told, new)
        assert len(new) <= 2, (row, new)
        assert all(target != b"/hidden" for _, target, _ in new[:1]), (row, new)
        assert all((target, body) == (b"/hidden", b"") for _, target, body in new[1:]), (row, new)
    assert count > 120 and refused > 70
