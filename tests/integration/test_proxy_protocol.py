# SPDX-License-Identifier: MIT
"""The PROXY protocol: read from peers that are trusted, written to servers."""

import socket
import struct

import pytest
from lbtest import echo, free_port, tcp_config

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LISTENS = {"proxy_protocol": {"trusted": ["127.0.0.0/8"]}}


def v2(command, family, body):
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body


def v2_ipv4(source, source_port, destination, destination_port):
    return v2(1, 0x11, socket.inet_aton(source) + socket.inet_aton(destination) +
              struct.pack("!HH", source_port, destination_port))


def port_of(address):
    return int(address.rpartition(":")[2])


@pytest.mark.fast
def test_version_1_tells_the_server_who_connected(lb, server):
    one = server()
    proxy = lb(tcp_config(one, pool={"send_proxy_protocol": "v1"}))
    client = proxy.connect(source="127.0.0.9:0")
    there = one.accept()
    assert there.receive_line() == (
        f"PROXY TCP4 127.0.0.9 127.0.0.1 {port_of(client.local)} {port_of(proxy.address)}\r\n"
        .encode())
    client.send(b"hello")
    assert there.receive(5) == b"hello"


@pytest.mark.fast
def test_version_2_tells_the_server_who_connected(lb, server):
    one = server()
    proxy = lb(tcp_config(one, pool={"send_proxy_protocol": "v2"}))
    client = proxy.connect(source="127.0.0.9:0").send(b"hello")
    expected = v2_ipv4("127.0.0.9", port_of(client.local), "127.0.0.1", port_of(proxy.address))
    assert one.accept().receive(len(expected) + 5) == expected + b"hello"


@pytest.mark.fast
def test_the_header_comes_first_even_when_the_server_would_speak_first(lb, server):
    heard = []

    def impatient(connection):
        heard.append(connection.receive_line())
        connection.send(b"welcome\n")

    client = lb(tcp_config(server(impatient), pool={"send_proxy_protocol": "v1"})).connect()
    assert client.receive_line() == b"welcome\n"
    assert heard[0].startswith(b"PROXY TCP4 127.0.0.1 ")


HEADERS = {
    "v1": b"PROXY TCP4 192.0.2.1 198.51.100.2 4000 5000\r\n",
    "v1 IPv6": b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 5000\r\n",
    "v2": v2_ipv4("192.0.2.1", 4000, "198.51.100.2", 5000),
}
SEEN = {
    "v1": b"PROXY TCP4 192.0.2.1 198.51.100.2 4000 5000\r\n",
    "v1 IPv6": b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 5000\r\n",
    "v2": b"PROXY TCP4 192.0.2.1 198.51.100.2 4000 5000\r\n",
}


@pytest.mark.fast
@pytest.mark.parametrize("kind", HEADERS)
def test_a_trusted_header_is_believed_and_passed_on(lb, server, kind):
    one = server()
    proxy = lb(tcp_config(one, listener=LISTENS, pool={"send_proxy_protocol": "v1"}))
    client = proxy.connect().send(HEADERS[kind] + b"hello")
    there = one.accept()
    assert there.receive_line() == SEEN[kind]
    assert there.receive(5) == b"hello"
    there.send(b"welcome")
    assert client.receive(7) == b"welcome"


@pytest.mark.fast
@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_in_single_bytes_is_the_same(lb, server, kind):
    client = lb(tcp_config(server(echo), listener=LISTENS)).connect()
    for byte in HEADERS[kind]:
        client.send(bytes([byte]))
    assert client.asks(b"hello") == b"hello"


@pytest.mark.fast
@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(0, 0, b""), v2(1, 0, b"ignored")])
def test_a_header_without_addresses_leaves_those_of_the_connection(lb, server, header):
    one = server()
    proxy = lb(tcp_config(one, listener=LISTENS, pool={"send_proxy_protocol": "v1"}))
    proxy.connect(source="127.0.0.9:0").send(header)
    assert one.accept().receive_line().startswith(b"PROXY TCP4 127.0.0.9 127.0.0.1 ")


