# SPDX-License-Identifier: MIT
"""Many connections at once, each cheap: an epoll loop in a process of its own, so that neither the
test nor its other ends wait for it. This file is both what tests import and what that process runs.
"""

import collections
import json
import random
import select
import socket
import struct
import subprocess
import sys
import time

STALLED_S = 5.0  # an exchange that takes longer is one; a busy machine alone may take a second or two
LATE_S = 1.0  # the same, for one that many later ones overtook: then the machine was not too busy for them
IP_BIND_ADDRESS_NO_PORT = 24  # of Linux: the port is found when it connects


class _Program:
    """One of the loops below, in its own process. It ends when its standard input does."""

    def __init__(self, *arguments):
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, __file__, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read_line(self):
        return self._process.stdout.readline().strip()

    def ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.read_line()

    def kill(self):
        """As the kernel ends it: what was open is reset, what comes is refused."""
        self._process.kill()
        self._process.wait()

    def end(self):
        """What it said last."""
        if self._process.returncode is None:
            said, _ = self._process.communicate(timeout=60)
            assert self._process.returncode == 0
            self._last = said.strip()
        return self._last


class EchoSwarm(_Program):
    """A server for any number of connections, which also knows how many it has had at once: lb ends
    what it has with one server before it begins with the next, so that the figure is exact."""

    def __init__(self, greeting=""):
        super().__init__("echo", greeting)
        self.address = self.read_line()

    def open(self):
        return int(self.ask("open"))

    def peak(self):
        """The most at once since the last time it was asked."""
        return int(self.ask("peak"))

    def connections(self):
        """In all."""
        return int(self.ask("connections"))


class ShortConnections(_Program):
    """Clients that connect, exchange a byte, close and begin anew, so many at a time; in turn from so
    many addresses, 127.1.0.1 and so on."""

    def __init__(self, address, at_once, sources=0):
        super().__init__("short", address, at_once, sources)
        self._at_once = at_once
        assert self.read_line() == "running"

    def results(self):
        """done, stalled, overtaken, longest_ms, and errors: how often each."""
        return json.loads(self.end())

    def smooth_results(self):
        """results(), in which none was forgotten, even for a moment."""
        got = self.results()
        assert got["stalled"] == 0, got
        # All of them at once when the machine takes a processor from one worker alone.
        assert got["overtaken"] <= self._at_once, got
        return got


