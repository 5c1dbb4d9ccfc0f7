# SPDX-License-Identifier: MIT
"""Two things that meet: a reload and a connection that is not through yet, a reset and a transfer
under way, urgent data in a stream that is spliced."""

import copy
import os
import signal
import socket
import time

import pytest
from lbtest import echo, free_port, in_background, names_itself, tcp_config, wait_until

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"
TRUSTING = {"proxy_protocol": {"trusted": ["127.0.0.0/8"]}}


def without(config, *path):
    """A copy of a configuration that lacks one thing."""
    copied = copy.deepcopy(config)
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return copied


def with_second_listener(config, **more):
    """A copy with another listener in front of the same pool."""
    copied = copy.deepcopy(config)
    copied["listeners"]["second"] = {
        **config["listeners"]["front"], "address": f"127.0.0.1:{free_port()}", **more}
    return copied


# Reloads.

@pytest.mark.fast
def test_a_connection_without_a_server_yet_outlives_its_listener_and_pool(lb, server):
    # A server is chosen once the header is there; by then a reload has removed all of them.
    config = tcp_config(server(names_itself("a")), listener=TRUSTING)
    proxy = lb(config)
    client = proxy.connect()
    client.send(HEADER[:10])
    other = tcp_config(server(names_itself("b")))
    other["pools"]["other"] = other["pools"].pop("back")
    other["listeners"] = {"other": {**other["listeners"]["front"], "pool": "other"}}
    proxy.reload(other)
    client.send(HEADER[10:])
    assert client.receive_line() == b"a\n"


def test_a_server_that_is_back_keeps_its_connections_and_its_count(lb, server):
    a, b = ({"address": server(names_itself(name)), "name": name, "max_connections": 1}
            for name in "ab")
    both = tcp_config(a, b, runtime={"drain_timeout": "1s"})
    only_b = without(both, "pools", "back", "servers", 0)
    proxy = lb(without(both, "pools", "back", "servers", 1))
    first = proxy.connect()
    assert first.receive_line() == b"a\n"
    proxy.reload(only_b)
    proxy.reload(both)
    second = proxy.connect()
    assert second.receive_line() == b"b\n"
    proxy.connect().expect_reset()
    first.expect_nothing(2.5)  # drain_timeout, and the second until it is looked at
    assert first.asks(b"still here") == b"still here"


def test_a_listener_that_is_back_keeps_its_connections_and_its_count(lb, server):
    config = tcp_config(server(names_itself("a")), runtime={"drain_timeout": "500ms"})
    both = with_second_listener(config, limits={"max_connections": 1})
    address = both["listeners"]["second"]["address"]
    proxy = lb(both)
    first = proxy.connect(address)
    assert first.receive_line() == b"a\n"
    proxy.reload(config)
    proxy.reload(both)
    second = proxy.connect(address)
    second.expect_nothing(1.0)
    assert first.asks(b"still here") == b"still here"
    first.close()
    assert second.receive_line() == b"a\n"


@pytest.mark.fast
def test_shorter_timeouts_reach_open_connections(lb, server):
    config = tcp_config(server(names_itself("a")), pool={"timeouts": {"connect": "20ms"}},
                        listener={"timeouts": {"idle": "off"}, "keepalive": "off"})
    proxy = lb(config)
    client = proxy.connect()
    assert client.receive_line() == b"a\n"
    client.expect_nothing(0.2)  # past the last moment at which anything of it was due
    config["listeners"]["front"]["timeouts"] = {"idle": "300ms"}
    proxy.reload(config)
    client.expect_eof()


@pytest.mark.fast
def test_an_address_of_another_lb_is_refused_at_reload(lb, server):
    port = free_port()
    lb(tcp_config(server(echo), address=f"127.0.0.2:{port}"))
    config = tcp_config(server(names_itself("a")), address=f"127.0.0.1:{port}")
    proxy = lb(config)
    config["listeners"]["front"]["address"] = [f"127.0.0.1:{port}", f"127.0.0.2:{port}"]
    proxy.reload(config)
    proxy.wait_log(rf"127\.0\.0\.2:{port}: Address already in use")


