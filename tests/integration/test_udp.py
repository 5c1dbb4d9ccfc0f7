# SPDX-License-Identifier: MIT
"""Datagrams through lb, with real sockets on both sides."""

import itertools
import random
import re
import select
import socket
import struct
import threading
import time

import pytest
from lbtest import echo, free_port, has_ipv6, in_background, run_lb, wait_until
from lbtest.datagrams import LARGEST, UdpClient, UdpServer, udp_config, udp_socket


def named(name):
    """Answers with its name before what was asked."""
    return lambda data: name.encode() + data


@pytest.mark.fast
def test_datagrams_of_every_size_come_back_whole(lb, udp_server, udp_client):
    proxy = lb(udp_config(udp_server()))
    client = udp_client(proxy.address)
    for size in (0, 1, 64, 1_200, 1_472, 9_000, LARGEST):
        data = random.Random(size).randbytes(size)
        assert client.asks(data) == data


@pytest.mark.fast
def test_a_client_keeps_its_server_and_others_take_turns(lb, udp_server, udp_client):
    proxy = lb(udp_config(udp_server(named("a")), udp_server(named("b"))))
    clients = [udp_client(proxy.address) for _ in range(4)]
    first = [client.asks(b"") for client in clients]
    assert sorted(first) == [b"a", b"a", b"b", b"b"]
    for _ in range(5):
        assert [client.asks(b"") for client in clients] == first


@pytest.mark.fast
def test_a_wildcard_listener_answers_from_the_address_that_was_asked(lb, udp_server, udp_client):
    port = free_port()
    proxy = lb(udp_config(udp_server(), listener={"address": f":{port}"}))
    for host in ("127.0.0.1", "127.0.0.5"):
        assert udp_client(f"{host}:{port}").asks(b"?") == b"?"
    if has_ipv6():
        assert udp_client(f"[::1]:{port}", "::1").asks(b"?") == b"?"
    assert proxy.process.poll() is None


def test_two_thousand_clients_each_get_their_own_replies_once(lb, udp_server):
    servers = [udp_server(), udp_server()]
    proxy = lb(udp_config(*servers, pool={"balance": "least_connections"}))
    host, _, port = proxy.address.rpartition(":")
    sockets = [udp_socket() for _ in range(2_000)]
    poller = select.epoll()
    try:
        for one in sockets:
            one.connect((host, int(port)))
            poller.register(one.fileno(), select.EPOLLIN)
        by_fd = {one.fileno(): number for number, one in enumerate(sockets)}
        left = {}  # the reply that each awaits
        rounds = 3
        newcomers = enumerate(sockets)
        end = time.monotonic() + 100
        while time.monotonic() < end:
            # No more at once than fit into the buffers of a balancer that has no processor just now.
            for number, one in itertools.islice(newcomers, 200 - len(left)):
                left[number] = 0
                one.send(f"{number}/0".encode())
            if not left:
                break
            for fd, _ in poller.poll(1):
                number = by_fd[fd]
                data = sockets[number].recv(100)
                assert data == f"{number}/{left[number]}".encode()
                left[number] += 1
                if left[number] < rounds:
                    sockets[number].send(f"{number}/{left[number]}".encode())
                else:
                    del left[number]
        assert not left
        assert not poller.poll(0.2), "a reply came twice"
        shares = [len({whence for _, whence in server.received}) for server in servers]
        assert sum(shares) == 2_000 and min(shares) > 900
    finally:
        for one in sockets:
            one.close()


def test_order_is_kept_at_full_speed_both_ways(lb, udp_server, udp_client):
    proxy = lb(udp_config(udp_server()))
    client = udp_client(proxy.address)
    sent = received = 0
    total = 20_000
    padding = bytes(1_196)
    last = -1
    while received < total:
        while sent < total and sent - received < 32:
            client.send(struct.pack("!I", sent) + padding)
            sent += 1
        data = client.receive()
        assert len(data) == 1_200
        number, = struct.unpack("!I", data[:4])
        assert number > last, "out of order or twice"
        last = number
        received += 1
    assert last == total - 1


@pytest.mark.fast
def test_one_way_traffic_is_spread_and_waits_for_nobody(lb, udp_server, udp_client):
    servers = [udp_server(lambda data: None) for _ in range(2)]
    proxy = lb(udp_config(*servers))
    for number in range(20):
        udp_client(proxy.address).send(f"<13>message {number}".encode())
    wait_until(lambda: sum(len(server.received) for server in servers) == 20, "all have come")
    assert [len(server.received) for server in servers] == [10, 10]


