# SPDX-License-Identifier: MIT
"""Servers that are down, late or gone: what the client notices, and what the checks find out."""

import pytest
from lbtest import echo, free_port, hears, names_itself, silent, tcp_config, wait_until

CHECK = {"interval": "100ms", "timeout": "200ms", "fast_interval": "50ms", "fall": 2, "rise": 2}


@pytest.fixture
def closed():
    """An address where every connect is refused."""
    return f"127.0.0.1:{free_port()}"


@pytest.mark.fast
def test_a_refused_connect_goes_to_the_next_server(lb, server, closed):
    proxy = lb(tcp_config(closed, server(names_itself("b"))))
    assert [hears(proxy) for _ in range(6)] == ["b"] * 6


@pytest.mark.fast
def test_nothing_that_the_client_said_is_lost_on_the_way(lb, server, closed):
    proxy = lb(tcp_config(closed, f"127.0.0.2:{free_port()}", server(echo)))
    for _ in range(3):
        assert proxy.connect().asks(b"said at once") == b"said at once"


@pytest.mark.fast
def test_a_late_connect_goes_to_the_next_server(lb, server, deaf_server):
    proxy = lb(tcp_config(deaf_server(), server(names_itself("b")),
                          pool={"timeouts": {"connect": "200ms"}}))
    assert [hears(proxy) for _ in range(4)] == ["b"] * 4


@pytest.mark.fast
def test_a_missing_unix_socket_goes_to_the_next_server(lb, server, tmp_path):
    proxy = lb(tcp_config(f"unix:{tmp_path}/none", server(names_itself("b"))))
    assert hears(proxy) == "b"


@pytest.mark.fast
def test_without_any_server_the_client_is_reset(lb, closed):
    proxy = lb(tcp_config(closed))
    proxy.connect().expect_reset()
    proxy.connect().expect_reset(saying=b"hello")


@pytest.mark.fast
def test_without_any_server_a_finished_client_is_reset_too(lb, deaf_server):
    proxy = lb(tcp_config(deaf_server(), pool={"timeouts": {"connect": "100ms"}}))
    proxy.connect().send(b"hello").finish().expect_reset()


@pytest.mark.fast
def test_attempts_are_bounded(lb, server, deaf_server):
    deaf = [deaf_server() for _ in range(3)]
    proxy = lb(tcp_config(*deaf, pool={"timeouts": {"connect": "100ms"},
                                       "retries": {"attempts": 1}}, log={"level": "debug"}))
    proxy.connect().expect_reset()
    proxy.wait_log("closed: ")
    assert proxy.log().count("connect failed") == 2


def test_a_server_that_failed_is_avoided_for_fast_interval(lb, server, admin):
    def last_check():
        return admin.get(f"/api/servers/{admin.server('a')['serverId']}/health").data["lastCheck"]

    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(tcp_config({"name": "a", "address": a}, b, admin={"address": admin.address},
                          pool={"health_check": {"interval": "1h", "fast_interval": "1h"}}))
    wait_until(lambda: last_check() and last_check()["passed"], "it was checked")
    a.go_down()
    assert {hears(proxy) for _ in range(4)} == {"b"}
    wait_until(lambda: not last_check()["passed"], "it was checked once more, at once")
    a.come_back()
    count = a.connections
    assert {hears(proxy) for _ in range(4)} == {"b"}
    assert a.connections == count


def test_a_server_that_comes_back_is_used_again(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(tcp_config(a, b, pool={"health_check": CHECK}))
    a.go_down()
    assert {hears(proxy) for _ in range(4)} == {"b"}
    a.come_back()
    wait_until(lambda: hears(proxy) == "a", "a serves again")


@pytest.mark.fast
def test_checks_find_a_dead_server_before_a_client_does(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(tcp_config({"name": "first", "address": a}, {"name": "second", "address": b},
                          pool={"health_check": CHECK}))
    a.go_down()
    proxy.wait_log(r"back/first is unhealthy")
    assert {hears(proxy) for _ in range(4)} == {"b"}


@pytest.mark.fast
def test_a_check_may_ask_and_expect_an_answer(lb, server):
    def redis_like(reply):
        def behaviour(connection):
            while connection.socket.recv(100) == b"PING\r\n":
                connection.send(reply)

        return behaviour

    good, bad = server(redis_like(b"+PONG\r\n")), server(redis_like(b"-LOADING\r\n"))
    proxy = lb(tcp_config(
        {"name": "good", "address": good}, {"name": "bad", "address": bad},
        pool={"health_check": {**CHECK, "timeout": "5s", "type": "tcp", "send": "PING\r\n", "expect": "+PONG"}}))
    proxy.wait_log(r"back/bad is unhealthy")

    def four_answers():
        return {proxy.connect().send(b"PING\r\n").receive(7) for _ in range(4)}

    wait_until(lambda: four_answers() == {b"+PONG\r\n"}, "only the good one answers")


@pytest.mark.fast
def test_backups_serve_only_when_nobody_else_does(lb, server):
    a, spare = server(names_itself("a")), server(names_itself("spare"))
    proxy = lb(tcp_config({"name": "a", "address": a},
                          {"name": "spare", "address": spare, "backup": True},
                          pool={"health_check": CHECK}))
    assert {hears(proxy) for _ in range(4)} == {"a"}
    a.go_down()
    wait_until(lambda: hears(proxy) == "spare", "the backup serves")
    a.come_back()
    wait_until(lambda: {hears(proxy) for _ in range(4)} == {"a"}, "a alone serves again")


@pytest.mark.fast
@pytest.mark.parametrize("on_down", ["keep", "close"])
def test_open_connections_of_a_dead_server(lb, server, on_down):
    one = server(echo)
    proxy = lb(tcp_config({"name": "one", "address": one},
                          pool={"health_check": CHECK, "on_down": on_down}))
    client = proxy.connect()
    assert client.asks(b"hello") == b"hello"
    one.go_down()
    proxy.wait_log(r"back/one is unhealthy")
    if on_down == "keep":
        assert client.asks(b"still here") == b"still here"
    else:
        client.expect_reset()


@pytest.mark.fast
def test_a_server_at_its_limit_passes_clients_on(lb, server):
    a, b = server(silent), server(silent)
    proxy = lb(tcp_config({"address": a, "max_connections": 2}, b))
    for _ in range(8):
        proxy.connect()
    wait_until(lambda: a.connections + b.connections == 8, "all are connected")
    assert a.connections == 2
