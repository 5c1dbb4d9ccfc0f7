# SPDX-License-Identifier: MIT
"""What operators do disturbs nobody: a thousand changes and a hundred whole configurations under load,
scrapes of a thousand servers, listeners who never read."""

import copy

import pytest
from lbtest import free_port, in_background, names_itself, tcp_config, wait_until
from lbtest.connection import connect
from lbtest.http import asks, http_config, response, serves


def echoes():
    return serves(lambda got: response(got.body or b"-"))


class Clients:
    """Clients of all kinds until told to end: any answer but the right one, or a reset, is an error
    that end() raises."""

    def __init__(self, http, tcp):
        self._done = False
        self._all = [in_background(self._one, client)
                     for client in (self._keeps(http), self._comes_and_goes(http), self._talks(tcp),
                                   self._talks_and_goes(tcp))]

    def _one(self, rounds):
        count = 0
        while not self._done:
            next(rounds)
            count += 1
        rounds.close()
        return count

    @staticmethod
    def _keeps(address):
        with connect(address) as client:
            while True:
                got = asks(client, method="POST", body=b"hello")
                assert (got.status, got.body) == (200, b"hello")
                yield

    @staticmethod
    def _comes_and_goes(address):
        while True:
            with connect(address) as client:
                assert asks(client).status == 200
            yield

    @staticmethod
    def _talks(address):
        with connect(address) as client:
            client.receive_line()
            while True:
                assert client.asks(b"hello") == b"hello"
                yield

    @staticmethod
    def _talks_and_goes(address):
        while True:
            with connect(address) as client:
                assert client.receive_line() in (b"a\n", b"b\n", b"c\n")
                assert client.asks(b"hello") == b"hello"
            yield

    def end(self):
        self._done = True
        return [each.result() for each in self._all]


@pytest.mark.seconds(400)
def test_no_client_notices_a_thousand_changes_and_a_hundred_configurations(lb, server, admin):
    a, b, c = (server(echoes()) for _ in range(3))
    tcp_address = f"127.0.0.1:{free_port()}"
    config = http_config({"name": "a", "address": a}, {"name": "b", "address": b}, runtime={"workers": 2},
                         admin={"address": admin.address})
    config["listeners"]["tcp"] = {"address": tcp_address, "protocol": "tcp", "pool": "tcp"}
    talkers = {name: server(names_itself(name)) for name in "abc"}
    config["pools"]["tcp"] = {"servers": [{"name": name, "address": talkers[name].address} for name in "ab"]}
    proxy = lb(config)
    clients = Clients(proxy.address, tcp_address)
    ids = {pool: {each["name"]: each["serverId"] for each in admin.get(f"/api/servers?pool={pool}").data}
           for pool in ("back", "tcp")}
    ports = {"back": c.port, "tcp": talkers["c"].port}
    changes = configurations = 0

    def change(method, path, body=None, status=200):
        nonlocal changes
        reply = admin.ask(method, path, body)
        assert reply.status == status, reply.text
        changes += 1
        return reply.data

    for number in range(167):
        pool = ("back", "tcp")[number % 2]
        change("PUT", f"/api/servers/{ids[pool]['a']}/weight", {"weight": number % 5 + 1})
        new = change("POST", "/api/servers", {"pool": pool, "name": "c", "host": "127.0.0.1",
                                              "port": ports[pool]}, 201)
        change("PUT", f"/api/servers/{ids[pool]['b']}/state", {"state": ("drain", "maintenance")[number // 2 % 2]})
        change("PUT", "/api/algorithm", {"pool": pool, "algorithm": ("random", "least_connections",
                                                                     "round_robin")[number % 3]})
        change("DELETE", f"/api/servers/{new['serverId']}")
        change("PUT", f"/api/servers/{ids[pool]['b']}/state", {"state": "ready"})
        if number % 5 < 3:
            sent = copy.deepcopy(config)
            sent["pools"]["back"]["servers"][0]["weight"] = 2 + number % 3
            if number % 2:
                sent["listeners"]["more"] = {"address": f"127.0.0.1:{free_port()}", "pool": "tcp"}
            reply = admin.put("/api/config", sent)
            assert reply.status == 200, reply.text
            configurations += 1
    assert changes >= 1_000 and configurations >= 100
    counts = clients.end()
    assert min(counts) > 50, counts
    figures = admin.get("/api/metrics/requests").data["listeners"]["front"]
    assert set(figures["byStatus"]) == {"2xx"}


def test_neither_scrapes_of_a_thousand_servers_nor_deaf_listeners_delay_a_probe(lb, swarm, admin):
    probed = swarm()
    many = [{"name": f"s{number}", "address": f"127.0.{number // 250}.{number % 250 + 1}:1"}
            for number in range(1_000)]
    config = tcp_config(*many, admin={"address": admin.address}, pool={"health_check": "off"})
    config["pools"]["watched"] = {"health_check": {"interval": "100ms"}, "servers": [
        {"name": "probed", "address": probed.address}]}
    config["listeners"]["more"] = {"address": f"127.0.0.1:{free_port()}", "pool": "watched"}
    proxy = lb(config)
    deaf = [connect(admin.address) for _ in range(16)]
    for each in deaf:
        each.send(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    identity = admin.server("s0")["serverId"]
    probes, cpu_s, rounds = probed.connections(), proxy.cpu_s(), 20
    for number in range(rounds):
        reply = admin.get("/metrics")
        assert reply.status == 200 and 'server="s999"' in reply.text
        assert admin.put(f"/api/servers/{identity}/weight", {"weight": 1 + number % 2}).status == 200
        assert admin.put(f"/api/servers/{identity}/state", {"state": ("drain", "ready")[number % 2]}).status == 200
    # A probe waits at most for what the control thread is at; wall time would measure the machine.
    assert (proxy.cpu_s() - cpu_s) / rounds < 0.2
    wait_until(lambda: probed.connections() > probes + 3, "probes go on")
    health = admin.get(f"/api/servers/{admin.server('probed', 'watched')['serverId']}/health").data
    assert health["status"] == "healthy" and len(health["history"]) == 1
    for each in deaf:
        each.close()
