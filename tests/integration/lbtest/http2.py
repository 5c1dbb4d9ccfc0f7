# SPDX-License-Identifier: MIT
"""HTTP/2 as a client or a server of raw frames speaks it: header blocks without any table, right or wrong."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 2, 7, 8, 11
# Of a response's first field, as an index of the static table.
STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def text(string):
    """A string as a header block has it."""
    data = string.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    size, left = b"\x7f", len(data) - 127
    while left >= 128:
        size, left = size + bytes([left % 128 + 128]), left // 128
    return size + bytes([left]) + data


def block(*fields):
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def request_fields(method="GET", path="/"):
    return (":method", method), (":scheme", "http"), (":path", path), (":authority", "a.example")


def head(stream=1, method="GET", path="/", fields=(), ends=True):
    """A request's HEADERS."""
    return headers(stream, *request_fields(method, path), *fields, ends=ends)


def headers(stream, *fields, ends=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream, block(*fields))


def setting(number, value):
    return struct.pack(">HI", number, value)


class End:
    """One end of HTTP/2 over a Connection."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, *frames):
        self.connection.send(b"".join(frames))
        return self

    def next(self):
        """(kind, flags, stream, payload) of the next frame; nothing at the end."""
        first = self.connection.socket.recv(1)
        if not first:
            return None
        header = first + self.connection.receive(8, midway=True)
        size = int.from_bytes(header[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", header[3:])
        return kind, flags, stream, self.connection.receive(size, midway=True)

    def until(self, kind, stream=None):
        """The next frame of this kind; others are passed over."""
        while got := self.next():
            if got[0] == kind and stream in (None, got[2]):
                return got
        raise AssertionError("the connection ended")

    def expect_end(self):
        """Whatever is still said, it ends then, in whatever way."""
        try:
            while self.next():
                pass
        except ConnectionResetError:
            pass


class Server(End):
    """A server's end: answers what it wants to. MAX_STREAMS is the setting that lb minds."""

    MAX_STREAMS = 3

    def __init__(self, connection, settings=b""):
        super().__init__(connection)
        assert connection.receive(len(PREFACE)) == PREFACE
        self.send(frame(SETTINGS, payload=settings))

    def asked(self):
        """The stream of the next request."""
        return self.until(HEADERS)[2]

    def say(self, stream, body, ends=True):
        self.send(headers(stream, (":status", "200"), ends=False),
                  frame(DATA, END_STREAM if ends else 0, stream, body))


class Client(End):
    def __init__(self, connection, first=frame(SETTINGS)):
        super().__init__(connection)
        connection.send(PREFACE + first)

    def answer(self, stream=1):
        """(status, body) of a response, or the error of an RST_STREAM."""
        status, body = None, b""
        while got := self.next():
            kind, flags, of, payload = got
            if of != stream:
                continue
            if kind == RST_STREAM:
                return struct.unpack(">I", payload)[0]
            if kind == HEADERS and status is None:
                # A change of the table's size may stand before it.
                status = STATUSES.get(next((b for b in payload if b >= 0x80 or b < 0x20), None))
            if kind == DATA:
                body += payload
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                return status, body
        raise AssertionError("the connection ended")

    def goaway(self):
        """The error of the last GOAWAY before the end."""
        error = None
        try:
            while got := self.next():
                if got[0] == GOAWAY:
                    error = struct.unpack(">I", got[3][4:8])[0]
        except (ConnectionResetError, AssertionError):
            pass
        return error
