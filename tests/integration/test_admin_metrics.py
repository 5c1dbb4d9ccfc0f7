# SPDX-License-Identifier: MIT
"""What lb counts, and what it tells while it happens."""

import json
import re
import subprocess
import time

import pytest
from lbtest import connect, echo, free_port, names_itself, run_lb, tcp_config, wait_until
from lbtest.datagrams import udp_config
from lbtest.http import asks, names_itself_in_http, response, serves


def with_admin(admin, *servers, **more):
    return tcp_config(*servers, admin={"address": admin.address}, **more)


def sample(admin, name, **labels):
    """The value of one Prometheus sample; None where there is none."""
    for line in admin.get("/metrics").text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
            return float(found[3])
    return None


@pytest.mark.fast
def test_connections_and_bytes_are_counted_while_they_are_open(lb, server, admin):
    proxy = lb(with_admin(admin, {"name": "a", "address": server(echo)}))
    with proxy.connect() as client:
        assert client.asks(b"x" * 1000) == b"x" * 1000

        def counted():
            listener = admin.get("/api/metrics").data["listeners"]["front"]
            return (listener["bytesIn"], listener["bytesOut"]) == (1000, 1000) and listener
        listener = wait_until(counted, "the bytes of an open connection")
        assert listener["totalConnections"] == listener["activeConnections"] == 1
        assert listener["totalRequests"] == 1 and listener["totalDatagrams"] == 0
        assert sample(admin, "lb_bytes_total", listener="front", direction="in") == 1000
        wait_until(lambda: sample(admin, "lb_server_bytes_total", pool="back", server="a", direction="out") == 1000,
                   "those of its server")
        assert sample(admin, "lb_connections", listener="front") == 1
    wait_until(lambda: sample(admin, "lb_duration_seconds_count", listener="front") == 1, "its end is counted")
    assert sample(admin, "lb_connections_ended_total", listener="front", reason="finished") == 1


@pytest.mark.fast
def test_times_are_those_of_the_server(lb, server, admin):
    def slow(connection):
        connection.receive_line()
        time.sleep(0.05)
        connection.send(b"late\n").finish()

    proxy = lb(with_admin(admin, {"name": "a", "address": server(slow)}))
    longest_ms = 0
    for _ in range(5):
        began = time.monotonic()
        with proxy.connect() as client:
            client.send(b"now\n")
            assert client.receive_line() == b"late\n"
        longest_ms = max(longest_ms, 1000 * (time.monotonic() - began))
    most_ms = 2 * longest_ms  # for the steps of the histograms, and of a clock that is read once a turn
    # A client may hear what is only then counted.
    wait_until(lambda: sample(admin, "lb_server_bytes_total", pool="back", server="a", direction="out") == 25,
               "all are counted")
    one = admin.get("/api/metrics/servers").data[0]
    for share in ("p50", "p90", "p99"):
        assert 45 < one["latency"][share] < most_ms, (one, most_ms)
    assert 45 < one["responseTime"] < most_ms
    total = admin.get("/api/metrics").data
    assert 45 < total["averageResponseTime"] < most_ms and total["requestsPerSecond"] > 0
    assert total["totalRequests"] == 5 and total["activeServers"] == 1
    assert total["algorithm"] == "round_robin" and re.fullmatch(r"\d+d \d+h \d+m", total["uptime"])
    requests = admin.get("/api/metrics/requests").data
    assert requests["listeners"]["front"]["total"] == 5 and requests["routes"] == {}
    assert 45 < requests["listeners"]["front"]["latency"]["p50"] < most_ms
    assert sample(admin, "lb_first_byte_duration_seconds_bucket", listener="front", le="0.032768") == 0


