# SPDX-License-Identifier: MIT
"""The table "What clients see of a fault" of docs/operations.md, row by row: what a client sees while
one of two servers has the fault, how soon traffic leaves that server, and how soon it is back."""

import collections
import contextlib
import re
import threading
import time

import pytest
from lbtest import FakeServer, connect, tcp_config, wait_until
from lbtest.fake import DeafServer, resets, silent
from lbtest.swarm import EchoSwarm, ShortConnections

LATE_S = 0.6  # what a busy machine may add
# The defaults of lb.yaml, twenty times as fast.
INTERVAL_S, FAST_S, TIMEOUT_S, CONNECT_S, FALL, RISE = 0.25, 0.05, 0.1, 0.1, 3, 2
EJECT_S = 0.4
PATIENCE_S = 1.0  # of a client

NOTICED_S = 1.1 * (INTERVAL_S + (FALL - 1) * FAST_S) + FALL * TIMEOUT_S
BACK_S = 1.1 * RISE * FAST_S

CHECK = {"interval": "250ms", "fast_interval": "50ms", "timeout": "100ms", "fall": FALL,
         "rise": RISE}
ASKS = {**CHECK, "send": "PING\r\n", "expect": "+PONG"}
HTTP = {**CHECK, "type": "http", "path": "/health"}


def answers(name, delay_s=0.0, status="200 OK", load=""):
    """A server that says its name when asked, PONG to a PING, status and load to an HTTP check."""

    def behaviour(connection):
        while said := connection.socket.recv(1000):
            time.sleep(delay_s)
            if said.startswith(b"PING"):
                connection.send(b"+PONG\r\n")
            elif said.startswith(b"GET"):
                connection.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(load)}\r\n"
                                f"Connection: close\r\n\r\n{load}".encode())
                return
            else:
                connection.send(name.encode() + b"\n")

    return behaviour


class Clients:
    """One client after the other, a few hundred a second, each with a new connection."""

    def __init__(self, proxy, patience_s=PATIENCE_S):
        self.seen = []  # (when, what), the latest last
        self._patience_s = patience_s
        self._proxy = proxy
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                with connect(self._proxy.address, timeout_s=self._patience_s) as client:
                    what = client.send(b"who\n").receive_line().decode().strip()
            except (OSError, AssertionError) as problem:
                what = "timeout" if isinstance(problem, TimeoutError) else "error"
            self.seen.append((began, what))
            time.sleep(0.005)

    def since(self, moment):
        return collections.Counter(what for when, what in list(self.seen) if when >= moment)

    def wait_served_by(self, name, since):
        return wait_until(lambda: self.since(since)[name], f"{name} serves") and time.monotonic()

    def end(self):
        self._ended.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def in_place_of(server, fault):
    """What stands at the server's address meanwhile."""
    server.go_down()
    server.hang_up()
    other = fault(server.address)
    yield
    if other:
        other.stop()


def behaves(behaviour):
    return lambda address: FakeServer(behaviour, address=address)


OUTLIER = {"outlier_detection": {"consecutive_failures": 5, "eject_for": "400ms"}}
Row = collections.namedtuple("Row", "fault pool sees leaves_s back_s")
ROWS = {
    "killed": Row(lambda address: None, {"health_check": CHECK}, set(), 0, BACK_S),
    "silent": Row(lambda address: DeafServer(address), {"health_check": CHECK}, set(),
                  NOTICED_S, BACK_S),
    "never answers": Row(behaves(silent), {"health_check": ASKS}, {"timeout"}, NOTICED_S, BACK_S),
    "answers slowly": Row(behaves(answers("a", delay_s=3.0)), {"health_check": ASKS}, {"timeout"},
                          NOTICED_S, BACK_S),
    "resets on accept": Row(behaves(resets), {"health_check": CHECK, **OUTLIER}, {"error"},
                            0.2, 2 * EJECT_S),
    "http 500": Row(behaves(answers("a", status="500 Oh")), {"health_check": HTTP}, {"a"},
                    NOTICED_S, BACK_S),
    "overload": Row(behaves(answers("a", load='{"cpu": 99}')),
                    {"health_check": {**HTTP, "thresholds": {"cpu": "90%"}}}, {"a"},
                    1.1 * INTERVAL_S + TIMEOUT_S, 1.1 * INTERVAL_S + TIMEOUT_S),
}


@pytest.mark.timing
@pytest.mark.parametrize("name", ROWS)
def test_what_clients_see_of_a_fault(lb, server, name):
    row = ROWS[name]
    a, b = server(answers("a")), server(answers("b"))
    proxy = lb(tcp_config({"name": "a", "address": a}, {"name": "b", "address": b},
                          pool={**row.pool, "timeouts": {"connect": "100ms"}},
                          runtime={"workers": 2, "drain_timeout": "1s"}))
    proxy.wait_log("a is healthy")
    proxy.wait_log("b is healthy")
    clients = Clients(proxy)
    try:
        clients.wait_served_by("a", 0)
        with in_place_of(a, row.fault):
            began = time.monotonic()
            time.sleep(row.leaves_s + LATE_S)
            left = time.monotonic()
            clients.wait_served_by("b", left)
            time.sleep(0.3)
            during = set(clients.since(began + 0.05)) - {"b"}
            assert during <= row.sees, f"clients saw {during}"
            if name != "resets on accept":  # which is tried again when its ejection is over
                assert set(clients.since(left)) == {"b"}, "traffic has left it"
        a.come_back()
        repaired = time.monotonic()
        served = clients.wait_served_by("a", repaired)
        assert served - repaired < row.back_s + LATE_S
    finally:
        clients.end()


