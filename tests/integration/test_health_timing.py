# SPDX-License-Identifier: MIT
"""How soon lb finds out, by its checks and by live traffic, and what it takes to change its mind."""

import re
import time

import pytest
from lbtest import echo, hears, names_itself, sink, tcp_config, wait_until

RUNTIME = {"workers": 2, "drain_timeout": "1s"}
LATE_S = 0.5  # what a busy machine may add


def checked(*servers, on_down="keep", **check):
    named = [{"name": name, "address": server} for name, server in zip("abc", servers)]
    return tcp_config(*named, pool={"health_check": check, "on_down": on_down}, runtime=RUNTIME)


def started(lb, config):
    """lb, once its checks have found all servers healthy and every worker knows."""
    proxy = lb(config)
    for one in config["pools"]["back"]["servers"]:
        wait_state(proxy, one["name"], "healthy")
    proxy.reload(config)
    return proxy


def wait_state(proxy, name, state, since=0):
    """Waits until the log says so, for the first time after the first `since` such lines; returns
    when that was seen."""
    wait_until(lambda: len(re.findall(rf"\b{name} is {state}", proxy.log())) > since,
               f"{name} is {state}")
    return time.monotonic()


@pytest.mark.fast
@pytest.mark.timing
def test_a_dead_server_is_found_by_its_checks_in_time(lb, server):
    a, b = server(echo), server(echo)
    proxy = started(lb, checked(a, b, interval="600ms", fast_interval="200ms", timeout="200ms", fall=3))
    a.go_down()
    began = time.monotonic()
    took_s = wait_state(proxy, "a", "unhealthy") - began
    # The first failure comes within an interval, two more after a fast one each; all jittered.
    assert 2 * 0.18 < took_s < 0.66 + 2 * 0.22 + LATE_S, f"{took_s:.2f} s"


@pytest.mark.fast
@pytest.mark.timing
def test_a_server_that_hangs_is_found_by_its_checks_in_time(lb, server):
    a = server()
    proxy = lb(checked(a, interval="200ms", fast_interval="200ms", timeout="300ms", fall=2,
                       type="tcp", send="PING\r\n", expect="+PONG"), ready=False)
    a.accept()
    began = time.monotonic()
    took_s = wait_state(proxy, "a", "unhealthy") - began
    assert 0.1 < took_s < 0.3 + LATE_S, f"the first check decides at once: {took_s:.2f} s"


@pytest.mark.fast
@pytest.mark.timing
def test_it_takes_rise_passes_until_a_server_is_healthy_again(lb, server):
    a = server(echo)
    proxy = started(lb, checked(a, interval="300ms", fast_interval="150ms", fall=1, rise=3))
    a.go_down()
    wait_state(proxy, "a", "unhealthy")
    checks_before = a.connections
    a.come_back()
    began = time.monotonic()
    took_s = wait_state(proxy, "a", "healthy", since=1) - began
    assert 2 * 0.135 < took_s < 3 * 0.165 + LATE_S, f"{took_s:.2f} s"
    wait_until(lambda: a.connections - checks_before >= 3, "all are counted")
    assert a.connections - checks_before == 3


class Moody:
    """A server that answers its checks by a list of moods, then well."""

    def __init__(self, server):
        self.moods = []
        self.answers = 0
        self.server = server(self._answer)

    def _answer(self, connection):
        while connection.socket.recv(100):
            good = self.moods.pop(0) if self.moods else True
            connection.send(b"+PONG\r\n" if good else b"-LOADING\r\n")
            self.answers += 1


@pytest.mark.fast
@pytest.mark.parametrize("moods, falls", [
    ([False, False], 0),
    ([False, False, True, False, False, True, False], 0),
    ([False, False, False], 1),
    ([True, False, False, True, False, False, False], 1),
])
def test_only_failures_in_a_row_make_a_server_unhealthy(lb, server, moods, falls):
    one = Moody(server)
    proxy = started(lb, checked(one.server, interval="50ms", fast_interval="50ms", timeout="5s", fall=3, rise=1,
                       type="tcp", send="PING\r\n", expect="+PONG"))
    answers = one.answers
    one.moods.extend(moods)
    wait_until(lambda: one.answers >= answers + len(moods) + 2, "all moods were seen")
    if falls:
        wait_state(proxy, "a", "healthy", since=1)
    assert len(re.findall(r"\ba is unhealthy", proxy.log())) == falls


