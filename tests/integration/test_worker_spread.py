# SPDX-License-Identifier: MIT
"""Few connections that stay long: each worker has its share of them."""

import os
import pathlib

import pytest
from lbtest import tcp_config, wait_until


def leads_to(fd):
    try:
        return os.readlink(fd)
    except FileNotFoundError:
        return ""  # a check of a server has just ended


def watched_by_epoll(proxy):
    """How many descriptors each event loop watches: each has an epoll of its own."""
    base = pathlib.Path(f"/proc/{proxy.process.pid}")
    loops = [fd.name for fd in (base / "fd").iterdir() if leads_to(fd).endswith("[eventpoll]")]
    return {fd: (base / "fdinfo" / fd).read_text().count("tfd:") for fd in loops}


def connections_by_worker(proxy, before):
    """How many of the connections opened since then each worker has: two descriptors each."""
    counts = {fd: count - before[fd] for fd, count in watched_by_epoll(proxy).items()}
    return sorted(count / 2 for count in counts.values())[1:]  # the control thread has none


@pytest.mark.fast
@pytest.mark.parametrize("workers, count", [(2, 10), (2, 40), (4, 10), (4, 40)])
def test_few_connections_are_spread_evenly(lb, swarm, workers, count):
    one = swarm()
    proxy = lb(tcp_config(one, runtime={"workers": workers, "drain_timeout": "1s"}))
    before = watched_by_epoll(proxy)
    assert len(before) == workers + 1
    clients = [proxy.connect() for _ in range(count)]
    for client in clients:
        assert client.asks(b"hello") == b"hello"
    shares = connections_by_worker(proxy, before)
    assert sum(shares) == count
    assert max(shares) - min(shares) <= max(1, 0.25 * count / workers), shares


@pytest.mark.fast
def test_connections_that_come_one_by_one_are_spread_too(lb, swarm):
    one = swarm()
    proxy = lb(tcp_config(one, runtime={"workers": 2, "drain_timeout": "1s"}))
    before = watched_by_epoll(proxy)
    for number in range(1, 21):
        assert proxy.connect().asks(b"hello") == b"hello"
        shares = connections_by_worker(proxy, before)
        assert sum(shares) == number and shares[1] - shares[0] <= 2, shares


@pytest.mark.fast
def test_what_is_left_is_made_even_by_those_who_come(lb, swarm):
    one = swarm()
    proxy = lb(tcp_config(one, runtime={"workers": 2, "drain_timeout": "1s"}))
    before = watched_by_epoll(proxy)
    clients = []
    for _ in range(40):
        known = watched_by_epoll(proxy)
        client = proxy.connect()
        assert client.asks(b"hello") == b"hello"
        worker = max(known, key=lambda fd: watched_by_epoll(proxy)[fd] - known[fd])
        clients.append((worker, client))
    leaving = clients[0][0]
    for worker, client in clients:
        if worker == leaving:
            client.close()
    wait_until(lambda: connections_by_worker(proxy, before)[0] == 0, "one worker has none")
    for _ in range(20):
        assert proxy.connect().asks(b"hello") == b"hello"
    shares = connections_by_worker(proxy, before)
    assert shares[1] - shares[0] <= 5, shares
