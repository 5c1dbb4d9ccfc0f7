# SPDX-License-Identifier: MIT
"""Limits on clients that connect or ask too often or too much: exact for the process, counted, and
felt by nobody else. Rates are by the minute or slower, so that no token grows within a test."""

import pytest
from lbtest import echo, http2, tcp_config, wait_until
from lbtest.http import asks, http_config, names_itself_in_http

FIVE = {"rate": "1/m", "burst": 5}
GREEDY = "127.0.0.9:0"


def served(client):
    """Whether a client of an echoing server is; else it is reset."""
    try:
        return client.asks(b"hello") == b"hello" if not client.was_reset else False
    except (ConnectionResetError, BrokenPipeError):
        return False


@pytest.mark.fast
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("limit, reason, other_is_served", [
    ("connection_rate_per_source", "over the rate of its source", True),
    ("connection_rate", "over the listener's rate", False),
])
def test_who_connects_too_often_is_reset(lb, server, admin, workers, limit, reason, other_is_served):
    one = server(echo)
    proxy = lb(tcp_config(one, runtime={"workers": workers}, admin={"address": admin.address},
                          listener={"limits": {limit: FIVE}}))
    tries = [served(proxy.connect(source=GREEDY)) for _ in range(20)]
    assert tries == [True] * 5 + [False] * 15
    assert one.connections == 5
    assert served(proxy.connect(source="127.0.0.10:0")) == other_is_served
    assert admin.ended()[reason] == (15 if other_is_served else 16)
    proxy.wait_log(f"clients? refused since the last such line: {reason}")


@pytest.mark.fast
@pytest.mark.parametrize("workers", [1, 3])
def test_a_source_has_so_many_connections_at_a_time(lb, server, admin, workers):
    proxy = lb(tcp_config(server(echo), runtime={"workers": workers}, admin={"address": admin.address},
                          listener={"limits": {"max_connections_per_source": 3}}))
    open_ones = [proxy.connect(source=GREEDY) for _ in range(3)]
    assert all(served(client) for client in open_ones)
    assert not served(proxy.connect(source=GREEDY))
    assert served(proxy.connect(source="127.0.0.10:0"))
    open_ones.pop().close()
    wait_until(lambda: served(proxy.connect(source=GREEDY)), "there is room again")
    assert admin.ended()["too many connections of its source"] >= 1


@pytest.mark.fast
@pytest.mark.parametrize("protocol", ["tcp", "http", "http2"])
def test_a_limit_that_a_reload_brings_counts_who_is_there(lb, server, protocol):
    one = server(echo if protocol == "tcp" else names_itself_in_http("one"))
    serves = {"tcp": served, "http": lambda client: asks(client).status == 200,
              "http2": lambda client: http2.Client(client).send(http2.head()).answer()[1] == b"one"}[protocol]

    def comes():
        client = proxy.connect(source=GREEDY)
        try:
            return client if serves(client) else None
        except (ConnectionResetError, BrokenPipeError):
            return None

    config = tcp_config(one, runtime={"workers": 3},
                        listener={"protocol": "tcp" if protocol == "tcp" else "http"})
    proxy = lb(config)
    kept = [comes() for _ in range(6)]
    assert all(kept)
    config["listeners"]["front"]["limits"] = {"max_connections_per_source": 6}
    proxy.reload(config)
    assert comes() is None
    kept.pop().close()
    kept.append(wait_until(comes, "there is room for one"))
    assert comes() is None


@pytest.mark.fast
@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_behind_a_proxy_its_clients_are_the_sources(lb, server, protocol):
    one = server(echo if protocol == "tcp" else names_itself_in_http("one"))
    proxy = lb(tcp_config(one, listener={
        "protocol": protocol, "proxy_protocol": {"trusted": ["127.0.0.0/8"]},
        "limits": {"max_connections_per_source": 2, "connection_rate_per_source": FIVE}}))

    def comes_from(address):
        client = proxy.connect()
        client.send(f"PROXY TCP4 {address} 192.0.2.1 1000 80\r\n".encode())
        try:
            good = served(client) if protocol == "tcp" else asks(client).status == 200
        except (ConnectionResetError, BrokenPipeError):
            good = False
        return client if good else None

    kept = [comes_from("198.51.100.1"), comes_from("198.51.100.1")]
    assert all(kept)
    assert comes_from("198.51.100.1") is None, "the third at a time"
    assert comes_from("198.51.100.2")
    for client in kept:
        client.close()
    again = 0

    def comes_again():
        nonlocal again
        client = comes_from("198.51.100.1")
        again += client is not None
        if client:
            client.close()
        return client

    wait_until(comes_again, "there is room again")
    for _ in range(20):
        comes_again()
    assert again <= 3, "five in all"