@pytest.mark.fast
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_fewer_cpus_keep_no_reload_from_happening(lb, server):
    config = tcp_config(server(names_itself("a")))
    proxy = lb(config)
    os.sched_setaffinity(proxy.process.pid, {min(os.sched_getaffinity(0))})
    added = with_second_listener(config)
    proxy.reload(added)
    assert proxy.connect(added["listeners"]["second"]["address"]).receive_line() == b"a\n"


# Resets.

@pytest.mark.fast
def test_a_client_that_left_before_it_was_accepted_costs_no_server_connection(lb, server):
    behind = server()
    proxy = lb(tcp_config(behind, runtime={"workers": 1}))
    proxy.pause()
    proxy.connect().reset()
    proxy.signal(signal.SIGCONT)
    behind.expect_no_connection()


@pytest.mark.fast
def test_a_client_that_resets_a_download_leaves_nothing_behind(lb, server):
    def pours(connection):
        while True:
            connection.send(b"x" * 65536)

    behind = server(pours)
    proxy = lb(tcp_config(behind, runtime={"workers": 2}))
    before = proxy.fd_count()
    clients = [proxy.connect() for _ in range(20)]
    for client in clients:
        client.receive(100_000)
    for client in clients:
        client.reset()
    # Up to eight empty pipes stay with each of the two workers: 32 descriptors, of more than 40.
    wait_until(lambda: proxy.fd_count() <= before + 32, "the descriptors are closed",
               timeout_s=4.5)  # what is held back for late resets is let go after five


@pytest.mark.fast
def test_a_refused_connect_says_nothing_past_the_log(lb, server):
    proxy = lb(tcp_config(f"127.0.0.1:{free_port()}", server(echo),
                          pool={"balance": "least_response_time"}))
    for _ in range(4):
        assert proxy.connect().asks(b"hello") == b"hello"
    assert "[warn]" not in proxy.log()


@pytest.mark.fast
def test_draining_delivers_what_a_server_sent_before_its_reset(lb, server):
    origin = server()
    proxy = lb(tcp_config(origin))
    client = proxy.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send(b"?")
    connection = origin.accept()
    connection.receive(1)
    size = 100_000
    connection.send(b"x" * size)
    wait_until(lambda: connection.unacknowledged() == 0, "lb has all of it")
    proxy.terminate()
    proxy.wait_notice("STOPPING=1")
    connection.reset()
    assert client.receive(size) == b"x" * size
    client.expect_reset()
    assert proxy.wait_end() == 0


@pytest.mark.fast
@pytest.mark.timing
def test_draining_waits_for_a_client_that_takes_nothing_no_longer_than_it_may(lb, server):
    origin = server()
    proxy = lb(tcp_config(origin, runtime={"drain_timeout": "500ms"}))
    client = proxy.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send(b"?")
    connection = origin.accept()
    connection.receive(1)
    connection.send(b"x" * 100_000)
    wait_until(lambda: connection.unacknowledged() == 0, "lb has all of it")
    began = time.monotonic()
    proxy.terminate()
    connection.reset()
    assert proxy.wait_end() == 0
    assert time.monotonic() - began < 4.5


# Urgent data.

@pytest.mark.parametrize("behind", [True, False], ids=["server", "client"])
def test_urgent_data_in_a_bulk_stream_stops_nothing(lb, server, behind):
    origin = server()
    proxy = lb(tcp_config(origin))
    client = proxy.connect()
    sender, receiver = (origin.accept(), client) if behind else (client, origin.accept())
    size = 8 << 20

    def speak():
        sender.send(b"x" * size)
        sender.socket.send(b"!", socket.MSG_OOB)
        sender.send(b"y" * 100)

    speaking = in_background(speak)
    assert receiver.receive(size + 100).endswith(b"xy" + b"y" * 99)
    speaking.result()
    proxy.expect_rest()
    receiver.expect_nothing(0)
    client.close()
