# SPDX-License-Identifier: MIT
"""Clients that wait: for room at full servers (queue), or for any server at all (hold)."""

import time

import pytest
from lbtest import echo, free_port, in_background, names_itself, tcp_config, wait_until
from lbtest.connection import PeerFinished
from lbtest.swarm import ShortConnections

RUNTIME = {"workers": 2, "drain_timeout": "1s"}
CHECK = {"interval": "200ms", "fast_interval": "50ms", "fall": 2, "rise": 1}
LATE_S = 0.5  # what a busy machine may add


def full_at(limit, one, workers=2, **pool):
    return tcp_config({"name": "one", "address": one, "max_connections": limit},
                      runtime={**RUNTIME, "workers": workers}, pool=pool)


@pytest.mark.fast
def test_who_came_first_is_served_first(lb, server):
    one = server(names_itself("one"))
    # By one worker: of two, one may be slower to put its clients in line.
    proxy = lb(full_at(1, one, workers=1, queue={"timeout": "60s"}))
    clients = [proxy.connect()]
    assert clients[0].receive_line() == b"one\n"
    clients += [proxy.connect() for _ in range(6)]
    for leaving, served in zip(clients, clients[1:]):
        for waiting in clients[clients.index(served):]:
            waiting.expect_nothing(0)
        leaving.close()
        assert served.receive_line() == b"one\n"


@pytest.mark.fast
@pytest.mark.timing
def test_who_has_waited_for_the_queues_timeout_is_reset(lb, server):
    one = server(names_itself("one"))
    proxy = lb(full_at(1, one, queue={"timeout": "300ms"}))
    assert proxy.connect().receive_line() == b"one\n"
    began = time.monotonic()
    proxy.connect().expect_reset(saying=b"hello")
    assert 0.28 < time.monotonic() - began < 0.3 + LATE_S


@pytest.mark.fast
def test_no_more_wait_than_the_queue_holds(lb, server):
    one = server(names_itself("one"))
    proxy = lb({**full_at(1, one, workers=1, queue={"size": 2, "timeout": "60s"}), "log": {"level": "debug"}})
    assert proxy.connect().receive_line() == b"one\n"
    waiting = [proxy.connect() for _ in range(2)]
    for client in waiting:
        client.expect_nothing(0.1)
    proxy.connect().expect_reset()
    waiting[0].close()  # who leaves makes room
    proxy.wait_log("client left")
    last = proxy.connect()
    last.expect_nothing(0.2)


@pytest.mark.fast
def test_what_is_said_while_waiting_arrives(lb, server):
    one = server(echo)
    proxy = lb(full_at(1, one, queue={"timeout": "60s"}))
    first = proxy.connect()
    assert first.asks(b"hello") == b"hello"
    second = proxy.connect()
    said = bytes(range(256)) * 2000
    saying = in_background(second.send, said)
    second.expect_nothing(0.2)
    first.close()
    assert second.receive(len(said)) == said
    saying.result()


@pytest.mark.fast
def test_a_client_that_is_gone_takes_no_server(lb, server):
    one = server()
    proxy = lb(full_at(1, one, workers=1, queue={"timeout": "60s"}, retries="off"))
    first = proxy.connect()
    first_at_server = one.accept()
    proxy.connect().send(b"hello").close()
    proxy.connect().reset()
    last = proxy.connect().send(b"last")
    last.expect_nothing(0.1)
    first.close()
    first_at_server.close()
    assert one.accept().receive(4) == b"last"


@pytest.mark.fast
@pytest.mark.timing
def test_without_hold_nobody_waits_for_a_dead_server(lb):
    proxy = lb(tcp_config(f"127.0.0.1:{free_port()}", runtime=RUNTIME, pool={"retries": "off"}))
    began = time.monotonic()
    proxy.connect().expect_reset()
    assert time.monotonic() - began < LATE_S


@pytest.mark.fast
@pytest.mark.timing
def test_who_is_held_for_too_long_is_reset(lb):
    proxy = lb(tcp_config(f"127.0.0.1:{free_port()}", runtime=RUNTIME,
                          pool={"hold": "400ms", "health_check": CHECK}))
    proxy.wait_log("is unhealthy")
    began = time.monotonic()
    proxy.connect().expect_reset()
    assert 0.38 < time.monotonic() - began < 0.4 + LATE_S


@pytest.mark.fast
@pytest.mark.timing
@pytest.mark.parametrize("noticed", [True, False])
def test_a_held_client_is_served_when_the_server_is_back(lb, server, noticed):
    one = server(names_itself("one"))
    check = CHECK if noticed else {"interval": "1h", "fast_interval": "1h"}
    proxy = lb(tcp_config({"name": "one", "address": one}, runtime=RUNTIME,
                          pool={"hold": "60s", "health_check": check}))
    proxy.wait_log("one is healthy")
    one.go_down()
    if noticed:
        proxy.wait_log("one is unhealthy")
    clients = [proxy.connect() for _ in range(5)]
    for client in clients:
        client.expect_nothing(0.1)
    one.come_back()
    began = time.monotonic()
    for client in clients:
        assert client.receive_line() == b"one\n"
    # Unnoticed: the first in line tries at least every max_backoff, a second.
    assert time.monotonic() - began < 1.1 + LATE_S


def clients_of(one, count):
    """So many connections to a server that somebody speaks on, as they come: (number said, connection)."""
    found = []
    while len(found) < count:
        connection = one.accept()
        try:
            found.append((int(connection.receive(4)), connection))
        except (PeerFinished, ConnectionResetError):
            pass  # a check
    return found


# By one worker in their order, but for what the kernel changes; of two, one may connect all of its clients
# before the other one begins. By chance, or from the last to the first, one would be 450 places away.
@pytest.mark.parametrize("workers, furthest", [(1, 20), (2, 400)])
def test_five_hundred_held_clients_are_served_in_order(lb, server, workers, furthest):
    one = server()
    proxy = lb(tcp_config({"name": "one", "address": one}, runtime={**RUNTIME, "workers": workers},
                          pool={"hold": "60s", "health_check": CHECK}))
    proxy.wait_log("one is healthy")
    one.go_down()
    proxy.wait_log("one is unhealthy")
    clients = []
    for number in range(500):
        clients.append(proxy.connect().send(b"%04d" % number))
        if number % 50 == 49:
            clients[-1].expect_nothing(0.05)
    one.come_back()
    order = []
    for number, connection in clients_of(one, 500):
        connection.send(b"served")
        order.append(number)
    for client in clients:
        assert client.receive(6) == b"served"
    assert sorted(order) == list(range(500))
    assert max(abs(place - number) for place, number in enumerate(order)) < furthest


def test_short_connections_in_a_queue_are_all_served(lb, swarm):
    one = swarm()
    proxy = lb(full_at(3, one.address, queue={"timeout": "60s"}))
    load = ShortConnections(proxy.address, 40)
    wait_until(lambda: one.connections() > 3000, "three thousand", timeout_s=120)
    got = load.smooth_results()
    assert got["errors"] == {}, got
    assert one.peak() == 3


def test_removing_the_listener_lets_go_of_who_waits(lb, server):
    one = server(names_itself("one"))
    # Of two workers one may end its connection, and with it give the place free, before the other.
    proxy = lb(full_at(1, one, workers=1, queue={"timeout": "60s"}))
    assert proxy.connect().receive_line() == b"one\n"
    client = proxy.connect()
    client.expect_nothing(0.1)
    proxy.terminate()
    client.expect_reset()
    assert proxy.wait_end() == 0
