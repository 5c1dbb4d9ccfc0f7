# SPDX-License-Identifier: MIT
"""The scenarios of HTTP: our own clients and servers, one proxy between them."""

import http_proxies
from http_proxies import Setup
from scenarios import Bulk, Idle, Scenario


class Http:
    """What a scenario of HTTP has beside one of TCP. Comes first among the bases."""

    setup = Setup()
    active = 0  # connections that go on asking while others are idle

    def fits(self, name):
        # The relay knows no TLS.
        return name in http_proxies.PROXIES and not (name == "bare" and self.setup.tls)

    def proxy_command(self, name, build, directory, servers):
        return http_proxies.ALL[name](build, directory, servers, self.setup)

    # Whoever sleeps has to be woken, by the proxy, at a cost that depends on how long it takes for each
    # request: a few hundred ns more between them would look like a thousand.
    @property
    def awake(self):
        return ["--awake", str(int(self.setup.users > 0))]

    def server_command(self, arguments):
        return [str(arguments.build / "bench_http_server"), *self.awake]

    def load_program(self, arguments):
        return [str(arguments.build / "bench_http_load"), "--mode", self.mode,
                "--connections", str(self.connections), "--sources", str(self.sources),
                "--hosts", str(self.setup.routes), "--tls", str(int(self.setup.tls)),
                "--users", str(self.setup.users), "--asking", str(self.setup.asking), "--active", str(self.active),
                *self.awake]


class HttpRequests(Http, Scenario):
    def __init__(self, name, title, mode="rps", connections=64, setup=Setup(), **options):
        unit = "connection" if mode == "close" else "request"
        super().__init__(name, title, f"µs CPU/{unit}", mode, connections, call_unit=unit,
                         **options)
        self.setup = setup
        if setup.users > 0:
            self.own_proxies = list(http_proxies.WITH_USERS)
            self.start_s = 300


class HttpBulk(Http, Bulk):
    setup = Setup(messages=False)


class HttpIdle(Http, Idle):
    active = 64


KEPT = "requests on 64 kept connections, "
SCENARIOS = {scenario.name: scenario for scenario in [
    HttpRequests("http-rps", KEPT + "8 servers", servers=8),
    HttpRequests("http-close", "connect, a request, close; 64 at a time, 8 servers", mode="close",
                 servers=8, sources=8),
    HttpRequests("http-servers-2", KEPT + "2 servers", servers=2),
    HttpRequests("http-servers-1000", KEPT + "1,000 servers", servers=1000),
    HttpRequests("http-routes-2", KEPT + "2 routes by host", servers=8, setup=Setup(routes=2)),
    HttpRequests("http-routes-1000", KEPT + "1,000 routes by host", servers=8,
                 setup=Setup(routes=1000)),
    HttpRequests("https-rps", KEPT + "TLS 1.3, 8 servers", servers=8, setup=Setup(tls=True)),
    HttpRequests("http-users-1000", KEPT + "8 servers, 1,000 users with tokens", servers=8,
                 setup=Setup(users=1000, asking=1000)),
    HttpRequests("http-users-busy", KEPT + "8 servers, 1,000 of 1,000,000 users with tokens",
                 servers=8, setup=Setup(users=1_000_000, asking=1000)),
    HttpRequests("http-users-million", KEPT + "8 servers, 1,000,000 users with tokens", servers=8,
                 setup=Setup(users=1_000_000, asking=1_000_000)),
    HttpBulk("http-bulk", "8 connections that fetch 1 GB again and again", "bulk", 8, ""),
    HttpIdle("http-idle", "4,000 idle connections after one request, 64 at work",
             "KiB/connection", "idle", 4000),
]}
