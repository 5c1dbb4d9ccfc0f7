# SPDX-License-Identifier: MIT
"""Who may connect, how many may, and for how long."""

import time

import pytest
from lbtest import echo, silent, tcp_config, wait_until


@pytest.mark.fast
@pytest.mark.parametrize("lists, source, served", [
    ({"allow": ["127.0.0.0/24"]}, "127.0.0.5", True),
    ({"allow": ["127.0.0.0/24"]}, "127.0.1.5", False),
    ({"allow": ["127.0.0.5"]}, "127.0.0.5", True),
    ({"deny": ["127.0.0.5"]}, "127.0.0.5", False),
    ({"deny": ["127.0.0.5"]}, "127.0.0.6", True),
    ({"allow": ["127.0.0.0/8"], "deny": ["127.0.0.0/24"]}, "127.0.0.5", False),
    ({"allow": ["::ffff:127.0.0.0/104"]}, "127.0.0.5", True),
])
def test_allow_and_deny(lb, server, lists, source, served):
    one = server(echo)
    client = lb(tcp_config(one, listener=lists)).connect(source=f"{source}:0")
    if served:
        assert client.asks(b"hello") == b"hello"
    else:
        client.expect_reset()
        assert one.connections == 0


@pytest.mark.fast
def test_a_list_may_be_a_file(lb, server, tmp_path):
    allowed = tmp_path / "allow.txt"
    allowed.write_text("# the office\n127.0.0.5\n127.0.1.0/24\n")
    proxy = lb(tcp_config(server(echo), listener={"allow": [{"file": str(allowed)}]}))
    assert proxy.connect(source="127.0.0.5:0").asks(b"hello") == b"hello"
    assert proxy.connect(source="127.0.1.9:0").asks(b"hello") == b"hello"
    proxy.connect(source="127.0.0.6:0").expect_reset()


@pytest.mark.fast
def test_at_its_limit_a_listener_lets_the_next_client_wait(lb, server):
    one = server(echo)
    proxy = lb(tcp_config(one, listener={"limits": {"max_connections": 2}}))
    first, second = proxy.connect(), proxy.connect()
    assert first.asks(b"1") == b"1" and second.asks(b"2") == b"2"
    third = proxy.connect().send(b"3")
    third.expect_nothing()
    assert one.connections == 2
    first.close()
    assert third.receive(1) == b"3"


@pytest.mark.fast
def test_at_the_limit_of_the_process_the_next_client_waits(lb, server):
    proxy = lb(tcp_config(server(echo), runtime={"max_connections": 3, "workers": 2}))
    clients = [proxy.connect() for _ in range(3)]
    assert all(client.asks(b"x") == b"x" for client in clients)
    fourth = proxy.connect().send(b"4")
    fourth.expect_nothing()
    clients[1].close()
    assert fourth.receive(1) == b"4"


@pytest.mark.fast
def test_a_connection_that_is_silent_both_ways_ends(lb, server):
    proxy = lb(tcp_config(server(echo), listener={"timeouts": {"idle": "2s"}}))
    client = proxy.connect()
    began = time.monotonic()
    while time.monotonic() - began < 3.0:
        assert client.asks(b"x") == b"x"
        time.sleep(0.1)
    assert client.ends()


@pytest.mark.fast
def test_one_side_finished_and_the_other_silent_ends(lb, server):
    one = server()
    timeouts = {"idle": "1h", "half_close": "300ms"}
    client = lb(tcp_config(one, listener={"timeouts": timeouts})).connect().finish()
    there = one.accept()
    there.expect_eof()
    there.send(b"x")
    assert client.receive(1) == b"x"
    assert client.ends() and there.ends()


@pytest.mark.fast
def test_a_client_that_takes_nothing_ends(lb, server):
    def floods(connection):
        while True:
            connection.send(b"x" * 65536)

    one = server(floods)
    proxy = lb(tcp_config(one, listener={"timeouts": {"send": "300ms"}}))
    before = proxy.fd_count()
    proxy.connect()
    wait_until(lambda: one.connections == 1, "the connection is there")
    wait_until(lambda: proxy.fd_count() <= before, "the connection is gone")


@pytest.mark.fast
def test_a_server_that_never_answers_is_no_reason_to_end(lb, server):
    proxy = lb(tcp_config(server(silent), listener={"timeouts": {"send": "100ms"}}))
    client = proxy.connect().send(b"hello")
    client.expect_nothing(0.5)