@pytest.mark.fast
def test_a_server_that_is_gone_costs_only_what_was_in_flight_to_it(lb, server, udp_server, udp_client):
    a, b = udp_server(named("a")), udp_server(named("b"))
    # The checks find nothing, and who has failed is avoided for longer than the test takes.
    check = {"type": "tcp", "port": server(echo).port, "interval": "1h", "fast_interval": "1h"}
    proxy = lb(udp_config(a, b, pool={"health_check": check}))
    clients = [udp_client(proxy.address) for _ in range(10)]
    assert {client.asks(b"") for client in clients} == {b"a", b"b"}
    a.stop()
    lost = 0
    for client in clients:
        client.send(b"?")
        client.socket.settimeout(4)
        try:
            assert client.receive() == b"b?"
        except TimeoutError:
            lost += 1
    assert lost == 1, "the first datagram tells"
    assert [client.asks(b"!") for client in clients] == [b"b!"] * 10


def test_an_unhealthy_server_is_left_and_taken_again(lb, server, udp_server, udp_client):
    check = server(echo)  # answers the checks of the one, over TCP; nobody does at 127.0.0.2 yet
    port = int(check.address.rpartition(":")[2])
    a, b = udp_server(named("a")), udp_server(named("b"), address="127.0.0.2")
    proxy = lb(udp_config(a, b, pool={"health_check": {
        "type": "tcp", "port": port, "interval": "100ms", "fast_interval": "50ms", "fall": 1, "rise": 1}}))

    def homes():
        return sorted(udp_client(proxy.address).asks(b"") for _ in range(4))

    wait_until(lambda: homes() == [b"a"] * 4, "the unhealthy one is left out")
    client = udp_client(proxy.address)
    assert client.asks(b"") == b"a"
    server(echo, f"127.0.0.2:{port}")
    wait_until(lambda: homes() == [b"a"] * 2 + [b"b"] * 2, "both are taken")
    assert client.asks(b"") == b"a", "nobody is moved"
    check.go_down()
    wait_until(lambda: homes() == [b"b"] * 4, "the other one is unhealthy")
    wait_until(lambda: client.asks(b"") == b"b", "a session that was there moves, too")


def test_a_reload_moves_nobody_and_loses_nothing(lb, udp_server, udp_client):
    servers = [udp_server(named(name)) for name in "ab"]
    config = udp_config(*servers, runtime={"drain_timeout": "5s", "workers": 2})
    proxy = lb(config)
    clients = [udp_client(proxy.address) for _ in range(50)]
    homes = [client.asks(b"") for client in clients]
    stop = threading.Event()

    def speak():
        rounds = 0
        while not stop.is_set():
            for client, home in zip(clients, homes):
                assert client.asks(b"?") == home + b"?"
            rounds += 1
        return rounds

    speaking = in_background(speak)
    third = udp_server(named("c"))
    for number in range(5):
        config["pools"]["back"]["servers"] = [s.address for s in [*servers, third][: 2 + number % 2]]
        config["listeners"]["front"]["timeouts"] = {"idle": f"{30 + number}s"}
        proxy.reload(config)
    stop.set()
    assert speaking.result() > 0
    # Sessions with different servers may have the same port.
    sources = {(one.address, whence) for one in servers for _, whence in one.received}
    assert len(sources) == 50, "each client had one session all the time"


@pytest.mark.fast
def test_a_removed_server_keeps_its_sessions_until_drain_timeout(lb, udp_server, udp_client):
    a, b = udp_server(named("a")), udp_server(named("b"))
    config = udp_config(a, b, runtime={"drain_timeout": "6s"})
    proxy = lb(config)
    clients = [udp_client(proxy.address) for _ in range(4)]
    homes = [client.asks(b"") for client in clients]
    assert sorted(homes) == [b"a", b"a", b"b", b"b"]
    config["pools"]["back"]["servers"] = [b.address]
    proxy.reload(config)
    assert [client.asks(b"") for client in clients] == homes
    assert udp_client(proxy.address).asks(b"") == b"b"

    def home(client):
        client.socket.settimeout(2)
        try:
            return client.asks(b"")
        except TimeoutError:
            return None  # the session ended while it was asked

    wait_until(lambda: [home(client) for client in clients] == [b"b"] * 4, "the server is left")


@pytest.mark.fast
def test_nothing_is_said_to_clients_but_what_servers_say(lb, udp_server, udp_client):
    silent, talkative = udp_server(lambda data: None), udp_server()
    config = udp_config(silent, listener={"proxy_protocol": {"trusted": ["127.0.0.9"]}})
    config["listeners"]["other"] = {"address": f"127.0.0.1:{free_port()}", "protocol": "udp", "pool": "gone"}
    config["pools"]["gone"] = {"servers": [f"127.0.0.1:{free_port()}"], "health_check": "off"}
    proxy = lb(config)
    unanswered = udp_client(proxy.address)
    refused = udp_client(config["listeners"]["other"]["address"])
    headerless = udp_client(proxy.address, "127.0.0.9")
    for client in (unanswered, refused, headerless):
        for _ in range(3):
            client.send(b"?")
        assert client.hears_nothing()
    wait_until(lambda: len(silent.received) == 3, "each came once")
    # A datagram that finds its server gone goes to one other, once.
    config["pools"]["gone"]["servers"].append(talkative.address)
    proxy.reload(config)
    for number in range(10):
        refused.send(str(number).encode())
    wait_until(lambda: len(talkative.received) >= 8, "they come")
    heard = [data for data, _ in talkative.received]
    assert len(heard) == len(set(heard)) <= 10