@pytest.mark.fast
@pytest.mark.parametrize("bad", [
    b"GET / HTTP/1.1\r\n",
    b"PROXY TCP4 192.0.2.1\r\n",
    b"PROXY TCP4 " + b"1" * 200,
    SIGNATURE + b"\x31\x11\0\x0c" + b"x" * 12,
    v2(1, 0x11, b"short"),
])
def test_a_trusted_peer_that_sends_no_header_is_reset(lb, server, bad):
    one = server()
    lb(tcp_config(one, listener=LISTENS)).connect().expect_reset(saying=bad)
    assert one.connections == 0


@pytest.mark.fast
def test_a_header_that_never_comes_is_not_waited_for_long(lb, server):
    listener = {**LISTENS, "timeouts": {"tls_handshake": "200ms"}}
    proxy = lb(tcp_config(server(echo), listener=listener))
    proxy.connect().expect_reset()
    proxy.connect().expect_reset(saying=HEADERS["v1"][:10])


@pytest.mark.fast
def test_a_peer_that_is_not_trusted_is_served_unread(lb, server):
    listener = {"proxy_protocol": {"trusted": ["192.0.2.0/24"]}}
    client = lb(tcp_config(server(echo), listener=listener)).connect()
    assert client.asks(HEADERS["v1"]) == HEADERS["v1"]


@pytest.mark.fast
@pytest.mark.parametrize("listens", [{"proxy_protocol": {}}, {"proxy_protocol": {"trusted": ["192.0.2.0/24"]}}])
def test_who_comes_to_a_unix_socket_begins_with_a_header(lb, server, tmp_path_factory, listens):
    address = f"unix:{tmp_path_factory.mktemp('s')}/lb.sock"
    one = server()
    proxy = lb(tcp_config(one, address=address, listener={**listens, "deny": ["192.0.3.0/24"]},
                          pool={"send_proxy_protocol": "v1"}))
    proxy.connect().send(HEADERS["v1"] + b"hello")
    there = one.accept()
    assert there.receive_line() == SEEN["v1"]
    assert there.receive(5) == b"hello"
    assert proxy.connect().send(HEADERS["v1"].replace(b"192.0.2.1", b"192.0.3.1")).ends()
    assert proxy.connect().send(b"GET / HTTP/1.1\r\n").ends()
    assert one.connections == 1


@pytest.mark.fast
def test_a_unix_socket_beside_a_port_has_the_same_rule(lb, server, tmp_path_factory):
    path = f"unix:{tmp_path_factory.mktemp('s')}/lb.sock"
    listener = {"address": [f"127.0.0.1:{free_port()}", path],
                "proxy_protocol": {"trusted": ["192.0.2.0/24"]}}
    proxy = lb(tcp_config(server(echo), listener=listener))
    assert proxy.connect().asks(b"hello") == b"hello"
    assert proxy.connect(path).send(HEADERS["v2"]).asks(b"hello") == b"hello"


@pytest.mark.fast
def test_allow_and_deny_judge_the_address_in_the_header(lb, server):
    proxy = lb(tcp_config(server(echo), listener={**LISTENS, "deny": ["192.0.2.0/24"]}))
    proxy.connect().expect_reset(saying=HEADERS["v1"])
    good = proxy.connect().send(HEADERS["v1"].replace(b"192.0.2.1", b"192.0.3.1"))
    assert good.asks(b"hello") == b"hello"


@pytest.mark.fast
def test_a_source_hash_uses_the_address_in_the_header(lb, server):
    servers = [server() for _ in range(3)]
    proxy = lb(tcp_config(*servers, listener=LISTENS, pool={"balance": "source_ip_hash"}))
    for number in range(60):
        header = b"PROXY TCP4 10.0.%d.1 198.51.100.2 4000 5000\r\n" % number
        proxy.connect().send(header)
    assert all(fake.accept() for fake in servers)
