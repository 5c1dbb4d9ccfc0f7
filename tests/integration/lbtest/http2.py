# SPDX-License-Identifier: MIT
"""HTTP/2 as a client of raw frames speaks it: header blocks without any table, right or wrong."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, ENHANCE_YOUR_CALM = 0, 11
# Of a response's first field, as an index of the static table.
STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text):
    data = text.encode("latin-1")
    assert len(data) < 127
    return bytes([len(data)]) + data


def block(*fields):
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def head(stream=1, method="GET", path="/", fields=(), ends=True):
    """A request's HEADERS."""
    pseudo = ((":method", method), (":scheme", "http"), (":path", path), (":authority", "a.example"))
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream, block(*pseudo, *fields))


class Client:
    """Over a Connection."""

    def __init__(self, connection, first=frame(SETTINGS)):
        self.connection = connection
        connection.send(PREFACE + first)

    def send(self, *frames):
        self.connection.send(b"".join(frames))
        return self

    def next(self):
        """(kind, flags, stream, payload) of the next frame; nothing at the end."""
        first = self.connection.socket.recv(1)
        if not first:
            return None
        header = first + self.connection.receive(8)
        size = int.from_bytes(header[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", header[3:])
        return kind, flags, stream, self.connection.receive(size)

    def until(self, kind, stream=None):
        """The next frame of this kind; others are passed over."""
        while got := self.next():
            if got[0] == kind and stream in (None, got[2]):
                return got
        raise AssertionError("the connection ended")

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
