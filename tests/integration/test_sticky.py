# SPDX-License-Identifier: MIT
"""Clients that stay with the server that they had."""

import collections
import json
import time

import pytest
from lbtest import names_itself, tcp_config, wait_until
from lbtest.http import asks, expect_idlest, http_config, response, serves

CLIENTS = [f"127.0.1.{number}" for number in range(1, 41)]


def who_answers(proxy, source):
    with proxy.connect(source=source and f"{source}:0") as client:
        return client.receive_line().decode().strip()


def homes(proxy):
    """The server of every client."""
    return {client: who_answers(proxy, client) for client in CLIENTS}


def config(servers, left_out=(), **sticky):
    kept = [{"name": name, "address": address, **more} for name, (address, more) in servers.items()
            if name not in left_out]
    return tcp_config(*kept, runtime={"workers": 2, "drain_timeout": "1s"},
                      pool={"sticky": {"by": "source_ip", **sticky}})


@pytest.fixture
def three(server):
    return {name: (server(names_itself(name)), {}) for name in ("a", "b", "c")}


@pytest.mark.fast
def test_a_client_stays_with_its_server(lb, three):
    proxy = lb(config(three))
    first = homes(proxy)
    assert set(first.values()) == {"a", "b", "c"}
    assert homes(proxy) == first


@pytest.mark.fast
def test_only_the_clients_of_a_removed_server_move_and_they_do_not_move_back(lb, three):
    proxy = lb(config(three))
    first = homes(proxy)
    proxy.reload(config(three, left_out="b"))
    moved = homes(proxy)
    for client in CLIENTS:
        assert moved[client] in "ac" if first[client] == "b" else moved[client] == first[client]
    proxy.reload(config(three))
    assert homes(proxy) == moved


@pytest.mark.fast
def test_weight_zero_keeps_those_who_are_there(lb, three):
    proxy = lb(config(three))
    first = homes(proxy)
    three["c"] = (three["c"][0], {"weight": 0})
    proxy.reload(config(three))
    assert homes(proxy) == first
    newcomers = {who_answers(proxy, f"127.0.2.{number}") for number in range(1, 21)}
    assert newcomers == {"a", "b"}


def watched(three, fall):
    """Servers that are checked often, and believed dead after so many failures."""
    watched = config(three)
    watched["pools"]["back"]["health_check"] = {"interval": "50ms", "fast_interval": "50ms", "fall": fall}
    return watched


@pytest.mark.fast
def test_one_refused_connect_costs_nobody_the_server_that_he_had(lb, three):
    proxy = lb(watched(three, fall=1000))
    first = homes(proxy)
    down = three["b"][0]
    down.go_down()
    down.hang_up()
    away = homes(proxy)
    for client in CLIENTS:
        assert away[client] in "ac" if first[client] == "b" else away[client] == first[client]
    down.come_back()
    lost = [client for client in CLIENTS if first[client] == "b"]
    wait_until(lambda: who_answers(proxy, lost[0]) == "b", "the server is no longer passed over")
    assert homes(proxy) == first


@pytest.mark.fast
def test_clients_of_a_server_that_is_down_move_and_do_not_move_back(lb, three, admin):
    def nobody_sticks_to_b():
        moved.update(homes(proxy))
        return "b" not in {each["server"] for each in admin.get("/api/sessions").data["entries"]}

    proxy = lb({**watched(three, fall=2), "admin": {"address": admin.address}})
    first = homes(proxy)
    down = three["b"][0]
    down.go_down()
    down.hang_up()
    moved = {}
    # Until a worker has heard that the server is down, its clients are only sent past it.
    wait_until(nobody_sticks_to_b, "all clients of the server that is down have moved")
    for client in CLIENTS:
        assert moved[client] in "ac" if first[client] == "b" else moved[client] == first[client]
    down.come_back()
    proxy.wait_log("back/b is healthy(?s:.*)back/b is healthy")
    assert homes(proxy) == moved


