# SPDX-License-Identifier: MIT
"""Servers to put behind lb, whose behaviour is a function of one connection."""

import queue
import socket
import struct
import threading

from lbtest.connection import Connection, PeerFinished, parse, written
from lbtest.ports import named, wait_until


def echo(connection):
    """Sends back what it receives, and finishes after the client has."""
    while data := connection.socket.recv(65536):
        connection.send(data)
    connection.finish()


def names_itself(name):
    """Says its name before anything else, then echoes."""

    def behaviour(connection):
        connection.send(name.encode() + b"\n")
        echo(connection)

    return behaviour


def hears(proxy, address=None):
    """Who of them answers a new client."""
    with proxy.connect(address) as client:
        return client.receive_line().decode().strip()


def hears_times(proxy, times=1):
    return [hears(proxy) for _ in range(times)]


def sink(connection):
    """Takes everything, says nothing, and finishes after the client has."""
    while connection.socket.recv(65536):
        pass
    connection.finish()


def source(data):
    """Sends this and finishes."""

    def behaviour(connection):
        connection.send(data).finish()
        sink_quietly(connection)

    return behaviour


def sink_quietly(connection):
    while connection.socket.recv(65536):
        pass


def silent(connection):
    """Accepts and never answers, nor reads."""
    connection.ended.wait()


def resets(connection):
    """Resets at once."""
    connection.reset()


def reset_after(size):
    """Resets after so many bytes from the client."""

    def behaviour(connection):
        connection.receive(size)
        connection.reset()

    return behaviour


class FakeServer:
    """A listening socket on 127.0.0.1 (or another address) and a thread that accepts. With a
    behaviour each connection is served by it in a thread of its own; without one the test takes
    connections with accept() and plays the server itself."""

    def __init__(self, behaviour=None, address="127.0.0.1:0"):
        self.connections = 0  # accepted so far
        self.errors = []  # what a behaviour raised; a client that went away is none
        self._behaviour = behaviour
        self._waiting = queue.Queue()
        self._open = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listener = None
        self._listen(address)

    def _listen(self, address):
        family, name = parse(address)
        listener = socket.socket(family, socket.SOCK_STREAM)
        if family != socket.AF_UNIX:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name if family == socket.AF_UNIX else named(*name))
        listener.listen(1024)
        self.address = written(listener.getsockname())
        self._listener = listener
        self._thread = threading.Thread(target=self._accept_all, args=(listener,), daemon=True)
        self._thread.start()

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    def _accept_all(self, listener):
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            connection = Connection(raw)
            connection.ended = self._ended
            with self._lock:
                self.connections += 1
                self._open.append(connection)
            if self._ended.is_set():
                connection.close()
            elif self._behaviour is None:
                self._waiting.put(connection)
            else:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.socket.settimeout(None)
        try:
            self._behaviour(connection)
        except (OSError, PeerFinished):
            pass  # the client ended it, as a check does that is no longer needed, or stop() did
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()
            with self._lock:
                self._open.remove(connection)

    def accept(self, timeout_s=30.0):
        """The next connection, for the test to play the server on."""
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"no connection within {timeout_s:g} s") from None

    def expect_no_connection(self, for_s=0.2):
        try:
            connection = self._waiting.get(timeout=for_s)
        except queue.Empty:
            return
        raise AssertionError(f"a connection from {connection.peer}")

    def go_down(self):
        """Stops listening, so that connects are refused; open connections stay."""
        # close() alone would leave accept() of the other thread, and with it the socket, waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def come_back(self):
        """Listens on the same address again."""
        self._ended.clear()
        self._listen(self.address)

    def hang_up(self):
        """Ends every connection, those that are still to come included."""
        self._ended.set()
        with self._lock:
            remaining = list(self._open)
        for connection in remaining:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if self._behaviour is None:
                connection.close()

    def stop(self):
        if self._thread.is_alive():
            self.go_down()
        self.hang_up()


class DeafServer:
    """Listens but lets no connect finish: its queue is full, so the kernel drops every SYN."""

    def __init__(self, address="127.0.0.1:0"):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(named(*parse(address)[1]))
        self._listener.listen(0)
        self.address = written(self._listener.getsockname())
        self._filler = socket.socket()
        self._filler.setblocking(False)
        self._filler.connect_ex(self._listener.getsockname())  # unless somebody else was quicker
        wait_until(self._is_full, "the queue is full")

    def _is_full(self):
        # Of a listening socket: who waits to be accepted, and how many may.
        waiting, may_wait = struct.unpack("24xII", self._listener.getsockopt(
            socket.IPPROTO_TCP, socket.TCP_INFO, 32))
        return waiting > may_wait

    def stop(self):
        self._filler.close()
        self._listener.close()