@pytest.mark.fast
def test_a_failed_connect_of_a_client_starts_a_check_at_once(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = started(lb, checked(a, b, interval="1h", fast_interval="1h", fall=1))
    a.go_down()
    assert [hears(proxy) for _ in range(2)] == ["b", "b"]
    wait_state(proxy, "a", "unhealthy")  # in less than an hour


@pytest.mark.fast
@pytest.mark.timing
def test_a_failed_connect_of_a_client_alone_changes_no_state(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = started(lb, checked(a, b, interval="1h", fast_interval="300ms", fall=3))
    a.go_down()
    began = time.monotonic()
    assert [hears(proxy) for _ in range(2)] == ["b", "b"]
    took_s = wait_state(proxy, "a", "unhealthy") - began
    assert 2 * 0.27 < took_s < 2 * 0.33 + LATE_S, f"a check at once and two fast ones: {took_s:.2f} s"


@pytest.mark.fast
def test_a_server_that_failed_is_used_again_when_it_is_the_last(lb, server):
    a = server(names_itself("a"))
    proxy = started(lb, checked(a, interval="1h", fast_interval="1h", fall=3))
    a.go_down()
    proxy.connect().ends()
    a.come_back()
    assert hears(proxy) == "a"


@pytest.mark.fast
def test_closing_what_is_open_leaves_other_servers_alone(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = started(lb, checked(a, b, interval="100ms", fast_interval="50ms", fall=2,
                                on_down="close"))
    clients = [proxy.connect() for _ in range(20)]
    at = [client.receive_line() for client in clients]
    assert at.count(b"a\n") == at.count(b"b\n") == 10
    a.go_down()
    wait_state(proxy, "a", "unhealthy")
    for name, client in zip(at, clients):
        if name == b"a\n":
            client.expect_reset()
    for name, client in zip(at, clients):
        if name == b"b\n":
            assert client.asks(b"still here") == b"still here"
    assert {hears(proxy) for _ in range(6)} == {"b"}


@pytest.mark.fast
def test_only_a_newly_unhealthy_server_loses_its_connections(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = started(lb, checked(a, b, interval="100ms", fast_interval="50ms", fall=2, rise=1,
                                on_down="close"))
    for since in range(3):
        wait_until(lambda: "a" in {hears(proxy), hears(proxy)}, "a serves")
        a.go_down()
        wait_state(proxy, "a", "unhealthy", since=since)
        assert {hears(proxy) for _ in range(4)} == {"b"}
        a.come_back()
        wait_state(proxy, "a", "healthy", since=since + 1)
    assert len(re.findall("b is", proxy.log())) == 1, "the state of b never changed"


@pytest.mark.fast
def test_who_is_still_connecting_goes_on_to_another_server(lb, server, deaf_server):
    deaf, good = deaf_server(), server(names_itself("good"), address="127.0.0.2:0")
    answers_for_good = server(sink, address="127.0.0.2:0")
    answers_for_deaf = server(sink, address=f"127.0.0.1:{answers_for_good.port}")
    proxy = lb(tcp_config(deaf, good, runtime=RUNTIME, pool={
        "on_down": "close", "timeouts": {"connect": "30s"}, "health_check": {
            "port": answers_for_good.port, "interval": "100ms", "fast_interval": "50ms"}}))
    proxy.wait_log(f"{deaf.address} is healthy")
    proxy.wait_log(f"{good.address} is healthy")
    clients = [proxy.connect() for _ in range(10)]
    wait_until(lambda: good.connections >= 4, "some are served, others wait")
    answers_for_deaf.go_down()
    for client in clients:
        assert client.receive_line() == b"good\n"