@pytest.mark.fast
def test_where_nobody_may_move_a_refused_connect_is_tried_again(lb, three):
    patient = watched(three, fall=1000)
    patient["pools"]["back"]["sticky"]["fallback"] = "reject"
    patient["pools"]["back"]["retries"] = {"attempts": 20, "backoff": "500ms", "max_backoff": "1s"}
    proxy = lb(patient)
    first = homes(proxy)
    down = three["b"][0]
    down.go_down()
    down.hang_up()
    lost = next(client for client in CLIENTS if first[client] == "b")
    with proxy.connect(source=f"{lost}:0") as client:
        client.expect_nothing(0.3)
        down.come_back()
        assert client.receive_line() == b"b\n"


def test_where_nobody_may_move_clients_of_a_server_that_is_gone_are_reset(lb, three):
    proxy = lb(config(three, fallback="reject"))
    first = homes(proxy)
    proxy.reload(config(three, left_out="b", fallback="reject"))
    for client in CLIENTS:
        if first[client] != "b":
            assert who_answers(proxy, client) == first[client]
            continue
        with proxy.connect(source=f"{client}:0") as refused:
            refused.expect_reset()
    proxy.reload(config(three, fallback="reject"))
    assert homes(proxy) == first


def test_the_least_recently_used_entries_go(lb, three, admin):
    def with_admin():
        return {**config(three, max_entries=5), "admin": {"address": admin.address}}

    def home(client):
        """The end of a connection is a use, too: the next one comes after it."""
        name = who_answers(proxy, client)
        wait_until(lambda: all(one["activeConnections"] == 0 for one in admin.get("/api/servers").data), "its end")
        return name

    proxy = lb(with_admin())
    first = {client: home(client) for client in CLIENTS}
    kept = CLIENTS[-5:]
    three["b"] = (three["b"][0], {"weight": 0})
    proxy.reload(with_admin())
    for client in kept:
        assert who_answers(proxy, client) == first[client], "also where b takes nobody new"
    newly_placed = [client for client in CLIENTS if client not in kept and first[client] == "b"]
    assert newly_placed and all(who_answers(proxy, client) != "b" for client in newly_placed)


def test_an_entry_ends_when_it_is_not_used_for_its_ttl(lb, three):
    proxy = lb(config(three, ttl="3s"))
    lost = next(client for client in CLIENTS if who_answers(proxy, client) == "b")
    three["b"] = (three["b"][0], {"weight": 0})
    proxy.reload(config(three, ttl="3s"))
    assert who_answers(proxy, lost) == "b"
    time.sleep(3.5)  # asking would be a use
    assert who_answers(proxy, lost) != "b"


def reports(load):
    """A server that answers each check with its load of that moment."""

    def behaviour(connection):
        while connection.receive_line() != b"\r\n":
            pass
        body = json.dumps(load)
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        connection.finish()

    return behaviour


@pytest.mark.parametrize("balance,best", [("least_load", "a"), ({"least_load": "memory"}, "b")])
def test_least_load_goes_by_what_servers_report(lb, server, balance, best):
    a = server(names_itself("a"), address="127.0.0.1:0")
    b = server(names_itself("b"), address="127.0.0.2:0")
    checks = server(reports({"cpu": 10, "memory": 90}))
    server(reports({"cpu": 90, "memory": 10}), address=f"127.0.0.2:{checks.port}")
    check = {"type": "http", "port": checks.port, "interval": "50s"}  # reports stay fresh
    proxy = lb(tcp_config({"name": "a", "address": a}, {"name": "b", "address": b},
                          pool={"balance": balance, "health_check": check}))
    wait_until(lambda: proxy.log().count(" is healthy") == 2, "both have reported")
    wait_until(lambda: {who_answers(proxy, None) for _ in range(4)} == {best}, "every worker knows")
    assert collections.Counter(who_answers(proxy, None) for _ in range(50)) == {best: 50}


