# SPDX-License-Identifier: MIT
"""Servers and clients that speak in datagrams."""

import socket
import threading

from lbtest.config import tcp_config
from lbtest.connection import TIMEOUT_S
from lbtest.ports import named

LARGEST = 65_507


def udp_config(*servers, listener=None, pool=None, **top):
    """One UDP listener in front of one pool. Draining is off: tests do not wait for silence."""
    config = tcp_config(*servers, listener={"protocol": "udp", **(listener or {})}, pool=pool,
                        runtime={"drain_timeout": "0s"})
    config.update(top)
    return config


class UdpServer:
    """Answers each datagram by answer(datagram), None being no answer, and remembers all."""

    def __init__(self, answer=lambda data: data, address="127.0.0.1", port=0):
        self.socket = udp_socket(*named(address, port))
        self.host, self.port = self.socket.getsockname()[:2]
        self.address = f"{self.host}:{self.port}"
        self.received = []  # (datagram, whence)
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                data, whence = self.socket.recvfrom(65_536)
            except OSError:
                return
            if data == b"\0stop" + str(self.port).encode():
                return
            self.received.append((data, whence))
            answer = self._answer(data)
            if answer is not None:
                self.socket.sendto(answer, whence)

    def stop(self):
        """Closed: what comes now is answered by ICMP."""
        if self.socket.fileno() >= 0:
            self.socket.sendto(b"\0stop" + str(self.port).encode(), (self.host, self.port))
            self._thread.join(10)
            self.socket.close()

    end = stop


def udp_socket(address="127.0.0.1", port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind((address, port))
    return opened


class UdpClient:
    """A client with a port of its own."""

    def __init__(self, proxy_address, address="127.0.0.1"):
        host, _, port = proxy_address.rpartition(":")
        self.to = host.strip("[]"), int(port)
        self.socket = udp_socket(address)
        self.socket.settimeout(TIMEOUT_S)

    def send(self, data):
        self.socket.sendto(data, self.to)

    def receive(self):
        data, whence = self.socket.recvfrom(65_536)
        assert whence[:2] == self.to, "answered from another address than was asked"
        return data

    def asks(self, data):
        self.send(data)
        return self.receive()

    def hears_nothing(self, seconds=0.2):
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65_536) is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT_S)

    def close(self):
        self.socket.close()

    end = close
