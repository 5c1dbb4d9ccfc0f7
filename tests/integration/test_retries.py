# SPDX-License-Identifier: MIT
"""Retries: how many, and how many of them lb can afford."""

import contextlib
import socket
import time

import pytest
from lbtest import free_port, names_itself, silent, tcp_config, wait_until

RUNTIME = {"workers": 2, "drain_timeout": "1s"}
FLOOR_PER_S = 10


@pytest.fixture
def closed():
    """An address where every connect is refused."""
    return f"127.0.0.1:{free_port()}"


def outcomes(proxy, count):
    """What so many clients at once hear: a server's name, or nothing when they are reset."""
    host, _, port = proxy.address.rpartition(":")
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((host, int(port)))
        heard = []
        for client in clients:
            client.settimeout(30)
            try:
                heard.append(client.recv(100).decode().strip())
            except ConnectionResetError:
                heard.append(None)
        return heard


@pytest.mark.fast
def test_no_attempts_mean_one_server(lb, server, closed):
    a = server(names_itself("a"))
    proxy = lb(tcp_config(closed, a, pool={"retries": {"attempts": 0}}, runtime=RUNTIME))
    heard = [outcomes(proxy, 1)[0] for _ in range(2)]
    assert sorted(heard, key=str) == [None, "a"]
    assert a.connections == 1


@pytest.mark.fast
@pytest.mark.parametrize("attempts", [0, 1, 2, 3])
def test_attempts_count_the_tries_after_the_first(lb, deaf_server, attempts):
    deaf = [deaf_server().address for _ in range(5)]
    proxy = lb(tcp_config(*deaf, pool={"timeouts": {"connect": "100ms"},
                                       "retries": {"attempts": attempts}}, runtime=RUNTIME,
                          log={"level": "debug"}))
    began = time.monotonic()
    assert outcomes(proxy, 1) == [None]
    assert time.monotonic() - began > (attempts + 1) * 0.1 - 0.01
    proxy.wait_log("closed: ")
    assert proxy.log().count("connect failed") == attempts + 1


@pytest.mark.fast
@pytest.mark.timing
@pytest.mark.parametrize("attempts", [0, 2, 4])
def test_the_same_server_is_tried_again_after_a_pause(lb, closed, attempts):
    proxy = lb(tcp_config(closed, runtime=RUNTIME, pool={
        "retries": {"attempts": attempts, "backoff": "100ms", "max_backoff": "200ms"}}))
    began = time.monotonic()
    assert outcomes(proxy, 1) == [None]
    took_s = time.monotonic() - began
    pauses_s = sum((0.1, 0.2, 0.2, 0.2)[:attempts])
    assert pauses_s / 2 <= took_s < pauses_s + 0.3, f"{took_s:.2f} s"


@pytest.mark.fast
def test_a_server_that_comes_back_during_the_pause_is_reached(lb, server):
    a = server(names_itself("a"))
    proxy = lb(tcp_config(a, runtime=RUNTIME, pool={
        "retries": {"attempts": 1, "backoff": "5s", "max_backoff": "5s"}}))
    a.go_down()
    client = proxy.connect()
    client.expect_nothing(for_s=0.2)
    a.come_back()
    assert client.receive_line() == b"a\n"


def early_in_a_second():
    """The budget's floor is counted by whole seconds: begins where the next is far away."""
    time.sleep((1.05 - time.monotonic() % 1) % 1)


@pytest.mark.timing
@pytest.mark.parametrize("budget, count, retried", [
    ("0%", 60, FLOOR_PER_S),     # the floor alone
    ("25%", 200, 50),            # a share of the work
    ("100%", 60, 30),            # everything
])
def test_retries_are_bounded_by_the_budget(lb, server, deaf_server, budget, count, retried):
    # Half of the clients meet the server that never answers, before anybody knows that.
    proxy = lb(tcp_config(deaf_server(), server(names_itself("b")), runtime={
        **RUNTIME, "workers": 1}, pool={"timeouts": {"connect": "300ms"},
                                       "retries": {"attempts": 1, "budget": budget}}))
    early_in_a_second()
    heard = outcomes(proxy, count)
    assert heard.count("b") == count // 2 + retried
    assert heard.count(None) == count // 2 - retried


@pytest.mark.fast
def test_refused_connects_cost_no_budget(lb, server):
    a = server(names_itself("a"))
    proxy = lb(tcp_config(a, runtime=RUNTIME, pool={
        "retries": {"attempts": 1, "backoff": "5s", "max_backoff": "5s", "budget": "0%"}}))
    a.go_down()
    clients = [proxy.connect() for _ in range(5 * FLOOR_PER_S)]
    clients[-1].expect_nothing(for_s=0.1)
    a.come_back()
    for client in clients:
        assert client.receive_line() == b"a\n"


@pytest.mark.fast
def test_a_failed_try_is_no_longer_counted_at_its_server(lb, server, deaf_server):
    b = server(silent)
    elsewhere = server(silent)  # so that checks find both healthy
    checks = {"interval": "1h", "fast_interval": "10ms", "port": elsewhere.port}
    proxy = lb(tcp_config({"address": deaf_server(), "max_connections": 1}, b, runtime=RUNTIME,
                          pool={"timeouts": {"connect": "100ms"}, "health_check": checks},
                          log={"level": "debug"}))
    for number in range(6):
        proxy.connect()
        wait_until(lambda: b.connections > number, "the client is served")
    # Were its count kept, the deaf one would be full after the first try.
    wait_until(lambda: proxy.log().count("connect failed") > 1, "the deaf one was tried again")