@pytest.mark.fast
def test_when_reports_stop_it_is_least_connections(lb, server):
    loads = {"a": {"cpu": 95}, "b": {"cpu": 10}, "c": {"cpu": 10}}
    port = 0
    servers = []
    for number, (name, load) in enumerate(loads.items(), 1):
        port = server(reports(load), address=f"127.0.0.{number}:{port}").port
        servers.append({"name": name, "address": server(names_itself(name), address=f"127.0.0.{number}:0")})
    check = {"type": "http", "port": port, "interval": "200ms"}
    proxy = lb(tcp_config(*servers, pool={"balance": "least_load", "health_check": check},
                          runtime={"workers": 2}))

    def spread():
        """Who has how many of twelve connections that are open together."""
        clients = [proxy.connect() for _ in range(12)]
        names = collections.Counter(client.receive_line().decode().strip() for client in clients)
        for client in clients:
            client.close()
        return names

    wait_until(lambda: proxy.log().count(" is healthy") == 3, "all have reported")
    wait_until(lambda: spread()["a"] == 0, "who is busy gets nothing")
    for load in loads.values():
        load.clear()
    wait_until(lambda: spread() == {"a": 4, "b": 4, "c": 4}, "nobody knows who is busy")


@pytest.mark.fast
@pytest.mark.parametrize("hot", [0.9, 0.42, 0.33])
def test_a_server_that_has_not_reported_yet_gets_its_share(lb, server, hot):
    """By responses alone only those report who are asked."""
    proxy = lb(http_config(*({"name": name, "address": server(shop(name, cpu))}
                             for name, cpu in (("hot", hot), ("cool", 0.1))),
                           pool={"balance": "least_load"}))
    with proxy.connect() as client:
        # While the hot one alone has reported, both are taken for as busy, and one of them by lot.
        wait_until(lambda: asks(client).body == b"cool", "its first turn")
        expect_idlest(b"cool", (asks(client).body for _ in range(40)))


@pytest.mark.fast
def test_overload_that_responses_tell_sends_new_work_elsewhere(lb, server):
    checks = server(reports({}))
    servers = [{"name": name, "address": server(shop(name, cpu))} for name, cpu in (("hot", 0.99), ("cool", 0.1))]
    check = {"type": "http", "interval": "1s", "port": checks.port, "thresholds": {"cpu": "90%"}}
    proxy = lb(http_config(*servers, pool={"health_check": check}))
    wait_until(lambda: proxy.log().count(" is healthy") == 2, "both are healthy")
    with proxy.connect() as client:
        asks(client)
        asks(client)
        wait_until(lambda: "hot is overloaded (was healthy): cpu 99 % is above 90 %" in proxy.log(), "its overload is known")
        # The workers know it a moment later; until then they take turns.
        wait_until(lambda: [asks(client).body, asks(client).body] == [b"cool", b"cool"], "it is left alone")
        assert [asks(client).body for _ in range(10)] == [b"cool"] * 10


def shop(name, cpu):
    """An application that says who it is and how busy."""
    load = f"endpoint-load-metrics: TEXT cpu_utilization={cpu}"
    return serves(lambda _: response(name.encode(), headers=[load]))


@pytest.mark.fast
def test_carts_stay_and_pictures_go_where_the_load_is_least(lb, server):
    servers = [{"name": name, "address": server(shop(name, cpu))}
               for name, cpu in (("a", 0.9), ("b", 0.1), ("c", 0.8))]
    routes = [{"match": {"path": "/pictures/*"}, "pool": "back", "sticky": "off", "balance": "least_load"},
              {"pool": "back"}]
    config = http_config(*servers, pool={"sticky": {"by": "header", "header": "X-Session"}})
    listener = next(iter(config["listeners"].values()))
    name = listener.pop("pool")
    listener["routes"] = [{**route, "pool": name} for route in routes]
    proxy = lb(config)

    def cart(session):
        with proxy.connect() as client:
            got = asks(client, path="/cart", headers=[f"X-Session: {session}"])
            assert got.header("endpoint-load-metrics") is None, "that is for the balancer alone"
            return got.body.decode()

    sessions = [f"session-{number}" for number in range(30)]
    homes = {session: cart(session) for session in sessions}
    assert set(homes.values()) == {"a", "b", "c"}
    with proxy.connect() as client:
        assert cart(next(session for session in sessions if homes[session] == "b")) == "b"
        expect_idlest(b"b", (
            asks(client, method="PUT", path="/pictures/1", body=b"x", headers=["X-Session: session-1"]).body
            for _ in range(30)))
    assert {session: cart(session) for session in sessions} == homes
