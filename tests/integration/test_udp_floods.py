# SPDX-License-Identifier: MIT
"""Datagrams from very many addresses, true and false."""

import resource

import pytest
from lbtest import wait_until
from lbtest.datagrams import UdpClient, UdpServer, udp_config
from lbtest.spoof import Flood, allow_false_sources


@pytest.fixture
def space(namespace):
    made = namespace()
    allow_false_sources(made)
    return made


@pytest.fixture
def inside(space):
    """inside(UdpServer): that, in the namespace."""
    made = []

    def start(kind, *arguments):
        made.append(space.call(kind, *arguments))
        return made[-1]

    yield start
    for one in reversed(made):
        one.end()


def is_answered(client, question):
    """An answer to an earlier question may come late."""
    client.socket.settimeout(3)
    client.send(question)
    try:
        while client.receive() != question:
            pass
        return True
    except TimeoutError:
        return False


@pytest.mark.timing
def test_a_million_false_addresses_leave_known_clients_alone(lb, space, inside):
    server = inside(UdpServer)
    proxy = lb(udp_config(server, listener={"udp": {"max_sessions": 2_000}}), inside=space.inside)
    clients = [inside(UdpClient, proxy.address) for _ in range(20)]
    for client in clients:
        assert client.asks(b"hello") == b"hello"
        assert client.asks(b"again") == b"again"
    before_kib = proxy.rss_kib()
    flood = Flood(space, proxy.address, 1_000_000)
    sent = lost = asked = most_kib = 0
    # A share of one in a hundred is not told from a few questions.
    while flood.is_running() or asked < 1_000:
        if not flood.is_running():
            sent += flood.wait()
            flood = Flood(space, proxy.address, 1_000_000, first=sent)
        for client in clients:
            asked += 1
            lost += not is_answered(client, str(asked).encode())
        most_kib = max(most_kib, proxy.rss_kib())
    assert sent + flood.wait() > 900_000
    assert lost <= asked / 100, f"{lost} of {asked} lost"
    assert most_kib < before_kib + 16_000
    assert proxy.fd_count() < 2_000 + 100


def test_as_many_sessions_as_there_are_descriptors_are_held_at_once(lb, space, inside):
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(100_000, descriptors * 8 // 10 // 1_000 * 1_000)
    servers = [inside(UdpServer, lambda data: None, f"127.0.0.{number}") for number in range(1, 5)]
    proxy = lb(udp_config(*servers, listener={"udp": {"max_sessions": count}, "timeouts": {"idle": "2m"}}),
               inside=space.inside)
    before_kib = proxy.rss_kib()
    for first in range(0, count, 1_000):
        Flood(space, proxy.address, 1_000, first).wait()
        # Newcomers wait in a line of bounded length: no more at once than fit.
        wait_until(lambda end=first + 1_000: sum(len(one.received) for one in servers) >= end,
                   "all have come")
    assert proxy.fd_count() > count
    assert (proxy.rss_kib() - before_kib) * 1024 / count < 600, "bytes of a session beside its socket"
    whences = [{whence for _, whence in one.received} for one in servers]
    assert [len(one) for one in whences] == [count // 4] * 4, "each with a port of its own at its server"
    # All of them live: the same clients are heard by the same servers through the same sockets.
    Flood(space, proxy.address, 1_000).wait()
    wait_until(lambda: sum(len(one.received) for one in servers) == count + 1_000, "they speak again")
    assert [{whence for _, whence in one.received} for one in servers] == whences
