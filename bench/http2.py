# SPDX-License-Identifier: MIT
"""The scenarios of HTTP/2: h2load for clients."""

import contextlib
import re
import shutil
import time

import proxies
from databases import Database
from http_proxies import Setup
from http_scenarios import Http
from scenarios import Failed, NotHere, run_load


class H2load(Http, Database):
    WARMUP_REQUESTS = 5000
    STREAMS = 8  # under way on each connection

    def __init__(self, name, title, setup, servers=8, options=()):
        super().__init__(name, title, "µs CPU/request", mode="", connections=16,
                         call_unit="request", servers=servers)
        self.setup = setup
        self.options = options
        self.requests_per_s = 0

    def fits(self, name):
        return name != "bare" and super().fits(name)

    @contextlib.contextmanager
    def prepared(self):
        if shutil.which("h2load") is None:
            raise NotHere("h2load is not installed")
        yield

    def h2load(self, arguments, requests):
        scheme = "https" if self.setup.tls else "http"
        said = run_load(["h2load", "-n", str(requests), "-c", str(self.connections),
                         "-m", str(self.STREAMS), *self.options,
                         f"{scheme}://127.0.0.1:{proxies.LISTEN_PORT}/"],
                        arguments.load_cpu, arguments.seconds + 30)
        good = re.search(rf" {requests} succeeded, 0 failed, 0 errored, 0 timeout", said)
        if good is None or f"{requests} 2xx" not in said:
            raise Failed("h2load: " + " ".join(said.split())[-400:])
        return requests

    def warm_up(self, arguments):
        began = time.monotonic()
        units = self.h2load(arguments, self.WARMUP_REQUESTS)
        self.requests_per_s = units / (time.monotonic() - began)
        return units

    def work(self, arguments):
        # h2load counts what it was told to do; by time it would leave requests behind.
        return self.h2load(arguments, max(1000, int(self.requests_per_s * arguments.seconds)))


STREAMS = "16 connections with 8 streams each, "
SCENARIOS = {scenario.name: scenario for scenario in [
    H2load("h2-rps", STREAMS + "TLS 1.3, 8 servers of HTTP/1.1", Setup(tls=True, http2=True)),
    H2load("h2c-rps", STREAMS + "in clear, 8 servers of HTTP/1.1", Setup(http2=True)),
]}