def _address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def _run_echo(greeting):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    print("127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    epoll = select.epoll()
    for descriptor in (listener.fileno(), sys.stdin.fileno()):
        epoll.register(descriptor, select.EPOLLIN)
    clients = {}
    accepted = peak = 0

    def serve(descriptor):
        client = clients[descriptor]
        try:
            data = client.recv(65536)
            if data:
                client.send(data)
                return
        except OSError:
            pass
        del clients[descriptor]
        client.close()

    while True:
        ready = [descriptor for descriptor, _ in epoll.poll()]
        for descriptor in ready:
            if descriptor in clients:
                serve(descriptor)
        if listener.fileno() in ready:
            client, _ = listener.accept()
            client.setblocking(False)
            # Those that ended before this one began.
            for descriptor, _ in epoll.poll(0):
                if descriptor in clients:
                    serve(descriptor)
            clients[client.fileno()] = client
            accepted += 1
            peak = max(peak, len(clients))
            if greeting:
                client.send(greeting.encode())
            epoll.register(client.fileno(), select.EPOLLIN)
        if sys.stdin.fileno() in ready:
            asked = sys.stdin.readline().strip()
            if not asked:
                return
            print({"open": len(clients), "peak": peak, "connections": accepted}[asked], flush=True)
            if asked == "peak":
                peak = len(clients)


def _source(number):
    return f"127.1.{number // 250}.{number % 250 + 1}", 0


def _run_short(address, at_once, sources):
    epoll = select.epoll()
    epoll.register(sys.stdin.fileno(), select.EPOLLIN)
    target = _address(address)
    # By descriptor: the socket, when, and after how many were over; the oldest first.
    began = collections.OrderedDict()
    errors = collections.Counter()
    done = stalled = overtaken = begun = over = 0
    longest_s = 0.0

    def begin():
        nonlocal begun
        raw = socket.socket()
        raw.setblocking(False)
        if sources:
            raw.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            raw.bind(_source(begun % sources))
        begun += 1
        began[raw.fileno()] = raw, time.monotonic(), over
        raw.connect_ex(target)
        epoll.register(raw.fileno(), select.EPOLLOUT)

    def end(descriptor, error=None):
        nonlocal done, stalled, overtaken, over, longest_s
        raw, since, over_before = began.pop(descriptor)
        raw.close()
        took_s = time.monotonic() - since
        longest_s = max(longest_s, took_s)
        stalled += took_s > STALLED_S
        overtaken += took_s > LATE_S and over - over_before > 20 * at_once
        over += 1
        if error:
            errors[error] += 1
        else:
            done += 1

    def go_on(descriptor, event):
        raw = began[descriptor][0]
        try:
            if event & select.EPOLLOUT and not event & select.EPOLLIN:
                raw.send(b"x")
                epoll.modify(descriptor, select.EPOLLIN)
                return
            answer = raw.recv(10)
            end(descriptor, None if answer == b"x" else f"answer {answer!r}")
        except OSError as error:
            end(descriptor, type(error).__name__)

    print("running", flush=True)
    is_running = True
    while is_running or began:
        while is_running and len(began) < at_once:
            begin()
        for descriptor, event in epoll.poll(0.1):
            if descriptor == sys.stdin.fileno():
                is_running = False
                epoll.unregister(descriptor)
            else:
                go_on(descriptor, event)
        oldest = next(iter(began.values()), None)
        if oldest and time.monotonic() - oldest[1] > 4 * STALLED_S:
            end(oldest[0].fileno(), "no answer")
    print(json.dumps({"done": done, "stalled": stalled, "overtaken": overtaken,
                      "longest_ms": round(longest_s * 1000, 1), "errors": errors}))


class Garbage(_Program):
    """So many connections, spread over the addresses, that say what no server expects."""

    def __init__(self, count, *addresses):
        super().__init__("garbage", count, *addresses)

    def results(self):
        """How often each happened: ended by the other side, or left open by it."""
        return json.loads(self.end())


class SlowClients(_Program):
    """So many connections at a time, which are as slow as slowhttptest's three modes make them:
    "headers" that never end, a "body" that hardly grows, a large answer that is hardly "read". Who is
    thrown out comes back."""

    def __init__(self, address, mode, count):
        super().__init__("slow", address, mode, count)
        assert self.read_line() == "all have come"

    def results(self):
        """how many were begun, how many of them lb ended"""
        return json.loads(self.end())


_SLOW = {
    "headers": (b"GET / HTTP/1.1\r\nHost: a.example\r\n", b"X-More: more\r\n"),
    "body": (b"POST /takes HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n", b"a"),
    "read": (b"GET /large HTTP/1.1\r\nHost: a.example\r\n\r\n", b""),
}


def _run_slow(address, mode, count, pause_s=0.5):
    target, (first, more) = _address(address), _SLOW[mode]
    connections, begun, ended = [], 0, 0

    def begin():
        nonlocal begun
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(30)
        raw.connect(target)
        raw.send(first)
        raw.setblocking(False)
        begun += 1
        return raw

    def goes_on(raw):
        try:
            if more:
                raw.send(more)
            return raw.recv(32) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    for _ in range(count):
        connections.append(begin())
    print("all have come", flush=True)
    while not select.select([sys.stdin], [], [], pause_s)[0]:
        for i, raw in enumerate(connections):
            if not goes_on(raw):
                ended += 1
                raw.close()
                connections[i] = begin()
    print(json.dumps({"begun": begun, "ended": ended}))


# Real beginnings, which are then cut, repeated or spoiled.
_BEGINNINGS = (
    b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\1\1\0\x50",
    b"\x16\3\1\2\0\1\0\1\xfc\3\3" + bytes(range(250)) * 2,
    b"",
)


def _spoiled(chance):
    """What one of them says."""
    text = bytearray(chance.choice(_BEGINNINGS))
    kind = chance.randrange(5)
    if kind == 0:
        text += chance.randbytes(chance.randrange(2000))
    elif kind == 1:
        text = text[:chance.randrange(len(text) + 1)]
    elif kind == 2:
        text = text * chance.randrange(1, 50)
    elif kind == 3:
        for _ in range(3 if text else 0):
            text[chance.randrange(len(text))] = chance.randrange(256)
    else:
        text = b"A" * chance.randrange(100_000)
    return bytes(text)


def _run_garbage(count, addresses, at_once=500, patience_s=0.2):
    chance = random.Random(count)
    targets = [_address(address) for address in addresses]
    epoll = select.epoll()
    open_ones = collections.OrderedDict()  # by descriptor: the socket and when, the oldest first
    seen = collections.Counter()

    def end(descriptor, how):
        raw, _ = open_ones.pop(descriptor)
        seen[how] += 1
        if chance.randrange(2):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()

    def go_on(descriptor, event):
        raw, _ = open_ones[descriptor]
        try:
            if event & select.EPOLLOUT:
                epoll.modify(descriptor, select.EPOLLIN)
                raw.send(_spoiled(chance))
            elif not raw.recv(65536):
                end(descriptor, "ended")
        except BlockingIOError:
            pass
        except OSError:
            end(descriptor, "ended")

    begun = 0
    while begun < count or open_ones:
        while begun < count and len(open_ones) < at_once:
            raw = socket.socket()
            raw.setblocking(False)
            raw.connect_ex(targets[begun % len(targets)])
            epoll.register(raw.fileno(), select.EPOLLOUT)
            open_ones[raw.fileno()] = raw, time.monotonic()
            begun += 1
        for descriptor, event in epoll.poll(patience_s / 4):
            go_on(descriptor, event)
        while open_ones and time.monotonic() - next(iter(open_ones.values()))[1] > patience_s:
            end(next(iter(open_ones)), "left open")
    print(json.dumps(seen))


if __name__ == "__main__":
    {"echo": lambda greeting: _run_echo(greeting),
     "short": lambda address, at_once, sources: _run_short(address, int(at_once), int(sources)),
     "slow": lambda address, mode, count: _run_slow(address, mode, int(count)),
     "garbage": lambda count, *addresses: _run_garbage(int(count), addresses),
     }[sys.argv[1]](*sys.argv[2:])
