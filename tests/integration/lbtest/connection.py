# SPDX-License-Identifier: MIT
"""One end of a stream connection, with the verbs that a dialogue needs. Tests use it for clients
and for what a FakeServer accepted alike."""

import fcntl
import select
import socket
import struct
import termios

# Longer than any time limit that lb has by itself: what ends by one has ended by then.
TIMEOUT_S = 30.0


def parse(address):
    """(family, what socket.connect() takes) of "127.0.0.1:80", "[::1]:80" or "unix:/path"."""
    if address.startswith("unix:"):
        return socket.AF_UNIX, address[len("unix:"):]
    host, _, port = address.rpartition(":")
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def written(name):
    """The address that a socket reports, as lb.yaml writes it."""
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{name.decode() if isinstance(name, bytes) else name}"


def connect(address, source=None, timeout_s=TIMEOUT_S):
    """A client's connection to an address; source is an address to come from."""
    family, target = parse(address)
    raw = socket.socket(family, socket.SOCK_STREAM)
    connection = Connection(raw, timeout_s)
    try:
        if source:
            raw.bind(parse(source)[1])
        raw.connect(target)
    except ConnectionResetError:
        # It was accepted, and reset before this call could return.
        connection.was_reset = True
    except OSError:
        raw.close()
        raise
    return connection


def is_ready(raw, events, timeout_s):
    """Waits until the socket is; select.POLLIN, POLLOUT. Of any descriptor: select() has 1,024."""
    poll = select.poll()
    poll.register(raw, events)
    return bool(poll.poll(timeout_s * 1000))


def refuses(address):
    """Whether nobody listens there."""
    try:
        connect(address).close()
        return False
    except (ConnectionRefusedError, FileNotFoundError):
        return True


class PeerFinished(AssertionError):
    """The peer has nothing more to say, though more was expected: it ended between two messages."""


class Connection:
    """A connected stream socket. Whatever waits, waits at most timeout_s and then fails."""

    def __init__(self, raw, timeout_s=TIMEOUT_S):
        self.socket = raw
        self.was_reset = False
        raw.settimeout(timeout_s)
        if raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def local(self):
        return written(self.socket.getsockname())

    @property
    def peer(self):
        return written(self.socket.getpeername())

    def _send_some(self, data):
        return self.socket.send(data)

    def _receive_some(self, size):
        return self.socket.recv(size)

    def send(self, data):
        data = memoryview(data)
        while data:
            data = data[self._send_some(data):]
        return self

    def receive(self, size, midway=False):
        """Exactly so many bytes; midway: which belong to what has begun."""
        data = bytearray()
        while len(data) < size:
            piece = self._receive_some(size - len(data))
            if not piece:
                kind = AssertionError if data or midway else PeerFinished
                raise kind(f"the peer finished after {len(data)} of {size} bytes: {bytes(data)!r}")
            data += piece
        return bytes(data)

    def receive_line(self, midway=False):
        """Up to a newline, which is included."""
        data = b""
        while not data.endswith(b"\n"):
            data += self.receive(1, midway or bool(data))
        return data

    def receive_all(self):
        """Everything until the peer finishes."""
        data = bytearray()
        while piece := self._receive_some(65536):
            data += piece
        return bytes(data)

    def receive_until_it_ends(self):
        """The same where the end may be a reset, too, as after bytes that the peer did not read."""
        data = bytearray()
        try:
            while piece := self._receive_some(65536):
                data += piece
        except ConnectionResetError:
            pass
        return bytes(data)

    def asks(self, data):
        """Sends and receives as many bytes: what an echoing server answers."""
        self.send(data)
        return self.receive(len(data))

    def finish(self):
        """Half-close: nothing more will be sent, but everything still received."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def unacknowledged(self):
        """How many bytes of what it sent, its end included, the peer's kernel does not have yet."""
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def expect_eof(self):
        """The peer finished, in order, with nothing more to say."""
        data = self.socket.recv(1)
        assert data == b"", f"expected the end, received {data!r}"

    def expect_reset(self, saying=b""):
        """The peer resets the connection, while or after it is told this."""
        if self.was_reset:
            return
        try:
            self.socket.sendall(saying)
            data = self.socket.recv(1)
        except (ConnectionResetError, BrokenPipeError):  # EPIPE: a reset after the peer's end
            return
        raise AssertionError(f"expected a reset, received {data!r}")

    def ends(self):
        """Waits until the peer ends the connection, in whatever way."""
        try:
            return self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True

    def expect_nothing(self, for_s=0.2):
        """The peer says nothing for a while."""
        if is_ready(self.socket, select.POLLIN, for_s):
            raise AssertionError(f"expected nothing, received {self.socket.recv(1024)!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
