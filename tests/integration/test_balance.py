# SPDX-License-Identifier: MIT
"""Which server a connection goes to."""

import collections
import concurrent.futures
import itertools

import pytest
from lbtest import names_itself, tcp_config, wait_until


def who_answers(proxy, source=None):
    """Connects, hears the server's name, hangs up."""
    with proxy.connect(source=source) as client:
        return client.receive_line().decode().strip()


def three_servers(server):
    return [server(names_itself(name)) for name in ("a", "b", "c")]


@pytest.mark.fast
def test_round_robin_takes_each_server_in_turn(lb, server):
    proxy = lb(tcp_config(*three_servers(server)))
    heard = [who_answers(proxy) for _ in range(12)]
    for turn in range(0, 12, 3):
        assert sorted(heard[turn : turn + 3]) == ["a", "b", "c"]


@pytest.mark.fast
@pytest.mark.parametrize("workers", [1, 3])
def test_weights_are_exact_over_every_five_connections(lb, server, workers):
    a, b, c = three_servers(server)
    proxy = lb(tcp_config({"address": a, "weight": 2}, b, {"address": c, "weight": 2},
                          runtime={"workers": workers}))
    heard = [who_answers(proxy) for _ in range(40)]
    for first in range(len(heard) - 4):
        assert collections.Counter(heard[first : first + 5]) == {"a": 2, "b": 1, "c": 2}


def test_round_robin_is_exact_when_many_connect_at_once(lb, server):
    proxy = lb(tcp_config(*three_servers(server), runtime={"workers": 4}))
    with concurrent.futures.ThreadPoolExecutor(20) as clients:
        heard = collections.Counter(clients.map(lambda _: who_answers(proxy), range(300)))
    assert heard == {"a": 100, "b": 100, "c": 100}


@pytest.mark.fast
def test_weight_zero_takes_no_new_connection(lb, server):
    a, b, _ = three_servers(server)
    proxy = lb(tcp_config(a, {"address": b, "weight": 0}))
    assert {who_answers(proxy) for _ in range(6)} == {"a"}


@pytest.mark.fast
def test_least_connections_prefers_the_idle_server(lb, server, admin):
    named = [{"name": name, "address": one} for name, one in zip("abc", three_servers(server))]
    proxy = lb(tcp_config(*named, pool={"balance": "least_connections"}, admin={"address": admin.address}))
    held, names = [], []
    for _ in range(6):
        held.append(proxy.connect())
        names.append(held[-1].receive_line())
    assert sorted(names) == [b"a\n", b"a\n", b"b\n", b"b\n", b"c\n", b"c\n"]
    for client, name in zip(held, names):
        if name == b"b\n":
            client.close()
    wait_until(lambda: admin.server("b")["activeConnections"] == 0, "the connections to b are gone")
    assert [proxy.connect().receive_line() for _ in range(2)] == [b"b\n", b"b\n"]


@pytest.mark.fast
@pytest.mark.parametrize("balance", ["source_ip_hash", "ip_hash", "hash"])
def test_a_hash_keeps_a_source_at_its_server(lb, server, balance):
    proxy = lb(tcp_config(*three_servers(server), pool={"balance": balance}))
    sources = [f"127.0.0.{number}:0" for number in range(2, 62)]
    first = {source: who_answers(proxy, source) for source in sources}
    again = {source: who_answers(proxy, source) for source in reversed(sources)}
    assert first == again
    assert set(first.values()) == {"a", "b", "c"}


def test_a_server_that_leaves_moves_only_its_own_sources(lb, server):
    a, b, c = three_servers(server)
    config = tcp_config(a, b, c, pool={"balance": "source_ip_hash"})
    proxy = lb(config)
    sources = [f"127.0.0.{number}:0" for number in range(2, 62)]
    before = {source: who_answers(proxy, source) for source in sources}
    b.go_down()
    after = {source: who_answers(proxy, source) for source in sources}
    moved = {source for source in sources if before[source] != after[source]}
    assert moved == {source for source in sources if before[source] == "b"}


@pytest.mark.fast
@pytest.mark.parametrize("balance", ["random", "least_response_time", "weighted", "least_connections"])
def test_every_algorithm_uses_every_server(lb, server, balance):
    proxy = lb(tcp_config(*three_servers(server), pool={"balance": balance}))
    heard = set()
    for _ in itertools.takewhile(lambda _: len(heard) < 3, range(200)):
        heard.add(who_answers(proxy))
    assert heard == {"a", "b", "c"}
