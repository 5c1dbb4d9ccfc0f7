# SPDX-License-Identifier: MIT
"""Many connections at once, each cheap: an epoll loop in a process of its own, so that neither the
test nor its other ends wait for it. This file is both what tests import and what that process runs.
"""

import collections
import json
import select
import socket
import subprocess
import sys
import time

STALLED_S = 1.0  # an exchange that takes longer is one


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
            said, _ = self._process.communicate(timeout=20)
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
    """Clients that connect, exchange a byte, close and begin anew, so many at a time."""

    def __init__(self, address, at_once):
        super().__init__("short", address, at_once)
        assert self.read_line() == "running"

    def results(self):
        """done, stalled, longest_ms, and errors: how often each."""
        return json.loads(self.end())


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


def _run_short(address, at_once):
    epoll = select.epoll()
    epoll.register(sys.stdin.fileno(), select.EPOLLIN)
    target = _address(address)
    began = collections.OrderedDict()  # by descriptor: the socket and when, the oldest first
    errors = collections.Counter()
    done = stalled = 0
    longest_s = 0.0

    def begin():
        raw = socket.socket()
        raw.setblocking(False)
        began[raw.fileno()] = raw, time.monotonic()
        raw.connect_ex(target)
        epoll.register(raw.fileno(), select.EPOLLOUT)

    def end(descriptor, error=None):
        nonlocal done, stalled, longest_s
        raw, since = began.pop(descriptor)
        raw.close()
        took_s = time.monotonic() - since
        longest_s = max(longest_s, took_s)
        stalled += took_s > STALLED_S
        if error:
            errors[error] += 1
        else:
            done += 1

    def go_on(descriptor, event):
        raw, _ = began[descriptor]
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
        if oldest and time.monotonic() - oldest[1] > 5 * STALLED_S:
            end(oldest[0].fileno(), "no answer")
    print(json.dumps({"done": done, "stalled": stalled, "longest_ms": round(longest_s * 1000, 1),
                      "errors": errors}))


if __name__ == "__main__":
    {"echo": lambda greeting: _run_echo(greeting),
     "short": lambda address, at_once: _run_short(address, int(at_once))}[sys.argv[1]](*sys.argv[2:])
