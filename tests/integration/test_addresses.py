# SPDX-License-Identifier: MIT
"""Where lb listens and where servers are: IPv4, IPv6, unix sockets, names."""

import os
import socket

import pytest
from lbtest import connect, echo, free_port, has_ipv6, tcp_config

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.fast
def test_unix_sockets_on_both_sides(lb, server, socket_path):
    behind = server(echo, address=f"unix:{socket_path}.behind")
    proxy = lb(tcp_config(behind, address=f"unix:{socket_path}"))
    assert proxy.connect().asks(b"hello") == b"hello"


@pytest.mark.fast
def test_unix_in_front_tcp_behind_and_the_reverse(lb, server, socket_path):
    proxy = lb(tcp_config(server(echo), address=f"unix:{socket_path}"))
    assert proxy.connect().asks(b"hello") == b"hello"
    proxy = lb(tcp_config(server(echo, address=f"unix:{socket_path}.behind")))
    assert proxy.connect().asks(b"hello") == b"hello"


@pytest.mark.fast
def test_half_close_passes_through_unix_sockets(lb, server, socket_path):
    behind = server(address=f"unix:{socket_path}.behind")
    client = lb(tcp_config(behind, address=f"unix:{socket_path}")).connect()
    there = behind.accept()
    client.send(b"my last word").finish()
    assert there.receive_all() == b"my last word"
    there.send(b"but not mine").close()
    assert client.receive_all() == b"but not mine"


@pytest.mark.fast
def test_a_stale_unix_socket_is_replaced_and_removed_at_the_end(lb, server, socket_path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(socket_path))
    proxy = lb(tcp_config(server(echo), address=f"unix:{socket_path}"))
    with proxy.connect() as client:
        assert client.asks(b"hello") == b"hello"
    proxy.terminate()
    assert proxy.wait_end() == 0
    assert not os.path.exists(socket_path)


@pytest.mark.fast
def test_a_unix_socket_in_use_is_left_alone(lb, server, socket_path):
    other = server(echo, address=f"unix:{socket_path}")
    second = lb(tcp_config(server(echo), address=f"unix:{socket_path}"), ready=False)
    second.exit_code = 1
    assert second.wait_end() == 1
    assert connect(other.address).asks(b"hello") == b"hello"


@needs_ipv6
@pytest.mark.fast
def test_ipv6_on_both_sides(lb, server):
    behind = server(echo, address="[::1]:0")
    proxy = lb(tcp_config(behind, address=f"[::1]:{free_port()}"))
    assert proxy.connect().asks(b"hello") == b"hello"


@needs_ipv6
@pytest.mark.fast
def test_a_port_alone_is_ipv4_and_ipv6(lb, server):
    port = free_port()
    proxy = lb(tcp_config(server(echo), address=f":{port}"))
    assert proxy.connect(f"127.0.0.1:{port}").asks(b"hello") == b"hello"
    assert proxy.connect(f"[::1]:{port}").asks(b"hello") == b"hello"


@pytest.mark.fast
def test_a_listener_may_have_several_addresses(lb, server, socket_path):
    addresses = [f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}", f"unix:{socket_path}"]
    proxy = lb(tcp_config(server(echo), address=addresses))
    for address in addresses:
        assert proxy.connect(address).asks(b"hello") == b"hello"


@pytest.mark.fast
def test_a_port_in_use_is_an_error_at_start(lb, server):
    other = server(echo)
    proxy = lb(tcp_config(server(echo), address=other.address), ready=False)
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert other.address in proxy.log()


@pytest.mark.fast
def test_a_second_lb_on_the_same_port_is_an_error(lb, server):
    config = tcp_config(server(echo))
    first = lb(config)
    second = lb(config, ready=False)
    second.exit_code = 1
    assert second.wait_end() == 1
    assert first.connect().asks(b"hello") == b"hello"


@pytest.mark.fast
def test_a_server_may_be_a_host_name(lb, server):
    behind = server(echo)
    proxy = lb(tcp_config(f"localhost:{behind.port}"))
    assert proxy.connect().asks(b"hello") == b"hello"


@pytest.mark.fast
def test_the_pool_chooses_the_address_to_connect_from(lb, server):
    behind = server()
    proxy = lb(tcp_config(behind, pool={"source": ["127.0.0.7", "127.0.0.8"]}))
    hosts = set()
    for _ in range(40):
        proxy.connect()
        hosts.add(behind.accept().peer.rpartition(":")[0])
    assert hosts == {"127.0.0.7", "127.0.0.8"}
