# SPDX-License-Identifier: MIT
"""max_connections of the process, of a listener and of a server: reached, and never exceeded."""

import contextlib
import select
import socket

import pytest
from lbtest import tcp_config, wait_until
from lbtest.connection import is_ready
from lbtest.swarm import ShortConnections

CLIENTS = 60
LIMIT = 20

SCOPES = {
    "process": lambda limit: {"runtime": {"max_connections": limit}},
    "listener": lambda limit: {"listener": {"limits": {"max_connections": limit}}},
}


def limited(scope, limit, workers, *servers):
    options = {key: dict(value) for key, value in SCOPES[scope](limit).items()}
    runtime = {"workers": workers, "drain_timeout": "1s", **options.pop("runtime", {})}
    return tcp_config(*servers, runtime=runtime, **options)


@pytest.mark.fast
@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("scope", SCOPES)
def test_clients_beyond_a_limit_wait_until_others_leave(lb, swarm, scope, workers):
    one = swarm("!")
    proxy = lb(limited(scope, LIMIT, workers, one))
    waiting = [proxy.connect() for _ in range(CLIENTS)]
    served = []

    def take_served():
        for client in list(waiting):
            if is_readable(client):
                assert client.receive(1) == b"!"
                waiting.remove(client)
                served.append(client)

    for turn in range(CLIENTS - LIMIT + 1):
        wait_until(lambda: take_served() or one.connections() == LIMIT + turn and len(served) == LIMIT,
                   "the next is served")
        assert one.open() == LIMIT
        served.pop(0).close()
    wait_until(lambda: take_served() or not waiting, "nobody is left waiting")
    assert one.peak() == LIMIT


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("scope", SCOPES)
def test_a_limit_is_exact_while_clients_come_and_go(lb, swarm, scope, workers):
    one = swarm()
    proxy = lb(limited(scope, LIMIT, workers, one))
    load = ShortConnections(proxy.address, CLIENTS)
    wait_until(lambda: one.connections() > 5000, "five thousand connections", timeout_s=120)
    got = load.smooth_results()
    assert one.peak() == LIMIT
    assert got["errors"] == {}, got


@pytest.mark.fast
def test_the_limit_of_one_listener_leaves_others_alone(lb, swarm):
    one = swarm()
    config = limited("listener", 1, 2, one)
    free = config["listeners"]["free"] = {**config["listeners"]["front"]}
    free["address"] = "127.0.0.2:" + config["listeners"]["front"]["address"].rpartition(":")[2]
    del free["limits"]
    proxy = lb(config)
    assert proxy.connect().asks(b"x") == b"x"
    waiting = proxy.connect().send(b"y")
    for _ in range(10):
        assert proxy.connect(free["address"]).asks(b"x") == b"x"
    waiting.expect_nothing()


@pytest.mark.fast
@pytest.mark.parametrize("scope", SCOPES)
def test_a_reload_moves_a_limit(lb, swarm, scope):
    one = swarm("!")
    config = limited(scope, 3, 2, one)
    proxy = lb(config)
    clients = [proxy.connect() for _ in range(10)]
    wait_until(lambda: one.open() == 3, "three are served")

    def reload_with(limit):
        changed = limited(scope, limit, 2, one)
        changed["listeners"]["front"]["address"] = proxy.address
        proxy.reload(changed)

    reload_with(8)
    wait_until(lambda: sum(is_readable(client) for client in clients) == 8, "five more are served")
    assert one.open() == 8
    reload_with(2)
    for client in [client for client in clients if is_readable(client)][:7]:
        client.close()
    wait_until(lambda: one.connections() == 9, "one stays and one is new")
    assert one.open() == 2 and one.peak() == 8


@pytest.mark.fast
@pytest.mark.parametrize("workers", [2, 4])
def test_connections_beyond_the_limits_of_all_servers_are_reset(lb, swarm, admin, workers):
    a, b = swarm("a"), swarm("b")
    proxy = lb(tcp_config({"name": "a", "address": a, "max_connections": 5},
                          {"name": "b", "address": b, "max_connections": 7},
                          pool={"queue": "off"}, admin={"address": admin.address},
                          runtime={"workers": workers, "drain_timeout": "1s"}))
    with contextlib.ExitStack() as clients:
        heard = [hears(proxy, clients) for _ in range(30)]
        assert heard.count(b"a") == 5 and heard.count(b"b") == 7 and heard.count(None) == 18
    # A place is free a moment after the server has seen the end.
    wait_until(lambda: all(admin.server(name)["activeConnections"] == 0 for name in "ab"), "all have left")
    with contextlib.ExitStack() as clients:
        heard = [hears(proxy, clients) for _ in range(12)]
        assert heard.count(b"a") == 5 and heard.count(b"b") == 7
        assert hears(proxy, clients) is None
    assert a.peak() == 5 and b.peak() == 7


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("balance", ["round_robin", "least_connections", "random"])
def test_the_limit_of_a_server_is_exact_while_clients_come_and_go(lb, swarm, workers, balance):
    a, b = swarm(), swarm()
    proxy = lb(tcp_config({"address": a, "max_connections": 3}, {"address": b, "max_connections": 5},
                          pool={"balance": balance},
                          runtime={"workers": workers, "drain_timeout": "1s"}))
    load = ShortConnections(proxy.address, 24)
    wait_until(lambda: a.connections() > 1000 and b.connections() > 1000, "a thousand at each",
               timeout_s=120)
    got = load.smooth_results()
    assert a.peak() == 3 and b.peak() == 5
    assert set(got["errors"]) <= {"ConnectionResetError"}, got


def is_readable(client):
    return is_ready(client.socket, select.POLLIN, 0)


def hears(proxy, clients):
    """What a new client hears from the server, or nothing if it is reset. It stays until `clients`
    end."""
    raw = clients.enter_context(socket.socket())
    host, _, port = proxy.address.rpartition(":")
    try:
        raw.connect((host, int(port)))
        return raw.recv(1)
    except ConnectionResetError:
        return None