@pytest.mark.fast
def test_a_reload_keeps_what_was_used_up(lb, server):
    config = tcp_config(server(echo), listener={"limits": {"connection_rate_per_source": FIVE}})
    proxy = lb(config)
    assert [served(proxy.connect(source=GREEDY)) for _ in range(6)] == [True] * 5 + [False]
    config["listeners"]["front"]["timeouts"] = {"idle": "10m"}
    proxy.reload(config)
    proxy.wait_log("lb.yaml: reloaded")
    assert not served(proxy.connect(source=GREEDY))
    config["listeners"]["front"]["limits"] = {"connection_rate_per_source": "off"}
    proxy.reload(config)
    wait_until(lambda: served(proxy.connect(source=GREEDY)), "the limit is off")


@pytest.mark.fast
@pytest.mark.parametrize("workers", [1, 3])
def test_who_asks_too_often_is_told_when_to_come_back(lb, server, workers):
    proxy = lb(http_config(server(names_itself_in_http("one")), runtime={"workers": workers},
                           listener={"limits": {"request_rate_per_source": FIVE}}))
    kept = proxy.connect(source=GREEDY)
    got = [asks(kept) for _ in range(3)] + [asks(proxy.connect(source=GREEDY)) for _ in range(5)]
    assert [one.status for one in got] == [200] * 5 + [429] * 3
    refused = got[-1]
    assert refused.body == b'{"error": "Too many requests"}'
    assert refused.header("content-type") == "application/json"
    assert 1 <= int(refused.header("retry-after")) <= 60
    assert asks(kept).status == 429, "the connection stays"
    assert asks(proxy.connect(source="127.0.0.10:0")).status == 200


@pytest.mark.fast
def test_behind_trusted_proxies_the_client_is_who_they_say(lb, server):
    proxy = lb(http_config(server(names_itself_in_http("one")), listener={
        "trusted_proxies": ["127.0.0.1"], "limits": {"request_rate_per_source": FIVE}}))
    front = proxy.connect(source="127.0.0.1:0")

    def statuses(address):
        return [asks(front, headers=[f"X-Forwarded-For: {address}"]).status for _ in range(7)]

    assert statuses("198.51.100.1") == [200] * 5 + [429] * 2
    assert statuses("198.51.100.2") == [200] * 5 + [429] * 2
    liar = proxy.connect(source=GREEDY)
    assert [asks(liar, headers=[f"X-Forwarded-For: 198.51.100.{i}"]).status for i in range(3, 10)] == \
        [200] * 5 + [429] * 2


@pytest.mark.fast
def test_a_route_counts_by_a_header(lb, server):
    config = http_config(server(names_itself_in_http("one")))
    front = config["listeners"]["front"]
    front["routes"] = [
        {"match": {"path": "/api/*"}, "pool": front.pop("pool"),
         "limits": {"request_rate": FIVE, "key": "header:X-Api-Key"}},
        {"respond": {"status": 200, "body": "free"}},
    ]
    client = lb(config).connect()

    def statuses(path, *headers):
        return [asks(client, path=path, headers=headers).status for _ in range(7)]

    assert statuses("/api/a", "X-Api-Key: one") == [200] * 5 + [429] * 2
    assert statuses("/api/b", "x-api-key: two") == [200] * 5 + [429] * 2
    assert statuses("/api/b") == [200] * 5 + [429] * 2
    assert statuses("/free", "X-Api-Key: one") == [200] * 7


@pytest.mark.fast
def test_a_flood_of_a_few_sources_is_felt_by_them_alone(lb, server):
    one = server(echo)
    proxy = lb(tcp_config(one, runtime={"workers": 2}, listener={
        "limits": {"connection_rate_per_source": {"rate": "1/m", "burst": 10}}}))
    greedy = good = 0
    for turn in range(100):
        for source in range(2, 12):
            greedy += served(proxy.connect(source=f"127.0.1.{source}:0"))
        good += served(proxy.connect(source=f"127.0.2.{turn + 2}:0"))
    assert (greedy, good) == (100, 100)