@pytest.mark.fast
def test_http_requests_are_counted_by_route_server_and_code(lb, server, admin):
    def answer(got):
        return response(b"hello", "404 Not Found" if "/missing" in got.start else "200 OK")

    config = with_admin(admin, {"name": "a", "address": server(serves(answer))}, listener={
        "protocol": "http", "pool": None, "routes": [
            {"match": {"host": "shop.example", "path": "/api/*"}, "pool": "back"},
            {"match": {"path": "/api/*"}, "respond": {"status": 403, "body": "no"}},
            {"pool": "back"}]})
    del config["listeners"]["front"]["pool"]
    proxy = lb(config)

    def request(path, host="localhost"):
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    asked = [("/",), ("/missing",), ("/",), ("/api/x", "shop.example"), ("/api/x",)]
    heard = 0
    for one, status in zip(asked, (200, 404, 200, 200, 403), strict=True):
        with proxy.connect() as client:
            answer = client.send(request(*one)).receive_all()
        assert int(answer.split(b" ")[1]) == status
        heard += len(answer)

    def count(route, code, pool="back", name="a"):
        return sample(admin, "lb_http_requests_total", listener="front", route=route, pool=pool,
                      server=name, code=code)

    assert (count("*", "200"), count("*", "404"), count("shop.example/api/*", "200")) == (2, 1, 1)
    assert count("/api/*", "403", pool="", name="") == 1
    data = admin.get("/api/metrics/requests").data
    assert data["listeners"]["front"]["byStatus"] == {"2xx": 3, "4xx": 2}
    assert data["listeners"]["front"]["total"] == 5
    assert data["routes"]["front/*"]["byStatus"] == {"2xx": 2, "4xx": 1}
    assert data["routes"]["front/*"]["latency"]["p50"] is not None
    assert admin.get("/api/metrics/servers").data[0]["totalRequests"] == 4
    front = admin.get("/api/metrics").data["listeners"]["front"]
    assert front["totalRequests"] == 5
    assert front["bytesIn"] == sum(len(request(*one)) for one in asked), "heads count"
    assert front["bytesOut"] == heard


@pytest.mark.fast
def test_datagrams_are_counted(lb, udp_server, udp_client, admin):
    proxy = lb(udp_config({"name": "a", "address": udp_server().address}, admin={"address": admin.address}))
    client = udp_client(proxy.address)
    for _ in range(3):
        assert client.asks(b"hello") == b"hello"
    expected = {"totalConnections": 1, "activeConnections": 1, "totalRequests": 1, "totalDatagrams": 6,
                "bytesIn": 15, "bytesOut": 15}
    wait_until(lambda: admin.get("/api/metrics").data["listeners"]["front"] == expected, "all are counted")
    assert sample(admin, "lb_datagrams_total", listener="front", direction="in") == 3
    wait_until(lambda: admin.get("/api/metrics/servers").data[0]["bytesOut"] == 15, "those of its server")


@pytest.mark.fast
def test_who_sticks_where_is_listed(lb, server, admin):
    config = with_admin(admin, *({"name": name, "address": server(names_itself(name))} for name in "ab"))
    config["pools"]["back"]["sticky"] = {"by": "source_ip", "ttl": "10m"}
    proxy = lb(config)
    homes = []
    for number in range(1, 6):
        with proxy.connect(source=f"127.0.1.{number}:0") as client:
            homes.append(client.receive_line().decode().strip())
    # An entry is written once the server has taken the work, which the client may hear of before.
    wait_until(lambda: admin.get("/api/sessions").data["total"] == 5, "five clients stick")
    listed = admin.get("/api/sessions?pool=back").data
    assert listed["total"] == 5 and len({each["key"] for each in listed["entries"]}) == 5
    assert sorted(each["server"] for each in listed["entries"]) == sorted(homes)
    assert all(each["lastUsed"] < each["expires"] for each in listed["entries"])
    short = admin.get("/api/sessions?limit=2").data
    assert short["total"] == 5 and len(short["entries"]) == 2
    assert admin.get("/api/sessions?pool=none").status == 404


@pytest.mark.fast
def test_failures_are_counted(lb, admin):
    proxy = lb(with_admin(admin, {"name": "a", "address": f"127.0.0.1:{free_port()}"}))
    proxy.connect().expect_reset()
    one = admin.get("/api/metrics/servers").data[0]
    assert one["failures"] > 0 and one["errorRate"] == 1
    assert sample(admin, "lb_server_failures_total", pool="back", server="a") == one["failures"]


def check_metrics(text):
    """As Prometheus reads it: no complaint, no series twice."""
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, timeout=30)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), text
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)), [one for one in series if series.count(one) > 1]