@pytest.mark.fast
def test_the_faster_server_is_found_by_its_replies(lb, udp_server, udp_client):
    def slowly(data):
        time.sleep(0.2)
        return b"slow"

    slow, fast = udp_server(slowly), udp_server(lambda data: b"fast")
    proxy = lb(udp_config(slow, fast, listener={"udp": {"responses": 1}},
                          pool={"balance": "least_response_time"}))
    client = udp_client(proxy.address)
    answers = [client.asks(b"?") for _ in range(200)]
    assert answers.count(b"fast") > 150


@pytest.mark.fast
def test_responses_end_a_session(lb, udp_server, udp_client):
    server = udp_server()
    proxy = lb(udp_config(server, listener={"udp": {"responses": 1}}))
    client = udp_client(proxy.address)
    for _ in range(10):
        assert client.asks(b"?") == b"?"
    assert len({whence for _, whence in server.received}) > 5


@pytest.mark.fast
def test_limits_drop_and_say_so(lb, udp_server, udp_client):
    server = udp_server()
    proxy = lb(udp_config(server, listener={
        "limits": {"datagram_rate_per_source": {"rate": "1/m", "burst": 5}},
        "deny": ["127.0.0.9"]}))
    client, denied = udp_client(proxy.address), udp_client(proxy.address, "127.0.0.9")
    denied.send(b"denied")
    for _ in range(8):
        client.send(b"?")
    assert [client.receive() for _ in range(5)] == [b"?"] * 5
    assert client.hears_nothing() and denied.hears_nothing()
    proxy.wait_log("datagrams dropped since the last such line: .*(denied|over the rate limit)")


@pytest.mark.fast
def test_a_proxy_header_tells_the_server_who_asks(lb, udp_server, udp_client):
    server = udp_server()
    proxy = lb(udp_config(server, pool={"send_proxy_protocol": "v2"}))
    client = udp_client(proxy.address)
    answer = client.asks(b"hello")
    assert answer[:12] == b"\r\n\r\n\0\r\nQUIT\n" and answer[12:14] == b"\x21\x12"
    assert socket.inet_ntoa(answer[16:20]) == "127.0.0.1"
    assert struct.unpack("!H", answer[24:26])[0] == client.socket.getsockname()[1]
    assert answer[28:] == b"hello"
    assert client.asks(b"more") == b"more"


@pytest.mark.fast
def test_a_second_balancer_learns_the_client_of_each_datagram(lb, udp_server, udp_client):
    server = udp_server()
    trusted = {"proxy_protocol": {"trusted": ["127.0.0.1"]}, "deny": ["127.0.0.7"]}
    near = lb(udp_config(server, listener=trusted, pool={"send_proxy_protocol": "v2"}))
    far = lb(udp_config(near.address, pool={"send_proxy_protocol": "v2-each"}))
    client, denied = udp_client(far.address, "127.0.0.8"), udp_client(far.address, "127.0.0.7")
    answer = client.asks(b"hello")
    assert socket.inet_ntoa(answer[16:20]) == "127.0.0.8" and answer[28:] == b"hello"
    assert struct.unpack("!H", answer[26:28])[0] == int(far.address.rpartition(":")[2]), "where it sent to"
    assert [client.asks(data) for data in (b"more", b"", b"x" * 1_400)] == [b"more", b"", b"x" * 1_400]
    denied.send(b"hello")
    assert denied.hears_nothing()
    near.wait_log("datagrams dropped since the last such line: 1 denied")


@pytest.mark.fast
def test_a_port_of_another_process_is_an_error(lb, udp_server):
    taken = udp_server()
    proxy = lb(udp_config(udp_server(), listener={"address": taken.address}), ready=False)
    assert proxy.wait_end() == 1
    assert "another process listens there" in proxy.log()
    proxy.exit_code = None


@pytest.mark.fast
def test_without_a_file(lb, udp_server, udp_client):
    server = udp_server()
    address = f"127.0.0.1:{free_port()}"
    lb("", arguments=("udp", "--listen", address, "--to", server.address))
    assert udp_client(address).asks(b"?") == b"?"


@pytest.mark.fast
@pytest.mark.parametrize("to, said", [("nowhere", r"lb tcp:4:\d+: pools.tcp.servers\[0\]: .*no port")])
def test_a_mistake_without_a_file_is_named(to, said):
    done = run_lb("tcp", "--listen", ":1", "--to", to)
    assert done.returncode == 2
    assert re.search(said, done.stderr), done.stderr