@pytest.mark.timing
def test_each_time_it_flaps_clients_see_nothing(lb, server, admin):
    a, b = server(answers("a")), server(answers("b"))
    proxy = lb(tcp_config({"name": "a", "address": a}, b, pool={"health_check": CHECK},
                          runtime={"workers": 2, "drain_timeout": "1s"}, admin={"address": admin.address}))
    proxy.wait_log("a is healthy")
    clients = Clients(proxy)
    try:
        for _ in range(4):
            clients.wait_served_by("a", time.monotonic())
            a.go_down()
            time.sleep(0.15)
            a.come_back()
        clients.wait_served_by("a", time.monotonic())
    finally:
        clients.end()
    heard = clients.since(0)
    assert set(heard) - {"error"} == {"a", "b"}
    wait_until(lambda: admin.ended().total() == heard.total(), "all are counted")
    # Who was connected, in its queue, as it went down has lost its server; nobody was denied another.
    assert set(admin.ended()) <= {"finished", "reset by server"}, admin.ended()
    assert heard["error"] == admin.ended()["reset by server"]


def resets_late(connection):
    time.sleep(0.05)
    connection.reset()


@pytest.mark.timing
def test_ejections_grow_and_one_client_at_a_time_tries_the_server(lb, server):
    a, b = server(resets_late), server(answers("b"))
    proxy = lb(tcp_config({"name": "a", "address": a}, b, runtime={"workers": 2},
                          pool={"outlier_detection": {"consecutive_failures": 3,
                                                      "eject_for": "200ms"}}))
    clients = Clients(proxy)
    try:
        for number in (1, 2, 3):
            proxy.wait_log(rf"a is ejected .*3 failures in a row, ejected for {200 * number} ms "
                           rf"\(ejection {number}\)")
    finally:
        clients.end()
    seen = clients.since(0)
    assert 5 <= seen["error"] <= 12, "three and who was there too, then one each time it is back"


def test_a_pool_of_one_is_never_ejected(lb, server):
    a = server(resets)
    proxy = lb(tcp_config({"name": "a", "address": a}, pool={
        "outlier_detection": {"consecutive_failures": 1, "max_ejected": "100%"}}))
    for _ in range(5):
        proxy.connect().expect_reset(saying=b"hello")
    assert "ejected" not in proxy.log()


@pytest.mark.timing
def test_a_recovered_servers_share_grows(lb, server):
    a, b = server(answers("a")), server(answers("b"))
    proxy = lb(tcp_config({"name": "a", "address": a}, {"name": "b", "address": b},
                          pool={"health_check": CHECK, "slow_start": "3s"},
                          runtime={"workers": 2}))
    proxy.wait_log("a is healthy")
    proxy.wait_log("b is healthy")
    a.go_down()
    proxy.wait_log("a is unhealthy")
    a.come_back()
    proxy.wait_log(r"a is healthy \(was unhealthy\)")
    began = time.monotonic()
    clients = Clients(proxy)
    try:
        time.sleep(1.0)
        early = clients.since(began)
        time.sleep(2.5)
        late_began = time.monotonic()
        time.sleep(0.5)
        late = clients.since(late_began)
    finally:
        clients.end()
    assert early["a"] < 0.35 * early["b"], early
    assert abs(late["a"] - late["b"]) < 0.25 * (late["a"] + late["b"]), late


def test_killing_one_of_three_under_load_is_seen_by_nobody(lb):
    servers = [EchoSwarm() for _ in range(3)]
    try:
        proxy = lb(tcp_config(*(one.address for one in servers), runtime={"workers": 2},
                              pool={"health_check": {"interval": "1s", "fast_interval": "200ms"}}))
        at_once = 4  # thousands of connections a second all the same
        load = ShortConnections(proxy.address, at_once)
        wait_until(lambda: servers[0].connections() > 500, "it is under load")
        servers[0].kill()
        before = servers[1].connections()
        wait_until(lambda: servers[1].connections() > before + 2000, "the others serve",
                   timeout_s=30)
        got = load.smooth_results()
    finally:
        for one in servers[1:]:
            one.end()
    # Who was connected to it at that moment has lost its server; nobody else notices.
    assert sum(got["errors"].values()) <= at_once, got
    assert set(got["errors"]) <= {"ConnectionResetError", "answer b''"}, got


def connect_failures(admin):
    found = re.findall(r"^lb_server_connect_failures_total.* (\d+)$", admin.get("/metrics").text, re.MULTILINE)
    return sum(map(int, found))


def test_of_a_thousand_servers_three_hundred_are_dead(lb, server, admin):
    one = server(answers("good"))
    one.stop()
    everywhere = FakeServer(answers("good"), address=f"0.0.0.0:{one.port}")
    hosts = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1_000)]
    servers = [f"{host}:{9 if number % 10 in (0, 3, 6) else one.port}" for number, host in enumerate(hosts)]
    try:
        # As many tries as nobody needs: with the default two, some meet three dead ones in a row.
        config = tcp_config(*servers, runtime={"workers": 2}, admin={"address": admin.address}, pool={
            "retries": {"attempts": 10, "budget": "100%"}, "health_check": "off"})
        proxy = lb(config)
        clients = Clients(proxy, patience_s=30.0)
        try:
            wait_until(lambda: clients.since(0)["good"] > 300, "those who are tried first are found out", 100)
            config["pools"]["back"]["health_check"] = {"interval": "1s"}
            proxy.reload(config)
            wait_until(lambda: proxy.log().count("is unhealthy") == 300, "the dead are known", 100)
            known = time.monotonic()
            failures = connect_failures(admin)
            wait_until(lambda: clients.since(known)["good"] > 300, "traffic goes on", 100)
        finally:
            clients.end()
        assert set(clients.since(0)) == {"good"}
        assert failures > 50
    finally:
        everywhere.hang_up()
        everywhere.go_down()
