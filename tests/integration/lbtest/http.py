# SPDX-License-Identifier: MIT
"""HTTP/1.1 from both ends, byte by byte where a test wants it so: configurations, requests, and
servers that answer as they are told."""

import hashlib
import time

from lbtest.config import tcp_config


def http_config(*servers, listener=None, **rest):
    """One HTTP listener in front of one pool."""
    return tcp_config(*servers, listener={"protocol": "http", **(listener or {})}, **rest)


def request(method="GET", path="/", headers=(), body=b"", host="a.example", version="1.1"):
    """A request as bytes; a body gets its length."""
    lines = [f"{method} {path} HTTP/{version}", f"Host: {host}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Message:
    """A message that was received: its first line, its headers by lower-case name, its body."""

    def __init__(self, start, headers, body):
        self.start, self.headers, self.body = start, headers, body

    @property
    def status(self):
        return int(self.start.split()[1])

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} stands there {len(values)} times"
        return values[0] if values else None


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.receive(1, midway=bool(head))
    start, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = [(name.lower(), value.strip()) for name, _, value in (l.partition(":") for l in lines)]
    return Message(start, headers, b"")


def read_chunks(connection):
    body = b""
    while True:
        size = int(connection.receive_line(midway=True).split(b";")[0], 16)
        body += connection.receive(size, midway=True)
        if size == 0:
            while connection.receive_line(midway=True) != b"\r\n":
                pass
            return body
        assert connection.receive(2, midway=True) == b"\r\n"


def read_message(connection, to_head=False):
    """A request or a response with its body; to_head: a response to HEAD."""
    message = read_head(connection)
    status = message.status if message.start.startswith("HTTP/") else None
    if to_head or status in (204, 304) or (status and status < 200):
        return message
    if message.header("transfer-encoding") == "chunked":
        message.body = read_chunks(connection)
    elif message.header("content-length") is not None:
        message.body = connection.receive(int(message.header("content-length")), midway=True)
    elif status:
        message.body = connection.receive_all()
    return message


def response(body=b"", status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def serves(answer):
    """A server that answers every request of a connection by answer(request) as bytes."""

    def behaviour(connection):
        while connection.socket.recv(1, 2):  # MSG_PEEK: the client may be done
            connection.send(answer(read_message(connection)))

    return behaviour


def names_itself_in_http(name):
    return serves(lambda _: response(name.encode()))


def tells_what_it_got():
    """Answers with the request's first line, its headers, and the length and hash of its body."""

    def answer(got):
        lines = [got.start, *(f"{name}: {value}" for name, value in got.headers),
                 f"body: {len(got.body)} {hashlib.sha256(got.body).hexdigest()}"]
        return response("\n".join(lines).encode())

    return serves(answer)


def asks(client, **kwargs):
    """Sends a request and returns the response."""
    client.send(request(**kwargs))
    return read_message(client, to_head=kwargs.get("method") == "HEAD")


# A report of load lasts for three of the usual pauses between them, of 100 ms at the least, and one that
# only repeats the last is taken up after one such pause.
FADED_S = 0.15


def expect_idlest(idlest, answers):
    """Of the names of the servers that answer one after the other all are that of the idlest, which has
    just reported its load by the answer before them. Another one may take its turn once its own report,
    or that of the idlest, has faded: it is then nobody's guess how busy they are."""
    reported = {idlest: time.monotonic()}
    answers, began = iter(answers), time.monotonic()
    while name := next(answers, None):
        if name != idlest:
            now = time.monotonic()
            ages = [now - reported.get(one, 0) for one in (name, idlest)]
            assert max(ages) > FADED_S, f"{name} instead of {idlest}, which reported {ages[1]:.3f} s before"
        reported[name], began = began, time.monotonic()
