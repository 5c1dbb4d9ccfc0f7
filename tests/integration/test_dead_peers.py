# SPDX-License-Identifier: MIT
"""Peers that fall silent: the cable is cut, no packet says so."""

import time

import pytest
from lbtest import FakeServer, connect, in_background, tcp_config

KEEPALIVE = {"keepalive": {"idle": "1s", "interval": "1s", "count": 3}}
DEAD_S = 4.0  # idle + count * interval
MIB = 1 << 20


class Network:
    """Three machines in a row: a client, lb, a server."""

    def __init__(self, namespace):
        self.client, self.lb, self.server = namespace(), namespace(), namespace()
        self._connect(self.client, "10.1.0.2/24", "to-client", "10.1.0.1/24")
        self._connect(self.server, "10.2.0.2/24", "to-server", "10.2.0.1/24")

    def _connect(self, machine, its_address, device, address):
        self.lb.ip("link", "add", device, "type", "veth", "peer", "name", "to-lb",
                   "netns", machine.name)
        for where, name, own in ((machine, "to-lb", its_address), (self.lb, device, address)):
            where.add_address(own, name)
            where.ip("link", "set", name, "up")

    @staticmethod
    def cut(machine):
        machine.ip("link", "set", "to-lb", "down")


@pytest.fixture
def network(namespace):
    return Network(namespace)


class Dialogues:
    """Connections through lb, each (client, server's end), that have just been used."""

    def __init__(self, network, lb):
        self._network = network
        self._server = network.server.call(FakeServer, None, "10.2.0.2:0")
        config = tcp_config(self._server, address="10.1.0.1:7000", listener=KEEPALIVE,
                            runtime={"drain_timeout": "1s"}, log={"level": "debug"})
        self._lb = lb(config, inside=network.lb.inside)
        self._clients = []

    def begin(self):
        client = self._network.client.call(connect, self._lb.address)
        self._clients.append(client)
        client.send(b"hello")
        there = self._server.accept()
        assert there.receive(5) == b"hello"
        there.send(b"hello")
        assert client.receive(5) == b"hello"
        return client, there

    def end(self):
        for client in self._clients:
            client.close()
        self._server.stop()


@pytest.fixture
def dialogues(network, lb):
    dialogues = Dialogues(network, lb)
    yield dialogues
    dialogues.end()


def how_it_ends(connection):
    """Waits for the end of the connection; when that was, and how."""
    try:
        heard = connection.receive_all()
        return time.monotonic(), "EOF" if not heard else repr(heard)
    except OSError as error:
        return time.monotonic(), type(error).__name__


def how_sending_ends(connection):
    """The same of one that sends all it can."""
    try:
        while True:
            connection.send(b"x" * MIB)
    except OSError as error:
        return time.monotonic(), type(error).__name__


@pytest.mark.timing
@pytest.mark.parametrize("dead", ["client", "server"])
def test_a_peer_that_is_gone_is_noticed(dialogues, network, dead):
    before = time.monotonic()
    idle, asking, sending = (dialogues.begin()[dead == "client"] for _ in range(3))
    sent = in_background(how_sending_ends, sending)
    network.cut(getattr(network, dead))
    began = time.monotonic()
    asking.send(b"is anybody there?")
    ends = [in_background(how_it_ends, idle), in_background(how_it_ends, asking), sent]
    for what, end in zip(("idle", "asking", "sending"), ends):
        when, how = end.result()
        assert how == "ConnectionResetError", (what, how)
        assert when - before > DEAD_S - 1.1 and when - began < DEAD_S + 2, f"{what}: {when - began:.1f} s"


def test_a_peer_that_is_merely_idle_stays(dialogues):
    client, there = dialogues.begin()
    client.expect_nothing(for_s=DEAD_S + 2)
    assert there.send(b"still here") and client.receive(10) == b"still here"
