# SPDX-License-Identifier: MIT
"""More clients than there is room for: idle keep-alive connections end for those who wait, what is
under way goes on, and the admin address answers."""

import pytest
from lbtest import tcp_config, wait_until
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
