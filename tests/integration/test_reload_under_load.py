# SPDX-License-Identifier: MIT
"""Reloads while clients come and go by the thousand: nobody notices."""

import copy
import itertools
import signal
import time

import pytest
from lbtest import connect, echo, free_port, in_background, tcp_config, wait_until
from lbtest.swarm import STALLED_S, ShortConnections


def numbered():
    """Answers each message with the number of the connection, so that a client knows whether it
    still speaks with the same one."""
    numbers = itertools.count()

    def behaviour(connection):
        number = b"%06d" % next(numbers)
        while connection.socket.recv(1):
            connection.send(number)

    return behaviour


class LongConnections:
    """Clients that say something every moment and must always be answered by the same connection."""

    def __init__(self, proxy, count):
        self._clients = [proxy.connect() for _ in range(count)]
        self._numbers = [client.send(b"?").receive(6) for client in self._clients]
        assert len(set(self._numbers)) == count
        self._done = False
        self.rounds = 0
        self._busy = in_background(self._run)

    def _run(self):
        longest_s = 0.0
        while not self._done:
            for client, number in zip(self._clients, self._numbers):
                began = time.monotonic()
                assert client.send(b"?").receive(6) == number
                longest_s = max(longest_s, time.monotonic() - began)
            self.rounds += 1
        return longest_s

    def wait_rounds(self, count):
        """Waits until each has said something so many times."""
        enough = self.rounds + count
        wait_until(lambda: self.rounds >= enough or self._done, "the long connections speak")

    def longest_s(self):
        self._done = True
        return self._busy.result()


def variants(config, extra_server, extra_listener):
    """Configurations without end, each unlike the one before."""
    for number in itertools.count():
        variant = copy.deepcopy(config)
        servers = variant["pools"]["back"]["servers"]
        servers[0]["weight"] = 1 + number % 5
        if number % 2:
            servers.append({"address": extra_server, "weight": 1 + number % 3})
        if number % 3:
            variant["listeners"]["unrelated"] = {"address": extra_listener, "protocol": "tcp",
                                                 "pool": "back"}
        if number % 4 == 0:
            variant["listeners"]["front"]["timeouts"] = {"idle": f"{number + 60}s"}
        yield variant


@pytest.mark.seconds(300)
def test_five_hundred_reloads_are_not_noticed(lb, server, swarm):
    fixed, extra = swarm(), swarm()
    config = tcp_config({"name": "fixed", "address": fixed.address}, runtime={
        "workers": 2, "drain_timeout": "1s"})
    config["pools"]["long"] = {"health_check": "off", "servers": [server(numbered()).address]}
    long_address = f"127.0.0.1:{free_port()}"
    config["listeners"]["long"] = {"address": long_address, "protocol": "tcp", "pool": "long"}
    proxy = lb(config)
    front, proxy.address = proxy.address, long_address
    long = LongConnections(proxy, 10)
    short = ShortConnections(front, 8)
    for number, variant in zip(range(500), variants(config, extra.address,
                                                    f"127.0.0.1:{free_port()}")):
        proxy.reload("listeners: [" if number % 25 == 10 else variant)
        long.wait_rounds(4)
    got = short.smooth_results()
    assert got["errors"] == {}, got
    assert got["done"] > 2_000, f"a weak load: {got}"
    assert long.longest_s() < STALLED_S
    assert extra.connections() > 100, "the added server had its share"


@pytest.mark.fast
def test_signals_in_quick_succession_end_in_the_last_configuration(lb, server):
    config = tcp_config(server(echo), runtime={"drain_timeout": "1s"})
    proxy = lb(config)
    client = proxy.connect()
    for _ in range(100):
        proxy.signal(signal.SIGHUP)
    last = copy.deepcopy(config)
    added = f"127.0.0.1:{free_port()}"
    last["listeners"]["front"]["address"] = [proxy.address, added]
    proxy.reload(last)
    for _ in range(100):
        proxy.signal(signal.SIGHUP)
    assert client.asks(b"still here") == b"still here"

    def answers():
        # The READY=1 that reload() saw may have been that of an earlier signal.
        try:
            with connect(added) as other:
                return other.asks(b"hello") == b"hello"
        except ConnectionRefusedError:
            return False

    wait_until(answers, "the added address answers")