@pytest.mark.fast
def test_prometheus_likes_the_metrics(lb, server, udp_server, udp_client, admin, directory):
    """Those of all protocols, with all that may stand in a label."""
    config = with_admin(admin, {"name": "a", "address": server(names_itself("a"))})
    web, dns = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    (directory / "secret").write_text("a secret of enough bytes to sign by")
    config["jwt"] = {"shop": {"algorithms": ["HS256"], "secret_file": str(directory / "secret")}}
    config["listeners"]["web"] = {"address": web, "protocol": "http", "routes": [
        {"match": {"host": "*.shop.example", "path": "/pictures/*"}, "pool": "web"},
        {"match": {"path": "/private"}, "jwt": "shop", "pool": "web"},
        {"match": {"path": "/gone"}, "respond": {"status": 410, "body": "gone"}}, {"pool": "web"}]}
    config["listeners"]["dns"] = {"address": dns, "protocol": "udp", "pool": "dns"}
    config["pools"]["web"] = {"servers": [server(names_itself_in_http("w")).address]}
    config["pools"]["dns"] = {"health_check": "off", "servers": [udp_server().address]}
    config["pools"]["spare"] = {"health_check": "off", "servers": ["unix:/tmp/no\\such.sock", "127.0.0.1:1"]}
    proxy = lb(config)
    with proxy.connect() as client:
        client.receive_line()
    with connect(web) as client:
        wrong = "Authorization: Bearer a.b.c"
        asked = [asks(client, path="/pictures/x", host="a.shop.example").status,
                 asks(client, path="/private", headers=[wrong]).status, asks(client, path="/gone").status]
    assert asked == [200, 401, 410]
    assert udp_client(dns).asks(b"hello") == b"hello"
    wait_until(lambda: sample(admin, "lb_http_requests_total", listener="web", route="/gone", pool="", server="",
                              code="410") == 1, "the last request is counted")
    reply = admin.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    check_metrics(reply.text)
    assert sample(admin, "lb_server_up", pool="back", server="a") == 1
    assert sample(admin, "lb_build_info", version=run_lb("--version").stdout.split()[1]) == 1


@pytest.mark.fast
def test_a_name_that_moves_has_one_series(lb, server, admin):
    config = with_admin(admin, {"name": "a", "address": server(names_itself("old"))})
    proxy = lb(config)
    with proxy.connect() as client:
        client.receive_line()
        config["pools"]["back"]["servers"][0]["address"] = server(names_itself("new")).address
        proxy.reload(config)
        listed = admin.get("/api/servers").data
        assert [(one["name"], one["status"], one["activeConnections"]) for one in listed] == [
            ("a", "healthy", 0), ("a", "draining", 1)]
        check_metrics(admin.get("/metrics").text)
        assert sample(admin, "lb_server_active", pool="back", server="a") == 0


class Events:
    """One who listens to /api/events."""

    def __init__(self, admin):
        self.connection = connect(admin.address)
        self.connection.send(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in self.connection.receive_line()
        while self.connection.receive_line().strip():
            pass

    def next(self):
        """The name and data of the next event."""
        name = None
        while True:
            line = self.connection.receive_line().decode().strip()
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                return name, json.loads(line[6:])


@pytest.mark.fast
def test_events_are_told_as_they_happen(lb, server, admin):
    a = server(echo)
    config = with_admin(admin, {"name": "a", "address": a})
    proxy = lb(config)
    events = Events(admin)
    admin.set_state("a", "drain")
    name, data = events.next()
    assert name == "health" and data.pop("at").endswith("Z")
    assert data == {"pool": "back", "server": "a", "from": "healthy", "to": "draining",
                    "reason": "set to drain at run time"}
    admin.ask("POST", "/api/servers", {"host": "127.0.0.1", "port": free_port(), "name": "b"})
    name, data = events.next()
    assert (name, data["server"], data["from"], data["to"]) == ("membership", "b", None, "added")
    admin.ask("DELETE", f"/api/servers/{admin.server('b')['serverId']}")
    name, data = events.next()
    assert (name, data["server"], data["to"]) == ("membership", "b", "removed")
    proxy.reload(config)
    name, data = events.next()
    assert (name, data["pool"], data["to"]) == ("reload", None, "reloaded")
    proxy.write_config("listeners: 1\n")
    assert admin.ask("POST", "/api/reload").status == 400
    name, data = events.next()
    assert (name, data["to"]) == ("reload", "refused")


# Not under sanitizers, which keep what is freed.
def test_who_listens_and_never_reads_costs_little_and_delays_nobody(lb, server, admin):
    proxy = lb(with_admin(admin, {"name": "a", "address": server(echo)}))
    deaf = [Events(admin) for _ in range(16)]
    assert admin.get("/api/events").status == 503
    before = proxy.rss_kib()
    for number in range(1500):
        assert admin.set_state("a", "drain" if number % 2 == 0 else "ready").status == 200
    assert proxy.rss_kib() - before < 16 * 1024
    with proxy.connect() as client:
        assert client.asks(b"hello") == b"hello"
    del deaf
