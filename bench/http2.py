# SPDX-License-Identifier: MIT
"""The scenarios of HTTP/2: h2load for clients, nghttpd for servers that speak it."""

import contextlib
import re
import shutil
import time
from pathlib import Path

import proxies
from databases import Database
from http_proxies import Setup
from http_scenarios import Http
from scenarios import SERVER_PORT, Failed, NotHere, run_load, started


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


class Grpc(H2load):
    """What a unary call looks like on the wire: a message of 64 bytes there and back, then trailers."""

    def __init__(self):
        super().__init__("grpc-unary", STREAMS + "in clear, 2 servers of HTTP/2, messages of 64 B",
                         Setup(http2=True, http2_servers=True), servers=2)

    @contextlib.contextmanager
    def prepared(self):
        if shutil.which("nghttpd") is None:
            raise NotHere("nghttpd is not installed")
        with super().prepared():
            yield

    @contextlib.contextmanager
    def servers(self, arguments, directory):
        message = Path(directory, "message")
        message.write_bytes(b"\0\0\0\0\x3b" + b"x" * 59)
        self.options = ("-d", str(message), "-H", "content-type: application/grpc", "-H", "te: trailers")
        with contextlib.ExitStack() as running:
            ports = range(SERVER_PORT, SERVER_PORT + self.server_count)
            for port in ports:
                process = running.enter_context(started(
                    ["nghttpd", "--no-tls", "-a", "127.0.0.1", "--echo-upload", "--trailer",
                     "grpc-status: 0", str(port)], arguments.load_cpu))
                proxies.wait_for_port(port, lambda: process.poll() is None, "nghttpd")
            yield [f"127.0.0.1:{port}" for port in ports]


STREAMS = "16 connections with 8 streams each, "
SCENARIOS = {scenario.name: scenario for scenario in [
    H2load("h2-rps", STREAMS + "TLS 1.3, 8 servers of HTTP/1.1", Setup(tls=True, http2=True)),
    H2load("h2c-rps", STREAMS + "in clear, 8 servers of HTTP/1.1", Setup(http2=True)),
    Grpc(),
]}
