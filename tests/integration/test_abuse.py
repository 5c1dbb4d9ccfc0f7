# SPDX-License-Identifier: MIT
"""Clients that mean harm, by the thousand: slow ones, noisy ones, greedy ones. Good clients are
served meanwhile, and nothing is left when the others have gone."""

import random
import socket

import pytest
from lbtest import free_port, tcp_config, wait_until
from lbtest.connection import parse
from lbtest.http import asks, http_config
from lbtest.real import FileServer
from lbtest.swarm import Garbage, ShortConnections, SlowClients

RUNTIME = {"workers": 2, "drain_timeout": "1s"}


def is_served(proxy, **request):
    try:
        with proxy.connect() as client:
            return asks(client, **request).status == 200
    except (OSError, AssertionError):
        return False


SLOW_ONES = 2000


@pytest.fixture
def files():
    server = FileServer()
    yield server.address
    server.stop()


@pytest.mark.parametrize("mode", ["headers", "body", "read"])
def test_thousands_of_slow_clients_keep_nobody_waiting(lb, files, mode):
    proxy = lb(http_config(files, runtime=RUNTIME))
    before = proxy.fd_count()
    slow = SlowClients(proxy.address, mode, SLOW_ONES)
    wait_until(lambda: proxy.fd_count() >= before + SLOW_ONES * 3 // 4, "they are there")
    failed = sum(not is_served(proxy) for _ in range(500))
    assert failed < 5
    assert proxy.fd_count() >= before + SLOW_ONES // 2, "they still are"
    seen = slow.results()
    wait_until(lambda: proxy.fd_count() < before + 200, f"they leave nothing: {seen}")


NOISE = 10_000


def test_garbage_on_every_port_harms_nobody(lb, swarm, files, authority):
    tls = {"certificates": [authority.issue("noise", "127.0.0.1")]}
    pools = {"echo": {"servers": [swarm().address]}, "web": {"servers": [files]}}
    listeners = {
        "web": {"protocol": "http", "pool": "web"},
        "tcp": {"pool": "echo"},
        "behind": {"pool": "echo", "proxy_protocol": {"trusted": ["127.0.0.0/8"]}},
        "tls": {"pool": "echo", "tls": tls},
        "https": {"protocol": "http", "pool": "web", "tls": tls},
        "by-name": {"routes": [{"match": {"sni": "a.example"}, "pool": "echo"}]},
        "postgres": {"pool": "echo", "tls": {**tls, "starttls": "postgres"}},
    }
    for listener in listeners.values():
        listener.setdefault("protocol", "tcp")
        listener["address"] = f"127.0.0.1:{free_port()}"
    listeners["udp"] = {"protocol": "udp", "pool": "echo", "address": listeners["web"]["address"],
                        "udp": {"max_sessions": 100}}
    admin = f"127.0.0.1:{free_port()}"
    proxy = lb({"listeners": listeners, "pools": pools, "runtime": RUNTIME,
                "admin": {"address": admin}, "log": {"level": "error"}})
    _, datagrams = parse(listeners["udp"]["address"])
    streams = [one["address"] for one in listeners.values() if one["protocol"] != "udp"]

    def noise(count):
        """How much memory lb has after it."""
        before = proxy.fd_count()
        garbage = Garbage(count, admin, *streams)
        chance = random.Random(count)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            for _ in range(count // 10):
                raw.sendto(chance.randbytes(chance.randrange(1400)), datagrams)
                assert is_served(proxy)
        seen = garbage.results()
        assert sum(seen.values()) == count, seen
        wait_until(lambda: proxy.fd_count() < before + 200, "they leave nothing")
        return proxy.rss_kib()

    first_kib = noise(NOISE // 2)
    again_kib = noise(NOISE // 2)
    assert again_kib < first_kib + 4096, (first_kib, again_kib)


SOURCES = 200


def test_a_flood_from_many_sources_is_felt_by_nobody_else(lb, swarm, admin):
    one = swarm()
    proxy = lb(tcp_config(one, runtime=RUNTIME, admin={"address": admin.address}, listener={
        "limits": {"connection_rate_per_source": {"rate": "1/m", "burst": 1}}}))
    flood = ShortConnections(proxy.address, 50, sources=SOURCES)
    good = 0
    while good < 400 or admin.ended()["over the rate of its source"] < 20 * SOURCES:
        for _ in range(100):
            good += 1
            with proxy.connect(source=f"127.2.{good // 250}.{good % 250 + 1}:0") as client:
                assert client.asks(b"x") == b"x"
    seen = flood.results()
    assert set(seen["errors"]) <= {"ConnectionResetError", "BrokenPipeError"}, seen
    assert SOURCES <= seen["done"] < sum(seen["errors"].values()) / 10, seen


@pytest.mark.timing
def test_a_refused_connection_costs_less_than_a_served_one(lb, swarm):
    one = swarm()
    config = tcp_config(one, runtime=RUNTIME, log={"level": "error"})
    closed = config["listeners"]["closed"] = {
        **config["listeners"]["front"], "address": f"127.0.0.1:{free_port()}",
        "limits": {"connection_rate_per_source": {"rate": "1/m", "burst": 1}}}
    proxy = lb(config)
    proxy.connect(closed["address"]).asks(b"x")

    def cost_us(address):
        """CPU for each connection of thousands."""
        before_s = proxy.cpu_s()
        load = ShortConnections(address, 20)
        wait_until(lambda: proxy.cpu_s() > before_s + 0.2, "enough to measure", timeout_s=60)
        seen = load.results()
        return 1e6 * (proxy.cpu_s() - before_s) / (seen["done"] + sum(seen["errors"].values()))

    served_us, refused_us = cost_us(proxy.address), cost_us(closed["address"])
    assert refused_us < served_us, (refused_us, served_us)
