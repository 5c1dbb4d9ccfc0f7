# SPDX-License-Identifier: MIT
"""More clients than there is room for: idle keep-alive connections end for those who wait, what is
under way goes on, and the admin address answers."""

import pathlib
import re
import resource

import pytest
from lbtest import echo, free_port, tcp_config, wait_until
from lbtest.http import asks, http_config, names_itself_in_http, read_message

LIMIT = 12
SCOPES = ("process", "listener")


def limited(scope, workers, *servers, admin):
    runtime = {"workers": workers, "drain_timeout": "1s"}
    listener = {"timeouts": {"request_header": "60s"}}
    if scope == "process":
        runtime["max_connections"] = LIMIT
    else:
        listener["limits"] = {"max_connections": LIMIT}
    return http_config(*servers, listener=listener, runtime=runtime, admin={"address": admin.address})


MADE_ROOM = "made room for another client"


def most_connections(admin):
    metrics = admin.get("/metrics").text
    return int(re.search(r"^lb_process_connections_limit (\d+)$", metrics, re.MULTILINE)[1])


@pytest.mark.fast
@pytest.mark.parametrize("scope", SCOPES)
def test_idle_connections_end_for_those_who_wait(lb, server, admin, scope):
    proxy = lb(limited(scope, 1, server(names_itself_in_http("one")), admin=admin))
    idle = [proxy.connect() for _ in range(LIMIT)]
    for client in idle:
        assert asks(client).status == 200
    assert admin.ended()[MADE_ROOM] == 0, "nobody waits"
    late = [proxy.connect() for _ in range(LIMIT)]
    for client in late:
        assert asks(client).status == 200
    for client in idle:
        client.expect_eof()
    assert admin.ended()[MADE_ROOM] == LIMIT


@pytest.mark.fast
@pytest.mark.parametrize("scope", SCOPES)
def test_idle_connections_of_other_workers_end_too(lb, server, admin, scope):
    proxy = lb(limited(scope, 4, server(names_itself_in_http("one")), admin=admin))
    idle = [proxy.connect() for _ in range(LIMIT)]
    for client in idle:
        assert asks(client).status == 200

    # One that ends in the moment of its request asks again, as browsers do.
    def is_served():
        try:
            return asks(proxy.connect()).status == 200
        except (OSError, AssertionError):
            return False

    for _ in range(LIMIT):
        wait_until(is_served, "there is room for another")


@pytest.mark.fast
@pytest.mark.parametrize("scope", SCOPES)
def test_what_is_under_way_does_not_end_for_those_who_wait(lb, server, admin, scope):
    # One worker: its queue is in order.
    proxy = lb(limited(scope, 1, server(names_itself_in_http("one")), admin=admin))
    busy = [proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n") for _ in range(LIMIT)]
    late = proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    late.expect_nothing(1.0)
    assert admin.ended()[MADE_ROOM] == 0
    for client in busy:
        assert read_message(client.send(b"\r\n")).status == 200
    assert read_message(late).status == 200


@pytest.mark.fast
def test_the_admin_address_answers_while_clients_wait(lb, swarm, admin):
    one = swarm("!")
    proxy = lb(tcp_config(one, runtime={"workers": 2, "drain_timeout": "1s"},
                          admin={"address": admin.address}),
               inside=("prlimit", "--nofile=300:300"))
    flood = [proxy.connect() for _ in range(300)]
    wait_until(lambda: one.open() > 20, "many are served")
    for _ in range(20):
        assert admin.get("/api/health").status == 200
    assert one.open() < len(flood)
    assert "cannot accept" not in proxy.log()


def squeeze(proxy):
    """A hundredth of what it has is all that it may still get: less than a sixteenth of its limit."""
    status = pathlib.Path(f"/proc/{proxy.process.pid}/status").read_text()
    size = int(re.search(r"^VmSize:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024
    resource.prlimit(proxy.process.pid, resource.RLIMIT_AS, (size + size // 100, resource.RLIM_INFINITY))


def release(proxy):
    resource.prlimit(proxy.process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


# Not under sanitizers, which have a size of their own.
def test_while_memory_is_short_new_clients_wait_and_idle_ones_give_way(
        lb, server, udp_server, udp_client, admin):
    ended = []

    def counts_ends(connection):
        try:
            names_itself_in_http("one")(connection)
        finally:
            ended.append(connection)

    config = http_config(server(counts_ends), admin={"address": admin.address},
                         runtime={"workers": 2, "drain_timeout": "0s"})
    for name, protocol, back in (("stream", "tcp", server(echo)), ("datagrams", "udp", udp_server())):
        listener = {"address": f"127.0.0.1:{free_port()}", "protocol": protocol, "pool": name}
        config["listeners"][name] = listener
        config["pools"][name] = {"health_check": "off", "servers": [back.address]}
    proxy = lb(config)
    stream = proxy.connect(config["listeners"]["stream"]["address"])
    known, other = (udp_client(config["listeners"]["datagrams"]["address"]) for _ in range(2))
    idle = [proxy.connect() for _ in range(4)]
    assert stream.asks(b"hello") == b"hello" and known.asks(b"hello") == b"hello"
    for client in idle:
        assert asks(client).status == 200
    most = most_connections(admin)
    assert not ended

    squeeze(proxy)
    proxy.wait_log(r"warning memory is short: \d+ of \d+ MiB are left of RLIMIT_AS")
    late = [proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(3)]
    for client in idle:
        client.expect_eof()
    assert admin.ended()[MADE_ROOM] == 4
    wait_until(lambda: ended, "idle connections to servers are given back")
    for client in late:
        client.expect_nothing(0.5)
    assert stream.asks(b"still here") == b"still here"
    assert most_connections(admin) == 1
    # A new session takes the place of another.
    for count, client in enumerate((other, known), 5):
        assert client.asks(b"hello") == b"hello"
        # On another worker it ends a moment later.
        wait_until(lambda: admin.ended()[MADE_ROOM] == count, "the other one has ended")
    proxy.reload(config)
    assert most_connections(admin) == 1, "a reload lifts nothing"

    release(proxy)
    proxy.wait_log(r"warning memory suffices again: \d+ of \d+ MiB are left of ")
    for client in late:
        assert read_message(client).status == 200
    assert most_connections(admin) == most
    assert stream.asks(b"still here") == b"still here"
    assert other.asks(b"hello") == b"hello" and admin.ended()[MADE_ROOM] == 6
    assert proxy.log().count(" warning memory ") == 2, "said once at each end"
